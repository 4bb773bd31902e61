//! Law 8: a hold matches its entries, lot by lot.
//!
//! **Invariant:** what remains of a hold is folded from the entries; the stored lots are only
//! compared with it.

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
        let entries = audit.entries_where(hold.seq, names);
        if !matches_entries(hold, &entries) {
            audit.record_difference(Some(hold.id.to_string()), "the hold does not match its entries");
        }
        if audit.entries_where(audit.books.seen, names).last().is_some_and(|last| last.seq > hold.seq) {
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
