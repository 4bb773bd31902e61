//! State of an entry's key, and what it means for an attempt: the only arbiter of a cause.
//!
//! **Invariant:** at most one attempt of a cause is ever committed: an entry never changes, and an
//! attempt that was fenced can no longer commit.
//! **Invariant:** a reservation is only released when its attempt can no longer be committed.

use super::entry::BudgetEntry;
use crate::ids::budget::AttemptId;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// Seconds after which an attempt has timed out and others may fence it.
pub const LIMIT_SECONDS: u32 = 60;

/// What is stored at the key of a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// No item.
    Free,
    /// No entry; these attempts can no longer commit.
    Void(BTreeSet<AttemptId>),
    /// An order for an attempt was sent to a supplier.
    Pending {
        /// Attempt that the order belongs to.
        ordered: AttemptId,
        /// Attempts that can no longer commit, whatever the outcome of the order.
        fenced: BTreeSet<AttemptId>,
    },
    /// The entry of the cause.
    Entry(Box<BudgetEntry>),
}

/// What to do with an attempt that is on a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was committed: remove it from the slice.
    Settle,
    /// It can no longer be committed: remove it and release its reservation.
    Release,
    /// Only its supplier knows the outcome.
    AskSupplier,
    /// It has timed out: fence it, then check again.
    Fence,
    /// It is in progress: leave it.
    Leave,
}

/// Decides about an attempt that was made at `made`, by the state of the key.
pub fn verdict(attempt: &AttemptId, made: Timestamp, now: Timestamp, key: &KeyState) -> Verdict {
    let late = made.plus_seconds(LIMIT_SECONDS).is_none_or(|until| now >= until);
    match key {
        KeyState::Entry(entry) if entry.attempt == *attempt => Verdict::Settle,
        KeyState::Entry(_) => Verdict::Release,
        KeyState::Void(fenced) if fenced.contains(attempt) => Verdict::Release,
        KeyState::Pending { ordered, .. } if ordered == attempt => Verdict::AskSupplier,
        KeyState::Pending { fenced, .. } if fenced.contains(attempt) => Verdict::Release,
        KeyState::Free | KeyState::Void(_) | KeyState::Pending { .. } if late => Verdict::Fence,
        KeyState::Free | KeyState::Void(_) | KeyState::Pending { .. } => Verdict::Leave,
    }
}
