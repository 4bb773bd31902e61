//! The unpaid top-ups of a wallet, of which there are few.
//!
//! **Invariant:** at most 20 top-ups of a wallet are neither credited nor expired, however many requests
//! create them at once.

use crate::ids::{CustomerId, TopUpId};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Maximum number of unpaid top-ups of a wallet.
pub const MAX_UNPAID: u32 = 20;

/// The top-ups of a wallet that may be unpaid. A top-up that is credited is removed only when its place
/// is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnpaidTopUps {
    /// Owner of the wallet.
    pub customer: CustomerId,
    /// The top-ups, with the instants at which they expire.
    pub topups: BTreeMap<TopUpId, Timestamp>,
    /// Incremented by every change; the condition against stale reads. Zero before the first.
    pub version: u64,
}

impl UnpaidTopUps {
    /// Returns the empty list of a wallet.
    pub fn none(customer: CustomerId) -> Self {
        Self { customer, topups: BTreeMap::new(), version: 0 }
    }

    /// Returns true if a further top-up has a place only if some of these are no longer unpaid.
    pub fn is_full(&self) -> bool {
        self.topups.len() >= usize::try_from(MAX_UNPAID).unwrap_or(usize::MAX)
    }

    /// Returns the list with a new top-up, and without those that have expired or are among `ended`.
    pub fn with(
        &self,
        topup: &TopUpId,
        expires_at: Timestamp,
        ended: &BTreeSet<TopUpId>,
        now: Timestamp,
    ) -> Result<Self, Rejection> {
        let mut unpaid = self.clone();
        unpaid.topups.retain(|id, expires_at| *expires_at > now && !ended.contains(id));
        if unpaid.is_full() {
            return Err(Rejection::TooManyOpen { what: "unpaid top-ups of a wallet", most: MAX_UNPAID });
        }
        unpaid.topups.insert(topup.clone(), expires_at);
        unpaid.version += 1;
        Ok(unpaid)
    }
}
