//! What a decision gives: the outcome to answer from, and the writes that must all happen or none.
//!
//! **Invariant:** every write carries the condition under which it was decided; a condition that fails means
//! either that the state has moved (decide again), or a rejection that the write itself names.

use crate::ids::{AccountRef, RequestId};
use crate::ledger::account::{Account, StatusChange};
use crate::ledger::entry::Entry;
use crate::ledger::hold::Hold;
use crate::ledger::owed::OwedChange;
use crate::rejection::Rejection;

/// One item of an account to write, with its condition. An area's own writes are an enum of its own that takes these in.
#[derive(Clone, Debug)]
pub enum Write {
    /// A changed account; it must still have version `was`.
    Account {
        /// The account after the decision.
        account: Account,
        /// Its version before.
        was: u64,
    },
    /// A new entry; its cause must be free.
    Entry(Box<Entry>),
    /// A new hold; its id must be free.
    PlaceHold(Hold),
    /// A changed hold; entry `was` must still be the last that changed it.
    Hold {
        /// The hold after the decision.
        hold: Hold,
        /// The entry that had changed it last.
        was: u64,
    },
    /// The record of a change of what is owed; written with the account.
    OwedRecord {
        /// Whose.
        account: AccountRef,
        /// The version that the change made.
        version: u64,
        /// Its place among the changes of that version.
        at: usize,
        /// What changed.
        change: OwedChange,
    },
    /// The record of a change of status; written with the account.
    StatusRecord {
        /// Whose.
        account: AccountRef,
        /// The version that the change made.
        version: u64,
        /// What changed.
        change: StatusChange,
    },
}

/// What it means that a write's condition did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailedCondition {
    /// The state has moved: load and decide again.
    Stale,
    /// The cause has an entry already: answer from that.
    Caused,
    /// The account is there already: answer from its opening, or reject.
    Opened,
    /// Another has this name: try the next candidate.
    NameTaken,
}

/// A write of some area: what the failure of its condition means, and which entry it is, if it is one.
pub trait Conditional: From<Write> {
    /// What a failed condition of this write means.
    fn failed(&self) -> FailedCondition;
    /// The entry, if this write is one.
    fn entry(&self) -> Option<&Entry>;
}

impl Conditional for Write {
    fn failed(&self) -> FailedCondition {
        match self {
            Self::Entry(_) => FailedCondition::Caused,
            Self::Account { .. }
            | Self::PlaceHold(_)
            | Self::Hold { .. }
            | Self::OwedRecord { .. }
            | Self::StatusRecord { .. } => FailedCondition::Stale,
        }
    }

    fn entry(&self) -> Option<&Entry> {
        if let Self::Entry(entry) = self { Some(entry) } else { None }
    }
}

/// What an operation leaves to answer from.
pub trait Outcome: Sized {
    /// The outcome of a request whose cause has this entry; `None` where such an operation leaves no entry.
    fn of_entry(_: Entry) -> Option<Self> {
        None
    }

    /// The invocation that did it, where that is known: another one's is a replay.
    fn request(&self) -> Option<&RequestId>;
}

impl Outcome for Entry {
    fn of_entry(entry: Entry) -> Option<Self> {
        Some(entry)
    }

    fn request(&self) -> Option<&RequestId> {
        self.request.as_ref()
    }
}

impl Outcome for Account {
    fn request(&self) -> Option<&RequestId> {
        Some(&self.opening.request)
    }
}

/// A decision of an area: what it leaves to answer from, and the writes that make it so.
#[derive(Clone, Debug)]
pub enum Decision<O, W> {
    /// Do this, and answer from the outcome.
    Commit {
        /// What the response is rendered from.
        outcome: O,
        /// All or nothing.
        writes: Vec<W>,
    },
    /// Do this much, then decide again: all of it is more than one transaction carries.
    Partly(Vec<W>),
    /// It was done before; answer from the outcome.
    Already(O),
}

impl<O, W> Decision<O, W> {
    /// The same decision with another outcome and the writes of another area.
    pub fn map<P, V: From<W>>(self, outcome_of: impl FnOnce(O) -> P) -> Decision<P, V> {
        let into = |writes: Vec<W>| writes.into_iter().map(V::from).collect();
        match self {
            Self::Commit { outcome, writes } => {
                Decision::Commit { outcome: outcome_of(outcome), writes: into(writes) }
            }
            Self::Partly(writes) => Decision::Partly(into(writes)),
            Self::Already(outcome) => Decision::Already(outcome_of(outcome)),
        }
    }
}

/// Why there is no decision.
#[derive(Clone, Debug)]
pub enum NoDecision {
    /// The request is refused.
    Rejected(Rejection),
    /// More has fallen due than fits the operation's own transaction: write this down first, then decide again.
    SettleFirst(Vec<Write>),
}

impl From<Rejection> for NoDecision {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// What every `decide` gives.
pub type Decided<O, W> = Result<Decision<O, W>, NoDecision>;
