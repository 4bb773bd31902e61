//! What a request asked for, in 22 characters: tells a repetition from another request with the same key.
//!
//! **Invariant:** requests that are equal after parsing have equal fingerprints (`100` and `100.00`); who
//! asked is no part of it.

use crate::hash::Hash;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::{self, Write};

/// The digest of a request's meaning.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of named parts; `None` differs from any text.
    pub fn of(parts: &[(&str, Option<String>)]) -> Self {
        let mut text = String::new();
        for (name, value) in parts {
            if let Some(value) = value {
                let _ = write!(text, "{name}={}:{value};", value.len());
            }
        }
        let hash = Hash::of(text);
        Self(URL_SAFE_NO_PAD.encode(hash.bytes().get(..16).unwrap_or(hash.bytes())))
    }

    /// Takes a fingerprint that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
