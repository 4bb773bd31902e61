//! Causes of budget entries other than keys of requests.
//!
//! **Invariant:** a redemption, a closing, a rebalancing and an account of another system each have one cause.

use crate::cause::Cause;

impl Cause {
    /// Returns the cause of a redemption of a gift card: `redemption:rdm_…`.
    pub fn redemption(id: &str) -> Self {
        Self::composed(format!("redemption:{}", Self::part(id)))
    }

    /// Returns the cause of returning the rest of a closing account, by the version of its status.
    pub fn closing(status_version: u64) -> Self {
        Self::composed(format!("closing:{status_version}"))
    }

    /// Returns the cause of opening an account that comes from another system, by its id there.
    pub fn external(id: &str) -> Self {
        Self::composed(format!("external:{}", Self::part(id)))
    }

    /// Returns the cause of rebalancing two slices.
    pub fn rebalance(attempt: &str) -> Self {
        Self::composed(format!("rebalance:{}", Self::part(attempt)))
    }
}
