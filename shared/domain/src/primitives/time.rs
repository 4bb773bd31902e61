//! UTC instants and dates, passed in from outside.
//!
//! **Invariant:** a [`Timestamp`] has whole milliseconds and prints as RFC 3339 with `Z`; all texts
//! have the same length and sort as the instants do.
//! **Invariant:** a date ends at the midnight that follows it; credit can be spent before that
//! instant, but not at it.

use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use chrono::{DateTime, Days, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A UTC date.
pub type Date = NaiveDate;

/// A UTC instant in whole milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

/// A period of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// Start, inclusive.
    pub from: Timestamp,
    /// End, exclusive.
    pub until: Timestamp,
}

impl Timestamp {
    /// Creates an instant from milliseconds since 1970; `None` outside the years 1970 to 9999.
    pub fn from_millis(millis: i64) -> Option<Self> {
        (0..=253_402_300_799_999)
            .contains(&millis)
            .then(|| DateTime::from_timestamp_millis(millis))?
            .map(Self)
    }

    /// Returns the milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// Parses RFC 3339 with any offset; fails outside the years 1970 to 9999.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("must be an RFC 3339 instant such as 2026-01-28T10:00:00Z");
        let instant = DateTime::parse_from_rfc3339(text).map_err(|_| SHAPE)?;
        Self::from_millis(instant.timestamp_millis()).ok_or(SHAPE)
    }

    /// Parses RFC 3339; an instant outside the years 1970 to 9999 is clamped to the first or last
    /// instant within them.
    pub fn parse_clamped(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("must be an RFC 3339 instant such as 2026-01-28T10:00:00Z");
        let instant = DateTime::parse_from_rfc3339(text).map_err(|_| SHAPE)?;
        let millis = instant.timestamp_millis().clamp(0, Self::LAST.millis());
        Self::from_millis(millis).ok_or(SHAPE)
    }

    /// Returns the UTC date of this instant.
    pub fn date(self) -> Date {
        self.0.date_naive()
    }

    /// Returns the instant at which the date has ended: the midnight after it. For the last date of
    /// the year 9999 it is the last millisecond, so that every instant has the same length as text.
    pub fn end_of(date: Date) -> Self {
        let midnight = date.succ_opt().map(Self::start_of);
        midnight.and_then(|at| Self::from_millis(at.millis())).unwrap_or(Self::LAST)
    }

    /// The last instant: the last millisecond of the year 9999.
    pub const LAST: Self = Self(match DateTime::from_timestamp_millis(253_402_300_799_999) {
        Some(last) => last,
        None => DateTime::UNIX_EPOCH,
    });

    /// Returns the first instant of the date; for a date before 1970, the first instant of 1970.
    pub fn start_of(date: Date) -> Self {
        Self(date.and_time(NaiveTime::MIN).and_utc().max(DateTime::UNIX_EPOCH))
    }

    /// Returns the instant some seconds later; `None` after the year 9999.
    pub fn plus_seconds(self, seconds: u32) -> Option<Self> {
        Self::from_millis(self.millis().checked_add(i64::from(seconds) * 1_000)?)
    }

    /// Returns the instant some minutes earlier. The result is not limited to the years after 1970.
    pub fn minus_minutes(self, minutes: u32) -> Self {
        let earlier = self.0.checked_sub_signed(TimeDelta::minutes(i64::from(minutes)));
        Self(earlier.unwrap_or(DateTime::UNIX_EPOCH))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Parses `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Result<Date, ParseError> {
    const SHAPE: ParseError = ParseError("must be a date such as 2026-01-28");
    let shape =
        |(at, byte): (usize, u8)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() };
    if text.len() != 10 || !text.bytes().enumerate().all(shape) {
        return Err(SHAPE);
    }
    Date::parse_from_str(text, "%Y-%m-%d").map_err(|_| SHAPE)
}

/// Returns the date some days later; `None` after the year 9999.
pub fn plus_days(date: Date, days: u32) -> Option<Date> {
    use chrono::Datelike;
    date.checked_add_days(Days::new(u64::from(days))).filter(|d| d.year() <= 9_999)
}

/// Returns the number of whole days from `from` until `to`; zero if `to` is not later.
pub fn days_until(from: Date, to: Date) -> u64 {
    u64::try_from(to.signed_duration_since(from).num_days()).unwrap_or(0)
}

serde_by_text! { Timestamp: ToString::to_string, Timestamp::parse; }
