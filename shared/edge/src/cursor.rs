//! Cursors: where a list goes on, sealed so that they cannot be forged or used for another query.
//!
//! **Invariant:** a cursor opens only with the key and the query that it was sealed for.

use crate::problem::Problem;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use sha2::Sha256;
use std::fmt;

/// The key that seals cursors; it does not print.
#[derive(Clone)]
pub struct CursorKey(Vec<u8>);

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey(…)")
    }
}

impl CursorKey {
    /// Takes a secret.
    pub fn new(secret: impl Into<Vec<u8>>) -> Self {
        Self(secret.into())
    }

    fn mac(&self, query: &str, place: u64) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).ok()?;
        mac.update(query.as_bytes());
        mac.update(&[0]);
        mac.update(&place.to_be_bytes());
        Some(mac)
    }

    /// Seals a place in the list that `query` names.
    pub fn seal(&self, query: &str, place: u64) -> Option<String> {
        let tag = self.mac(query, place)?.finalize().into_bytes();
        let mut bytes = place.to_be_bytes().to_vec();
        bytes.extend_from_slice(tag.get(..16)?);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens a cursor for the list that `query` names.
    pub fn open(&self, query: &str, cursor: &str) -> Result<u64, Problem> {
        self.try_open(query, cursor).ok_or_else(|| {
            let detail = "the cursor is not one of this list";
            Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", detail)
        })
    }

    fn try_open(&self, query: &str, cursor: &str) -> Option<u64> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (place, tag) = bytes.split_first_chunk::<8>()?;
        let place = u64::from_be_bytes(*place);
        (tag.len() == 16).then_some(())?;
        self.mac(query, place)?.verify_truncated_left(tag).ok()?;
        Some(place)
    }
}
