//! Errors of the store.
//!
//! **Invariant:** [`StoreError::Contention`] means that nothing was applied.
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
    /// The table does not respond, or it is unknown whether a write was applied.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A stored item cannot be read; nothing is done until an operator has repaired it.
    #[error("stored item is unreadable: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// Returns the error to report after a write was applied or may still be: contention becomes
    /// unavailable, because contention would promise that nothing was applied.
    #[must_use]
    pub fn after_effect(self) -> Self {
        if let Self::Contention(why) = self { Self::Unavailable(why) } else { self }
    }

    /// Returns the error for a request that the SDK refuses to build.
    pub(crate) fn built(error: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("request cannot be built: {error}"))
    }
}
