//! Responses: JSON bytes, and the headers of creations and replays.
//!
//! **Invariant:** the bytes of a response depend only on the stored outcome, so a replay repeats them.

use crate::problem::Problem;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use store::Done;

/// Number of retries by the store; read by the telemetry layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retries(pub u32);

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Characters that ids may contain but the path of a URI may not (RFC 3986, section 3.3).
const NOT_IN_PATHS: &AsciiSet = &CONTROLS.add(b'|');

/// Returns a 200 with this body.
pub fn ok(body: &impl Serialize) -> Result<Response, Problem> {
    json(StatusCode::OK, body)
}

/// Returns the response to an operation that moved value or changed a wallet; with a `location` it is a
/// 201.
pub fn done<O>(done: &Done<O>, location: Option<String>, body: &impl Serialize) -> Result<Response, Problem> {
    let status = if location.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    answer(status, ReplyMeta { location, replayed: done.replayed, retries: done.retries }, body)
}

/// Returns a 200 with a CSV file.
pub fn csv(text: String) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Returns a 200 with a page that runs nothing and loads nothing.
pub fn html(page: String) -> Response {
    const NOTHING: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    let mut response = page.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(NOTHING));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Headers and metrics of a response.
#[derive(Clone, Debug, Default)]
pub struct ReplyMeta {
    /// The path of the created resource.
    pub location: Option<String>,
    /// True if the response repeats an earlier one.
    pub replayed: bool,
    /// Number of retries.
    pub retries: u32,
}

/// Returns a response with this status.
pub fn answer(status: StatusCode, meta: ReplyMeta, body: &impl Serialize) -> Result<Response, Problem> {
    let mut response = json(status, body)?;
    let headers = response.headers_mut();
    if let Some(location) = meta.location {
        let location = utf8_percent_encode(&location, NOT_IN_PATHS).to_string();
        headers.insert(header::LOCATION, HeaderValue::try_from(location).map_err(|_| Problem::internal())?);
    }
    if meta.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response.extensions_mut().insert(Retries(meta.retries));
    Ok(response)
}

fn json(status: StatusCode, body: &impl Serialize) -> Result<Response, Problem> {
    let bytes = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "a response cannot be serialized");
        Problem::internal()
    })?;
    let mut response = (status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
