//! A ledger account, as produced by its entries: a customer's money or points.
//!
//! **Invariant:** `apply` is the only way value enters or leaves an account. It rejects an entry
//! that does not continue the chain, so a stored account equals the fold of its entries unless data
//! was tampered with.
//! **Invariant:** what is owed changes only by [`Account::owe`] and by entries that collect it.
//! **Invariant:** available = Σ lots, held = Σ open holds, balance = available + held; none is negative.

use crate::actor::PerformedBy;
use crate::cause::Cause;
use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::hash::Hash;
use crate::ids::{AccountKind, AccountRef, HoldId, RequestId};
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::entry_type::Flow;
use crate::ledger::lot::Lots;
use crate::ledger::owed::{Owed, OwedChange};
use crate::ledger::points::PointsPart;
use crate::ledger::statistics::MonthFigures;
use crate::money::Money;
use crate::month::Month;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::time::Timestamp;
use crate::unit::Unit;
use std::collections::BTreeMap;

/// Whether value may move in an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountStatus {
    /// Value may move.
    Active,
    /// Nothing may be spent.
    Frozen,
    /// Nothing may be spent, and no credit may be added manually or received by transfer.
    Suspended,
}

impl AccountStatus {
    /// Parses a stored status.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "ACTIVE" => Self::Active,
            "FROZEN" => Self::Frozen,
            "SUSPENDED" => Self::Suspended,
            _ => return Err(ParseError("is not the status of an account")),
        })
    }

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Frozen => "FROZEN",
            Self::Suspended => "SUSPENDED",
        }
    }
}

/// An open hold as stored in the account item: enough to compute `available` once the hold has
/// timed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenHold {
    /// When it times out.
    pub due: Timestamp,
    /// The amount that remains.
    pub amount: Money,
}

/// Sums since the account was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Σ CREDIT; of points Σ EARN.
    pub earned: Money,
    /// Σ DEBIT + CAPTURE; of points Σ BURN.
    pub spent: Money,
    /// Σ REFUND.
    pub refunded: Money,
    /// Σ EXPIRY.
    pub expired: Money,
}

/// How the account was opened; enough to answer a repetition of that request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The cause of the request.
    pub cause: Cause,
    /// The fingerprint of the request.
    pub fingerprint: Fingerprint,
    /// The invocation that opened the account.
    pub request: RequestId,
    /// The initial balance.
    pub initial: Money,
    /// The caller who opened the account.
    pub by: PerformedBy,
}

/// A change of status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The status before.
    pub from: AccountStatus,
    /// The status after.
    pub to: AccountStatus,
    /// The reason given by the caller.
    pub reason: FreeText,
    /// The caller.
    pub by: PerformedBy,
    /// When it took effect.
    pub at: Timestamp,
}

/// A ledger account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Kind and owner.
    pub id: AccountRef,
    /// The unit of all its amounts.
    pub unit: Unit,
    /// Whether value may move.
    pub status: AccountStatus,
    /// Credit that can be spent, by expiry date and class.
    pub lots: Lots,
    /// Open holds.
    pub holds: BTreeMap<HoldId, OpenHold>,
    /// Debts for reversed payments that remain to be collected.
    pub owed: Owed,
    /// Sums since the account was opened.
    pub totals: Totals,
    /// Number of the last entry; 0 before the first.
    pub seq: u64,
    /// Hash of the last entry; [`Hash::GENESIS`] before the first.
    pub head: Hash,
    /// Incremented by each change; the condition against stale reads.
    pub version: u64,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When its last entry took effect; `None` before the first.
    pub last_transaction_at: Option<Timestamp>,
    /// How it was opened.
    pub opening: Opening,
    /// What only an account of points has; `None` in a wallet.
    pub points: Option<Box<PointsPart>>,
    /// Figures of the month of the last entry; `None` if an earlier version of this program has changed
    /// the account, and they have not been counted since, and for points.
    pub figures: Option<MonthFigures>,
    /// When the sweep next checks the account: at or before the instant at which something falls
    /// due; `None` if nothing will.
    pub next_check_at: Option<Timestamp>,
}

/// What is needed to open an account.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Kind and owner.
    pub id: AccountRef,
    /// The unit of all its amounts.
    pub unit: Unit,
    /// How it is opened.
    pub opening: Opening,
    /// When it is opened.
    pub at: Timestamp,
}

/// Why an entry, or a change of what is owed, does not continue the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ApplyError(pub &'static str);

impl Account {
    /// Creates an empty account.
    pub fn open(new: NewAccount) -> Self {
        let is_points = new.id.kind == AccountKind::Points;
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
            points: is_points.then(Box::default),
            figures: (!is_points).then(|| MonthFigures::new(Month::of(new.at), 0)),
            next_check_at: None,
        }
    }

    /// Returns the account as it was when it was opened: the state onto which its entries are
    /// folded.
    pub fn at_opening(&self) -> Self {
        let (id, unit, opening) = (self.id.clone(), self.unit, self.opening.clone());
        Self::open(NewAccount { id, unit, opening, at: self.created_at })
    }

    /// Returns the currency of a money account; fails for a points account.
    pub fn currency(&self) -> Result<Currency, Rejection> {
        self.unit.currency().ok_or(Rejection::Inconsistent("a points account has no currency"))
    }

    /// Returns what can be spent. Expired lots count until their EXPIRY is applied; see
    /// [`crate::ledger::due`].
    pub fn available(&self) -> Money {
        self.lots.total()
    }

    /// Returns the sum of the open holds.
    pub fn held(&self) -> Money {
        self.holds.values().map(|hold| hold.amount).sum()
    }

    /// Returns available plus held.
    pub fn balance(&self) -> Money {
        Money::checked_add(self.available(), self.held()).unwrap_or(Money::ZERO)
    }

    /// Returns the points that become available later.
    pub fn pending(&self) -> Money {
        self.points.as_ref().map_or(Money::ZERO, |points| points.pending.total())
    }

    /// Returns when something next falls due: the end of the first lot's date, the date of the first pending points,
    /// or the time-out of a hold.
    pub fn next_due(&self) -> Option<Timestamp> {
        let lot = self.lots.first().and_then(|lot| lot.expires_on).map(Timestamp::end_of);
        let hold = self.holds.values().map(|hold| hold.due).min();
        let pending = self.points.as_ref().and_then(|points| points.pending.first());
        let pending = pending.map(|pending| Timestamp::start_of(pending.available_on));
        lot.into_iter().chain(pending).chain(hold).min()
    }

    /// Sets when the sweep next checks the account.
    ///
    /// A check that is too early is kept (it costs the sweep one read), so that a debit that
    /// burns the earliest lot does not have to update an index.
    pub fn schedule_check(&mut self, now: Timestamp) {
        self.next_check_at = match (self.next_check_at, self.next_due()) {
            (_, None) => self.next_check_at.filter(|next_check_at| *next_check_at > now),
            (Some(next_check_at), Some(due)) if now < next_check_at && next_check_at <= due => {
                Some(next_check_at)
            }
            (_, due) => due,
        };
    }

    /// Applies one entry: the fold step of the ledger.
    ///
    /// Returns the figures of a month that this entry has ended. After an error the account can be partly
    /// changed and must be discarded.
    pub fn apply(&mut self, entry: &Entry) -> Result<Option<MonthFigures>, ApplyError> {
        if entry.account != self.id || entry.unit != self.unit {
            return Err(ApplyError("belongs to another account or unit"));
        }
        if entry.seq != self.seq + 1 {
            return Err(ApplyError("does not have the next number"));
        }
        if entry.prev_hash != self.head {
            return Err(ApplyError("does not contain its predecessor's hash"));
        }
        if entry.at < self.updated_at {
            return Err(ApplyError("is dated before its predecessor"));
        }
        if entry.of_lots() != Some(entry.amount) {
            return Err(ApplyError("has lots that do not sum to its amount"));
        }
        if entry.amount.is_zero() && !entry.points.as_ref().is_some_and(|moved| moved.moves_more()) {
            return Err(ApplyError("has an amount of zero"));
        }
        if !entry.kind.is_of(self.id.kind) || entry.points.is_some() != self.points.is_some() {
            return Err(ApplyError("is not of this kind of account"));
        }
        self.move_lots(entry)?;
        self.move_hold(entry)?;
        self.collect(entry)?;
        if let (Some(points), Some(moved)) = (&mut self.points, &entry.points) {
            points.apply(moved, (entry.kind, entry.amount, entry.at)).map_err(ApplyError)?;
            if let Some(change) = &moved.owed {
                const WRONG: ApplyError = ApplyError("changes what is owed in a way that is not possible");
                self.owed.change(change).ok_or(WRONG)?;
            }
        }
        self.count(entry)?;
        if self.balance() != entry.balance_after {
            return Err(ApplyError("states another balance than the one computed"));
        }
        self.seq = entry.seq;
        self.head = entry.hash;
        self.updated_at = entry.at;
        self.last_transaction_at = Some(entry.at);
        Ok(self.figures.as_mut().and_then(|figures| figures.add(entry)))
    }

    fn move_lots(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        match entry.flow() {
            Flow::In | Flow::FromHold => {
                for lot in &entry.lots {
                    self.lots.add(lot).ok_or(ApplyError("overflows a lot"))?;
                }
            }
            Flow::Out | Flow::ToHold => {
                for lot in &entry.lots {
                    self.lots.remove(lot).ok_or(ApplyError("takes more from a lot than it contains"))?;
                }
            }
            // The lots left the account when the hold was placed.
            Flow::OutOfHold => {}
        }
        Ok(())
    }

    fn collect(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        if entry.kind != EntryType::OwedCollected {
            return Ok(());
        }
        let reversed = entry.after.reversal.as_ref().ok_or(ApplyError("names no debt to collect"))?;
        self.owed.lower(reversed, entry.amount).ok_or(ApplyError("collects more than is owed"))
    }

    /// Applies a recorded change of what is owed; after an error the account must be discarded.
    pub fn owe(&mut self, change: &OwedChange) -> Result<(), ApplyError> {
        if change.seq != self.seq {
            return Err(ApplyError("changes what is owed after another entry than the last"));
        }
        self.owed.change(change).ok_or(ApplyError("changes what is owed in a way that is not possible"))?;
        self.updated_at = self.updated_at.max(change.at);
        Ok(())
    }

    fn move_hold(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        let id = || entry.hold_id.clone().ok_or(ApplyError("names no hold"));
        match entry.flow() {
            Flow::ToHold => {
                let view = entry.after.hold.as_ref().ok_or(ApplyError("contains no hold"))?;
                let open = OpenHold { due: view.expires_at, amount: entry.amount };
                if self.holds.insert(id()?, open).is_some() {
                    return Err(ApplyError("places a hold twice"));
                }
            }
            Flow::OutOfHold | Flow::FromHold => {
                let id = id()?;
                let open = self.holds.get_mut(&id).ok_or(ApplyError("names a hold that is not open"))?;
                open.amount = open
                    .amount
                    .checked_sub(entry.amount)
                    .ok_or(ApplyError("takes more from a hold than remains"))?;
                if open.amount.is_zero() {
                    self.holds.remove(&id);
                }
            }
            Flow::In | Flow::Out => {}
        }
        Ok(())
    }

    fn count(&mut self, entry: &Entry) -> Result<(), ApplyError> {
        let total = match entry.kind {
            EntryType::Credit | EntryType::Earn => &mut self.totals.earned,
            EntryType::Debit | EntryType::Capture | EntryType::Burn => &mut self.totals.spent,
            EntryType::Refund => &mut self.totals.refunded,
            EntryType::Expiry => &mut self.totals.expired,
            EntryType::Hold
            | EntryType::Release
            | EntryType::TransferIn
            | EntryType::TransferOut
            | EntryType::Clawback
            | EntryType::OwedCollected
            | EntryType::Adjustment
            | EntryType::Activation
            | EntryType::Reversal
            | EntryType::AdjustIn
            | EntryType::AdjustOut => return Ok(()),
        };
        *total = total.checked_add(entry.amount).ok_or(ApplyError("overflows a total"))?;
        Ok(())
    }
}

serde_by_text! { AccountStatus: |status| status.as_str().to_owned(), AccountStatus::parse; }
