//! Alert ids.
//!
//! **Invariant:** an alert's id is a function of its kind and subject.

use super::text::text_id;
use crate::hash::Hash;
use crate::parse::ParseError;

text_id! {
    /// An alert: `alert_<hash of kind and subject>`.
    AlertId
}

impl AlertId {
    /// Returns the id of the alert with this kind and subject.
    pub fn of(kind: &str, subject: &str) -> Self {
        Self(format!("alert_{}", Hash::of(format!("{kind}|{subject}")).prefix(10)))
    }

    /// Parses an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let known =
            text.strip_prefix("alert_").is_some_and(|tail| tail.len() == 20 && tail.bytes().all(plain));
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of an alert")) }
    }

    /// Wraps a stored id.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
