//! The proof of one account: its entries, folded from nothing, against what is stored.
//!
//! **Invariant:** the audit trusts no stored sum: every balance, lot, hold, order and hash is recomputed, and
//! each difference names the account and, where there is one, the entry.

mod holds;
mod orders;

use crate::cause::Cause;
use crate::hash::Hash;
use crate::ids::AccountRef;
use crate::ledger::account::{Account, AccountStatus, StatusChange};
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::hold::Hold;
use crate::ledger::lot::CreditSource;
use crate::ledger::order::Order;
use crate::ledger::owed::OwedChange;
use crate::money::Money;
use crate::unit::Unit;
use std::collections::BTreeMap;
use std::fmt;

/// Everything stored about one account, in the order of reading: the account and its records, entries, the account
/// again with holds and orders, and entries again if those are newer.
#[derive(Clone, Debug)]
pub struct Books {
    /// Which.
    pub id: AccountRef,
    /// True if something beside its entries names it: then there must be an account.
    pub named: bool,
    /// The account item, if there is one.
    pub account: Option<Account>,
    /// Its changes of status, with the version that each made, oldest first.
    pub statuses: Vec<(u64, StatusChange)>,
    /// The number of the last entry that had been read when the rest was read.
    pub seen: u64,
    /// The number that the account had reached by then.
    pub account_seq: u64,
    /// Its hold items.
    pub holds: Vec<Hold>,
    /// The customer's order items.
    pub orders: Vec<Order>,
    /// Its changes of what is owed, with the version that each made, in order.
    pub owed: Vec<(u64, OwedChange)>,
    /// Its entries in any order.
    pub entries: Vec<Entry>,
}

/// Something that does not add up.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// In which account.
    pub account: String,
    /// At which entry (its id), hold or order, if at one.
    pub at: Option<String>,
    /// What.
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

/// What one account proved to be.
#[derive(Clone, Debug)]
pub struct Proof {
    /// How many entries were folded.
    pub entries: u64,
    /// The sums by the unit's code and type.
    pub sums: BTreeMap<(&'static str, EntryType), Money>,
    /// What the account holds.
    pub balance: Option<(Unit, Money)>,
    /// The hash of the last entry.
    pub head: Hash,
    /// What it sent to other accounts: the other side is to be looked up.
    pub sent: Vec<Entry>,
    /// The payments that it was credited: no other account may have one of them.
    pub payments: Vec<Cause>,
    /// What does not add up.
    pub differences: Vec<Difference>,
}

/// Recomputes one account; what areas keep beside it, they compare themselves.
pub fn fold(books: &Books) -> AccountAudit<'_> {
    let mut audit = AccountAudit::new(books);
    audit.fold();
    audit.compare_account();
    audit.compare_records();
    holds::compare(&mut audit);
    orders::compare(&mut audit);
    audit
}

/// An account that has been recomputed, and what was found on the way.
#[derive(Debug)]
pub struct AccountAudit<'a> {
    /// What is stored.
    pub books: &'a Books,
    /// The entries up to the account's number, oldest first.
    pub entries: Vec<&'a Entry>,
    /// The account as its entries give it; `None` if they do not lead to one.
    pub folded: Option<Account>,
    /// What has been found so far.
    pub proof: Proof,
}

impl<'a> AccountAudit<'a> {
    fn new(books: &'a Books) -> Self {
        // Entries past the account's number were written after it was read: under load that is no difference.
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
        Self { books, entries, folded: None, proof }
    }

    /// Notes something that does not add up.
    pub fn differ(&mut self, at: Option<String>, detail: impl Into<String>) {
        let account = self.books.id.to_string();
        self.proof.differences.push(Difference { account, at, detail: detail.into() });
    }

    /// Laws 1, 2, 5 and 9: the fold itself, entry by entry.
    fn fold(&mut self) {
        let Some(stored) = self.books.account.clone() else {
            if self.books.named || !self.entries.is_empty() {
                self.differ(None, "has no account, but its entries or referral code are there");
            }
            return;
        };
        if self.books.seen > self.books.account_seq {
            let (seen, account_seq) = (self.books.seen, self.books.account_seq);
            self.differ(
                None,
                format!("stands at entry {account_seq}, but entry {seen} is there: it was put back"),
            );
        }
        let mut account = stored.at_opening();
        self.owe(&mut account);
        for entry in self.entries.clone() {
            let id = || Some(entry.id().to_string());
            if entry.digest() != entry.hash {
                self.differ(id(), "was changed: its hash is not that of its content");
            }
            if entry.seq != account.seq + 1 {
                let missing = format!("entry {} is missing before it", account.seq + 1);
                self.differ(id(), missing);
                return;
            }
            if let Some(lot) = late_lot(entry) {
                self.differ(id(), lot);
            }
            if let Err(broken) = account.apply(entry) {
                self.differ(id(), broken.to_string());
                return;
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
                self.differ(Some(format!("version {version}")), broken.to_string());
            }
        }
    }

    fn compare_account(&mut self) {
        let (Some(folded), Some(stored)) = (self.folded.clone(), self.books.account.clone()) else { return };
        self.proof.balance = Some((stored.unit, stored.balance()));
        let mut check = |same: bool, detail: String| {
            if !same {
                self.differ(None, detail);
            }
        };
        let differs = |what: &str, stored: &dyn fmt::Display, entries: &dyn fmt::Display| {
            format!("{what} is stored as {stored}, its entries give {entries}")
        };
        check(stored.seq == folded.seq, differs("the number of its last entry", &stored.seq, &folded.seq));
        check(stored.head == folded.head, differs("the head of its chain", &stored.head, &folded.head));
        let (a, b) = (stored.available(), folded.available());
        check(a == b, differs("available", &a, &b));
        check(stored.lots == folded.lots, "the dates of its lots are not those of its entries".to_owned());
        let (a, b) = (stored.held(), folded.held());
        check(a == b, differs("held", &a, &b));
        check(stored.holds == folded.holds, "its open holds are not those of its entries".to_owned());
        check(
            stored.last_transaction_at == folded.last_transaction_at,
            "its last transaction is dated otherwise than its last entry".to_owned(),
        );
        check(stored.owed == folded.owed, differs("owed", &stored.owed.total(), &folded.owed.total()));
        for (what, a, b) in [
            ("total earned", stored.totals.earned, folded.totals.earned),
            ("total spent", stored.totals.spent, folded.totals.spent),
            ("total refunded", stored.totals.refunded, folded.totals.refunded),
            ("total expired", stored.totals.expired, folded.totals.expired),
        ] {
            check(a == b, differs(what, &a, &b));
        }
    }

    /// What is recorded beside the entries: status, opening, and when it last changed.
    fn compare_records(&mut self) {
        let (Some(folded), Some(stored)) = (self.folded.clone(), self.books.account.clone()) else { return };
        let changes = self.books.statuses.iter().filter(|(version, _)| *version <= stored.version);
        let last = changes.max_by_key(|(version, _)| *version).map(|(_, change)| change.clone());
        let status = last.as_ref().map_or(AccountStatus::Active, |change| change.to);
        if stored.status != status {
            let (stored, recorded) = (stored.status.as_str(), status.as_str());
            self.differ(None, format!("its status is stored as {stored}, its records give {recorded}"));
        }
        let at = last.map_or(folded.updated_at, |change| folded.updated_at.max(change.at));
        if stored.updated_at != at {
            let stored = stored.updated_at;
            self.differ(None, format!("its last change is stored as {stored}, its records give {at}"));
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
            self.differ(None, "was opened with a balance that its first entry does not give");
        }
    }

    /// The entries up to a number, oldest first, that a test picks.
    pub fn picked(&self, until: u64, pick: impl Fn(&Entry) -> bool) -> Vec<&'a Entry> {
        let mut picked: Vec<&Entry> =
            self.books.entries.iter().filter(|entry| entry.seq <= until && pick(entry)).collect();
        picked.sort_by_key(|entry| entry.seq);
        picked
    }
}

/// Law 9: nothing is taken from a lot after its date (a capture's lots left when the hold was placed).
fn late_lot(entry: &Entry) -> Option<&'static str> {
    let spends = matches!(
        entry.kind,
        EntryType::Debit
            | EntryType::Hold
            | EntryType::TransferOut
            | EntryType::Clawback
            | EntryType::OwedCollected
    );
    let late = spends && entry.lots.iter().any(|lot| lot.is_expired(entry.at.date()));
    late.then_some("takes from a lot whose date had passed")
}
