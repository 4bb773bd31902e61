//! Connects to a platform's table: through the running platform, the environment's endpoint, or the
//! file of the embedded database.
//!
//! **Invariant:** a file is opened by only one process: the table of a running platform is reached
//! through its port.

use crate::Failure;
use crate::data::DataDir;
use crate::database::{Embedded, ToolsPort};
use edge::cursor::CursorKey;
use edge::{App, Clock, wiring};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::{Credentials, Settings, https};

/// Options with which the platform is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Port of the API; 0 for any free port.
    pub port: u16,
    /// Data directory.
    pub data: PathBuf,
    /// True to keep the database in memory.
    pub memory: bool,
    /// Port of the embedded DynamoDB; `None` for the API's port + 1, or any free port.
    pub dynamodb_port: Option<u16>,
}

/// Connection to a platform's table.
pub struct TableConnection {
    /// URL of DynamoDB for this process.
    pub url: String,
    region: String,
    credentials: Credentials,
    pub(crate) embedded: Option<Embedded>,
}

impl TableConnection {
    /// Returns the URL of DynamoDB for other processes.
    pub(crate) fn tools_url(&self) -> String {
        self.embedded.as_ref().and_then(Embedded::tools_url).unwrap_or_else(|| self.url.clone())
    }

    fn new(url: String, embedded: Option<Embedded>) -> Self {
        let credentials = Credentials::new("local", "local", None, None, "local");
        Self { url, region: "us-east-1".to_owned(), credentials, embedded }
    }

    /// Returns a connection to the endpoint that the environment names, if it names one.
    pub(crate) fn of_environment() -> Option<Self> {
        let (url, region, credentials) = wiring::other_endpoint()?;
        Some(Self { url, region, credentials, embedded: None })
    }

    /// Connects to the table of the platform in this directory: through the platform if it runs,
    /// else through the environment's endpoint, else by opening the file.
    pub async fn open(data: &DataDir) -> Result<Self, Failure> {
        let environment = Self::of_environment();
        if let Some(running) = data.running().await {
            // If the platform uses the environment's endpoint, so does this connection, with the
            // region and credentials.
            let same = environment.filter(|link| link.url == running.dynamodb);
            return Ok(same.unwrap_or_else(|| Self::new(running.dynamodb, None)));
        }
        if let Some(link) = environment {
            return Ok(link);
        }
        if !data.file("scrip.db").exists() {
            let place = data.path().display();
            return Err(format!(
                "there is no database in {place}: its platform runs in memory or has never run"
            )
            .into());
        }
        let embedded = Embedded::start(Some(&data.file("scrip.db")), ToolsPort::Closed)?;
        Ok(Self::new(embedded.url(), Some(embedded)))
    }

    /// Returns the table, clock and business rules for the functions.
    pub fn app(&self, clock: Arc<dyn Clock>, cursors: CursorKey) -> Result<App, Failure> {
        let settings = Settings {
            region: self.region.clone(),
            credentials: self.credentials.clone(),
            endpoint: Some(self.url.clone()),
            attempt_timeout: Duration::from_secs(5),
        };
        Ok(wiring::app(settings, https()?, clock, cursors)?)
    }
}

pub(crate) fn embedded(
    options: &Options,
    data: &DataDir,
    api: SocketAddr,
) -> Result<TableConnection, Failure> {
    let file = (!options.memory).then(|| data.file("scrip.db"));
    let near = ToolsPort::Near(api.port().saturating_add(1));
    let port = options.dynamodb_port.map_or(near, ToolsPort::Exactly);
    let embedded = Embedded::start(file.as_deref(), port)?;
    Ok(TableConnection::new(embedded.url(), Some(embedded)))
}
