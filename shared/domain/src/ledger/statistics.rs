//! Statistics of a history: counts and sums by type and source, averages, and a series by month.
//!
//! **Invariant:** statistics are a fold over entries; they decide nothing.

use crate::currency::Currency;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::CreditSource;
use crate::money::Money;
use crate::time::Timestamp;
use chrono::Datelike;
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
    fn add(&mut self, amount: Money) {
        self.count += 1;
        self.amount = [self.amount, amount].into_iter().sum();
    }

    /// Returns the mean amount, rounded to the currency's decimal places.
    pub fn mean(&self, currency: Currency) -> Money {
        self.amount.mean(self.count, currency)
    }
}

/// Statistics of the entries added so far.
#[derive(Clone, Debug, Default)]
pub struct EntryStatistics {
    /// By entry type.
    pub by_type: BTreeMap<EntryType, Tally>,
    /// By source of credit; expiries are not counted.
    pub by_source: BTreeMap<CreditSource, Tally>,
    /// By month (`2026-01`) and entry type.
    pub by_month: BTreeMap<String, BTreeMap<EntryType, Tally>>,
    /// When the first entry took effect.
    pub first: Option<Timestamp>,
    /// When the last entry took effect.
    pub last: Option<Timestamp>,
}

impl EntryStatistics {
    /// Adds one entry.
    pub fn add(&mut self, entry: &Entry) {
        self.by_type.entry(entry.kind).or_default().add(entry.amount);
        if let Some(source) = entry.source.filter(|_| entry.kind != EntryType::Expiry) {
            self.by_source.entry(source).or_default().add(entry.amount);
        }
        let date = entry.at.date();
        let month = format!("{:04}-{:02}", date.year(), date.month());
        self.by_month.entry(month).or_default().entry(entry.kind).or_default().add(entry.amount);
        self.first = self.first.into_iter().chain([entry.at]).min();
        self.last = self.last.into_iter().chain([entry.at]).max();
    }

    /// Returns the tally of one type.
    pub fn of(&self, kind: EntryType) -> Tally {
        self.by_type.get(&kind).copied().unwrap_or_default()
    }

    /// Returns the tally of what was spent: debits and captures.
    pub fn spends(&self) -> Tally {
        let (debits, captures) = (self.of(EntryType::Debit), self.of(EntryType::Capture));
        Tally {
            count: debits.count + captures.count,
            amount: [debits.amount, captures.amount].into_iter().sum(),
        }
    }

    /// Returns the number of entries added.
    pub fn count(&self) -> u64 {
        self.by_type.values().map(|tally| tally.count).sum()
    }
}
