//! A way to a platform's table: through the running platform, the environment's endpoint, or the embedded database's file.
//!
//! **Invariant:** a file is opened by one process: a running platform is reached over its port.

use crate::Failure;
use crate::data::DataDir;
use crate::database::Embedded;
use edge::cursor::CursorKey;
use edge::{App, Clock, wiring};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{Credentials, Settings, https};

/// How the platform is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// The API's port; 0 for any.
    pub port: u16,
    /// The data directory.
    pub data: PathBuf,
    /// Keep the database in memory.
    pub memory: bool,
    /// The embedded DynamoDB's port.
    pub dynamodb_port: Option<u16>,
}

/// A way to a platform's table.
pub struct TableConnection {
    /// DynamoDB's URL.
    pub url: String,
    region: String,
    credentials: Credentials,
    pub(crate) embedded: Option<Embedded>,
}

impl TableConnection {
    fn new(url: String, embedded: Option<Embedded>) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "local");
        Self { url, region: "us-east-1".to_owned(), credentials, embedded }
    }

    /// The endpoint that the environment names, if it names one.
    pub(crate) fn of_environment() -> Option<Self> {
        let (url, region, credentials) = wiring::other_endpoint()?;
        Some(Self { url, region, credentials, embedded: None })
    }

    /// To the table of the platform in this directory: through it if it runs, else by opening its file.
    pub async fn open(data: &DataDir) -> Result<Self, Failure> {
        let environment = Self::of_environment();
        if let Some(running) = data.running().await {
            // A platform on another endpoint is reached with the environment's region and credentials.
            let same = environment.filter(|link| link.url == running.dynamodb);
            return Ok(same.unwrap_or_else(|| Self::new(running.dynamodb, None)));
        }
        if let Some(link) = environment {
            return Ok(link);
        }
        if !data.file("scrip.db").exists() {
            let place = data.path().display();
            return Err(format!(
                "nothing is stored in {place}: its platform keeps it in memory or never ran"
            )
            .into());
        }
        let embedded = Embedded::start(Some(&data.file("scrip.db")), 0)?;
        Ok(Self::new(embedded.url(), Some(embedded)))
    }

    /// What functions are given.
    pub fn app(&self, clock: Arc<dyn Clock>, cursors: CursorKey) -> Result<App, Failure> {
        let settings = Settings {
            region: self.region.clone(),
            credentials: self.credentials.clone(),
            endpoint: Some(self.url.clone()),
            attempt_timeout: Duration::from_secs(5),
        };
        Ok(wiring::app(settings, https(), clock, cursors)?)
    }
}

pub(crate) fn embedded(
    options: &Options,
    data: &DataDir,
    api: SocketAddr,
) -> Result<TableConnection, Failure> {
    let file = (!options.memory).then(|| data.file("scrip.db"));
    let embedded = match options.dynamodb_port {
        Some(port) => Embedded::start(file.as_deref(), port)?,
        None => Embedded::start_near(file.as_deref(), api.port().saturating_add(1))?,
    };
    Ok(TableConnection::new(embedded.url(), Some(embedded)))
}
