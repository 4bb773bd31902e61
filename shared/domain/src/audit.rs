//! The proof of one wallet: its entries, folded from nothing, against what is stored.
//!
//! **Invariant:** the audit trusts no stored sum: every balance, lot, hold, order and hash is recomputed, and
//! each difference names the account and, where there is one, the entry.

use crate::account::{Account, Facts};
use crate::currency::Currency;
use crate::entry::{Entry, EntryType};
use crate::hash::Hash;
use crate::hold::{Hold, HoldStatus};
use crate::ids::{CustomerId, HoldId, OrderId};
use crate::money::Money;
use crate::order::Order;
use std::collections::BTreeMap;
use std::fmt;

/// Everything stored about one wallet. Holds and orders must have been read before the entries.
#[derive(Clone, Debug)]
pub struct Books {
    /// Whose.
    pub customer: CustomerId,
    /// The account item, if there is one.
    pub account: Option<Account>,
    /// Its hold items.
    pub holds: Vec<Hold>,
    /// The order items that its entries name and that are this customer's.
    pub orders: Vec<Order>,
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

/// What one wallet proved to be.
#[derive(Clone, Debug)]
pub struct Proof {
    /// How many entries were folded.
    pub entries: u64,
    /// The sums by currency code and type.
    pub sums: BTreeMap<(&'static str, EntryType), Money>,
    /// What the account holds.
    pub balance: Option<(Currency, Money)>,
    /// The hash of the last entry.
    pub head: Hash,
    /// What does not add up.
    pub differences: Vec<Difference>,
}

/// Recomputes one wallet.
pub fn prove(books: &Books) -> Proof {
    let mut audit = Audit::new(books);
    audit.fold();
    audit.compare_account();
    audit.compare_holds();
    audit.compare_orders();
    audit.proof
}

struct Audit<'a> {
    books: &'a Books,
    entries: Vec<&'a Entry>,
    folded: Option<Account>,
    proof: Proof,
}

impl<'a> Audit<'a> {
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
            differences: vec![],
        };
        Self { books, entries, folded: None, proof }
    }

    fn differ(&mut self, at: Option<String>, detail: impl Into<String>) {
        let account = format!("w:{}", self.books.customer);
        self.proof.differences.push(Difference { account, at, detail: detail.into() });
    }

    /// Laws 1, 2, 5 and 9: the fold itself, entry by entry.
    fn fold(&mut self) {
        let Some(stored) = self.books.account.clone() else {
            self.differ(None, "has entries but no account");
            return;
        };
        let mut account = Account::open(Facts {
            customer: stored.customer,
            currency: stored.currency,
            metadata: stored.metadata,
            referral_code: stored.referral_code,
            opening: stored.opening,
            at: stored.created_at,
        });
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
            self.proof.entries += 1;
            let sum = self.proof.sums.entry((entry.currency.code(), entry.kind)).or_default();
            *sum = [*sum, entry.amount].into_iter().sum();
        }
        self.proof.head = account.head;
        self.folded = Some(account);
    }

    fn compare_account(&mut self) {
        let (Some(folded), Some(stored)) = (self.folded.clone(), self.books.account.clone()) else { return };
        self.proof.balance = Some((stored.currency, stored.balance()));
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
        for (what, a, b) in [
            ("total earned", stored.totals.earned, folded.totals.earned),
            ("total spent", stored.totals.spent, folded.totals.spent),
            ("total refunded", stored.totals.refunded, folded.totals.refunded),
            ("total expired", stored.totals.expired, folded.totals.expired),
        ] {
            check(a == b, differs(what, &a, &b));
        }
    }

    /// Law 8: hold = captured + released + open, as its entries say.
    fn compare_holds(&mut self) {
        let Some(folded) = self.folded.clone() else { return };
        let mut stored: BTreeMap<&HoldId, &Hold> = BTreeMap::new();
        for hold in &self.books.holds {
            stored.insert(&hold.id, hold);
            let mut sums: BTreeMap<EntryType, Money> = BTreeMap::new();
            for entry in self.books.entries.iter().filter(|e| e.hold_id.as_ref() == Some(&hold.id)) {
                if entry.seq <= hold.seq {
                    let sum = sums.entry(entry.kind).or_default();
                    *sum = [*sum, entry.amount].into_iter().sum();
                }
            }
            let of = |kind| sums.get(&kind).copied().unwrap_or_default();
            let view = &hold.view;
            let lots: Money = hold.lots.iter().map(|lot| lot.amount).sum();
            let is_open = view.status == HoldStatus::Open;
            let adds_up = of(EntryType::Hold) == view.amount
                && of(EntryType::Capture) == view.captured
                && of(EntryType::Release) == view.released
                && view.remaining() == lots
                && is_open != lots.is_zero();
            if !adds_up {
                self.differ(Some(hold.id.to_string()), "the hold is not what its entries say");
            }
        }
        for id in folded.holds.keys().filter(|id| !stored.contains_key(id)) {
            self.differ(Some(id.to_string()), "the hold is open but not stored");
        }
    }

    /// Law 10: refunds ≤ payments ≤ total, as the entries say.
    fn compare_orders(&mut self) {
        let mut stored: BTreeMap<&OrderId, &Order> = BTreeMap::new();
        for order in &self.books.orders {
            stored.insert(&order.id, order);
            let (mut paid, mut refunded) = (Money::ZERO, Money::ZERO);
            for entry in self.books.entries.iter().filter(|e| e.order_id.as_ref() == Some(&order.id)) {
                let sum = match entry.kind {
                    EntryType::Debit | EntryType::Capture => &mut paid,
                    EntryType::Refund => &mut refunded,
                    EntryType::Credit
                    | EntryType::Expiry
                    | EntryType::Hold
                    | EntryType::Release
                    | EntryType::TransferIn
                    | EntryType::TransferOut
                    | EntryType::Clawback
                    | EntryType::OwedCollected
                    | EntryType::Adjustment => continue,
                };
                if entry.seq <= order.seq {
                    *sum = [*sum, entry.amount].into_iter().sum();
                }
            }
            let lots: Money = order.lots.iter().map(|lot| lot.amount).sum();
            let totals = order.totals;
            let adds_up = paid == totals.paid
                && refunded == totals.refunded
                && totals.paid <= totals.total
                && totals.refunded <= totals.paid
                && lots == order.refundable();
            if !adds_up {
                self.differ(Some(order.id.to_string()), "the order is not what its entries say");
            }
        }
        let pays =
            |entry: &&Entry| matches!(entry.kind, EntryType::Debit | EntryType::Capture | EntryType::Refund);
        let named = self.entries.iter().copied().filter(pays).filter_map(|entry| entry.order_id.clone());
        for id in named.collect::<std::collections::BTreeSet<_>>() {
            if !stored.contains_key(&id) {
                self.differ(Some(id.to_string()), "the order is paid but not stored");
            }
        }
    }
}

/// Law 9: nothing is taken from a lot after its date (a capture's lots left when the hold was placed).
fn late_lot(entry: &Entry) -> Option<&'static str> {
    let spends = matches!(entry.kind, EntryType::Debit | EntryType::Hold | EntryType::TransferOut);
    let late = spends && entry.lots.iter().any(|lot| lot.is_expired(entry.at.date()));
    late.then_some("takes from a lot whose date had passed")
}
