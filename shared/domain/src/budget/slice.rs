//! A slice of an account: one item that many spend from, by plain conditional updates.
//!
//! **Invariant:** `available` is never below zero; what left it stands either in an attempt or in an entry.
//! **Invariant:** flows only grow: each is the sum of the entries of its kind that name the slice.

use super::BudgetStatus;
use crate::cause::Cause;
use crate::ids::budget::{AccountId, AttemptId};
use crate::money::Money;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// How many attempts a slice bears at once.
pub const MAX_PENDING: usize = 64;

/// How many of them may wait for suppliers.
pub const MAX_WAITING: usize = 32;

/// What is set aside for one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// What it is for.
    pub cause: Cause,
    /// By which campaign.
    pub campaign: AccountId,
    /// How much of this slice.
    pub amount: Money,
    /// Since when.
    pub at: Timestamp,
}

/// What has flowed through a slice, spends aside.
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
    /// Every flow.
    pub const ALL: [Self; 6] =
        [Self::Received, Self::Reclaimed, Self::Allocated, Self::Returned, Self::MovedIn, Self::MovedOut];

    /// The stored word.
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

    /// True if it raises what is available.
    pub fn is_in(self) -> bool {
        matches!(self, Self::Received | Self::Returned | Self::MovedIn)
    }
}

impl Flows {
    /// How much has flowed so.
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

    /// The place of a flow.
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

    /// What came in in all, and what went out.
    pub fn sums(&self) -> (Money, Money) {
        let sum =
            |is_in: bool| Flow::ALL.into_iter().filter(|f| f.is_in() == is_in).map(|f| self.of(f)).sum();
        (sum(true), sum(false))
    }
}

/// Whether a shared campaign may spend from its client's slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The version of the campaign's status that this is.
    pub version: u64,
    /// True if it may not.
    pub on: bool,
    /// Since when.
    pub at: Timestamp,
}

/// A slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Which of its account.
    pub number: u8,
    /// What can be spent (of the platform: nothing, it needs none).
    pub available: Money,
    /// What is set aside for attempts that are about to be committed, or were.
    pub pending: BTreeMap<AttemptId, Reserved>,
    /// What is set aside for attempts that wait for a supplier, or did.
    pub waiting: BTreeMap<AttemptId, Reserved>,
    /// What has flowed through it.
    pub flows: Flows,
    /// The account's status, as copied here.
    pub status: BudgetStatus,
    /// The version of that status.
    pub status_version: u64,
    /// Which shared campaigns are stopped.
    pub stops: BTreeMap<AccountId, Stop>,
    /// Counts the changes of `stops` (of the first slice).
    pub stops_version: u64,
    /// When it is looked at next.
    pub next_check_at: Option<Timestamp>,
}

impl Slice {
    /// An empty one.
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

    /// Every attempt that it bears.
    pub fn attempts(&self) -> impl Iterator<Item = (&AttemptId, &Reserved)> {
        self.pending.iter().chain(&self.waiting)
    }

    /// What has left it and is in no flow: attempts, and spends that are done.
    ///
    /// `None` if its numbers contradict each other.
    pub fn used(&self) -> Option<Money> {
        let (came, went) = self.flows.sums();
        came.checked_sub(went)?.checked_sub(self.available)
    }

    /// True if this campaign may not spend from it.
    pub fn stops(&self, campaign: &AccountId) -> bool {
        self.status != BudgetStatus::Active || self.stops.get(campaign).is_some_and(|stop| stop.on)
    }
}
