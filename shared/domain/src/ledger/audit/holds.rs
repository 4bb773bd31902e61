//! Law 8: a hold matches its entries, lot by lot.
//!
//! **Invariant:** what remains of a hold, and what a lock of points has paid with, is folded from the entries; the
//! stored lots are only compared with it.

use super::AccountAudit;
use crate::ids::HoldId;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::entry_type::Flow;
use crate::ledger::hold::Hold;
use crate::ledger::lot::{Lot, split, without_front};
use std::collections::BTreeMap;

/// Returns true if an entry changes a hold: a lock of points also by a late confirmation, or by what comes back of it.
fn changes(entry: &Entry, hold: &HoldId) -> bool {
    let redemption = entry.points.as_ref().and_then(|points| points.redemption.as_ref());
    entry.after.hold.is_some() && (entry.hold_id.as_ref() == Some(hold) || redemption == Some(hold))
}

pub(super) fn compare(audit: &mut AccountAudit<'_>) {
    let mut stored: BTreeMap<&HoldId, &Hold> = BTreeMap::new();
    for hold in &audit.books.holds {
        stored.insert(&hold.id, hold);
        let entries = audit.entries_where(hold.seq, |entry| changes(entry, &hold.id));
        if !matches_entries(hold, &entries) {
            audit.record_difference(Some(hold.id.to_string()), "the hold does not match its entries");
        }
        let last = audit.entries_where(audit.books.seen, |entry| changes(entry, &hold.id)).pop();
        if last.is_some_and(|last| last.seq > hold.seq) {
            audit.record_difference(
                Some(hold.id.to_string()),
                "the hold was overwritten with an older version",
            );
        }
    }
    let open = audit.folded.iter().flat_map(|account| account.holds.keys());
    let missing: Vec<HoldId> = open.filter(|id| !stored.contains_key(id)).cloned().collect();
    for id in missing {
        audit.record_difference(Some(id.to_string()), "the hold is open but not stored");
    }
}

fn matches_entries(hold: &Hold, entries: &[&Entry]) -> bool {
    let Some((placed, later)) = entries.split_first() else { return false };
    let (mut remaining, mut paid): (Vec<Lot>, Vec<Lot>) = (placed.lots.clone(), vec![]);
    for entry in later {
        let is_of_hold = entry.hold_id.is_some();
        if entry.flow() == Flow::OutOfHold && entry.lots == split(&remaining, entry.amount).0 {
            remaining = without_front(&remaining, entry.amount);
            paid.extend(entry.lots.iter().cloned());
        } else if is_of_hold && entry.kind == EntryType::Release && entry.lots == remaining {
            remaining.clear();
        } else if !is_of_hold && entry.kind == EntryType::Burn && remaining.is_empty() {
            paid.clone_from(&entry.lots);
        } else if !is_of_hold && entry.kind == EntryType::Refund {
            paid.reverse();
            paid = without_front(&paid, entry.amount);
            paid.reverse();
        } else {
            return false;
        }
    }
    let is_lock = hold.view.lock.is_some();
    let last = entries.last().and_then(|entry| entry.after.hold.as_ref());
    placed.kind == EntryType::Hold
        && placed.by.role == hold.side
        && last == Some(&hold.view)
        && remaining == hold.lots
        && (!is_lock || paid == hold.paid)
}
