//! An account in the middle of a decision: due entries first, then the operation's own.
//!
//! **Invariant:** entries are numbered, dated and chained here and nowhere else, and each is applied to the
//! account as it is made, so what will be written always proves itself.

use crate::actor::PerformedBy;
use crate::cause::Cause;
use crate::fingerprint::Fingerprint;
use crate::hash::Hash;
use crate::ids::{HoldId, OrderId, RequestId, TransactionId};
use crate::ledger::account::Account;
use crate::ledger::decision::Write;
use crate::ledger::entry::{After, Entry, EntryType, Reversed};
use crate::ledger::hold::Hold;
use crate::ledger::lot::{CreditSource, Lot, split};
use crate::ledger::owed::{Debt, OwedChange};
use crate::money::Money;
use crate::rejection::Rejection;
use crate::text::{FreeText, Metadata};
use crate::time::{Date, Timestamp};
use std::collections::BTreeMap;

/// How many due entries one transaction carries; more go into transactions of their own.
pub const MAX_DUE: usize = 20;

/// An account as loaded, and the holds whose time is up.
#[derive(Clone, Debug)]
pub struct LoadedAccount {
    /// The account item.
    pub account: Account,
    /// The hold items that were due when it was loaded.
    pub due_holds: Vec<Hold>,
}

/// What an entry says, before it is numbered, dated and chained.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Why.
    pub cause: Cause,
    /// What it is.
    pub kind: EntryType,
    /// The lots it touches; they sum to its amount.
    pub lots: Vec<Lot>,
    /// Who does it.
    pub by: PerformedBy,
    /// The invocation.
    pub request: Option<RequestId>,
    /// What was asked for.
    pub fingerprint: Option<Fingerprint>,
    /// Why, in words.
    pub reason: Option<FreeText>,
    /// Where credit came from.
    pub source: Option<CreditSource>,
    /// The order it belongs to.
    pub order_id: Option<OrderId>,
    /// The hold it belongs to.
    pub hold_id: Option<HoldId>,
    /// The last date of the credit.
    pub expires_on: Option<Date>,
    /// The caller's pairs.
    pub metadata: Metadata,
    /// What the response needs beyond.
    pub after: After,
}

impl Draft {
    /// An entry that follows from the clock.
    pub fn of_clock(cause: Cause, kind: EntryType, lots: Vec<Lot>) -> Self {
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
        }
    }
}

/// The account, what has been posted to it, and the holds changed on the way.
#[derive(Clone, Debug)]
pub struct Posting {
    /// The account after all that was posted.
    pub account: Account,
    /// What was posted, in order.
    pub entries: Vec<Entry>,
    /// The instant of this decision: the clock, or the account's last change if that is later.
    pub now: Timestamp,
    was: u64,
    holds: BTreeMap<HoldId, (Hold, u64)>,
    owed: Vec<OwedChange>,
    /// How many debts it pays at most.
    pays: usize,
}

impl Posting {
    /// A loaded account, with nothing posted yet; at most `limit` debts will be paid.
    pub(super) fn of_loaded(loaded: &LoadedAccount, now: Timestamp, limit: usize) -> Self {
        let holds = loaded.due_holds.iter().map(|hold| (hold.id.clone(), (hold.clone(), hold.seq))).collect();
        Self {
            account: loaded.account.clone(),
            entries: Vec::new(),
            now: now.max(loaded.account.updated_at),
            was: loaded.account.version,
            holds,
            owed: Vec::new(),
            pays: limit,
        }
    }

    /// A new account.
    pub fn of_new(account: Account) -> Self {
        let (now, was) = (account.created_at, account.version);
        Self {
            account,
            entries: Vec::new(),
            now,
            was,
            holds: BTreeMap::new(),
            owed: Vec::new(),
            pays: MAX_DUE,
        }
    }

    /// Today, UTC.
    pub fn today(&self) -> Date {
        self.now.date()
    }

    /// True if the writes are too many to go with an operation's own: something is due that has not been posted,
    /// or what was due has met debts.
    pub fn more_due(&self) -> bool {
        let collected = self.entries.iter().any(|entry| entry.kind == EntryType::OwedCollected);
        collected || self.account.next_due().is_some_and(|due| due <= self.now)
    }

    /// Posts an entry dated now; gives it back.
    pub fn post(&mut self, draft: Draft) -> Result<Entry, Rejection> {
        self.post_at(draft, self.now)
    }

    /// Posts an entry that took effect at `at` (never before the account's last change).
    pub fn post_at(&mut self, draft: Draft, at: Timestamp) -> Result<Entry, Rejection> {
        const OVERFLOW: Rejection = Rejection::Inconsistent("the sums of an account overflow");
        let amount = Money::checked_sum(draft.lots.iter().map(|lot| lot.amount)).ok_or(OVERFLOW)?;
        let balance = self.account.balance();
        let balance_after = match draft.kind {
            EntryType::Credit | EntryType::Refund | EntryType::TransferIn | EntryType::Adjustment => {
                balance.checked_add(amount)
            }
            EntryType::Hold | EntryType::Release => Some(balance),
            EntryType::Debit
            | EntryType::Expiry
            | EntryType::Capture
            | EntryType::TransferOut
            | EntryType::Clawback
            | EntryType::OwedCollected => balance.checked_sub(amount),
        };
        let mut entry = Entry {
            account: self.account.id.clone(),
            cause: draft.cause,
            seq: self.account.seq + 1,
            kind: draft.kind,
            amount,
            unit: self.account.unit,
            balance_after: balance_after.ok_or(OVERFLOW)?,
            at: at.max(self.account.updated_at),
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
            prev_hash: self.account.head,
            hash: Hash::GENESIS,
        };
        entry.hash = entry.digest();
        self.account.apply(&entry).map_err(|broken| Rejection::Inconsistent(broken.0))?;
        self.entries.push(entry.clone());
        if entry.kind.raises() {
            self.collect(entry.at)?;
        }
        Ok(entry)
    }

    /// Pays what is owed, oldest first, from what has just become available.
    pub(super) fn collect(&mut self, at: Timestamp) -> Result<(), Rejection> {
        let debts: Vec<Debt> = self.account.owed.debts().iter().take(self.can_pay()).cloned().collect();
        for debt in debts {
            // What has expired by then is not there to pay with; it expires next.
            let alive: Vec<Lot> =
                self.account.lots.iter().filter(|lot| !lot.is_expired(at.date())).cloned().collect();
            let (lots, _) = split(&alive, debt.amount);
            if lots.is_empty() {
                break;
            }
            let cause = Cause::collection(&debt.reversal, self.next_seq());
            let mut draft = Draft::of_clock(cause, EntryType::OwedCollected, lots);
            draft.after.reversal = Some(Reversed { id: debt.reversal, payment: debt.payment });
            self.post_at(draft, at)?;
        }
        Ok(())
    }

    /// How many more debts this posting pays.
    fn can_pay(&self) -> usize {
        let is_payment = |entry: &&Entry| entry.kind == EntryType::OwedCollected;
        self.pays.saturating_sub(self.entries.iter().filter(is_payment).count())
    }

    /// True if there are debts, and credit for them, but this posting has paid as many as it may.
    pub(crate) fn is_behind(&self) -> bool {
        let day = self.account.updated_at.date();
        let alive = self.account.lots.iter().any(|lot| !lot.is_expired(day));
        alive && !self.account.owed.debts().is_empty() && self.can_pay() == 0
    }

    /// Records that more or less is owed, as of now.
    pub fn owe(&mut self, change: OwedChange) -> Result<(), Rejection> {
        let change = OwedChange { seq: self.account.seq, at: self.now, ..change };
        self.account.owe(&change).map_err(|broken| Rejection::Inconsistent(broken.0))?;
        self.owed.push(change);
        Ok(())
    }

    /// The number that the next entry will have.
    pub fn next_seq(&self) -> u64 {
        self.account.seq + 1
    }

    /// The id that the next entry will have, if this is its cause.
    pub fn next_transaction(&self, cause: &Cause) -> TransactionId {
        TransactionId::of(&self.account.id, self.next_seq(), cause)
    }

    /// The id that the entry after the next will have, if this is its cause.
    pub fn transaction_after_next(&self, cause: &Cause) -> TransactionId {
        TransactionId::of(&self.account.id, self.next_seq() + 1, cause)
    }

    /// Takes a hold that was loaded because its time was up.
    pub fn take_hold(&mut self, id: &HoldId) -> Option<(Hold, u64)> {
        self.holds.remove(id)
    }

    /// Notes a changed hold; `was` is the entry that had changed it before this decision.
    pub fn keep_hold(&mut self, mut hold: Hold, was: u64) {
        hold.seq = self.account.seq;
        self.holds.insert(hold.id.clone(), (hold, was));
    }

    /// A hold as it stands after what was posted, if it was loaded or changed here.
    pub fn hold(&self, id: &HoldId) -> Option<&Hold> {
        self.holds.get(id).map(|(hold, _)| hold)
    }

    /// The version that the account will have.
    pub fn next_version(&self) -> u64 {
        self.was + 1
    }

    /// True if something was recorded about what is owed.
    pub fn has_owed(&self) -> bool {
        !self.owed.is_empty()
    }

    /// True if nothing was posted.
    pub fn is_untouched(&self) -> bool {
        self.entries.is_empty()
    }

    /// The writes: the entries, the holds changed, and the account under its condition.
    pub fn into_writes(mut self) -> Vec<Write> {
        self.account.version = self.was + 1;
        self.account.schedule_check(self.now);
        let mut writes: Vec<Write> =
            self.entries.into_iter().map(|entry| Write::Entry(Box::new(entry))).collect();
        for (hold, was) in self.holds.into_values().filter(|(hold, was)| hold.seq != *was) {
            writes.push(if was == 0 { Write::PlaceHold(hold) } else { Write::Hold { hold, was } });
        }
        for (at, change) in self.owed.into_iter().enumerate() {
            let (account, version) = (self.account.id.clone(), self.account.version);
            writes.push(Write::OwedRecord { account, version, at, change });
        }
        writes.push(Write::Account { account: self.account, was: self.was });
        writes
    }
}
