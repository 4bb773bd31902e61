//! Exact, non-negative quantities: money in major units, and points.
//!
//! **Invariant:** a [`Money`] is never negative and is never converted from or to a float; sums and
//! differences are checked, so an amount can neither wrap around nor fall below zero unnoticed.

use crate::currency::Currency;
use crate::fingerprint::fingerprint_by_display;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use rust_decimal::Decimal;
use std::fmt;
use std::iter::Sum;

/// The largest amount of one request: 10^13 major units.
const MAX_REQUESTED: Decimal = Decimal::from_parts(1_316_134_912, 2_328, 0, false, 0);

/// A quantity held in an account, zero or more: money in major units, or whole points.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(Decimal);

impl Money {
    /// Zero.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Wraps a stored or computed number; fails if it is negative.
    pub fn try_new(value: Decimal) -> Result<Self, ParseError> {
        if value.is_sign_negative() && !value.is_zero() {
            return Err(ParseError("must not be negative"));
        }
        Ok(Self(value.normalize()))
    }

    /// Returns a number of things, as a figure beside amounts.
    pub fn of_count(count: u64) -> Self {
        Self(Decimal::from(count).normalize())
    }

    /// Returns the number, normalized (no trailing zeros).
    pub fn value(self) -> Decimal {
        self.0
    }

    /// Returns true for zero.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Returns the sum, or `None` if it cannot be represented.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(|sum| Self(sum.normalize()))
    }

    /// Returns the difference, or `None` if it would be below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let rest = self.0.checked_sub(other.0)?;
        (!rest.is_sign_negative() || rest.is_zero()).then(|| Self(rest.normalize()))
    }

    /// Returns the difference, or zero if it would be below zero.
    pub fn saturating_sub(self, other: Self) -> Self {
        self.checked_sub(other).unwrap_or(Self::ZERO)
    }

    /// Returns the sum of all amounts, or `None` if it cannot be represented.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// Returns the mean of `count` amounts that sum to `self`, rounded half to even to the
    /// currency's decimal places; zero if `count` is zero.
    pub fn mean(self, count: u64, currency: Currency) -> Self {
        match self.0.checked_div(Decimal::from(count)) {
            Some(mean) => Self(mean.round_dp(currency.digits()).normalize()),
            None => Self::ZERO,
        }
    }
}

impl Currency {
    /// Formats the amount with exactly this currency's decimal places: `300.10`, `5000`.
    pub fn format(self, money: Money) -> String {
        let digits = usize::try_from(self.digits()).unwrap_or(0);
        format!("{:.digits$}", money.value())
    }
}

/// Saturates at the largest representable amount; use [`Money::checked_sum`] where an overflow must
/// be detected.
impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |a, b| a.checked_add(b).unwrap_or(Self(Decimal::MAX)))
    }
}

/// The shortest exact text: `300.1`, `5000`. This form is hashed and stored; callers see
/// [`Currency::format`].
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// An amount requested by a caller: above zero, at most 10^13, with the digits as written.
///
/// Its number of decimal places can only be checked when the account's currency is known;
/// [`Amount::in_currency`] does so and returns [`Money`].
#[derive(Clone, Copy, Debug)]
pub struct Amount(Decimal);

impl Amount {
    /// Parses plain decimal notation: digits, and at most one point followed by 1 to 4 digits.
    ///
    /// Signs, exponents, leading zeros, separators, zero and anything above 10^13 are rejected,
    /// never rounded.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("must be a plain decimal number such as 300.10");
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (text, None),
        };
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if text.starts_with('-') && text.len() > 1 {
            return Err(ParseError("must be above zero"));
        }
        if !digits(whole) || !fraction.is_none_or(digits) || (whole.len() > 1 && whole.starts_with('0')) {
            return Err(SHAPE);
        }
        if whole.len() > 14 {
            return Err(ParseError("must be at most 10000000000000"));
        }
        if fraction.is_some_and(|f| f.len() > 4) {
            return Err(ParseError("has more digits than the currency"));
        }
        let value: Decimal = text.parse().map_err(|_| SHAPE)?;
        if value.is_zero() {
            return Err(ParseError("must be above zero"));
        }
        if value > MAX_REQUESTED {
            return Err(ParseError("must be at most 10000000000000"));
        }
        Ok(Self(value))
    }

    /// Returns the amount as money, or `None` if it was written with more decimal places than the
    /// currency has.
    pub fn in_currency(self, currency: Currency) -> Option<Money> {
        self.with_digits(currency.digits())
    }

    /// Returns the quantity, or `None` if it was written with more than `digits` decimal places.
    pub fn with_digits(self, digits: u32) -> Option<Money> {
        (self.0.scale() <= digits).then(|| Money(self.0.normalize()))
    }
}

/// Equal amounts have equal texts (`100` and `100.00` are the same request).
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}

fingerprint_by_display!(Money, Amount);

serde_by_text! { Money: ToString::to_string, |text| text.parse::<Decimal>().map_err(|_| ParseError("is not a number")).and_then(Money::try_new); }
