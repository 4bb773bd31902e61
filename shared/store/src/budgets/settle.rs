//! Taking committed attempts off their slices: beside the next reservation of this process, or by whoever resolves.
//!
//! **Invariant:** taking an attempt off twice is taking it off once; nothing is counted.

use domain::ids::budget::{AccountId, AttemptId};
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// How many attempts one reservation takes off beside itself.
const SETTLED_PER_RESERVATION: usize = 16;

/// On how many other slices, at the same time.
const OTHER_SLICES_PER_RESERVATION: usize = 4;

/// Attempts that are committed and still stand on their slices.
#[derive(Debug, Default)]
pub(crate) struct Settlements(Mutex<BTreeMap<(AccountId, u8), Vec<AttemptId>>>);

impl Settlements {
    /// Remembers a committed attempt.
    pub(crate) fn add(&self, account: &AccountId, slice: u8, attempt: AttemptId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry((account.clone(), slice)).or_default().push(attempt);
    }

    /// Some that stand on this slice; they are taken off now.
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

    /// Some that stand on other slices; they are taken off now.
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

    /// Those that could not be taken off after all.
    pub(crate) fn put_back(&self, account: &AccountId, slice: u8, attempts: Vec<AttemptId>) {
        if !attempts.is_empty() {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry((account.clone(), slice)).or_default().extend(attempts);
        }
    }
}
