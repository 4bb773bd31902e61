//! What reversals have taken from an account.
//!
//! **Invariant:** what was given back is subtracted from what was taken last.

use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::Lot;
use crate::ledger::owed::Reversed;

/// Returns the lots that a reversal has taken and not returned, last taken first.
pub(crate) fn taken_for<'a>(moved: impl Iterator<Item = &'a Entry>, reversed: &Reversed) -> Vec<Lot> {
    let mut taken: Vec<Lot> = Vec::new();
    let mine = |entry: &&Entry| entry.after.reversal.as_ref() == Some(reversed);
    for entry in moved.filter(mine) {
        if entry.kind == EntryType::Adjustment {
            // Returned from the last taken. Dates may have been extended since, so amounts are
            // compared.
            let mut back = entry.amount;
            while let Some(last) = taken.last_mut().filter(|_| !back.is_zero()) {
                let part = last.amount.min(back);
                back = back.saturating_sub(part);
                last.amount = last.amount.saturating_sub(part);
                if last.amount.is_zero() {
                    taken.pop();
                }
            }
        } else {
            taken.extend(entry.lots.iter().cloned());
        }
    }
    taken.reverse();
    taken
}
