//! The result of a decision: the outcome from which the response is rendered, and the writes, all
//! of which happen or none.
//!
//! **Invariant:** every write carries the condition under which it was decided. A failed condition
//! means that the state has changed (load and decide again), or what the write itself defines
//! ([`FailedCondition`]).

use crate::ids::{AccountRef, RequestId};
use crate::ledger::account::{Account, StatusChange};
use crate::ledger::entry::Entry;
use crate::ledger::hold::Hold;
use crate::ledger::owed::OwedChange;
use crate::ledger::statistics::MonthFigures;
use crate::rejection::Rejection;
use crate::time::Date;

/// A write of one item of an account, with its condition. An area's own writes are an enum that
/// includes these.
#[derive(Clone, Debug)]
pub enum Write {
    /// A changed account; its stored version must still be `was`.
    Account {
        /// The account after the decision.
        account: Box<Account>,
        /// Its version before.
        was: u64,
    },
    /// A new entry; no entry with its cause may exist.
    Entry(Box<Entry>),
    /// A new hold; no hold with its id may exist.
    PlaceHold(Hold),
    /// A changed hold; entry `was` must still be the last that changed it.
    Hold {
        /// The hold after the decision.
        hold: Hold,
        /// The number of the entry that changed it last.
        was: u64,
    },
    /// The record of a change of what is owed; written together with the account.
    OwedRecord {
        /// The account.
        account: AccountRef,
        /// The version of the account that the change created.
        version: u64,
        /// Index among the changes of that version.
        at: usize,
        /// The change.
        change: OwedChange,
    },
    /// The figures of a month that has ended; written together with the account.
    Month {
        /// The account.
        account: AccountRef,
        /// The figures.
        figures: MonthFigures,
    },
    /// A day on which points have moved, to be added to the report once it is over; written together with the account.
    ReportDay {
        /// The account.
        account: AccountRef,
        /// The day.
        day: Date,
    },
    /// The record of a change of status; written together with the account.
    StatusRecord {
        /// The account.
        account: AccountRef,
        /// The version of the account that the change created.
        version: u64,
        /// The change.
        change: StatusChange,
    },
}

/// What it means that the condition of a write failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FailedCondition {
    /// The state has changed: load and decide again.
    Stale,
    /// An entry with this cause exists: answer from that entry.
    Caused,
    /// The account exists already: answer from its opening, or reject.
    Opened,
    /// The name is taken: try the next candidate.
    NameTaken,
}

/// A write of an area.
pub trait Conditional: From<Write> {
    /// Returns what it means that the condition of this write failed.
    fn failed(&self) -> FailedCondition;
    /// Returns the entry, if this write is one.
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
            | Self::Month { .. }
            | Self::ReportDay { .. }
            | Self::StatusRecord { .. } => FailedCondition::Stale,
        }
    }

    fn entry(&self) -> Option<&Entry> {
        if let Self::Entry(entry) = self { Some(entry) } else { None }
    }
}

/// What the response to an operation is rendered from.
pub trait Outcome: Sized {
    /// Returns the outcome of a request whose cause has this entry; `None` if the operation leaves
    /// no entry.
    fn of_entry(_: Entry) -> Option<Self> {
        None
    }

    /// Returns the invocation that performed the operation, if known. The outcome of another
    /// invocation is a replay.
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

/// A decision of an area.
#[derive(Clone, Debug)]
pub enum Decision<O, W> {
    /// Commit the writes, then answer from the outcome.
    Commit {
        /// What the response is rendered from.
        outcome: O,
        /// All or nothing.
        writes: Vec<W>,
    },
    /// Commit these writes, then decide again: the whole operation does not fit into one
    /// transaction.
    Partly(Vec<W>),
    /// The operation was performed before: answer from the outcome.
    Already(O),
}

impl<O, W> Decision<O, W> {
    /// Maps the outcome and converts the writes to those of another area.
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
    /// The request is rejected.
    Rejected(Rejection),
    /// More has fallen due than fits into the operation's own transaction: write this first, then
    /// decide again.
    SettleFirst(Vec<Write>),
}

impl From<Rejection> for NoDecision {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// The result of every `decide`.
pub type Decided<O, W> = Result<Decision<O, W>, NoDecision>;
