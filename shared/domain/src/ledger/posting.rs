//! An account in the middle of a decision: due entries first, then those of the operation.
//!
//! **Invariant:** entries are numbered, dated and chained only here, and each is applied to the
//! account when it is created, so what will be written always passes the audit.

use crate::actor::PerformedBy;
use crate::cause::Cause;
use crate::fingerprint::Fingerprint;
use crate::hash::Hash;
use crate::ids::{AccountKind, HoldId, OrderId, RequestId, TransactionId};
use crate::ledger::account::Account;
use crate::ledger::decision::Write;
use crate::ledger::entry::{After, Entry, EntryType};
use crate::ledger::entry_type::Flow;
use crate::ledger::hold::Hold;
use crate::ledger::lot::{CreditSource, Lot, split};
use crate::ledger::owed::{Debt, OwedChange, Reversed};
use crate::ledger::points::{PointValues, PointsMove, PointsPart};
use crate::ledger::statistics::MonthFigures;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::text::{FreeText, Metadata};
use crate::time::{Date, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The maximum number of due entries in one transaction; more go into transactions of their own.
pub const MAX_DUE: usize = 20;

/// An account as loaded, with the holds that have timed out.
#[derive(Clone, Debug)]
pub struct LoadedAccount {
    /// The account item.
    pub account: Account,
    /// The hold items that were due when the account was loaded.
    pub due_holds: Vec<Hold>,
    /// What a point is worth; `None` for a wallet.
    pub values: Option<Arc<PointValues>>,
}

/// The content of an entry, before it is numbered, dated and chained.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Why value moves.
    pub cause: Cause,
    /// The type.
    pub kind: EntryType,
    /// The lots that it changes; they sum to its amount.
    pub lots: Vec<Lot>,
    /// Who causes it.
    pub by: PerformedBy,
    /// The invocation; `None` for what has fallen due by time.
    pub request: Option<RequestId>,
    /// The fingerprint of the request; `None` if the entry follows from something else.
    pub fingerprint: Option<Fingerprint>,
    /// The reason given by the caller.
    pub reason: Option<FreeText>,
    /// The source of the credit; `None` for types without a single source.
    pub source: Option<CreditSource>,
    /// The order it belongs to.
    pub order_id: Option<OrderId>,
    /// The hold it belongs to.
    pub hold_id: Option<HoldId>,
    /// The last date of the credit; `None` if it never expires or the type has no single date.
    pub expires_on: Option<Date>,
    /// The pairs supplied by the caller.
    pub metadata: Metadata,
    /// What the response needs beyond the above.
    pub after: After,
    /// What a movement of points changes and refers to beyond the above; its value is that of now unless it is set.
    pub points: PointsMove,
}

impl Draft {
    /// Creates a draft of an entry that no request causes directly.
    pub fn without_request(cause: Cause, kind: EntryType, lots: Vec<Lot>) -> Self {
        Self {
            cause,
            kind,
            lots,
            by: PerformedBy::clock(),
            request: None,
            fingerprint: None,
            reason: None,
            source: None,
            order_id: None,
            hold_id: None,
            expires_on: None,
            metadata: Metadata::default(),
            after: After::default(),
            points: PointsMove::default(),
        }
    }
}

/// An account, the entries posted to it, and the holds changed by them.
#[derive(Clone, Debug)]
pub struct Posting {
    /// The account after all entries posted.
    pub account: Account,
    /// The entries posted, in order.
    pub entries: Vec<Entry>,
    /// The instant of the decision: the clock, or the account's last change if that is later.
    pub now: Timestamp,
    was: u64,
    holds: BTreeMap<HoldId, (Hold, u64)>,
    owed: Vec<OwedChange>,
    /// Figures of the months that its entries have ended.
    ended: Vec<MonthFigures>,
    /// The maximum number of debts that it pays.
    pays: usize,
    /// What a point is worth.
    values: Option<Arc<PointValues>>,
    /// The day of the last movement before.
    last_moved: Option<Date>,
}

impl Posting {
    /// Starts from a loaded account, with nothing posted yet; pays at most `limit` debts.
    pub(super) fn from_loaded(loaded: &LoadedAccount, now: Timestamp, limit: usize) -> Self {
        let holds = loaded.due_holds.iter().map(|hold| (hold.id.clone(), (hold.clone(), hold.seq))).collect();
        Self {
            account: loaded.account.clone(),
            entries: Vec::new(),
            now: now.max(loaded.account.updated_at),
            was: loaded.account.version,
            holds,
            owed: Vec::new(),
            ended: Vec::new(),
            pays: limit,
            values: loaded.values.clone(),
            last_moved: loaded.account.last_transaction_at.map(Timestamp::date),
        }
    }

    /// Starts from a new wallet.
    pub fn from_new(account: Account) -> Self {
        let (now, was) = (account.created_at, account.version);
        Self {
            account,
            entries: Vec::new(),
            now,
            was,
            holds: BTreeMap::new(),
            owed: Vec::new(),
            ended: Vec::new(),
            pays: MAX_DUE,
            values: None,
            last_moved: None,
        }
    }

    /// Returns the UTC date of `now`.
    pub fn today(&self) -> Date {
        self.now.date()
    }

    /// Returns true if there are too many writes to go into an operation's own transaction:
    /// something that is due has not been posted, or debts were paid by what was due.
    pub fn more_due(&self) -> bool {
        let collected = self.entries.iter().any(|entry| entry.kind == EntryType::OwedCollected);
        collected || self.account.next_due().is_some_and(|due| due <= self.now)
    }

    /// Posts an entry dated now, and returns it.
    pub fn post(&mut self, draft: Draft) -> Result<Entry, Rejection> {
        self.post_at(draft, self.now)
    }

    /// Posts an entry that took effect at `at`, or at the account's last change if that is later.
    pub fn post_at(&mut self, draft: Draft, at: Timestamp) -> Result<Entry, Rejection> {
        const OVERFLOW: Rejection = Rejection::Inconsistent("the sums of an account overflow");
        let of_lots = Money::checked_sum(draft.lots.iter().map(|lot| lot.amount)).ok_or(OVERFLOW)?;
        let balance = self.account.balance();
        let balance_after = match draft.kind.flow(draft.hold_id.is_some()) {
            Flow::In => balance.checked_add(of_lots),
            Flow::ToHold | Flow::FromHold => Some(balance),
            Flow::Out | Flow::OutOfHold => balance.checked_sub(of_lots),
        };
        let at = at.max(self.account.updated_at);
        let of_pending = draft.points.of_pending().ok_or(OVERFLOW)?;
        let amount = if draft.kind == EntryType::Activation {
            of_lots
        } else {
            of_lots.checked_add(of_pending).ok_or(OVERFLOW)?
        };
        let points = match &self.account.points {
            Some(part) => Some(self.points_of(part, draft.points, (draft.kind, at)).ok_or(OVERFLOW)?),
            None => None,
        };
        let mut entry = Entry {
            account: self.account.id.clone(),
            cause: draft.cause,
            seq: self.account.seq + 1,
            kind: draft.kind,
            amount,
            unit: self.account.unit,
            balance_after: balance_after.ok_or(OVERFLOW)?,
            at,
            by: draft.by,
            request: draft.request,
            fingerprint: draft.fingerprint,
            reason: draft.reason,
            source: draft.source,
            order_id: draft.order_id,
            hold_id: draft.hold_id,
            expires_on: draft.expires_on,
            lots: draft.lots,
            metadata: draft.metadata,
            after: draft.after,
            points,
            prev_hash: self.account.head,
            hash: Hash::GENESIS,
        };
        entry.hash = entry.digest();
        let ended = self.account.apply(&entry).map_err(|broken| Rejection::Inconsistent(broken.0))?;
        self.ended.extend(ended);
        self.entries.push(entry.clone());
        if entry.kind.raises() {
            self.collect(entry.at)?;
        }
        Ok(entry)
    }

    /// Completes what a movement of points changes beyond lots; `None` on overflow.
    fn points_of(
        &self,
        part: &PointsPart,
        mut moved: PointsMove,
        (kind, at): (EntryType, Timestamp),
    ) -> Option<Box<PointsMove>> {
        let (pending, of_pending) = (part.pending.total(), moved.of_pending()?);
        moved.pending_after = if kind.adds_pending() {
            pending.checked_add(of_pending)?
        } else {
            pending.checked_sub(of_pending)?
        };
        let values = self.values.as_ref()?;
        moved.worth = moved.worth.or(values.at(at));
        if let Some(owed) = &mut moved.owed {
            (owed.seq, owed.at) = (self.next_seq(), at);
        }
        Some(Box::new(moved))
    }

    /// Pays what is owed, oldest debt first, from what has just become available.
    pub(super) fn collect(&mut self, at: Timestamp) -> Result<(), Rejection> {
        let debts: Vec<Debt> = self.account.owed.debts().iter().take(self.can_pay()).cloned().collect();
        for debt in debts {
            // Credit that had expired by then cannot pay; its expiry is posted next.
            let alive: Vec<Lot> =
                self.account.lots.iter().filter(|lot| !lot.is_expired(at.date())).cloned().collect();
            let (lots, _) = split(&alive, debt.amount);
            if lots.is_empty() {
                break;
            }
            let cause = Cause::collection(&debt.reversal, self.next_seq());
            let mut draft = Draft::without_request(cause, EntryType::OwedCollected, lots);
            draft.after.reversal = Some(Reversed { id: debt.reversal, payment: debt.payment });
            self.post_at(draft, at)?;
        }
        Ok(())
    }

    /// Returns how many more debts this posting may pay.
    fn can_pay(&self) -> usize {
        let is_payment = |entry: &&Entry| entry.kind == EntryType::OwedCollected;
        self.pays.saturating_sub(self.entries.iter().filter(is_payment).count())
    }

    /// Returns true if this posting has paid the maximum number of debts.
    pub(crate) fn has_paid_most(&self) -> bool {
        self.can_pay() == 0
    }

    /// Records a change of what is owed, as of now.
    pub fn owe(&mut self, change: OwedChange) -> Result<(), Rejection> {
        let change = OwedChange { seq: self.account.seq, at: self.now, ..change };
        self.account.owe(&change).map_err(|broken| Rejection::Inconsistent(broken.0))?;
        self.owed.push(change);
        Ok(())
    }

    /// Returns the number of the next entry.
    pub fn next_seq(&self) -> u64 {
        self.account.seq + 1
    }

    /// Returns the id of the next entry if this is its cause.
    pub fn next_transaction(&self, cause: &Cause) -> TransactionId {
        TransactionId::of(&self.account.id, self.next_seq(), cause)
    }

    /// Returns the id of the entry after the next if this is its cause.
    pub fn transaction_after_next(&self, cause: &Cause) -> TransactionId {
        TransactionId::of(&self.account.id, self.next_seq() + 1, cause)
    }

    /// Removes and returns a hold that was loaded because it is due, with the number of the entry
    /// that last changed it.
    pub fn take_hold(&mut self, id: &HoldId) -> Option<(Hold, u64)> {
        self.holds.remove(id)
    }

    /// Stores a changed hold; `was` is the number of the entry that changed it before this
    /// decision, or 0 if it is new. A hold that this decision has changed before keeps its first `was`.
    pub fn keep_hold(&mut self, mut hold: Hold, was: u64) {
        let was = self.holds.get(&hold.id).map_or(was, |(_, first)| *first);
        hold.seq = self.account.seq;
        self.holds.insert(hold.id.clone(), (hold, was));
    }

    /// Returns a hold after what was posted, if it was loaded or changed here.
    pub fn hold(&self, id: &HoldId) -> Option<&Hold> {
        self.holds.get(id).map(|(hold, _)| hold)
    }

    /// Returns the version that the account will have.
    pub fn next_version(&self) -> u64 {
        self.was + 1
    }

    /// Returns true if a change of what is owed was recorded.
    pub fn has_owed(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Returns true if no entry was posted.
    pub fn is_untouched(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the days that are to be added to the report of points, or again: those on which nothing has moved before,
    /// and those that are over. Entries are dated in order, so every other day is on the list.
    fn days_to_report(&self) -> BTreeSet<Date> {
        let is_points = self.account.id.kind == AccountKind::Points;
        let days = self.entries.iter().filter(|_| is_points).map(|entry| entry.at.date());
        days.filter(|day| self.last_moved.is_none_or(|last| last < *day) || *day < self.today()).collect()
    }

    /// Returns the writes: the entries, the changed holds, the records of what is owed, and the
    /// account with its condition.
    pub fn into_writes(mut self) -> Vec<Write> {
        self.account.version = self.was + 1;
        self.account.schedule_check(self.now);
        let days = self.days_to_report();
        let mut writes: Vec<Write> =
            self.entries.into_iter().map(|entry| Write::Entry(Box::new(entry))).collect();
        for (hold, was) in self.holds.into_values().filter(|(hold, was)| hold.seq != *was) {
            writes.push(if was == 0 { Write::PlaceHold(hold) } else { Write::Hold { hold, was } });
        }
        for (at, change) in self.owed.into_iter().enumerate() {
            let (account, version) = (self.account.id.clone(), self.account.version);
            writes.push(Write::OwedRecord { account, version, at, change });
        }
        for day in days {
            writes.push(Write::ReportDay { account: self.account.id.clone(), day });
        }
        for figures in self.ended {
            writes.push(Write::Month { account: self.account.id.clone(), figures });
        }
        writes.push(Write::Account { account: Box::new(self.account), was: self.was });
        writes
    }
}
