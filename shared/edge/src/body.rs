//! Reading request bodies as bytes.
//!
//! **Invariant:** reading stops at the size limit.

use crate::problem::Problem;
use axum::body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// The largest JSON body in bytes, after decoding.
pub(crate) const MAX_BODY: usize = 256 * 1024;

/// The largest JSON body of a router whose requests may be larger than usual; an extension of the request.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit(pub usize);

/// The largest CSV body in bytes, after decoding.
pub const MAX_CSV: usize = 4 * 1024 * 1024;

/// Reads a body of at most `most` bytes.
pub async fn read_body(body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let body = Limited::new(body, most).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Problem::too_large()
        } else {
            Problem::invalid("the body ended before it was complete")
        }
    })?;
    Ok(body.to_bytes().to_vec())
}
