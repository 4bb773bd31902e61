//! Calendar months in UTC.
//!
//! **Invariant:** a month prints as `YYYY-MM`; its text sorts as months do.

use crate::parse::ParseError;
use crate::time::{Date, Timestamp, parse_date};
use chrono::{Datelike, Months};
use std::fmt;

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(Date);

impl Month {
    /// Returns the month of an instant.
    pub fn of(at: Timestamp) -> Self {
        let date = at.date();
        Self(date.with_day(1).unwrap_or(date))
    }

    /// Parses `YYYY-MM`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let first = parse_date(&format!("{text}-01"));
        first.map(Self).map_err(|_| ParseError("must be a month such as 2026-01"))
    }

    /// Returns the first instant of the month.
    pub fn start(self) -> Timestamp {
        Timestamp::start_of(self.0)
    }

    /// Returns the first instant after the month; for the last month of the year 9999, its last instant.
    pub fn end(self) -> Timestamp {
        let next = self.0.checked_add_months(Months::new(1));
        let next = next.and_then(|next| Timestamp::from_millis(Timestamp::start_of(next).millis()));
        next.unwrap_or(Timestamp::LAST)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.year(), self.0.month())
    }
}
