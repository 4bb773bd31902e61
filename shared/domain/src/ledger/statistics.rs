//! Figures of an account: counts and sums of its entries by type and source, kept month by month.
//!
//! **Invariant:** the figures of a month are a fold over the entries dated in it. Entries are dated in the
//! order of their numbers, so the figures of a month do not change once an entry of a later one exists.

use crate::currency::Currency;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::CreditSource;
use crate::money::Money;
use crate::month::Month;
use std::collections::BTreeMap;

/// A count and a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The number of entries.
    pub count: u64,
    /// The sum of their amounts.
    pub amount: Money,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.count += other.count;
        self.amount = [self.amount, other.amount].into_iter().sum();
    }

    /// Returns the mean amount, rounded to the currency's decimal places.
    pub fn mean(&self, currency: Currency) -> Money {
        self.amount.mean(self.count, currency)
    }
}

/// The figures of the entries of one month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthFigures {
    /// The month.
    pub month: Month,
    /// The number of the last entry up to the end of the month; 0 if there is none.
    pub last_seq: u64,
    /// Counts and sums by type and source of credit.
    pub tallies: BTreeMap<(EntryType, Option<CreditSource>), Tally>,
}

impl MonthFigures {
    /// Returns the figures of a month without entries, after the entry with this number.
    pub fn new(month: Month, last_seq: u64) -> Self {
        Self { month, last_seq, tallies: BTreeMap::new() }
    }

    /// Adds an entry, which is dated in this month or a later one. If it is dated in a later month, these
    /// become the figures of that month, and those of the month that has ended are returned, unless it
    /// had no entries.
    pub fn add(&mut self, entry: &Entry) -> Option<Self> {
        let month = Month::of(entry.at);
        let ended = (month != self.month).then(|| std::mem::replace(self, Self::new(month, self.last_seq)));
        let tally = self.tallies.entry((entry.kind, entry.source)).or_default();
        tally.add(Tally { count: 1, amount: entry.amount });
        self.last_seq = self.last_seq.max(entry.seq);
        ended.filter(|ended| !ended.tallies.is_empty())
    }

    /// Returns the number of entries with this type and source; None matches any.
    pub fn count(&self, kind: Option<EntryType>, source: Option<CreditSource>) -> u64 {
        let wanted = |(of, from): &(EntryType, Option<CreditSource>)| {
            kind.is_none_or(|kind| kind == *of) && source.is_none_or(|source| Some(source) == *from)
        };
        self.tallies.iter().filter(|(key, _)| wanted(key)).map(|(_, tally)| tally.count).sum()
    }

    /// Returns the figures by type.
    pub fn by_type(&self) -> BTreeMap<EntryType, Tally> {
        let mut by_type: BTreeMap<EntryType, Tally> = BTreeMap::new();
        for ((kind, _), tally) in &self.tallies {
            by_type.entry(*kind).or_default().add(*tally);
        }
        by_type
    }
}

/// Figures of several months.
#[derive(Clone, Debug, Default)]
pub struct EntryStatistics {
    /// By entry type.
    pub by_type: BTreeMap<EntryType, Tally>,
    /// By source of credit; expiries are not counted.
    pub by_source: BTreeMap<CreditSource, Tally>,
}

impl EntryStatistics {
    /// Sums the figures of months.
    pub fn of(months: &[MonthFigures]) -> Self {
        let mut sums = Self::default();
        for ((kind, source), tally) in months.iter().flat_map(|month| &month.tallies) {
            sums.by_type.entry(*kind).or_default().add(*tally);
            if let Some(source) = source.filter(|_| *kind != EntryType::Expiry) {
                sums.by_source.entry(source).or_default().add(*tally);
            }
        }
        sums
    }

    /// Returns the tally of one type.
    pub fn of_type(&self, kind: EntryType) -> Tally {
        self.by_type.get(&kind).copied().unwrap_or_default()
    }

    /// Returns the tally of what was spent: debits and captures.
    pub fn spends(&self) -> Tally {
        let mut spends = self.of_type(EntryType::Debit);
        spends.add(self.of_type(EntryType::Capture));
        spends
    }

    /// Returns the number of entries.
    pub fn count(&self) -> u64 {
        self.by_type.values().map(|tally| tally.count).sum()
    }
}
