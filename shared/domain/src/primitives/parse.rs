//! The one error of reading outside text into a domain type.
//!
//! **Invariant:** the message is fit for the caller: it never repeats the text that was refused.

/// Why a text is not a value of the wanted type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(pub &'static str);
