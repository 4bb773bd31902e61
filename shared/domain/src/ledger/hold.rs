//! Holds: value set aside until it is captured, released, or its time is up.
//!
//! **Invariant:** amount = captured + released + remaining, and the lots of an open hold sum to what remains.

use crate::actor::{Actor, Role};
use crate::ids::{CustomerId, HoldId, OrderId, TransactionId};
use crate::ledger::lot::{Lot, without_front};
use crate::money::Money;
use crate::parse::ParseError;
use crate::text::FreeText;
use crate::time::Timestamp;

/// How many holds of one wallet may be open at once.
pub const MAX_OPEN_HOLDS: usize = 20;

/// How far a hold has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldStatus {
    /// Something remains.
    Open,
    /// Closed by a capture.
    Captured,
    /// Closed by a release.
    Released,
    /// Closed by the clock.
    Expired,
}

impl HoldStatus {
    /// Reads a stored status.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "open" => Self::Open,
            "captured" => Self::Captured,
            "released" => Self::Released,
            "expired" => Self::Expired,
            _ => return Err(ParseError("is not the status of a hold")),
        })
    }

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Captured => "captured",
            Self::Released => "released",
            Self::Expired => "expired",
        }
    }
}

/// What callers see of a hold, as an entry remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldView {
    /// How much was set aside.
    pub amount: Money,
    /// How much of it was spent.
    pub captured: Money,
    /// How much of it went back.
    pub released: Money,
    /// How far it has come.
    pub status: HoldStatus,
    /// The order it is for.
    pub order_id: Option<OrderId>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// The entries it caused, oldest first: the one that placed it, and the newest 99.
    pub transactions: Vec<TransactionId>,
}

/// How many entries a hold names: it must stay an item, however often it is captured.
const MAX_TRANSACTIONS: usize = 100;

impl HoldView {
    /// Names another entry that it caused.
    pub fn note(&mut self, transaction: TransactionId) {
        if self.transactions.len() >= MAX_TRANSACTIONS {
            self.transactions.remove(1);
        }
        self.transactions.push(transaction);
    }

    /// What can still be captured or released.
    pub fn remaining(&self) -> Money {
        self.amount.saturating_sub(self.captured).saturating_sub(self.released)
    }
}

/// A hold as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// What callers see.
    pub view: HoldView,
    /// Who placed it: only that side, or staff, may capture or release it.
    pub side: Role,
    /// Why.
    pub reason: Option<FreeText>,
    /// Since when.
    pub created_at: Timestamp,
    /// The lots that remain set aside, in burn order.
    pub lots: Vec<Lot>,
    /// The account's entry that last changed it; the guard against a stale read.
    pub seq: u64,
}

impl Hold {
    /// Whose it is.
    pub fn customer(&self) -> &CustomerId {
        self.id.customer()
    }

    /// True if the caller is of the side that placed it, or staff.
    pub fn may_close(&self, actor: &Actor) -> bool {
        actor.is_staff() || actor.role == self.side
    }

    /// Spends from the front of its lots.
    pub fn capture(&mut self, amount: Money) -> Option<()> {
        self.lots = without_front(&self.lots, amount);
        self.view.captured = self.view.captured.checked_add(amount)?;
        if self.view.remaining().is_zero() {
            self.view.status = HoldStatus::Captured;
        }
        Some(())
    }

    /// Gives back all that remains.
    pub fn release(&mut self, status: HoldStatus) -> Option<()> {
        self.lots.clear();
        self.view.released = self.view.released.checked_add(self.view.remaining())?;
        self.view.status = status;
        Some(())
    }
}
