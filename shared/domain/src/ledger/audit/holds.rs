//! Law 8: a hold is what its entries say, lot by lot.
//!
//! **Invariant:** what remains is folded from the entries; the stored lots decide nothing here.

use super::AccountAudit;
use crate::ids::HoldId;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::hold::Hold;
use crate::ledger::lot::{Lot, split, without_front};
use std::collections::BTreeMap;

pub(super) fn compare(audit: &mut AccountAudit<'_>) {
    let mut stored: BTreeMap<&HoldId, &Hold> = BTreeMap::new();
    for hold in &audit.books.holds {
        stored.insert(&hold.id, hold);
        let names = |entry: &Entry| entry.hold_id.as_ref() == Some(&hold.id);
        let entries = audit.picked(hold.seq, names);
        if !is_what(hold, &entries) {
            audit.differ(Some(hold.id.to_string()), "the hold is not what its entries say");
        }
        if audit.picked(audit.books.seen, names).last().is_some_and(|last| last.seq > hold.seq) {
            audit.differ(Some(hold.id.to_string()), "the hold is older than its entries: it was put back");
        }
    }
    let open = audit.folded.iter().flat_map(|account| account.holds.keys());
    let missing: Vec<HoldId> = open.filter(|id| !stored.contains_key(id)).cloned().collect();
    for id in missing {
        audit.differ(Some(id.to_string()), "the hold is open but not stored");
    }
}

fn is_what(hold: &Hold, entries: &[&Entry]) -> bool {
    let Some((placed, later)) = entries.split_first() else { return false };
    let mut remaining: Vec<Lot> = placed.lots.clone();
    for entry in later {
        if entry.kind == EntryType::Capture && entry.lots == split(&remaining, entry.amount).0 {
            remaining = without_front(&remaining, entry.amount);
        } else if entry.kind == EntryType::Release && entry.lots == remaining {
            remaining.clear();
        } else {
            return false;
        }
    }
    let last = entries.last().and_then(|entry| entry.after.hold.as_ref());
    placed.kind == EntryType::Hold
        && placed.by.role == hold.side
        && last == Some(&hold.view)
        && remaining == hold.lots
}
