//! Exact, never negative quantities: money in major units, and points.
//!
//! **Invariant:** a [`Money`] is never negative and never went through a float; sums and differences are
//! checked, so an amount cannot wrap, and cannot fall below zero without the caller having asked.

use crate::currency::Currency;
use crate::fingerprint::as_printed;
use crate::parse::ParseError;
use rust_decimal::Decimal;
use std::fmt;
use std::iter::Sum;

/// The largest amount that one request may name: 10^13 major units.
const MAX_REQUESTED: Decimal = Decimal::from_parts(1_316_134_912, 2_328, 0, false, 0);

/// A quantity of what an account holds, zero or more: money in major units, or whole points.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money(Decimal);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// Takes a stored or computed number; fails if it is negative.
    pub fn try_new(value: Decimal) -> Result<Self, ParseError> {
        if value.is_sign_negative() && !value.is_zero() {
            return Err(ParseError("money is never negative"));
        }
        Ok(Self(value.normalize()))
    }

    /// The number, normalised (no trailing zeros).
    pub fn value(self) -> Decimal {
        self.0
    }

    /// True for zero.
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// The sum, or `None` if it cannot be represented.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(|sum| Self(sum.normalize()))
    }

    /// The difference, or `None` if it would be below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let rest = self.0.checked_sub(other.0)?;
        (!rest.is_sign_negative() || rest.is_zero()).then(|| Self(rest.normalize()))
    }

    /// The difference, or zero if there is less than `other`.
    pub fn saturating_sub(self, other: Self) -> Self {
        self.checked_sub(other).unwrap_or(Self::ZERO)
    }

    /// The sum of many, or `None` if it cannot be represented.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// The mean of `count` amounts that sum to `self`, rounded half to even to the currency's digits.
    pub fn mean(self, count: u64, currency: Currency) -> Self {
        match self.0.checked_div(Decimal::from(count)) {
            Some(mean) => Self(mean.round_dp(currency.digits()).normalize()),
            None => Self::ZERO,
        }
    }
}

impl Currency {
    /// The amount with exactly this currency's digits: `300.10`, `5000`.
    pub fn format(self, money: Money) -> String {
        let digits = usize::try_from(self.digits()).unwrap_or(0);
        format!("{:.digits$}", money.value())
    }
}

/// Sums that are shown, never stored: saturates at the largest representable amount.
impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, |a, b| a.checked_add(b).unwrap_or(Self(Decimal::MAX)))
    }
}

/// The shortest exact text: `300.1`, `5000`. What is hashed and stored; callers see [`Currency::format`].
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

/// An amount that a caller asked for: above zero, at most 10^13, with the digits as written.
///
/// Whether it has too many digits can only be told when the account's currency is known, so it becomes
/// [`Money`] by [`Amount::in_currency`].
#[derive(Clone, Copy, Debug)]
pub struct Amount(Decimal);

impl Amount {
    /// Reads plain decimal notation: digits, and at most one point followed by digits.
    ///
    /// Signs, exponents, leading zeros, separators, zero and anything above 10^13 are refused, never rounded.
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

    /// The amount as money, or `None` if it was written with more digits than the currency has.
    pub fn in_currency(self, currency: Currency) -> Option<Money> {
        self.with_digits(currency.digits())
    }

    /// The quantity, or `None` if it was written with more digits than these.
    pub fn with_digits(self, digits: u32) -> Option<Money> {
        (self.0.scale() <= digits).then(|| Money(self.0.normalize()))
    }
}

/// Equal amounts print equally (`100` and `100.00` are one request).
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.normalize())
    }
}

as_printed!(Money, Amount);
