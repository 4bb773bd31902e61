//! HTTP clients for all calls to gateways and suppliers.
//!
//! **Invariant:** no redirect is followed, and no call takes longer than its timeout. A call
//! without an answer, or with a 5xx, is repeated once, because every call of this crate can be
//! repeated without further effect; only a client from [`once`] never repeats a call.

use crate::error::{GatewayError, Reason};
use reqwest::redirect::Policy;
use reqwest::retry;
use reqwest::{Client, ClientBuilder, RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;

/// Timeout for connecting.
const CONNECT: Duration = Duration::from_secs(2);

/// Timeout of a call, including its repetition. Gateways expect an answer to a webhook within 5 s.
const CALL: Duration = Duration::from_secs(4);

/// Longest answer that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Returns a client that repeats a failed call once.
pub fn client() -> Result<Client, GatewayError> {
    let again = retry::for_host(AnyHost).max_retries_per_request(1).classify_fn(|reply| {
        let busy = reply.status().is_some_and(|status| status.is_server_error());
        if reply.error().is_some() || busy { reply.retryable() } else { reply.success() }
    });
    built(Client::builder().retry(again))
}

/// Returns a client that never repeats a call.
pub(crate) fn once() -> Result<Client, GatewayError> {
    built(Client::builder().retry(retry::never()))
}

fn built(builder: ClientBuilder) -> Result<Client, GatewayError> {
    let tls = transport::tls().map_err(|_| GatewayError::Unreadable("TLS cannot be set up"))?;
    builder
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .connect_timeout(CONNECT)
        .timeout(CALL)
        .user_agent(concat!("scrip/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|_| GatewayError::Unreadable("the HTTP client cannot be set up"))
}

struct AnyHost;

impl PartialEq<&str> for AnyHost {
    fn eq(&self, _: &&str) -> bool {
        true
    }
}

/// Sends a request; returns the status and the body.
pub(crate) async fn send(request: RequestBuilder) -> Result<(u16, Vec<u8>), GatewayError> {
    let unreachable = |error: &reqwest::Error| {
        // The error's own text may contain the URL; the kind of error is enough.
        let what = if error.is_timeout() {
            "timed out"
        } else if error.is_connect() {
            "connection failed"
        } else {
            "connection lost"
        };
        GatewayError::Unreachable(what.to_owned())
    };
    let reply = request.send().await.map_err(|error| unreachable(&error))?;
    let status = reply.status().as_u16();
    let body = limited(reply, MAX_ANSWER).await?.map_err(|error| unreachable(&error))?;
    Ok((status, body))
}

/// Reads a body of at most `limit` bytes.
pub(crate) async fn limited(
    mut reply: Response,
    limit: usize,
) -> Result<Result<Vec<u8>, reqwest::Error>, GatewayError> {
    let mut body = Vec::new();
    loop {
        match reply.chunk().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > limit => {
                return Err(GatewayError::Unreadable("it is too long"));
            }
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => return Ok(Ok(body)),
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// Sends a request and returns the body of a 2xx as text. A 429 or 5xx is
/// [`GatewayError::Unreachable`], any other status is [`GatewayError::Refused`] with the gateway's
/// code.
pub(crate) async fn call(request: RequestBuilder) -> Result<String, GatewayError> {
    let (status, body) = send(request).await?;
    let text = String::from_utf8(body).map_err(|_| GatewayError::Unreadable("it is not UTF-8"))?;
    match status {
        200..300 => Ok(text),
        429 | 500.. => Err(GatewayError::Unreachable(format!("status {status}"))),
        _ => {
            let body: Value = serde_json::from_str(&text).unwrap_or_default();
            Err(GatewayError::Refused { status, code: code_of(&body), reason: reason_of(&body) })
        }
    }
}

/// Returns the explanation in a gateway's error: Razorpay's `error.description`, Stripe's
/// `error.message`, PayPal's first `description` or `message`.
fn reason_of(body: &Value) -> Option<Reason> {
    let places = ["/error/description", "/error/message", "/details/0/description", "/message"];
    let text = places.iter().find_map(|place| body.pointer(place)?.as_str())?;
    Some(Reason::of(text))
}

/// Returns the code in a gateway's error: Reloadly's `errorCode`, Razorpay's and Stripe's
/// `error.code`, PayPal's first `issue` or `name`.
fn code_of(body: &Value) -> String {
    if body.pointer("/error/type").and_then(Value::as_str) == Some("idempotency_error") {
        return "idempotency_error".to_owned();
    }
    let places = ["/errorCode", "/error/code", "/error/type", "/details/0/issue", "/name", "/error"];
    let code = places.iter().find_map(|place| body.pointer(place)?.as_str()).unwrap_or("");
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    code.chars().filter(plain).take(60).collect()
}
