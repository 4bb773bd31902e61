//! A request of which the raw bytes count: a gateway's webhook.
//!
//! **Invariant:** the body is what was sent, byte for byte, with nothing undone but the base64 of a gateway in
//! between; nobody is trusted for having sent it.

use crate::api_request::request_id;
use crate::body::{MAX_BODY, read_body};
use crate::problem::Problem;
use axum::extract::{FromRequest, Request};
use domain::ids::RequestId;
use http::HeaderMap;

/// A request as it came.
pub struct RawRequest {
    /// This invocation's id.
    pub request: RequestId,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl<S: Send + Sync> FromRequest<S> for RawRequest {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let body = read_body(body, MAX_BODY).await?;
        let request = request_id(&parts.extensions);
        Ok(Self { request, headers: parts.headers, body })
    }
}
