//! Errors of the store.
//!
//! **Invariant:** [`StoreError::Contention`] and [`StoreError::Unreachable`] mean that nothing was applied.
//! [`StoreError::Unavailable`] means that the outcome is unknown, and that the same request with
//! the same key will return it.

use domain::rejection::Rejection;

/// Why an operation has no result, or the rejection that is its result.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The request was valid but is refused by a business rule.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Other requests won, or the table throttles, for longer than the retry budget; nothing was
    /// applied.
    #[error("contention: {0}")]
    Contention(String),
    /// The table cannot be reached (no connection, no name, a certificate that cannot be verified); nothing was
    /// applied, and waiting is not expected to help.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The table does not respond, or it is unknown whether a write was applied.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A stored item cannot be read; nothing is done until an operator has repaired it.
    #[error("stored item is unreadable: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Returns the error to report after a write was applied or may still be: an error that promises that nothing
    /// was applied becomes unavailable.
    #[must_use]
    pub fn after_effect(self) -> Self {
        match self {
            Self::Contention(why) | Self::Unreachable(why) => Self::Unavailable(why),
            Self::Rejected(_) | Self::Unavailable(_) | Self::Corrupt(_) => self,
        }
    }

    /// Returns the error for a request that the SDK refuses to build.
    pub(crate) fn built(error: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("request cannot be built: {error}"))
    }
}
