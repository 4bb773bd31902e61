//! The audit of one account: its entries, folded from nothing, are compared with what is stored.
//!
//! **Invariant:** the audit trusts no stored sum: every balance, lot, hold, order and hash is
//! recomputed, and each difference names the account and, if it concerns one, the entry, hold or
//! order.

mod figures;
mod holds;
mod orders;

use crate::cause::Cause;
use crate::hash::Hash;
use crate::ids::AccountRef;
use crate::ledger::account::{Account, AccountStatus, StatusChange};
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::entry_type::Flow;
use crate::ledger::hold::Hold;
use crate::ledger::lot::CreditSource;
use crate::ledger::order::Order;
use crate::ledger::owed::OwedChange;
use crate::ledger::statistics::MonthFigures;
use crate::money::Money;
use crate::unit::Unit;
use std::collections::BTreeMap;
use std::fmt;

/// Everything stored about one account, in the order of reading: the account and its records, the
/// entries, the account again with holds and orders, and the entries again if holds or orders are
/// newer.
#[derive(Clone, Debug)]
pub struct Books {
    /// The account.
    pub id: AccountRef,
    /// True if something other than its entries refers to it; the account must then exist.
    pub named: bool,
    /// The account item, if it exists.
    pub account: Option<Account>,
    /// Changes of its status with the account version that each created, oldest first.
    pub statuses: Vec<(u64, StatusChange)>,
    /// Number of the last entry that had been read before the holds and orders were read.
    pub seen: u64,
    /// Number of the account's last entry when the holds and orders were read.
    pub account_seq: u64,
    /// Its hold items.
    pub holds: Vec<Hold>,
    /// The customer's order items.
    pub orders: Vec<Order>,
    /// Changes of what it owes with the account version that each created, in order.
    pub owed: Vec<(u64, OwedChange)>,
    /// Figures of the months that have ended.
    pub months: Vec<MonthFigures>,
    /// Its entries, in any order.
    pub entries: Vec<Entry>,
}

/// A difference between what is stored and what was recomputed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// The account.
    pub account: String,
    /// The entry (by id), hold, order or top-up that differs; `None` for the account itself.
    pub at: Option<String>,
    /// What differs.
    pub detail: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "{} {at}: {}", self.account, self.detail),
            None => write!(f, "{}: {}", self.account, self.detail),
        }
    }
}

/// The result of the audit of one account.
#[derive(Clone, Debug)]
pub struct Proof {
    /// Number of entries that were folded.
    pub entries: u64,
    /// Sums of amounts, by unit code and entry type.
    pub sums: BTreeMap<(&'static str, EntryType), Money>,
    /// Unit and balance of the account; `None` if the entries could not be folded.
    pub balance: Option<(Unit, Money)>,
    /// Hash of the last entry.
    pub head: Hash,
    /// The TRANSFER_OUT entries; their counterparts in other accounts must still be checked.
    pub sent: Vec<Entry>,
    /// Causes of its top-up credits; no other account may have one of them.
    pub payments: Vec<Cause>,
    /// The differences found.
    pub differences: Vec<Difference>,
}

/// Recomputes one account; areas compare what they store beside it themselves.
pub fn fold(books: &Books) -> AccountAudit<'_> {
    let mut audit = AccountAudit::new(books);
    audit.fold();
    audit.compare_account();
    audit.compare_records();
    figures::compare(&mut audit);
    holds::compare(&mut audit);
    orders::compare(&mut audit);
    audit
}

/// An account that has been recomputed, with the differences found so far.
#[derive(Debug)]
pub struct AccountAudit<'a> {
    /// What is stored.
    pub books: &'a Books,
    /// The entries up to the stored account's last number, oldest first.
    pub entries: Vec<&'a Entry>,
    /// The account computed from its entries; `None` if they cannot be folded.
    pub folded: Option<Account>,
    /// Figures of the months that its entries have ended.
    ended: Vec<MonthFigures>,
    /// The results so far.
    pub proof: Proof,
}

impl<'a> AccountAudit<'a> {
    fn new(books: &'a Books) -> Self {
        // Entries beyond the account's last number were written after it was read; under load this
        // is not a difference.
        let until = books.account.as_ref().map_or(u64::MAX, |account| account.seq);
        let mut entries: Vec<&Entry> = books.entries.iter().filter(|entry| entry.seq <= until).collect();
        entries.sort_by_key(|entry| entry.seq);
        let proof = Proof {
            entries: 0,
            sums: BTreeMap::new(),
            balance: None,
            head: Hash::GENESIS,
            sent: vec![],
            payments: vec![],
            differences: vec![],
        };
        Self { books, entries, folded: None, ended: vec![], proof }
    }

    /// Records a difference.
    pub fn record_difference(&mut self, at: Option<String>, detail: impl Into<String>) {
        let account = self.books.id.to_string();
        self.proof.differences.push(Difference { account, at, detail: detail.into() });
    }

    /// Laws 1, 2, 5 and 9: folds the entries one by one.
    fn fold(&mut self) {
        let Some(stored) = self.books.account.clone() else {
            if self.books.named || !self.entries.is_empty() {
                self.record_difference(None, "has no account, but entries or a referral code exist");
            }
            return;
        };
        if self.books.seen > self.books.account_seq {
            let (seen, account_seq) = (self.books.seen, self.books.account_seq);
            self.record_difference(
                None,
                format!("is at entry {account_seq}, but entry {seen} exists: it was overwritten with an older version"),
            );
        }
        let mut account = stored.at_opening();
        self.owe(&mut account);
        for entry in self.entries.clone() {
            let id = || Some(entry.id().to_string());
            if entry.digest() != entry.hash {
                self.record_difference(id(), "was changed: its hash does not match its content");
            }
            if entry.seq != account.seq + 1 {
                let missing = format!("entry {} is missing before it", account.seq + 1);
                self.record_difference(id(), missing);
                return;
            }
            if let Some(lot) = late_lot(entry) {
                self.record_difference(id(), lot);
            }
            match account.apply(entry) {
                Ok(ended) => self.ended.extend(ended),
                Err(broken) => {
                    self.record_difference(id(), broken.to_string());
                    return;
                }
            }
            self.owe(&mut account);
            self.proof.entries += 1;
            if entry.kind == EntryType::Credit && entry.source == Some(CreditSource::Topup) {
                self.proof.payments.push(entry.cause.clone());
            }
            if entry.kind == EntryType::TransferOut {
                self.proof.sent.push(entry.clone());
            }
            let sum = self.proof.sums.entry((entry.unit.code(), entry.kind)).or_default();
            *sum = [*sum, entry.amount].into_iter().sum();
        }
        self.proof.head = account.head;
        self.folded = Some(account);
    }

    /// Applies the changes of what is owed that were recorded at the account's last entry.
    fn owe(&mut self, account: &mut Account) {
        let until = self.books.account.as_ref().map_or(0, |stored| stored.version);
        let due = |change: &&(u64, OwedChange)| change.0 <= until && change.1.seq == account.seq;
        for (version, change) in self.books.owed.iter().filter(due).cloned().collect::<Vec<_>>() {
            if let Err(broken) = account.owe(&change) {
                self.record_difference(Some(format!("version {version}")), broken.to_string());
            }
        }
    }

    fn compare_account(&mut self) {
        let (Some(folded), Some(stored)) = (self.folded.clone(), self.books.account.clone()) else { return };
        self.proof.balance = Some((stored.unit, stored.balance()));
        let mut check = |same: bool, detail: String| {
            if !same {
                self.record_difference(None, detail);
            }
        };
        let differs = |what: &str, stored: &dyn fmt::Display, entries: &dyn fmt::Display| {
            format!("{what} is stored as {stored}, its entries give {entries}")
        };
        check(stored.seq == folded.seq, differs("the number of its last entry", &stored.seq, &folded.seq));
        check(stored.head == folded.head, differs("the head of its chain", &stored.head, &folded.head));
        let (a, b) = (stored.available(), folded.available());
        check(a == b, differs("available", &a, &b));
        check(stored.lots == folded.lots, "its lots do not match its entries".to_owned());
        let (a, b) = (stored.held(), folded.held());
        check(a == b, differs("held", &a, &b));
        check(stored.holds == folded.holds, "its open holds do not match its entries".to_owned());
        check(
            stored.last_transaction_at == folded.last_transaction_at,
            "its last_transaction_at is not the time of its last entry".to_owned(),
        );
        check(stored.owed == folded.owed, differs("owed", &stored.owed.total(), &folded.owed.total()));
        check(
            stored.points == folded.points,
            "pending points, spend or lifetime points do not match its entries".to_owned(),
        );
        for (what, a, b) in [
            ("total earned", stored.totals.earned, folded.totals.earned),
            ("total spent", stored.totals.spent, folded.totals.spent),
            ("total refunded", stored.totals.refunded, folded.totals.refunded),
            ("total expired", stored.totals.expired, folded.totals.expired),
        ] {
            check(a == b, differs(what, &a, &b));
        }
    }

    /// Compares what is recorded beside the entries: status, opening, and time of the last change.
    fn compare_records(&mut self) {
        let (Some(folded), Some(stored)) = (self.folded.clone(), self.books.account.clone()) else { return };
        let changes = self.books.statuses.iter().filter(|(version, _)| *version <= stored.version);
        let last = changes.max_by_key(|(version, _)| *version).map(|(_, change)| change.clone());
        let status = last.as_ref().map_or(AccountStatus::Active, |change| change.to);
        if stored.status != status {
            let (stored, recorded) = (stored.status.as_str(), status.as_str());
            self.record_difference(
                None,
                format!("its status is stored as {stored}, its records give {recorded}"),
            );
        }
        let at = last.map_or(folded.updated_at, |change| folded.updated_at.max(change.at));
        if stored.updated_at != at {
            let stored = stored.updated_at;
            self.record_difference(
                None,
                format!("its last change is stored as {stored}, its records give {at}"),
            );
        }
        let opening = &stored.opening;
        let opened = |first: &&Entry| {
            first.kind == EntryType::Credit
                && first.amount == opening.initial
                && first.cause == opening.cause
                && first.request.as_ref() == Some(&opening.request)
                && first.fingerprint.as_ref() == Some(&opening.fingerprint)
        };
        let first = self.entries.first().copied().filter(|first| first.seq == 1);
        if !opening.initial.is_zero() && !first.as_ref().is_some_and(opened) {
            self.record_difference(None, "was opened with a balance that its first entry does not credit");
        }
    }

    /// Returns the entries up to the number `until` that satisfy `pick`, oldest first.
    pub fn entries_where(&self, until: u64, pick: impl Fn(&Entry) -> bool) -> Vec<&'a Entry> {
        let mut entries_where: Vec<&Entry> =
            self.books.entries.iter().filter(|entry| entry.seq <= until && pick(entry)).collect();
        entries_where.sort_by_key(|entry| entry.seq);
        entries_where
    }
}

/// Law 9: nothing is taken from a lot after its date, except by its expiry. What leaves a hold is not
/// checked, because its lots left the account when the hold was placed.
fn late_lot(entry: &Entry) -> Option<&'static str> {
    let spends = matches!(entry.flow(), Flow::Out | Flow::ToHold) && entry.kind != EntryType::Expiry;
    let late = spends && entry.lots.iter().any(|lot| lot.is_expired(entry.at.date()));
    late.then_some("takes from a lot that had expired")
}
