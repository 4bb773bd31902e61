//! Numbers of loyalty's rules: points, multipliers, shares, values and rates.
//!
//! **Invariant:** a number is within its limits by construction and is kept exactly as it was written.

use crate::currency::Currency;
use crate::fingerprint::fingerprint_by_display;
use crate::loyalty::exact::{self, Exact};
use crate::money::Money;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use num_traits::{Signed, ToPrimitive};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The most points of one request: 10^12.
pub const MAX_POINTS: u64 = 1_000_000_000_000;

/// A number of points, zero or more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Points(u64);

impl Points {
    /// None.
    pub const ZERO: Self = Self(0);

    /// Parses the points of a request: digits alone, 1 to 10^12.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("must be a whole number from 1 to 1000000000000");
        let is_plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        let number = text.parse().ok().filter(|number| is_plain && *number <= MAX_POINTS);
        number.map(Self).ok_or(SHAPE)
    }

    /// Wraps a stored or computed number.
    pub const fn of(number: u64) -> Self {
        Self(number)
    }

    /// Returns the quantity of an account as points; `None` unless it is whole and below 2^64.
    pub fn of_money(quantity: Money) -> Option<Self> {
        quantity.value().is_integer().then(|| quantity.value().try_into().ok().map(Self))?
    }

    /// Returns the number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Returns the points as the quantity of an account.
    pub fn money(self) -> Money {
        Money::try_new(Decimal::from(self.0)).unwrap_or(Money::ZERO)
    }

    /// Returns the points as a fraction.
    pub fn exact(self) -> Exact {
        Exact::from_integer(self.0.into())
    }

    /// Returns true if there are none.
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Returns the difference, or none if it would be below zero.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Returns the sum; the largest number if it would be above it.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Returns what these points are worth, rounded down to the currency's decimal places.
    pub fn value(self, point_value: PointValue, currency: Currency) -> Money {
        let worth = self.exact() * point_value.exact();
        exact::money_floor(&worth, currency.digits()).unwrap_or(Money::ZERO)
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Debug for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// How a fraction of a point becomes a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rounding {
    /// Down.
    Floor,
    /// To the nearest, and a half up.
    Nearest,
    /// Up.
    Ceil,
}

impl Rounding {
    /// Every rounding.
    pub const ALL: [Self; 3] = [Self::Floor, Self::Nearest, Self::Ceil];

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Nearest => "nearest",
            Self::Ceil => "ceil",
        }
    }

    /// Rounds to whole points; a fraction below zero to none, and one that is too large to the largest number.
    pub fn points(self, value: &Exact) -> Points {
        let half = Exact::new(1.into(), 2.into());
        let whole = match self {
            Self::Floor => value.floor(),
            Self::Nearest => (value + half).floor(),
            Self::Ceil => value.ceil(),
        };
        if whole.is_negative() {
            Points::ZERO
        } else {
            Points::of(whole.to_integer().to_u64().unwrap_or(u64::MAX))
        }
    }
}

/// Parses plain decimal notation with at most this many decimal places, between two bounds.
fn parse_decimal(text: &str, digits: u32, from: Decimal, to: Decimal) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole)
        || !is_number(fraction)
        || (whole.len() > 1 && whole.starts_with('0'))
        || text.len() > 24
    {
        return None;
    }
    let number = text.parse::<Decimal>().ok()?.normalize();
    (number.scale() <= digits && from <= number && number <= to).then_some(number)
}

macro_rules! rule_number {
    ($(#[$doc:meta])* $name:ident, $digits:literal digits, $from:expr, $to:expr, $why:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(Decimal);

        impl $name {
            /// Parses plain decimal notation.
            pub fn parse(text: &str) -> Result<Self, ParseError> {
                parse_decimal(text, $digits, $from, $to).map(Self).ok_or(ParseError($why))
            }

            /// Returns the number as a fraction.
            pub fn exact(self) -> Exact {
                exact::decimal(self.0)
            }

            /// Returns the number.
            pub fn value(self) -> Decimal {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{self}")
            }
        }

        serde_by_text! { $name: ToString::to_string, $name::parse; }
    };
}

const HUNDRED: Decimal = Decimal::ONE_HUNDRED;
const MILLION: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
const MILLIONTH: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

rule_number! {
    /// What a number of points is multiplied by.
    Multiplier, 2 digits, Decimal::ZERO, HUNDRED, "must be a number from 0 to 100 with at most 2 decimal places"
}
rule_number! {
    /// A part of a charge, 0 to 1.
    Share, 4 digits, Decimal::ZERO, Decimal::ONE, "must be a number from 0 to 1 with at most 4 decimal places"
}
rule_number! {
    /// Money of the program's currency for one point.
    PointValue, 6 digits, MILLIONTH, MILLION,
    "must be a number above 0 and at most 1000000 with at most 6 decimal places"
}
rule_number! {
    /// Money of the program's currency for one unit of another currency.
    ExchangeRate, 6 digits, MILLIONTH, MILLION,
    "must be a number above 0 and at most 1000000 with at most 6 decimal places"
}
rule_number! {
    /// A percentage, 0 to 100.
    Percent, 2 digits, Decimal::ZERO, HUNDRED, "must be a number from 0 to 100 with at most 2 decimal places"
}

impl Multiplier {
    /// Once: changes nothing.
    pub const ONE: Self = Self(Decimal::ONE);
}

impl PointValue {
    /// One unit of money for a point.
    pub const ONE: Self = Self(Decimal::ONE);

    /// Returns the fewest points that are worth this much; the largest number if none are.
    pub fn fewest(self, value: Money) -> Points {
        Rounding::Ceil.points(&(exact::money(value) / self.exact()))
    }
}

/// Points for an amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarningRate {
    points: u32,
    per: Money,
}

impl EarningRate {
    /// Creates a rate: 1 to 10^6 points for an amount above zero.
    pub fn try_new(points: u32, per: Money) -> Result<Self, ParseError> {
        if !(1..=1_000_000).contains(&points) || per.is_zero() {
            return Err(ParseError("must give 1 to 1000000 points for an amount above zero"));
        }
        Ok(Self { points, per })
    }

    /// Returns the points.
    pub fn points(self) -> u32 {
        self.points
    }

    /// Returns the amount for which they are given.
    pub fn per(self) -> Money {
        self.per
    }

    /// Returns the points for one unit of money.
    pub fn exact(self) -> Exact {
        Exact::from_integer(self.points.into()) / exact::money(self.per)
    }
}

impl fmt::Display for EarningRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.points, self.per)
    }
}

fingerprint_by_display!(Points, Multiplier, Share, PointValue, ExchangeRate, Percent, EarningRate);
