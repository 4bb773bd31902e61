//! Cursors: positions in a list, authenticated so that they cannot be forged or used for another query.
//!
//! **Invariant:** a cursor opens only with the key and the query that it was created for.

use crate::problem::Problem;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use sha2::Sha256;
use std::fmt;

/// The HMAC key for cursors; `Debug` does not show it.
#[derive(Clone)]
pub struct CursorKey(Vec<u8>);

impl fmt::Debug for CursorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CursorKey(…)")
    }
}

impl CursorKey {
    /// Creates a key from a secret.
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

    /// Creates a cursor for a numeric position in the list that `query` names; it is authenticated, not
    /// encrypted.
    pub fn seal(&self, query: &str, place: u64) -> Option<String> {
        let tag = self.mac(query, place)?.finalize().into_bytes();
        let mut bytes = place.to_be_bytes().to_vec();
        bytes.extend_from_slice(tag.get(..16)?);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Creates a cursor for a position that is text.
    pub fn seal_text(&self, query: &str, place: &str) -> Option<String> {
        let mut bytes = self.text_mac(query, place)?.finalize().into_bytes().get(..16)?.to_vec();
        bytes.extend_from_slice(place.as_bytes());
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Verifies a cursor that [`CursorKey::seal_text`] created for this list, and returns its position.
    pub fn open_text(&self, query: &str, cursor: &str) -> Result<String, Problem> {
        let opened = || {
            let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
            let (tag, place) = bytes.split_first_chunk::<16>()?;
            let place = std::str::from_utf8(place).ok()?;
            self.text_mac(query, place)?.verify_truncated_left(tag).ok()?;
            Some(place.to_owned())
        };
        opened().ok_or_else(not_of_this_list)
    }

    fn text_mac(&self, query: &str, place: &str) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).ok()?;
        mac.update(query.as_bytes());
        mac.update(&[1]);
        mac.update(place.as_bytes());
        Some(mac)
    }

    /// Verifies a cursor that [`CursorKey::seal`] created for this list, and returns its position.
    pub fn open(&self, query: &str, cursor: &str) -> Result<u64, Problem> {
        self.try_open(query, cursor).ok_or_else(not_of_this_list)
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

fn not_of_this_list() -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_cursor", "the cursor does not belong to this list")
}
