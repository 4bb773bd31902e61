//! What stands at an entry's key, and what that means for an attempt: the one arbiter of a cause.
//!
//! **Invariant:** of all attempts of a cause at most one is ever committed: an entry never changes, and an attempt that
//! was fenced cannot commit any more.
//! **Invariant:** an attempt is only given back when it can no longer be committed.

use super::entry::BudgetEntry;
use crate::ids::budget::AttemptId;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// How long an attempt may take before others may fence it.
pub const LIMIT_SECONDS: u32 = 60;

/// What stands at the key of a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Nothing.
    Free,
    /// Nothing, and these attempts can no longer commit.
    Void(BTreeSet<AttemptId>),
    /// A supplier has been asked for an attempt.
    Pending {
        /// For which.
        ordered: AttemptId,
        /// Those that can no longer commit, whatever becomes of it.
        fenced: BTreeSet<AttemptId>,
    },
    /// The entry.
    Entry(Box<BudgetEntry>),
}

/// What is to be done about an attempt that stands on a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It was committed: take it off the slice.
    Settle,
    /// It cannot be committed any more: take it off and give back what was set aside.
    GiveBack,
    /// Its supplier knows.
    AskSupplier,
    /// It has had its time: fence it, then look again.
    Fence,
    /// It is under way.
    Leave,
}

/// What the key says about an attempt that was made at `made`.
pub fn verdict(attempt: &AttemptId, made: Timestamp, now: Timestamp, key: &KeyState) -> Verdict {
    let late = made.plus_seconds(LIMIT_SECONDS).is_none_or(|until| now >= until);
    match key {
        KeyState::Entry(entry) if entry.attempt == *attempt => Verdict::Settle,
        KeyState::Entry(_) => Verdict::GiveBack,
        KeyState::Void(fenced) if fenced.contains(attempt) => Verdict::GiveBack,
        KeyState::Pending { ordered, .. } if ordered == attempt => Verdict::AskSupplier,
        KeyState::Pending { fenced, .. } if fenced.contains(attempt) => Verdict::GiveBack,
        KeyState::Free | KeyState::Void(_) | KeyState::Pending { .. } if late => Verdict::Fence,
        KeyState::Free | KeyState::Void(_) | KeyState::Pending { .. } => Verdict::Leave,
    }
}
