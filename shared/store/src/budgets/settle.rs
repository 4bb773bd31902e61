//! Committed attempts to remove from their slices: with the next reservation of this process, or
//! when the slice is resolved.
//!
//! **Invariant:** removing an attempt twice has the same effect as removing it once; nothing is
//! counted.

use domain::ids::budget::{AccountId, AttemptId};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Number of attempts on its own slice that one reservation removes.
const SETTLED_PER_RESERVATION: usize = 16;

/// Number of attempts on other slices that one reservation removes, concurrently.
const OTHER_SLICES_PER_RESERVATION: usize = 4;

/// Committed attempts that are still on their slices.
#[derive(Debug, Default)]
pub(crate) struct Settlements(Mutex<BTreeMap<(AccountId, u8), Vec<AttemptId>>>);

impl Settlements {
    /// Adds a committed attempt.
    pub(crate) fn add(&self, account: &AccountId, slice: u8, attempt: AttemptId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((account.clone(), slice)).or_default().push(attempt);
    }

    /// Takes some attempts of this slice, for the caller to remove now.
    pub(crate) fn take(&self, account: &AccountId, slice: u8) -> Vec<AttemptId> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (account.clone(), slice);
        let Some(here) = all.get_mut(&place) else { return vec![] };
        let from = here.len().saturating_sub(SETTLED_PER_RESERVATION);
        let taken = here.split_off(from);
        if here.is_empty() {
            all.remove(&place);
        }
        taken
    }

    /// Takes some attempts of other slices, for the caller to remove now.
    pub(crate) fn take_elsewhere(&self, account: &AccountId, slice: u8) -> Vec<(AccountId, u8, AttemptId)> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        all.retain(|(other, number), attempts| {
            while (other, *number) != (account, slice) && taken.len() < OTHER_SLICES_PER_RESERVATION {
                let Some(attempt) = attempts.pop() else { break };
                taken.push((other.clone(), *number, attempt));
            }
            !attempts.is_empty()
        });
        taken
    }

    /// Puts back attempts that could not be removed.
    pub(crate) fn put_back(&self, account: &AccountId, slice: u8, attempts: Vec<AttemptId>) {
        if !attempts.is_empty() {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry((account.clone(), slice)).or_default().extend(attempts);
        }
    }
}
