//! The HTTP client of calls to AWS: hyper with a pool of connections, as the SDK's runtime expects it.
//!
//! **Invariant:** a call is sent at most once: only the caller repeats it. A connection that the SDK's runtime gives
//! up, after an answer of 5xx, is not used again.

use crate::CONNECT;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{
    CaptureConnection, Connect, HttpConnector as TcpConnector, capture_connection,
};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::error::Elapsed;
use tower::{Service, service_fn};

/// Returns an HTTP client that uses ring for TLS. Clones share its connections.
pub fn https() -> Result<crate::HttpClient, rustls::Error> {
    let mut tcp = TcpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let https = HttpsConnectorBuilder::new().with_tls_config(crate::tls()?).https_or_http().enable_http1();
    let https = https.wrap_connector(tcp);
    let connect = service_fn(move |address| {
        let mut https: HttpsConnector<TcpConnector> = https.clone();
        Box::pin(async move { tokio::time::timeout(CONNECT, https.call(address)).await? })
    });
    let client = Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connect);
    let connector = SharedHttpConnector::new(Pool(client));
    Ok(http_client_fn(move |_: &HttpConnectorSettings, _: &RuntimeComponents| connector.clone()))
}

/// Connections that are reused.
struct Pool<C>(Client<C, SdkBody>);

impl<C> std::fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").finish_non_exhaustive()
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> HttpConnector for Pool<C> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        let connection = capture_connection(&mut request);
        if let Some(capture) = request.extensions().get::<CaptureSmithyConnection>() {
            capture.set_connection_retriever(move || Some(metadata(connection.clone())));
        }
        let reply = self.0.request(request);
        HttpConnectorFuture::new(async move {
            let reply = reply.await.map_err(failure)?;
            HttpResponse::try_from(reply.map(SdkBody::from_body_1_x))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

/// Returns what the SDK's runtime needs to give up a connection.
fn metadata(connection: CaptureConnection) -> ConnectionMetadata {
    let give_up = move || {
        if let Some(connected) = connection.connection_metadata().as_ref() {
            connected.poison();
        }
    };
    ConnectionMetadata::builder().proxied(false).poison_fn(give_up).build()
}

fn failure(error: Error) -> ConnectorError {
    let has_timed_out = causes(&error).any(<dyn std::error::Error>::is::<Elapsed>);
    if has_timed_out { ConnectorError::timeout(error.into()) } else { ConnectorError::io(error.into()) }
}

/// Returns true if the request was certainly not sent, because the connection could not be opened: no name, no
/// route, nobody listening, no TLS.
pub fn is_unsent(error: &(dyn std::error::Error + 'static)) -> bool {
    let refused = |error: &std::io::Error| error.kind() == std::io::ErrorKind::ConnectionRefused;
    causes(error).any(|cause| {
        cause.downcast_ref().is_some_and(Error::is_connect) || cause.downcast_ref().is_some_and(refused)
    })
}

/// Returns an error and what caused it, outermost first.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| cause.source())
}
