//! Amounts in the gateways' formats: minor units or decimal text.
//!
//! **Invariant:** an amount that its currency cannot represent exactly is unreadable, never
//! rounded.

use domain::currency::Currency;
use domain::ids::Gateway;
use domain::money::{Amount, Money};
use domain::payments::limits::unit_digits;
use rust_decimal::Decimal;

/// Converts minor units to an amount; `None` for zero.
pub(crate) fn from_units(gateway: Gateway, units: u64, currency: Currency) -> Option<Money> {
    let units = i64::try_from(units).ok()?;
    let value = Decimal::try_new(units, unit_digits(gateway, currency)).ok()?;
    exact(&value.normalize().to_string(), currency)
}

/// Converts an amount to minor units; `None` if it is not a whole number of them.
pub(crate) fn to_units(gateway: Gateway, amount: Money, currency: Currency) -> Option<u64> {
    let factor = Decimal::from(10_u64.checked_pow(unit_digits(gateway, currency))?);
    let units = amount.value().checked_mul(factor)?.normalize();
    units.is_integer().then(|| u64::try_from(units).ok()).flatten()
}

/// Parses decimal text such as `10.00`; `None` for zero.
pub(crate) fn exact(text: &str, currency: Currency) -> Option<Money> {
    Amount::parse(text).ok()?.in_currency(currency)
}

/// Formats an amount as PayPal's decimal text: without decimals in the currencies for which PayPal
/// accepts none.
pub(crate) fn paypal_text(amount: Money, currency: Currency) -> Option<String> {
    if unit_digits(Gateway::PayPal, currency) == 0 {
        return amount.value().is_integer().then(|| amount.value().trunc().to_string());
    }
    Some(currency.format(amount))
}
