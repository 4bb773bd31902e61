//! Setting credit aside: at which slice to begin, where to go on, and when there is too little.
//!
//! **Invariant:** a refusal for lack of credit is only given after every slice was read; while others hold what would
//! suffice, the answer is to wait.
//! **Invariant:** what was set aside is either committed whole or given back whole.

use crate::cause::Cause;
use crate::hash::Hash;
use crate::money::Money;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How often all slices are read before others are said to be quicker.
const MAX_SURVEYS: u8 = 6;

/// A slice, as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SliceView {
    /// Which.
    pub slice: u8,
    /// What it has.
    pub available: Money,
    /// What undecided attempts of others hold of it: it may come free.
    pub undecided: Money,
    /// True if it bears as many attempts as it may.
    pub full: bool,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpendStep {
    /// Set this aside.
    Reserve {
        /// On which slice.
        slice: u8,
        /// How much.
        amount: Money,
    },
    /// Read every slice.
    Survey,
    /// All of it is set aside.
    Covered,
    /// Give back what is set aside, wait a little, and begin again.
    Wait,
    /// Give back what is set aside: there is too little.
    Short {
        /// What there is.
        available: Money,
    },
}

/// Credit that is being set aside.
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

/// The slice at which a cause begins.
pub fn first_slice(cause: &Cause, slices: u8) -> u8 {
    Hash::of(cause.as_str()).bytes().get(1).copied().unwrap_or(0) % slices.max(1)
}

impl Spend {
    /// Begins: at the slice that the cause hashes to.
    pub fn new(amount: Money, cause: &Cause, slices: u8) -> Self {
        let first = first_slice(cause, slices);
        let step = SpendStep::Reserve { slice: first, amount };
        let (held, plan) = (BTreeMap::new(), vec![]);
        Self { amount, first, slices: slices.max(1), held, plan, surveys: 0, step }
    }

    /// What to do next.
    pub fn next(&self) -> &SpendStep {
        &self.step
    }

    /// What is set aside, by slice.
    pub fn held(&self) -> &BTreeMap<u8, Money> {
        &self.held
    }

    /// Takes what is set aside: it has been given back, or was committed.
    pub fn take_held(&mut self) -> BTreeMap<u8, Money> {
        std::mem::take(&mut self.held)
    }

    /// What is still to be set aside.
    pub fn missing(&self) -> Money {
        self.amount.saturating_sub(self.held.values().copied().sum())
    }

    /// It was set aside.
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

    /// It could not be set aside: there was too little on the slice, or it bears too many attempts.
    pub fn refused(&mut self) {
        self.plan.clear();
        self.step = SpendStep::Survey;
    }

    /// Every slice was read.
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
            // The fullest first, so that few slices are touched.
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
