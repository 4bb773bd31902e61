//! Points that were taken for a purchase, which may have to be given back.
//!
//! **Invariant:** parts are taken from the front, and the rest keeps its order.

use crate::ledger::lot::Lot;
use crate::money::Money;
use crate::time::Date;

/// Points that were taken, from pending ones if they have a date.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    /// The date on which pending points become available.
    pub(super) available_on: Option<Date>,
    /// The lot.
    pub(super) lot: Lot,
}

/// Takes an amount from the front; returns what was taken and how much was missing.
pub(super) fn split_taken(taken: &[Taken], amount: Money) -> (Vec<Taken>, Money) {
    let mut missing = amount;
    let mut parts = Vec::new();
    for each in taken {
        let part = each.lot.amount.min(missing);
        missing = missing.saturating_sub(part);
        if !part.is_zero() {
            parts.push(Taken { available_on: each.available_on, lot: each.lot.with_amount(part) });
        }
    }
    (parts, missing)
}

/// Returns what is left after an amount is taken from the front.
pub(super) fn without(taken: &[Taken], amount: Money) -> Vec<Taken> {
    let mut missing = amount;
    let mut rest = Vec::new();
    for each in taken {
        let part = each.lot.amount.min(missing);
        missing = missing.saturating_sub(part);
        let left = each.lot.amount.saturating_sub(part);
        if !left.is_zero() {
            rest.push(Taken { available_on: each.available_on, lot: each.lot.with_amount(left) });
        }
    }
    rest
}
