//! A slice of an account: one item that many spend from, by plain conditional updates.
//!
//! **Invariant:** `available` is never below zero; what left it is either in an attempt or in an
//! entry.
//! **Invariant:** flows only grow; each is the sum of the entries of its kind that name the slice.

use super::BudgetStatus;
use crate::cause::Cause;
use crate::ids::budget::{AccountId, AttemptId};
use crate::money::Money;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Maximum number of pending attempts on a slice.
pub const MAX_PENDING: usize = 64;

/// Maximum number of attempts on a slice that wait for suppliers.
pub const MAX_WAITING: usize = 32;

/// A reservation: the credit set aside for one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// Cause of the attempt.
    pub cause: Cause,
    /// Campaign that spends; for a transfer, the account that the credit leaves.
    pub campaign: AccountId,
    /// Amount reserved on this slice.
    pub amount: Money,
    /// When it was reserved.
    pub at: Timestamp,
}

/// Total flows of a slice, without spends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flows {
    /// From the parent.
    pub received: Money,
    /// Back to the parent.
    pub reclaimed: Money,
    /// To children.
    pub allocated: Money,
    /// Back from children.
    pub returned: Money,
    /// From other slices.
    pub moved_in: Money,
    /// To other slices.
    pub moved_out: Money,
}

/// One of [`Flows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// From the parent.
    Received,
    /// Back to the parent.
    Reclaimed,
    /// To children.
    Allocated,
    /// Back from children.
    Returned,
    /// From other slices.
    MovedIn,
    /// To other slices.
    MovedOut,
}

impl Flow {
    /// All flows.
    pub const ALL: [Self; 6] =
        [Self::Received, Self::Reclaimed, Self::Allocated, Self::Returned, Self::MovedIn, Self::MovedOut];

    /// Returns the stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Reclaimed => "reclaimed",
            Self::Allocated => "allocated",
            Self::Returned => "returned",
            Self::MovedIn => "moved_in",
            Self::MovedOut => "moved_out",
        }
    }

    /// Returns true if it increases the available credit.
    pub fn is_in(self) -> bool {
        matches!(self, Self::Received | Self::Returned | Self::MovedIn)
    }
}

impl Flows {
    /// Returns the total of a flow.
    pub fn of(&self, flow: Flow) -> Money {
        match flow {
            Flow::Received => self.received,
            Flow::Reclaimed => self.reclaimed,
            Flow::Allocated => self.allocated,
            Flow::Returned => self.returned,
            Flow::MovedIn => self.moved_in,
            Flow::MovedOut => self.moved_out,
        }
    }

    /// Returns the field of a flow.
    pub fn place(&mut self, flow: Flow) -> &mut Money {
        match flow {
            Flow::Received => &mut self.received,
            Flow::Reclaimed => &mut self.reclaimed,
            Flow::Allocated => &mut self.allocated,
            Flow::Returned => &mut self.returned,
            Flow::MovedIn => &mut self.moved_in,
            Flow::MovedOut => &mut self.moved_out,
        }
    }

    /// Returns the totals of all incoming and all outgoing flows.
    pub fn sums(&self) -> (Money, Money) {
        let sum =
            |is_in: bool| Flow::ALL.into_iter().filter(|f| f.is_in() == is_in).map(|f| self.of(f)).sum();
        (sum(true), sum(false))
    }
}

/// Whether a shared campaign may spend from its client's slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Version of the campaign's status that it was copied from.
    pub version: u64,
    /// True if the campaign may not spend.
    pub on: bool,
    /// When it was set.
    pub at: Timestamp,
}

/// A slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Number within the account, from 0.
    pub number: u8,
    /// Credit that can be spent; zero for the platform, which needs none.
    pub available: Money,
    /// Reservations of attempts that are about to be committed, or were committed and are not
    /// settled.
    pub pending: BTreeMap<AttemptId, Reserved>,
    /// Reservations of attempts that wait for a supplier, or did and are not settled.
    pub waiting: BTreeMap<AttemptId, Reserved>,
    /// Total flows of the slice.
    pub flows: Flows,
    /// Account's status, as copied to this slice.
    pub status: BudgetStatus,
    /// Version of that status.
    pub status_version: u64,
    /// Stops of shared campaigns.
    pub stops: BTreeMap<AccountId, Stop>,
    /// Incremented whenever a stop is put on this slice.
    pub stops_version: u64,
    /// When the sweep checks it next; None if no check is due.
    pub next_check_at: Option<Timestamp>,
}

impl Slice {
    /// Creates an empty slice.
    pub fn new(number: u8) -> Self {
        Self {
            number,
            available: Money::ZERO,
            pending: BTreeMap::new(),
            waiting: BTreeMap::new(),
            flows: Flows::default(),
            status: BudgetStatus::Active,
            status_version: 1,
            stops: BTreeMap::new(),
            stops_version: 0,
            next_check_at: None,
        }
    }

    /// Returns every attempt on the slice.
    pub fn attempts(&self) -> impl Iterator<Item = (&AttemptId, &Reserved)> {
        self.pending.iter().chain(&self.waiting)
    }

    /// Returns what has left the slice and is in no flow: attempts and completed spends.
    ///
    /// Returns None if its numbers contradict each other.
    pub fn used(&self) -> Option<Money> {
        let (came, went) = self.flows.sums();
        came.checked_sub(went)?.checked_sub(self.available)
    }

    /// Returns true if this campaign may not spend from the slice.
    pub fn stops(&self, campaign: &AccountId) -> bool {
        self.status != BudgetStatus::Active || self.stops.get(campaign).is_some_and(|stop| stop.on)
    }
}
