//! Bodies of requests, as bytes.
//!
//! **Invariant:** no more is read of a body than it may have.

use crate::problem::Problem;
use axum::body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

/// The largest JSON body, decoded.
pub(crate) const MAX_BODY: usize = 256 * 1024;

/// The largest CSV body, decoded.
pub const MAX_CSV: usize = 4 * 1024 * 1024;

/// Reads a body of at most so many bytes.
pub async fn read_body(body: Body, most: usize) -> Result<Vec<u8>, Problem> {
    let body = Limited::new(body, most).collect().await.map_err(|error| {
        if error.is::<LengthLimitError>() {
            Problem::too_large()
        } else {
            Problem::invalid("the body broke off")
        }
    })?;
    Ok(body.to_bytes().to_vec())
}
