//! Sums of an import: rows, wallets, lots, and balances by currency.
//!
//! **Invariant:** file − failed − skipped = books, in every figure, if the import has done what its file says.

use crate::currency::Currency;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::unit::Unit;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Figures by name: `rows`, `wallets`, `lots`, and the codes of units.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures(BTreeMap<String, Money>);

const ROWS: &str = "rows";
const WALLETS: &str = "wallets";
const LOTS: &str = "lots";

fn overflow() -> Rejection {
    Rejection::Inconsistent("the figures of a job overflow")
}

impl Figures {
    /// Returns figures as they are stored.
    pub fn stored(figures: BTreeMap<String, Money>) -> Self {
        Self(figures)
    }

    /// Returns the figures of one row.
    pub fn of_row(wallets: u32, lots: usize, balance: Option<(Unit, Money)>) -> Self {
        let count = Money::of_count;
        let mut figures = BTreeMap::from([
            (ROWS.to_owned(), count(1)),
            (WALLETS.to_owned(), count(u64::from(wallets))),
            (LOTS.to_owned(), count(u64::try_from(lots).unwrap_or(u64::MAX))),
        ]);
        figures.extend(balance.map(|(unit, amount)| (unit.code().to_owned(), amount)));
        Self(figures)
    }

    /// Returns the figures of lots that are left out.
    pub fn of_lots(lots: usize, unit: Unit, amount: Money) -> Self {
        if lots == 0 {
            return Self::default();
        }
        let count = Money::of_count(u64::try_from(lots).unwrap_or(u64::MAX));
        Self(BTreeMap::from([(LOTS.to_owned(), count), (unit.code().to_owned(), amount)]))
    }

    /// Returns the sum of two.
    pub fn plus(mut self, other: &Self) -> Result<Self, Rejection> {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_insert(Money::ZERO);
            *sum = sum.checked_add(*amount).ok_or_else(overflow)?;
        }
        Ok(self)
    }

    /// Returns the difference of two.
    pub fn minus(mut self, other: &Self) -> Result<Self, Rejection> {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_insert(Money::ZERO);
            *sum = sum.checked_sub(*amount).ok_or_else(overflow)?;
        }
        Ok(self)
    }

    /// Returns true if every figure of one is that of the other; a figure that is missing is zero.
    pub fn agrees_with(&self, other: &Self) -> bool {
        let names = self.0.keys().chain(other.0.keys());
        names.into_iter().all(|name| self.amount(name) == other.amount(name))
    }

    fn amount(&self, name: &str) -> Money {
        self.0.get(name).copied().unwrap_or(Money::ZERO)
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> Money {
        self.amount(ROWS)
    }

    /// Returns the number of wallets.
    pub fn wallets(&self) -> Money {
        self.amount(WALLETS)
    }

    /// Returns the number of lots.
    pub fn lots(&self) -> Money {
        self.amount(LOTS)
    }

    /// Returns the balances by the code of their unit.
    pub fn balances(&self) -> impl Iterator<Item = (&str, Money)> {
        let is_balance = |name: &&str| ![ROWS, WALLETS, LOTS].contains(name);
        let named = self.0.iter().map(|(name, amount)| (name.as_str(), *amount));
        named.filter(move |(name, _)| is_balance(name))
    }

    /// Returns the currency of all balances, if there is one.
    pub fn one_currency(&self) -> Option<Currency> {
        let mut balances = self.balances();
        let (first, others) = (balances.next(), balances.next());
        first.filter(|_| others.is_none()).and_then(|(code, _)| Currency::parse(code).ok())
    }

    /// Returns all figures by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Money)> {
        self.0.iter().map(|(name, amount)| (name.as_str(), *amount))
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A row of which the table has something else than the row says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The line of the file.
    pub line: u64,
    /// What differs.
    pub detail: String,
}

/// The figures of the rows of an import that have an outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOutcomes {
    /// What is in the table of the rows that succeeded, as read back.
    pub books: Figures,
    /// The rows that failed.
    pub failed: Figures,
    /// Lots that were left out because they had expired.
    pub skipped: Figures,
}

impl ImportOutcomes {
    /// Returns the sum of two.
    pub fn plus(self, other: &Self) -> Result<Self, Rejection> {
        Ok(Self {
            books: self.books.plus(&other.books)?,
            failed: self.failed.plus(&other.failed)?,
            skipped: self.skipped.plus(&other.skipped)?,
        })
    }

    /// Returns true if what is in the table is what the file says, without what failed and what was left out.
    pub fn agree_with(&self, file: &Figures) -> bool {
        let expected = file.clone().minus(&self.failed).and_then(|rest| rest.minus(&self.skipped));
        expected.is_ok_and(|expected| expected.agrees_with(&self.books))
    }
}
