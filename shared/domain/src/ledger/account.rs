//! An account as its entries have made it: a customer's money or points.
//!
//! **Invariant:** `apply` is the only way value enters or leaves; it refuses an entry that does not continue
//! the chain, so a stored account equals the fold of its entries or something was tampered with.
//! **Invariant:** what is owed changes only by [`Account::owe`] and by the collection of it.
//! **Invariant:** available = Σ lots, held = Σ open holds, balance = available + held; none is negative.

use crate::actor::PerformedBy;
use crate::cause::Cause;
use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::hash::Hash;
use crate::ids::{AccountRef, HoldId, RequestId};
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::Lots;
use crate::ledger::owed::{Owed, OwedChange};
use crate::money::Money;
use crate::parse::ParseError;
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::time::Timestamp;
use crate::unit::Unit;
use std::collections::BTreeMap;

/// Whether value may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// It may.
    Active,
    /// Nothing may be spent.
    Frozen,
    /// As frozen, and no credit may be added by hand or come in by transfer.
    Suspended,
}

impl AccountStatus {
    /// Reads a stored status.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "ACTIVE" => Self::Active,
            "FROZEN" => Self::Frozen,
            "SUSPENDED" => Self::Suspended,
            _ => return Err(ParseError("is not the status of an account")),
        })
    }

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Frozen => "FROZEN",
            Self::Suspended => "SUSPENDED",
        }
    }
}

/// An open hold as the account knows it: enough for `available` to rise when its time is up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHold {
    /// When it ends by itself.
    pub due: Timestamp,
    /// What remains of it.
    pub amount: Money,
}

/// Sums since the account was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Σ CREDIT.
    pub earned: Money,
    /// Σ DEBIT + CAPTURE.
    pub spent: Money,
    /// Σ REFUND.
    pub refunded: Money,
    /// Σ EXPIRY.
    pub expired: Money,
}

/// How the account was opened; enough to answer a repetition of that request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The request's cause.
    pub cause: Cause,
    /// What it asked for.
    pub fingerprint: Fingerprint,
    /// The invocation that did it.
    pub request: RequestId,
    /// The balance it started with.
    pub initial: Money,
    /// Who did it.
    pub by: PerformedBy,
}

/// Who last changed the status, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The status before.
    pub from: AccountStatus,
    /// The status after.
    pub to: AccountStatus,
    /// Why.
    pub reason: FreeText,
    /// Who.
    pub by: PerformedBy,
    /// When.
    pub at: Timestamp,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its kind, and whose it is.
    pub id: AccountRef,
    /// What its numbers count.
    pub unit: Unit,
    /// Whether value may move.
    pub status: AccountStatus,
    /// What can be spent, by date.
    pub lots: Lots,
    /// What is set aside.
    pub holds: BTreeMap<HoldId, OpenHold>,
    /// What is still to be collected for payments that were taken back.
    pub owed: Owed,
    /// Sums since it was opened.
    pub totals: Totals,
    /// The number of its last entry.
    pub seq: u64,
    /// The hash of its last entry.
    pub head: Hash,
    /// Counts its changes; the guard against a stale read.
    pub version: u64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its last entry took effect.
    pub last_transaction_at: Option<Timestamp>,
    /// How it was opened.
    pub opening: Opening,
    /// When the sweep looks at it next: at or before the instant at which something falls due.
    pub next_check_at: Option<Timestamp>,
}

/// What a new account is made of.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its kind, and whose it is.
    pub id: AccountRef,
    /// What its numbers count.
    pub unit: Unit,
    /// How it is opened.
    pub opening: Opening,
    /// When.
    pub at: Timestamp,
}

/// An entry does not continue the account it was applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ApplyError(pub &'static str);

impl Account {
    /// An empty account.
    pub fn open(new: NewAccount) -> Self {
        Self {
            id: new.id,
            unit: new.unit,
            status: AccountStatus::Active,
            lots: Lots::default(),
            holds: BTreeMap::new(),
            owed: Owed::default(),
            totals: Totals::default(),
            seq: 0,
            head: Hash::GENESIS,
            version: 0,
            created_at: new.at,
            updated_at: new.at,
            last_transaction_at: None,
            opening: new.opening,
            next_check_at: None,
        }
    }

    /// The account as it was when it was opened: what its entries are folded onto.
    pub fn at_opening(&self) -> Self {
        let (id, unit, opening) = (self.id.clone(), self.unit, self.opening.clone());
        Self::open(NewAccount { id, unit, opening, at: self.created_at })
    }

    /// The currency of an account of money.
    pub fn currency(&self) -> Result<Currency, Rejection> {
        self.unit.currency().ok_or(Rejection::Inconsistent("an account of points is asked for its currency"))
    }

    /// What can be spent (expired lots count until their EXPIRY is applied; see [`crate::ledger::due`]).
    pub fn available(&self) -> Money {
        self.lots.total()
    }

    /// What is set aside.
    pub fn held(&self) -> Money {
        self.holds.values().map(|hold| hold.amount).sum()
    }

    /// Available and held together.
    pub fn balance(&self) -> Money {
        Money::checked_add(self.available(), self.held()).unwrap_or(Money::ZERO)
    }

    /// When the clock next changes this account: the end of a lot's date, or of a hold.
    pub fn next_due(&self) -> Option<Timestamp> {
        let lot = self.lots.first().and_then(|lot| lot.expires_on).map(Timestamp::end_of);
        let hold = self.holds.values().map(|hold| hold.due).min();
        lot.into_iter().chain(hold).min()
    }

    /// Appoints the sweep's next visit.
    ///
    /// A visit that comes too early is kept (it costs the sweep a look), so that a debit which burns the
    /// soonest lot does not have to rewrite an index.
    pub fn schedule_check(&mut self, now: Timestamp) {
        self.next_check_at = match (self.next_check_at, self.next_due()) {
            (_, None) => self.next_check_at.filter(|next_check_at| *next_check_at > now),
            (Some(next_check_at), Some(due)) if now < next_check_at && next_check_at <= due => {
                Some(next_check_at)
            }
            (_, due) => due,
        };
    }

    /// Books one entry: the fold step of the ledger.
    ///
    /// On an error the account may be half changed and must be thrown away.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        if entry.account != self.id || entry.unit != self.unit {
            return Err(ApplyError("belongs to another account or unit"));
        }
        if entry.seq != self.seq + 1 {
            return Err(ApplyError("is not the next number"));
        }
        if entry.prev_hash != self.head {
            return Err(ApplyError("does not name its predecessor's hash"));
        }
        if entry.at < self.updated_at {
            return Err(ApplyError("is dated before its predecessor"));
        }
        if Money::checked_sum(entry.lots.iter().map(|lot| lot.amount)) != Some(entry.amount) {
            return Err(ApplyError("has lots that do not sum to its amount"));
        }
        if entry.amount.is_zero() {
            return Err(ApplyError("moves nothing"));
        }
        self.move_lots(entry)?;
        self.move_hold(entry)?;
        self.collect(entry)?;
        self.count(entry)?;
        if self.balance() != entry.balance_after {
            return Err(ApplyError("states another balance than its predecessors lead to"));
        }
        self.seq = entry.seq;
        self.head = entry.hash;
        self.updated_at = entry.at;
        self.last_transaction_at = Some(entry.at);
        Ok(())
    }

    fn move_lots(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        match entry.kind {
            EntryType::Credit
            | EntryType::Refund
            | EntryType::TransferIn
            | EntryType::Release
            | EntryType::Adjustment => {
                for lot in &entry.lots {
                    self.lots.add(lot).ok_or(ApplyError("overflows a lot"))?;
                }
            }
            EntryType::Debit
            | EntryType::Expiry
            | EntryType::Hold
            | EntryType::TransferOut
            | EntryType::Clawback
            | EntryType::OwedCollected => {
                for lot in &entry.lots {
                    self.lots.remove(lot).ok_or(ApplyError("takes more from a lot than it has"))?;
                }
            }
            // The lots left the account when the hold was placed.
            EntryType::Capture => {}
        }
        Ok(())
    }

    fn collect(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        if entry.kind != EntryType::OwedCollected {
            return Ok(());
        }
        let reversed = entry.after.reversal.as_ref().ok_or(ApplyError("names no debt"))?;
        self.owed.lower(&reversed.id, entry.amount).ok_or(ApplyError("collects more than is owed"))
    }

    /// Records that more or less is owed; on an error the account must be thrown away.
    pub fn owe(&mut self, change: &OwedChange) -> Result<(), ApplyError> {
        if change.seq != self.seq {
            return Err(ApplyError("changes what is owed at another entry"));
        }
        self.owed.change(change).ok_or(ApplyError("changes what is owed to what cannot be"))?;
        self.updated_at = self.updated_at.max(change.at);
        Ok(())
    }

    fn move_hold(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        let id = || entry.hold_id.clone().ok_or(ApplyError("names no hold"));
        match entry.kind {
            EntryType::Hold => {
                let view = entry.after.hold.as_ref().ok_or(ApplyError("keeps no hold"))?;
                let open = OpenHold { due: view.expires_at, amount: entry.amount };
                if self.holds.insert(id()?, open).is_some() {
                    return Err(ApplyError("places a hold twice"));
                }
            }
            EntryType::Capture | EntryType::Release => {
                let id = id()?;
                let open = self.holds.get_mut(&id).ok_or(ApplyError("names a hold that is not open"))?;
                open.amount = open
                    .amount
                    .checked_sub(entry.amount)
                    .ok_or(ApplyError("takes more than is left of a hold"))?;
                if open.amount.is_zero() {
                    self.holds.remove(&id);
                }
            }
            EntryType::Credit
            | EntryType::Debit
            | EntryType::Refund
            | EntryType::Expiry
            | EntryType::TransferIn
            | EntryType::TransferOut
            | EntryType::Clawback
            | EntryType::OwedCollected
            | EntryType::Adjustment => {}
        }
        Ok(())
    }

    fn count(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        let total = match entry.kind {
            EntryType::Credit => &mut self.totals.earned,
            EntryType::Debit | EntryType::Capture => &mut self.totals.spent,
            EntryType::Refund => &mut self.totals.refunded,
            EntryType::Expiry => &mut self.totals.expired,
            EntryType::Hold
            | EntryType::Release
            | EntryType::TransferIn
            | EntryType::TransferOut
            | EntryType::Clawback
            | EntryType::OwedCollected
            | EntryType::Adjustment => return Ok(()),
        };
        *total = total.checked_add(entry.amount).ok_or(ApplyError("overflows a total"))?;
        Ok(())
    }
}
