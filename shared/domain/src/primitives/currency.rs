//! ISO 4217 currencies and their number of decimal places.
//!
//! **Invariant:** a [`Currency`] always has a number of decimal places; codes that ISO lists
//! without one (gold, special drawing rights) cannot be constructed.

use crate::fingerprint::fingerprint_by_display;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use std::fmt;

/// A currency in which an account can hold money.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    iso: iso_currency::Currency,
    digits: u32,
}

impl Currency {
    /// Parses a three-letter code in capitals, such as `INR`.
    pub fn parse(code: &str) -> Result<Self, ParseError> {
        let unknown = ParseError("must be an ISO 4217 currency code such as INR");
        let iso = iso_currency::Currency::from_code(code).ok_or(unknown.clone())?;
        if iso.is_superseded().is_some() {
            return Err(ParseError("names a currency that has been replaced"));
        }
        let digits = u32::from(iso.exponent().ok_or(unknown)?);
        Ok(Self { iso, digits })
    }

    /// Returns every supported currency, sorted by code.
    pub fn all() -> impl Iterator<Item = Self> {
        let letters = || 'A'..='Z';
        letters()
            .flat_map(move |a| {
                letters().flat_map(move |b| letters().map(move |c| String::from_iter([a, b, c])))
            })
            .filter_map(|code| Self::parse(&code).ok())
    }

    /// Returns the three-letter code.
    pub fn code(self) -> &'static str {
        self.iso.code()
    }

    /// Returns the number of decimal places (INR 2, VND 0, BHD 3).
    pub fn digits(self) -> u32 {
        self.digits
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

fingerprint_by_display!(Currency);

serde_by_text! { Currency: ToString::to_string, Currency::parse; }
