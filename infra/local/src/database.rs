//! The embedded DynamoDB, on a port of its own, so that any AWS tool can read it.
//!
//! **Invariant:** an acknowledged write is on disk (SQLite WAL with full synchronization), so it
//! survives `kill -9`.
//! **Invariant:** the database runs on its own thread, because its work is blocking and must not
//! stall the functions.

use crate::Failure;
use dynoxide::Database;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::thread::JoinHandle;
use tokio::runtime;
use tokio::sync::oneshot;

/// A running database; dropping it stops it.
pub struct Embedded {
    /// Address on which it listens.
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Starts a database in a file, or in memory if there is no file. Port 0 means any free port.
    pub fn start(file: Option<&Path>, port: u16) -> Result<Self, Failure> {
        let database = match file {
            Some(file) => Database::new(file.to_str().ok_or("the data directory's name is not UTF-8")?)?,
            None => Database::memory()?,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .map_err(|error| format!("DynamoDB port {port} (--dynamodb-port): {error}"))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            runtime.block_on(async {
                let listener = match tokio::net::TcpListener::from_std(listener) {
                    Ok(listener) => listener,
                    Err(error) => return tracing::error!(%error, "the database cannot listen"),
                };
                let signal = async {
                    let _ = stopped.await;
                };
                if let Err(error) = dynoxide::server::serve_with_shutdown(listener, database, signal).await {
                    tracing::error!(error, "the database stopped");
                }
            });
        };
        let thread = std::thread::Builder::new().name("dynamodb".to_owned()).spawn(serve)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Starts a database like `start`, on the preferred port if it is free, or else on any free
    /// port.
    pub fn start_near(file: Option<&Path>, preferred: u16) -> Result<Self, Failure> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, preferred)).is_ok();
        Self::start(file, if free { preferred } else { 0 })
    }

    /// Returns the URL of the database.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Stops the database and waits until its file is closed.
impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
