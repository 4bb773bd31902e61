//! The laws of vouchers.
//!
//! **Invariant:** every stocked code is free once or sold once, and every sold code has a purchase that points paid for.
//! **Invariant:** a purchase is refunded if and only if its points came back.

use crate::ids::budget::CardId;
use crate::ids::{CustomerId, VoucherId, VoucherPurchaseId};
use crate::ledger::audit::Difference;
use crate::ledger::entry::{Entry, EntryType};
use crate::time::Date;
use crate::vouchers::bought::{PurchaseStatus, VoucherPurchase};
use crate::vouchers::code::FreeCode;
use crate::vouchers::voucher::Voucher;
use std::collections::{BTreeMap, BTreeSet};

/// A stocked code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockedCode {
    /// The voucher.
    pub voucher: VoucherId,
    /// By which it was bought, if it is sold.
    pub sold_to: Option<VoucherPurchaseId>,
    /// Last date on which it is valid.
    pub expires_on: Option<Date>,
}

/// What is stored about one voucher.
#[derive(Clone, Debug, Default)]
pub struct StoredVoucher {
    /// The voucher.
    pub voucher: Option<Voucher>,
    /// True if it is in the list of all.
    pub is_listed: bool,
    /// The number of codes that it was ever given.
    pub given: u64,
    /// The number of them that were sold.
    pub sold: u64,
}

/// A stored count of what a customer has bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCount {
    /// The customer.
    pub user: CustomerId,
    /// The voucher.
    pub voucher: VoucherId,
    /// The limit for which it is counted.
    pub limit_number: u32,
    /// The number.
    pub bought: u32,
}

/// What is stored about vouchers.
#[derive(Clone, Debug, Default)]
pub struct VoucherBooks {
    /// The catalogue.
    pub vouchers: BTreeMap<VoucherId, StoredVoucher>,
    /// The codes.
    pub codes: BTreeMap<CardId, StockedCode>,
    /// The free codes, with the places of each (correct: one).
    pub free: BTreeMap<CardId, Vec<FreeCode>>,
    /// The purchases.
    pub purchases: BTreeMap<VoucherPurchaseId, VoucherPurchase>,
    /// The purchases in the lists of customers.
    pub listed: BTreeSet<(CustomerId, VoucherPurchaseId, VoucherId)>,
    /// The counts.
    pub counts: Vec<StoredCount>,
}

/// The entries of a bought voucher.
#[derive(Clone, Debug, Default)]
struct Moved {
    burnt: Vec<Entry>,
    back: Vec<Entry>,
}

/// The points that were burnt for bought vouchers, and given back for them.
#[derive(Clone, Debug, Default)]
pub struct VoucherMoves(BTreeMap<(CustomerId, VoucherPurchaseId), Moved>);

impl VoucherMoves {
    /// Returns true if no points have moved for vouchers.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds an entry, if it belongs to a bought voucher.
    pub fn add(&mut self, entry: &Entry) {
        let id = entry.points.as_ref().and_then(|points| points.voucher_purchase_id.clone());
        let Some(id) = id else { return };
        let moved = self.0.entry((entry.account.customer().clone(), id)).or_default();
        let entries = if entry.kind == EntryType::Burn { &mut moved.burnt } else { &mut moved.back };
        entries.push(entry.clone());
    }
}

impl Moved {
    /// Returns true if these entries are those of a purchase.
    fn are_of(&self, bought: &VoucherPurchase) -> bool {
        let [burnt] = &self.burnt[..] else { return false };
        let worth = burnt.points.as_ref().and_then(|points| points.worth);
        let is_paid = burnt.amount == bought.points.money()
            && burnt.cause.as_str() == bought.cause
            && burnt.id().to_string() == bought.transaction
            && worth.is_some_and(|worth| worth.of(burnt.amount) == bought.points_value);
        let is_back = match &self.back[..] {
            [] => bought.status != PurchaseStatus::Refunded,
            [back] => bought.status == PurchaseStatus::Refunded && back.amount == burnt.amount,
            _ => false,
        };
        is_paid && is_back
    }
}

/// Compares codes, purchases and counts with each other and with the entries of points, which were read before these
/// books and after `earlier` ones. What has changed between the two is compared by the next audit.
pub fn prove(books: &VoucherBooks, moves: &VoucherMoves, earlier: &VoucherBooks) -> Vec<Difference> {
    let mut found = codes(books);
    found.extend(purchases(books, moves, earlier));
    found.extend(counts(books));
    found
}

/// Compares codes with the numbers that were given, the free ones, and the purchases.
fn codes(books: &VoucherBooks) -> Vec<Difference> {
    let mut found = vec![];
    let mut differs = |account: String, at: Option<String>, detail: &str| {
        found.push(Difference { account, at, detail: detail.to_owned() });
    };
    for (id, stored) in &books.vouchers {
        if stored.voucher.is_none() || !stored.is_listed {
            differs(id.to_string(), None, "is not in the catalogue");
        }
        let codes = || books.codes.values().filter(|code| code.voucher == *id);
        let sold = codes().filter(|code| code.sold_to.is_some()).count();
        let is_counted = |number: usize, count: u64| u64::try_from(number).ok() == Some(count);
        if !is_counted(codes().count(), stored.given) || !is_counted(sold, stored.sold) {
            differs(id.to_string(), None, "has another number of codes than it was given or has sold");
        }
    }
    for (card, code) in &books.codes {
        let voucher = books.vouchers.get(&code.voucher).and_then(|stored| stored.voucher.as_ref());
        let places = books.free.get(card).map(Vec::as_slice).unwrap_or_default();
        let is_placed = |free: &FreeCode| {
            free.voucher == code.voucher
                && free.expires_on == code.expires_on
                && voucher.is_some_and(|voucher| free.shard < voucher.shards)
        };
        let bought = code.sold_to.as_ref().and_then(|id| books.purchases.get(id));
        let is_sold = bought.is_some_and(|bought| bought.card == *card && bought.voucher == code.voucher);
        let is_right = match (places, &code.sold_to) {
            ([free], None) => is_placed(free),
            ([], Some(_)) => is_sold,
            _ => false,
        };
        if !is_right || voucher.is_none() {
            let detail = "a code is neither free once, where it is looked for, nor sold once";
            differs(code.voucher.to_string(), Some(card.to_string()), detail);
        }
    }
    for card in books.free.keys().filter(|card| !books.codes.contains_key(card)) {
        differs("a voucher".to_owned(), Some(card.to_string()), "a free code has no item of its own");
    }
    found
}

/// Compares purchases with their codes, the points that moved for them, and the lists of customers.
fn purchases(books: &VoucherBooks, moves: &VoucherMoves, earlier: &VoucherBooks) -> Vec<Difference> {
    let mut found = vec![];
    let mut differs = |account: String, at: Option<String>, detail: &str| {
        found.push(Difference { account, at, detail: detail.to_owned() });
    };
    for (id, bought) in &books.purchases {
        let at = || (bought.voucher.to_string(), Some(id.to_string()));
        let code = books.codes.get(&bought.card);
        if code.is_none_or(|code| code.sold_to.as_ref() != Some(id)) {
            differs(at().0, at().1, "a purchase has no code, or another one");
        }
        let is_stable = earlier.purchases.get(id) == Some(bought);
        let is_back = bought.status == PurchaseStatus::Refunded;
        let entries = moves.0.get(&(bought.user.clone(), id.clone()));
        if is_back != bought.refund.is_some()
            || (is_stable && !entries.is_some_and(|entries| entries.are_of(bought)))
        {
            differs(at().0, at().1, "a purchase does not match the points that moved for it");
        }
        if !books.listed.contains(&(bought.user.clone(), id.clone(), bought.voucher.clone())) {
            differs(at().0, at().1, "a purchase is not in the list of its customer");
        }
    }
    for (user, id) in moves.0.keys().filter(|(_, id)| !books.purchases.contains_key(id)) {
        differs(format!("p:{user}"), Some(id.to_string()), "points moved for a purchase that is not stored");
    }
    found
}

/// Compares the counts of limits with the purchases.
fn counts(books: &VoucherBooks) -> Vec<Difference> {
    let mut found = vec![];
    let mut differs = |account: String, at: Option<String>, detail: &str| {
        found.push(Difference { account, at, detail: detail.to_owned() });
    };
    for count in &books.counts {
        let voucher = books.vouchers.get(&count.voucher).and_then(|stored| stored.voucher.as_ref());
        let number = voucher.map(|voucher| voucher.limit_number);
        let has_limit = voucher.is_some_and(|voucher| voucher.terms.per_user_limit.is_some());
        let own = |bought: &&VoucherPurchase| {
            bought.user == count.user
                && bought.voucher == count.voucher
                && bought.status != PurchaseStatus::Refunded
        };
        let bought = books.purchases.values().filter(own).count();
        if has_limit
            && number == Some(count.limit_number)
            && usize::try_from(count.bought).ok() != Some(bought)
        {
            differs(
                format!("p:{}", count.user),
                Some(count.voucher.to_string()),
                "has bought another number than is counted",
            );
        }
    }
    found
}
