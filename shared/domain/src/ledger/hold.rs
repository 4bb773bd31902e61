//! Holds: value set aside until it is captured or released, or times out.
//!
//! **Invariant:** amount = captured + released + remaining, and the lots of an open hold sum to
//! what remains.

use crate::actor::{Actor, Role};
use crate::ids::{CustomerId, HoldId, OrderId, TransactionId};
use crate::ledger::lot::{Lot, split, without_front};
use crate::ledger::points::{LockTerms, PointsMove};
use crate::money::Money;
use crate::parse::ParseError;
use crate::text::FreeText;
use crate::time::Timestamp;

/// The maximum number of open holds of a wallet.
pub const MAX_OPEN_HOLDS: usize = 20;

/// The status of a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldStatus {
    /// An amount remains.
    Open,
    /// Closed by a capture.
    Captured,
    /// Closed by a release.
    Released,
    /// Closed by its time-out.
    Expired,
}

impl HoldStatus {
    /// Parses a stored status.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "open" => Self::Open,
            "captured" => Self::Captured,
            "released" => Self::Released,
            "expired" => Self::Expired,
            _ => return Err(ParseError("is not the status of a hold")),
        })
    }

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// What callers see of a hold, as stored in an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldView {
    /// The amount that was set aside.
    pub amount: Money,
    /// The part that was spent.
    pub captured: Money,
    /// The part that was released.
    pub released: Money,
    /// The status.
    pub status: HoldStatus,
    /// The order it is for.
    pub order_id: Option<OrderId>,
    /// When it times out.
    pub expires_at: Timestamp,
    /// The ids of its entries, oldest first: the first, and the newest 99.
    pub transactions: Vec<TransactionId>,
    /// What a lock of points is for; `None` in wallets.
    pub lock: Option<Box<LockTerms>>,
}

/// The maximum number of entries that a hold lists, so that it fits into an item however often it
/// is captured.
const MAX_TRANSACTIONS: usize = 100;

impl HoldView {
    /// Adds an entry to the list; if the list is full, drops the oldest except for the first.
    pub fn note(&mut self, transaction: TransactionId) {
        if self.transactions.len() >= MAX_TRANSACTIONS {
            self.transactions.remove(1);
        }
        self.transactions.push(transaction);
    }

    /// Returns what can still be captured or released.
    pub fn remaining(&self) -> Money {
        self.amount.saturating_sub(self.captured).saturating_sub(self.released)
    }
}

/// A hold, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The id.
    pub id: HoldId,
    /// What callers see.
    pub view: HoldView,
    /// The role of the caller who placed it; only callers with that role, and staff, may close it.
    pub side: Role,
    /// The reason given by the caller.
    pub reason: Option<FreeText>,
    /// When it was placed.
    pub created_at: Timestamp,
    /// The lots that are still set aside, in burn order.
    pub lots: Vec<Lot>,
    /// The lots that paid and have not come back, in burn order; only locks of points have any.
    pub paid: Vec<Lot>,
    /// The number of the account's entry that last changed it; the condition against stale reads.
    pub seq: u64,
}

impl Hold {
    /// Returns the owner of the account.
    pub fn customer(&self) -> &CustomerId {
        self.id.customer()
    }

    /// Returns what a movement of this hold refers to and is worth, if it is of points.
    pub fn moved(&self) -> PointsMove {
        let Some(lock) = &self.view.lock else { return PointsMove::default() };
        PointsMove {
            worth: Some(lock.worth()),
            booking_id: Some(lock.booking_id.clone()),
            redemption: Some(self.id.clone()),
            ..PointsMove::default()
        }
    }

    /// Returns true if the caller has the role that placed the hold, or is staff.
    pub fn may_close(&self, actor: &Actor) -> bool {
        actor.is_staff() || actor.role == self.side
    }

    /// Spends from the front of its lots; `None` on overflow.
    pub fn capture(&mut self, amount: Money) -> Option<()> {
        if self.view.lock.is_some() {
            self.paid.extend(split(&self.lots, amount).0);
        }
        self.lots = without_front(&self.lots, amount);
        self.view.captured = self.view.captured.checked_add(amount)?;
        if self.view.remaining().is_zero() {
            self.view.status = HoldStatus::Captured;
        }
        Some(())
    }

    /// Releases all that remains and sets the status; `None` on overflow.
    pub fn release(&mut self, status: HoldStatus) -> Option<()> {
        self.lots.clear();
        self.view.released = self.view.released.checked_add(self.view.remaining())?;
        self.view.status = status;
        Some(())
    }
}
