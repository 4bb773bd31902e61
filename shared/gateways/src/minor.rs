//! Amounts as gateways write them: in minor units, or as decimal text.
//!
//! **Invariant:** an amount that its currency cannot hold exactly is unreadable, never rounded.

use domain::currency::Currency;
use domain::gateway::Gateway;
use domain::money::{Amount, Money};
use rust_decimal::Decimal;

/// Stripe's currencies without minor units; others are as ISO 4217 says, but for ISK and UGX.
/// (docs.stripe.com/currencies, "Zero-decimal currencies" and "Special cases")
const STRIPE_WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];

/// How many digits of the amount a gateway's minor unit stands for.
fn digits(gateway: Gateway, currency: Currency) -> u32 {
    match (gateway, currency.code()) {
        (Gateway::Stripe, code) if STRIPE_WHOLE.contains(&code) => 0,
        (Gateway::Stripe, "ISK" | "UGX") => 2,
        (Gateway::Razorpay | Gateway::Stripe | Gateway::PayPal, _) => currency.digits(),
    }
}

/// Reads minor units.
pub(crate) fn from_units(gateway: Gateway, units: u64, currency: Currency) -> Option<Money> {
    let units = i64::try_from(units).ok()?;
    let value = Decimal::try_new(units, digits(gateway, currency)).ok()?;
    exact(&value.normalize().to_string(), currency)
}

/// Writes minor units.
pub(crate) fn to_units(gateway: Gateway, amount: Money, currency: Currency) -> Option<u64> {
    let factor = Decimal::from(10_u64.checked_pow(digits(gateway, currency))?);
    let units = amount.value().checked_mul(factor)?.normalize();
    units.is_integer().then(|| u64::try_from(units).ok()).flatten()
}

/// Reads decimal text such as `10.00`; zero is no amount.
pub(crate) fn exact(text: &str, currency: Currency) -> Option<Money> {
    Amount::parse(text).ok()?.in_currency(currency)
}

/// Writes decimal text as PayPal wants it: without digits where it takes none.
/// (developer.paypal.com/reference/currency-codes)
pub(crate) fn paypal_text(amount: Money, currency: Currency) -> Option<String> {
    if matches!(currency.code(), "HUF" | "JPY" | "TWD") {
        return amount.value().is_integer().then(|| amount.value().trunc().to_string());
    }
    Some(currency.format(amount))
}
