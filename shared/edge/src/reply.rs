//! Answers: JSON bytes, and the headers that creations and replays carry.
//!
//! **Invariant:** the bytes of an answer depend on the stored outcome alone, so a replay repeats them.

use crate::problem::Problem;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;
use store::Done;

/// How often the store had to try again; read by the telemetry layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retries(pub u32);

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// What ids may hold and the path of a URI may not (RFC 3986, section 3.3).
const NOT_IN_PATHS: &AsciiSet = &CONTROLS.add(b'|');

/// A 200 with this body.
pub fn ok(body: &impl Serialize) -> Result<Response, Problem> {
    json(StatusCode::OK, body)
}

/// The answer to an operation that moved value or changed a wallet; `location` makes it a 201.
pub fn done<O>(done: &Done<O>, location: Option<String>, body: &impl Serialize) -> Result<Response, Problem> {
    let status = if location.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    answer(status, ReplyMeta { location, replayed: done.replayed, retries: done.retries }, body)
}

/// How an answer came about.
#[derive(Clone, Debug, Default)]
pub struct ReplyMeta {
    /// Where what was made can be read.
    pub location: Option<String>,
    /// True if an earlier request did it.
    pub replayed: bool,
    /// How often it had to be tried again.
    pub retries: u32,
}

/// An answer with this status.
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
        tracing::error!(%error, "an answer cannot be written");
        Problem::internal()
    })?;
    let mut response = (status, bytes).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
