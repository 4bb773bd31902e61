//! Law 10: an order matches its entries, lot by lot, and refunds ≤ payments ≤ total.
//!
//! **Invariant:** paid, refunded and the refundable amount of each lot are folded from the entries.

use super::AccountAudit;
use crate::ids::OrderId;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::{Lot, LotClass};
use crate::ledger::order::{Order, OrderTotals};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn compare(audit: &mut AccountAudit<'_>) {
    let mut stored: BTreeMap<&OrderId, &Order> = BTreeMap::new();
    for order in &audit.books.orders {
        stored.insert(&order.id, order);
        let names = |entry: &Entry| pays(entry) && entry.order_id.as_ref() == Some(&order.id);
        let entries = audit.entries_where(order.seq, names);
        if !matches_entries(order, &entries) {
            audit.record_difference(Some(order.id.to_string()), "the order does not match its entries");
        }
        if audit.entries_where(audit.books.seen, names).last().is_some_and(|last| last.seq > order.seq) {
            audit.record_difference(
                Some(order.id.to_string()),
                "the order was overwritten with an older version",
            );
        }
    }
    let needs = |entry: &&&Entry| pays(entry) || entry.kind == EntryType::Hold;
    let named = audit.entries.iter().filter(needs).filter_map(|entry| entry.order_id.clone());
    let missing: BTreeSet<OrderId> = named.filter(|id| !stored.contains_key(id)).collect();
    for id in missing {
        audit.record_difference(Some(id.to_string()), "the order has payments or holds, but is not stored");
    }
}

fn pays(entry: &Entry) -> bool {
    matches!(entry.kind, EntryType::Debit | EntryType::Capture | EntryType::Refund)
}

fn matches_entries(stored: &Order, entries: &[&Entry]) -> bool {
    let shown = entries.last().and_then(|entry| entry.after.order.as_ref());
    let total = shown.map_or(stored.totals.total, |view| view.totals.total);
    let totals = OrderTotals::unpaid(total);
    let mut folded = Order { totals, lots: vec![], transactions: vec![], ..stored.clone() };
    for entry in entries {
        let adds_up = if entry.kind == EntryType::Refund {
            folded.refund(entry.amount).is_ok_and(|lots| returned(&lots, entry))
        } else {
            folded.pay(&entry.lots, entry.amount).is_ok()
        };
        folded.note(entry.id());
        if !adds_up || entry.after.order != Some(folded.view()) {
            return false;
        }
    }
    folded.view() == stored.view() && folded.lots == stored.lots
}

/// Returns true if the lots of a refund are those that paid, with their dates, or were extended
/// once because their date had passed.
fn returned(paid: &[Lot], refund: &Entry) -> bool {
    let today = refund.at.date();
    let same = |(paid, back): (&Lot, &Lot)| {
        let graced =
            paid.is_expired(today) && paid.class != LotClass::Refund && back.class == LotClass::Refund;
        paid.amount == back.amount && (paid == back || graced)
    };
    paid.len() == refund.lots.len() && paid.iter().zip(&refund.lots).all(same)
}
