//! The languages in which people are addressed, and how amounts and dates are written for them.
//!
//! **Invariant:** what is written for people is never parsed again; it is never stored.

use crate::currency::Currency;
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::Date;
use chrono::Datelike;

/// A language.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Hindi.
    Hindi,
}

const ENGLISH_MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const HINDI_MONTHS: [&str; 12] =
    ["जनवरी", "फ़रवरी", "मार्च", "अप्रैल", "मई", "जून", "जुलाई", "अगस्त", "सितंबर", "अक्टूबर", "नवंबर", "दिसंबर"];

impl Language {
    /// Parses the code of a language.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "en" => Ok(Self::English),
            "hi" => Ok(Self::Hindi),
            _ => Err(ParseError("must be en or hi")),
        }
    }

    /// Returns the code of the language.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Hindi => "hi",
        }
    }

    /// Writes a date: `24 Nov 2026`, `24 नवंबर 2026`.
    pub fn date(self, date: Date) -> String {
        let months = match self {
            Self::English => ENGLISH_MONTHS,
            Self::Hindi => HINDI_MONTHS,
        };
        let month = usize::try_from(date.month0()).ok().and_then(|at| months.get(at)).copied();
        format!("{} {} {}", date.day(), month.unwrap_or_default(), date.year())
    }
}

/// Divides whole digits into groups: the last of three digits, the others of `size`.
fn grouped(digits: &str, size: usize) -> String {
    let (rest, last) = digits.split_at_checked(digits.len().saturating_sub(3)).unwrap_or(("", digits));
    let mut groups = vec![];
    let mut left = rest;
    while !left.is_empty() {
        let (before, group) = left.split_at_checked(left.len().saturating_sub(size)).unwrap_or(("", left));
        groups.push(group);
        left = before;
    }
    groups.reverse();
    groups.push(last);
    groups.join(",")
}

/// Writes an amount for people: `₹1,00,000.00` in rupees, with the groups of India; `VND 5,000` in others.
pub fn written(money: Money, currency: Currency) -> String {
    let text = currency.format(money);
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let is_rupee = currency.code() == "INR";
    let whole = grouped(whole, if is_rupee { 2 } else { 3 });
    let number = if fraction.is_empty() { whole } else { format!("{whole}.{fraction}") };
    if is_rupee { format!("₹{number}") } else { format!("{} {number}", currency.code()) }
}
