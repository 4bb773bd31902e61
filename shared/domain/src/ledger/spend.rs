//! Spend by date, and what of it counts in the trailing twelve months.
//!
//! **Invariant:** a purchase counts from its date through the day before its anniversary; one of 29 February
//! through 28 February of the next year.

use crate::money::Money;
use crate::time::Date;
use chrono::Months;
use std::collections::BTreeMap;

/// Spend by the UTC date of the purchase.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpendMap(BTreeMap<Date, Money>);

/// Returns the same date a year before; of 29 February, 28 February.
fn year_before(date: Date) -> Date {
    date.checked_sub_months(Months::new(12)).unwrap_or(Date::MIN)
}

/// Returns the first date whose spend counts on a date.
pub fn window_from(on: Date) -> Date {
    year_before(on).succ_opt().unwrap_or(on)
}

/// Returns the first date on which a purchase no longer counts.
pub fn falls_off(purchased: Date) -> Date {
    let anniversary = purchased.checked_add_months(Months::new(12)).unwrap_or(Date::MAX);
    if year_before(anniversary) < purchased {
        anniversary.succ_opt().unwrap_or(Date::MAX)
    } else {
        anniversary
    }
}

impl SpendMap {
    /// Wraps stored spend.
    pub fn stored(spend: BTreeMap<Date, Money>) -> Self {
        Self(spend)
    }

    /// Returns the spend of each date, earliest first.
    pub fn dates(&self) -> impl Iterator<Item = (Date, Money)> {
        self.0.iter().map(|(date, spend)| (*date, *spend))
    }

    /// Adds spend on a date; `None` if the sum cannot be represented.
    pub fn add(&mut self, on: Date, amount: Money) -> Option<()> {
        if !amount.is_zero() {
            let spend = self.0.entry(on).or_default();
            *spend = spend.checked_add(amount)?;
        }
        Some(())
    }

    /// Takes spend off a date; spend that no longer counts may have been forgotten, and is not missed.
    pub fn take(&mut self, on: Date, amount: Money) {
        if let Some(spend) = self.0.get_mut(&on) {
            *spend = spend.saturating_sub(amount);
            if spend.is_zero() {
                self.0.remove(&on);
            }
        }
    }

    /// Returns the spend of the twelve months that end on a date.
    pub fn trailing(&self, on: Date) -> Money {
        let first = window_from(on);
        if first > on {
            return Money::ZERO;
        }
        self.0.range(first..=on).map(|(_, spend)| *spend).sum()
    }

    /// Returns the first date after `after` on which spend stops to count.
    pub fn next_fall(&self, after: Date) -> Option<Date> {
        self.0.keys().map(|date| falls_off(*date)).find(|falls| *falls > after)
    }

    /// Forgets spend that counts no longer on a date.
    pub fn forget(&mut self, on: Date) {
        self.0 = self.0.split_off(&window_from(on));
    }
}
