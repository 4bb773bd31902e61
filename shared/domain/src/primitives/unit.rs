//! The unit of an account's amounts: a currency, or points.
//!
//! **Invariant:** a unit's code never changes: it is stored, and it is part of an entry's canonical
//! bytes.

use crate::currency::Currency;
use crate::money::Money;
use crate::parse::ParseError;
use std::fmt;

/// The code of points, used in place of a currency code.
const POINTS: &str = "points";

/// The unit of an account's amounts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Major units of a currency.
    Currency(Currency),
    /// Whole loyalty points.
    Points,
}

impl Unit {
    /// Parses a stored code: a currency code or `points`.
    pub fn parse(code: &str) -> Result<Self, ParseError> {
        if code == POINTS { Ok(Self::Points) } else { Currency::parse(code).map(Self::Currency) }
    }

    /// Returns the currency code, or `points`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Currency(currency) => currency.code(),
            Self::Points => POINTS,
        }
    }

    /// Returns the number of decimal places: the currency's, or zero for points.
    pub fn digits(self) -> u32 {
        match self {
            Self::Currency(currency) => currency.digits(),
            Self::Points => 0,
        }
    }

    /// Returns the currency, or `None` for points.
    pub fn currency(self) -> Option<Currency> {
        match self {
            Self::Currency(currency) => Some(currency),
            Self::Points => None,
        }
    }

    /// Formats the quantity with exactly this unit's decimal places: `300.10`, `5000`.
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
