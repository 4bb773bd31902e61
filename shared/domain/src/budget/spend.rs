//! Reserves credit: on which slice to begin, where to continue, and when there is too little.
//!
//! **Invariant:** a refusal for lack of credit is only returned after every slice was read; while
//! others hold what would suffice, the answer is to wait.
//! **Invariant:** a reservation is either committed in full or released in full.

use crate::cause::Cause;
use crate::hash::Hash;
use crate::money::Money;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How often all slices are read before the spend waits for concurrent ones.
const MAX_SURVEYS: u8 = 6;

/// A slice, as read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceView {
    /// Number of the slice.
    pub slice: u8,
    /// Available credit.
    pub available: Money,
    /// Credit held by undecided attempts of others; it may be released.
    pub undecided: Money,
    /// True if the slice has the maximum number of attempts.
    pub full: bool,
}

/// Next step of a spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpendStep {
    /// Reserve an amount.
    Reserve {
        /// Slice to reserve on.
        slice: u8,
        /// Amount to reserve.
        amount: Money,
    },
    /// Read every slice.
    Survey,
    /// All of the amount is reserved.
    Covered,
    /// Release the reservation, back off, and begin again.
    Wait,
    /// Release the reservation: there is too little credit.
    Short {
        /// Credit that the account has, including what this spend reserved.
        available: Money,
    },
}

/// A spend for which credit is being reserved.
#[derive(Clone, Debug)]
pub struct Spend {
    amount: Money,
    first: u8,
    slices: u8,
    held: BTreeMap<u8, Money>,
    plan: Vec<(u8, Money)>,
    surveys: u8,
    step: SpendStep,
}

/// Returns the slice on which a cause begins.
pub fn first_slice(cause: &Cause, slices: u8) -> u8 {
    Hash::of(cause.as_str()).bytes().get(1).copied().unwrap_or(0) % slices.max(1)
}

impl Spend {
    /// Begins on the slice that the cause hashes to.
    pub fn new(amount: Money, cause: &Cause, slices: u8) -> Self {
        let first = first_slice(cause, slices);
        let step = SpendStep::Reserve { slice: first, amount };
        let (held, plan) = (BTreeMap::new(), vec![]);
        Self { amount, first, slices: slices.max(1), held, plan, surveys: 0, step }
    }

    /// Returns the next step.
    pub fn next(&self) -> &SpendStep {
        &self.step
    }

    /// Returns the reserved amounts, by slice.
    pub fn held(&self) -> &BTreeMap<u8, Money> {
        &self.held
    }

    /// Returns the reserved amounts and forgets them, because they were released or committed.
    pub fn take_held(&mut self) -> BTreeMap<u8, Money> {
        std::mem::take(&mut self.held)
    }

    /// Returns the amount that is still to reserve.
    pub fn missing(&self) -> Money {
        self.amount.saturating_sub(self.held.values().copied().sum())
    }

    /// Records that an amount was reserved.
    pub fn reserved(&mut self, slice: u8, amount: Money) {
        let there = self.held.entry(slice).or_default();
        *there = [*there, amount].into_iter().sum();
        self.plan.retain(|(planned, _)| *planned != slice);
        self.step = match self.plan.first() {
            _ if self.missing().is_zero() => SpendStep::Covered,
            Some((slice, amount)) => {
                SpendStep::Reserve { slice: *slice, amount: (*amount).min(self.missing()) }
            }
            None => SpendStep::Survey,
        };
    }

    /// Records that an amount could not be reserved: the slice had too little credit or too many
    /// attempts.
    pub fn refused(&mut self) {
        self.plan.clear();
        self.step = SpendStep::Survey;
    }

    /// Records that every slice was read, and plans the next steps.
    pub fn surveyed(&mut self, seen: &[SliceView]) {
        self.surveys += 1;
        let missing = self.missing();
        let order = |slice: u8| {
            let slices = u16::from(self.slices);
            (u16::from(slice) + slices - u16::from(self.first)) % slices
        };
        let mut usable: Vec<&SliceView> = seen
            .iter()
            .filter(|seen| !seen.full && !seen.available.is_zero() && !self.held.contains_key(&seen.slice))
            .collect();
        usable.sort_by_key(|seen| order(seen.slice));
        if let Some(sliced) = usable.iter().find(|seen| seen.available >= missing) {
            self.plan = vec![(sliced.slice, missing)];
        } else {
            // The fullest first, so that few slices are changed.
            usable.sort_by_key(|seen| Reverse(seen.available));
            self.plan = usable.iter().map(|seen| (seen.slice, seen.available)).collect();
        }
        let reach: Money = self.plan.iter().map(|(_, amount)| *amount).sum();
        self.step = if reach < missing {
            let held: Money = self.held.values().copied().sum();
            let all: Money = seen.iter().map(|seen| seen.available).chain([held]).sum();
            let others: Money = seen.iter().map(|seen| seen.undecided).sum();
            if [all, others].into_iter().sum::<Money>() >= self.amount {
                SpendStep::Wait
            } else {
                SpendStep::Short { available: all }
            }
        } else if self.surveys > MAX_SURVEYS {
            SpendStep::Wait
        } else {
            match self.plan.first() {
                Some((slice, amount)) => SpendStep::Reserve { slice: *slice, amount: (*amount).min(missing) },
                None => SpendStep::Covered,
            }
        };
    }
}
