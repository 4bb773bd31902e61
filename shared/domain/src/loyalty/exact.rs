//! Exact fractions, which are rounded at the end of a calculation and nowhere else.
//!
//! **Invariant:** a fraction is never rounded by an operation on it; only the functions that name how they round
//! return other types.

use crate::money::Money;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive};
use rust_decimal::Decimal;

/// An exact fraction.
pub type Exact = BigRational;

/// Returns a decimal number as a fraction.
pub fn decimal(number: Decimal) -> Exact {
    Exact::new(number.mantissa().into(), num_bigint::BigInt::from(10).pow(number.scale()))
}

/// Returns an amount as a fraction of major units.
pub fn money(amount: Money) -> Exact {
    decimal(amount.value())
}

/// Returns the fraction rounded down to this many decimal places; below zero, zero. `None` if it is too large.
pub fn money_floor(value: &Exact, digits: u32) -> Option<Money> {
    let scaled = value * Exact::from_integer(num_bigint::BigInt::from(10).pow(digits));
    let minor = scaled.floor().to_integer().to_i128()?.max(0);
    Money::try_new(Decimal::try_from_i128_with_scale(minor, digits).ok()?).ok()
}

/// Returns the fraction as a decimal number of at most six decimal places, the rest cut off.
pub fn six_digits(value: &Exact) -> String {
    let scaled = (value * Exact::from_integer(1_000_000.into())).trunc().to_integer();
    let (sign, scaled) = if scaled.is_negative() { ("-", -scaled) } else { ("", scaled) };
    let text = format!("{scaled:0>7}");
    let (whole, fraction) = text.split_at(text.len().saturating_sub(6));
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}
