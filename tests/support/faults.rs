//! Faults between the SDK and the table, injected at the SDK's HTTP layer.
//!
//! **Invariant:** every planned fault is counted when it fires, so a test can assert that it fired.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::Notify;

/// A fault that affects one request.
#[derive(Clone)]
pub enum Fault {
    /// The connection is refused.
    Unreachable,
    /// The request is applied, but the reply is lost.
    LostReply,
    /// The request is applied, but answered with a 500.
    ErrorAfterCommit,
    /// The request is answered with this status and body and not applied.
    Answer(u16, Value),
    /// The process stops before the request is sent.
    StopBefore(Arc<Notify>),
    /// The process stops after the request has been applied.
    StopAfter(Arc<Notify>),
    /// The request waits before it is sent: the first `Notify` signals its arrival, the second lets it
    /// continue.
    Wait(Arc<Notify>, Arc<Notify>),
    /// A batch read that returns every key as unprocessed.
    Unprocessed,
    /// The real reply, rewritten.
    Rewrite(Arc<dyn Fn(Value) -> Value + Send + Sync>),
}

impl Fault {
    /// Returns a cancelled transaction with these reason codes, one for each of its writes.
    pub fn cancelled(codes: &[&str]) -> Self {
        let reasons: Vec<Value> =
            codes.iter().map(|code| json!({"Code": code, "Message": "injected"})).collect();
        Self::Answer(
            400,
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "Message": "injected", "CancellationReasons": reasons,
            }),
        )
    }

    /// Returns a DynamoDB exception other than a cancelled transaction.
    pub fn exception(name: &str) -> Self {
        Self::Answer(
            400,
            json!({"__type": format!("com.amazonaws.dynamodb.v20120810#{name}"), "message": "injected"}),
        )
    }
}

struct Planned {
    operation: &'static str,
    times: u64,
    fault: Fault,
}

/// The planned faults, and the log of the requests.
#[derive(Default)]
pub struct Faults {
    plan: Mutex<Vec<Planned>>,
    fired: AtomicU64,
    log: Mutex<Vec<(String, Value)>>,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Faults({} fired)", self.fired())
    }
}

impl Faults {
    /// Plans a fault for the next `times` requests of this operation (`*`: any).
    pub fn plan(&self, operation: &'static str, times: u64, fault: Fault) {
        self.plan.lock().unwrap().push(Planned { operation, times, fault });
    }

    /// Plans a fault for every request of this operation from now on.
    pub fn always(&self, operation: &'static str, fault: Fault) {
        self.plan(operation, u64::MAX, fault);
    }

    /// Removes all planned faults.
    pub fn clear(&self) {
        self.plan.lock().unwrap().clear();
    }

    /// Returns how many faults have fired.
    pub fn fired(&self) -> u64 {
        self.fired.load(Ordering::SeqCst)
    }

    /// Returns the requests since the last call: operation and body.
    pub fn take_log(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    fn next(&self, operation: &str, body: Option<&[u8]>) -> Option<Fault> {
        let body = body.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        crate::uses::note(operation, &body);
        self.log.lock().unwrap().push((operation.to_owned(), body));
        let mut plan = self.plan.lock().unwrap();
        let planned =
            plan.iter_mut().find(|p| p.times > 0 && (p.operation == "*" || p.operation == operation))?;
        planned.times -= 1;
        self.fired.fetch_add(1, Ordering::SeqCst);
        Some(planned.fault.clone())
    }

    /// Wraps an HTTP client so that the planned faults apply to it.
    pub fn over(self: &Arc<Self>, inner: SharedHttpClient) -> SharedHttpClient {
        SharedHttpClient::new(Faulty { inner, faults: self.clone() })
    }
}

#[derive(Debug)]
struct Faulty {
    inner: SharedHttpClient,
    faults: Arc<Faults>,
}

impl HttpClient for Faulty {
    fn http_connector(&self, s: &HttpConnectorSettings, c: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            inner: self.inner.http_connector(s, c),
            faults: self.faults.clone(),
        })
    }
}

#[derive(Debug)]
struct Connector {
    inner: SharedHttpConnector,
    faults: Arc<Faults>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let fault = self.faults.next(&operation, request.body().bytes());
        let inner = self.inner.clone();
        HttpConnectorFuture::new(async move {
            let Some(fault) = fault else { return inner.call(request).await };
            apply_fault(fault, inner, request).await
        })
    }
}

async fn apply_fault(
    fault: Fault,
    inner: SharedHttpConnector,
    request: HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    match fault {
        Fault::Unreachable => {
            Err(ConnectorError::io(std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into()))
        }
        Fault::LostReply => {
            inner.call(request).await?;
            Err(ConnectorError::timeout("the reply is lost".into()))
        }
        Fault::ErrorAfterCommit => {
            inner.call(request).await?;
            let kind = "com.amazonaws.dynamodb.v20120810#InternalServerError";
            Ok(reply(500, &json!({"__type": kind, "message": "injected"})))
        }
        Fault::Answer(status, body) => Ok(reply(status, &body)),
        Fault::StopBefore(arrived) => {
            arrived.notify_one();
            std::future::pending().await
        }
        Fault::StopAfter(arrived) => {
            inner.call(request).await?;
            arrived.notify_one();
            std::future::pending().await
        }
        Fault::Wait(arrived, sign) => {
            arrived.notify_one();
            sign.notified().await;
            inner.call(request).await
        }
        Fault::Unprocessed => {
            let asked: Value = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
            Ok(reply(200, &json!({"Responses": {}, "UnprocessedKeys": asked["RequestItems"]})))
        }
        Fault::Rewrite(rewrite) => {
            let response = inner.call(request).await?;
            let status = response.status().as_u16();
            let bytes = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
            Ok(reply(status, &rewrite(serde_json::from_slice(&bytes).unwrap())))
        }
    }
}

fn reply(status: u16, body: &Value) -> HttpResponse {
    let mut reply = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::from(body.to_string()));
    reply.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    reply
}

/// Stops a process that has arrived at a planned fault.
pub async fn stopped<T>(process: tokio::task::JoinHandle<T>, arrived: &Notify) {
    arrived.notified().await;
    process.abort();
    assert!(process.await.is_err_and(|error| error.is_cancelled()));
}
