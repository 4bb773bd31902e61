//! The error returned when external text cannot be parsed into a domain type.
//!
//! **Invariant:** the message can be shown to the caller: it never repeats the rejected text.

/// Why a text is not a valid value of the expected type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub &'static str);
