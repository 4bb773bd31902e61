//! What can go wrong between a decision and the table.
//!
//! **Invariant:** [`StoreError::Contention`] means that nothing was applied; [`StoreError::Unavailable`] that
//! the outcome is unknown, and that the same request with the same key will tell.

use domain::rejection::Rejection;

/// Why there is no answer, or which refusal is the answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The request was understood and refused.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Others were quicker, or the table throttles, for longer than we may wait; nothing was applied.
    #[error("contention: {0}")]
    Contention(String),
    /// The table does not answer, or it is unknown whether a write was applied.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A stored item cannot be read; nothing is done until someone has looked.
    #[error("stored item is unreadable: {0}")]
    Corrupt(String),
}

impl StoreError {
    /// The same, after a send that had its effect or may still have it: nobody can say any more that nothing was applied.
    #[must_use]
    pub fn after_effect(self) -> Self {
        if let Self::Contention(why) = self { Self::Unavailable(why) } else { self }
    }

    /// A request that could not even be built.
    pub(crate) fn built(error: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("request cannot be built: {error}"))
    }
}
