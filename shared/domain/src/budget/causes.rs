//! What causes entries of budgets beside requests.
//!
//! **Invariant:** a redemption, a closing and a rebalancing each have one cause.

use crate::cause::Cause;

impl Cause {
    /// A redemption of a gift card: `redemption:rdm_…`.
    pub fn redemption(id: &str) -> Self {
        Self::composed(format!("redemption:{}", Self::part(id)))
    }

    /// What is left of an account that is being closed, by the version of its status.
    pub fn closing(status_version: u64) -> Self {
        Self::composed(format!("closing:{status_version}"))
    }

    /// The evening out of two slices.
    pub fn rebalance(attempt: &str) -> Self {
        Self::composed(format!("rebalance:{}", Self::part(attempt)))
    }
}
