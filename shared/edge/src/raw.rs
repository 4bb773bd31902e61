//! A request whose raw bytes matter: a webhook of a gateway or supplier.
//!
//! **Invariant:** the body is unchanged, byte for byte, except that API Gateway's base64 is decoded; the
//! request is not authenticated yet.

use crate::api_request::request_id;
use crate::body::{MAX_BODY, read_body};
use crate::problem::Problem;
use axum::extract::{FromRequest, Request};
use domain::ids::RequestId;
use http::HeaderMap;

/// A request with its raw body.
pub struct RawRequest {
    /// The id of this invocation.
    pub request: RequestId,
    /// All headers, as received.
    pub headers: HeaderMap,
    /// The raw body, at most 256 KiB.
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
