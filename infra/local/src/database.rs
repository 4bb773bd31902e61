//! The embedded DynamoDB, with a port for AWS tools.
//!
//! **Invariant:** an acknowledged write is on disk (SQLite WAL with full synchronization), so it
//! survives `kill -9`.
//! **Invariant:** the database runs on its own thread, because its work is blocking and must not
//! stall the functions.
//! **Invariant:** web pages do not reach it. It accepts any credentials and answers any page, so it
//! listens on a loopback address that is drawn at each start; the port for tools is in front of it
//! and refuses requests that may come from a page.

use crate::Failure;
use crate::guard;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use dynoxide::Database;
use http::{StatusCode, Uri};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::thread::JoinHandle;
use tokio::runtime;
use tokio::sync::watch;

/// Port for AWS tools.
#[derive(Clone, Copy, Debug)]
pub enum ToolsPort {
    /// None: only this process uses the database.
    Closed,
    /// This port, or any free port if it is 0.
    Exactly(u16),
    /// This port if it is free, or else any free port.
    Near(u16),
}

/// A running database; dropping it stops it.
pub struct Embedded {
    /// Address on which it listens.
    address: SocketAddr,
    /// Address of the port for AWS tools.
    tools: Option<SocketAddr>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Embedded {
    /// Starts a database in a file, or in memory if there is no file.
    pub fn start(file: Option<&Path>, port: ToolsPort) -> Result<Self, Failure> {
        let database = match file {
            Some(file) => {
                keep_private(file)?;
                Database::new(file.to_str().ok_or("the data directory's name is not UTF-8")?)?
            }
            None => Database::memory()?,
        };
        let listener = hidden_listener()?;
        let address = listener.local_addr()?;
        let front = front_listener(port)?;
        let tools = front.as_ref().map(TcpListener::local_addr).transpose()?;
        for listener in [Some(&listener), front.as_ref()].into_iter().flatten() {
            listener.set_nonblocking(true)?;
        }
        let (stop, stopped) = watch::channel(false);
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let serve = move || {
            let stop = || {
                let mut stopped = stopped.clone();
                async move {
                    let _ = stopped.wait_for(|stop| *stop).await;
                }
            };
            runtime.block_on(async {
                let database = async {
                    let listener = tokio::net::TcpListener::from_std(listener)?;
                    let serve = dynoxide::server::serve_with_shutdown(listener, database, stop());
                    serve.await.map_err(std::io::Error::other)
                };
                let front = async {
                    let Some(front) = front else { return Ok(()) };
                    let front = tokio::net::TcpListener::from_std(front)?;
                    axum::serve(front, front_router(address)).with_graceful_shutdown(stop()).await
                };
                if let Err(error) = tokio::try_join!(database, front) {
                    tracing::error!(%error, "the database stopped");
                }
            });
        };
        let thread = std::thread::Builder::new().name("dynamodb".to_owned()).spawn(serve)?;
        Ok(Self { address, tools, stop, thread: Some(thread) })
    }

    /// Returns the URL of the database for this process.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the URL for AWS tools, if a port is open for them.
    pub fn tools_url(&self) -> Option<String> {
        self.tools.map(|address| format!("http://{address}"))
    }
}

/// Stops the database and waits until its file is closed.
impl Drop for Embedded {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Creates the file, readable only by its owner, before SQLite does; SQLite gives its other files the
/// same mode. Restricts the files of an earlier version.
fn keep_private(file: &Path) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
        options.mode(0o600).open(file)?;
        for suffix in ["", "-wal", "-shm"] {
            let mut name = file.as_os_str().to_owned();
            name.push(suffix);
            if Path::new(&name).exists() {
                std::fs::set_permissions(&name, std::fs::Permissions::from_mode(0o600))?;
            }
        }
    }
    #[cfg(not(unix))]
    options.open(file)?;
    Ok(())
}

/// Listens on a random loopback address that a web page cannot guess. Where a machine has only
/// 127.0.0.1, the port alone is random.
fn hidden_listener() -> Result<TcpListener, Failure> {
    let [a, b, c, _] = random().to_be_bytes();
    let hidden = Ipv4Addr::new(127, a, b, c.clamp(1, 254));
    Ok(TcpListener::bind((hidden, 0)).or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?)
}

fn random() -> u32 {
    rsa::rand_core::RngCore::next_u32(&mut rsa::rand_core::OsRng)
}

fn front_listener(port: ToolsPort) -> Result<Option<TcpListener>, Failure> {
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match port {
        ToolsPort::Closed => Ok(None),
        ToolsPort::Exactly(port) => {
            let failed = |error| format!("DynamoDB port {port} (--dynamodb-port): {error}");
            Ok(Some(listen(port).map_err(failed)?))
        }
        ToolsPort::Near(port) => Ok(Some(listen(port).or_else(|_| listen(0))?)),
    }
}

/// What the port for AWS tools passes requests to.
#[derive(Clone)]
struct Behind {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
}

fn front_router(address: SocketAddr) -> Router {
    let client = Client::builder(TokioExecutor::new()).build_http();
    Router::new()
        .fallback(pass_on)
        .layer(middleware::from_fn(guard::from_here))
        .with_state(Behind { address, client })
}

async fn pass_on(State(behind): State<Behind>, mut request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let Ok(uri) = format!("http://{}{path}", behind.address).parse::<Uri>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *request.uri_mut() = uri;
    match behind.client.request(request).await {
        Ok(response) => response.into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
