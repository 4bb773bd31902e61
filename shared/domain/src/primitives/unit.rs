//! What an account's numbers count: money of a currency, or points.
//!
//! **Invariant:** a unit's code never changes: it is stored, and part of an entry's canonical bytes.

use crate::currency::Currency;
use crate::money::Money;
use crate::parse::ParseError;
use std::fmt;

/// The text that stands for points where a currency's code would stand.
const POINTS: &str = "points";

/// What an account's numbers count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Major units of a currency.
    Currency(Currency),
    /// Loyalty points, whole.
    Points,
}

impl Unit {
    /// Reads a stored code: a currency's, or `points`.
    pub fn parse(code: &str) -> Result<Self, ParseError> {
        if code == POINTS { Ok(Self::Points) } else { Currency::parse(code).map(Self::Currency) }
    }

    /// The currency's code, or `points`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Currency(currency) => currency.code(),
            Self::Points => POINTS,
        }
    }

    /// How many digits follow the point: the currency's, none of points.
    pub fn digits(self) -> u32 {
        match self {
            Self::Currency(currency) => currency.digits(),
            Self::Points => 0,
        }
    }

    /// The currency, if it is money that is counted.
    pub fn currency(self) -> Option<Currency> {
        match self {
            Self::Currency(currency) => Some(currency),
            Self::Points => None,
        }
    }

    /// The quantity with exactly this unit's digits: `300.10`, `5000`.
    pub fn format(self, quantity: Money) -> String {
        let digits = usize::try_from(self.digits()).unwrap_or(0);
        format!("{:.digits$}", quantity.value())
    }
}

impl From<Currency> for Unit {
    fn from(currency: Currency) -> Self {
        Self::Currency(currency)
    }
}

impl PartialEq<Currency> for Unit {
    fn eq(&self, currency: &Currency) -> bool {
        self.currency() == Some(*currency)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
