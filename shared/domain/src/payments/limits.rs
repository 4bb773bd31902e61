//! Amounts that gateways never accept, as far as this is known before they are called.
//!
//! Sources: razorpay.com/docs/api/orders/create and /docs/payments/international-payments (currencies of three digits);
//! docs.stripe.com/currencies ("Zero-decimal", "Three-decimal currencies", "Minimum and maximum charge amounts");
//! developer.paypal.com/reference/currency-codes ("does not support decimals").
//!
//! **Invariant:** the gateway would always refuse an amount that is refused here. Where the limit
//! is not known, the gateway decides.

use crate::currency::Currency;
use crate::ids::Gateway;
use crate::money::Money;
use crate::rejection::Rejection;
use rust_decimal::Decimal;

/// Currencies without minor units at Stripe.
const STRIPE_WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];

/// Currencies of which PayPal accepts no decimals.
const PAYPAL_WHOLE: [&str; 3] = ["HUF", "JPY", "TWD"];

/// Minimum amounts that Stripe charges, in hundredths. (Minimums in other currencies depend on how
/// these are settled.)
const STRIPE_LEAST: [(&str, i64); 24] = [
    ("AED", 200),
    ("AUD", 50),
    ("BGN", 100),
    ("BRL", 50),
    ("CAD", 50),
    ("CHF", 50),
    ("CZK", 1_500),
    ("DKK", 250),
    ("EUR", 50),
    ("GBP", 30),
    ("HKD", 400),
    ("HUF", 17_500),
    ("INR", 50),
    ("JPY", 5_000),
    ("MXN", 1_000),
    ("MYR", 200),
    ("NOK", 300),
    ("NZD", 50),
    ("PLN", 200),
    ("RON", 200),
    ("SEK", 300),
    ("SGD", 50),
    ("THB", 1_000),
    ("USD", 50),
];

/// Returns how many decimal digits the gateway's minor unit represents.
pub fn unit_digits(gateway: Gateway, currency: Currency) -> u32 {
    match (gateway, currency.code()) {
        (Gateway::Stripe, code) if STRIPE_WHOLE.contains(&code) => 0,
        // No fractions, although amounts are written in hundredths.
        (Gateway::Stripe, "ISK" | "UGX") => 2,
        (Gateway::PayPal, code) if PAYPAL_WHOLE.contains(&code) => 0,
        (Gateway::Razorpay | Gateway::Stripe | Gateway::PayPal, _) => currency.digits(),
    }
}

/// Returns how many decimal digits a gateway accepts: a third digit must be zero at Razorpay and
/// Stripe.
fn digits(gateway: Gateway, currency: Currency) -> u32 {
    match gateway {
        Gateway::Razorpay | Gateway::Stripe => unit_digits(gateway, currency).min(2),
        Gateway::PayPal => unit_digits(gateway, currency),
    }
}

/// Returns the minimum amount that a gateway accepts; None if no minimum is known.
fn least(gateway: Gateway, currency: Currency) -> Option<Money> {
    let hundredths = match gateway {
        Gateway::Razorpay => Some(100),
        Gateway::Stripe => {
            STRIPE_LEAST.iter().find(|(code, _)| *code == currency.code()).map(|(_, least)| *least)
        }
        Gateway::PayPal => None,
    };
    Money::try_new(Decimal::new(hundredths?, 2)).ok()
}

/// Rejects an amount that the gateway can never accept.
pub fn check(gateway: Gateway, amount: Money, currency: Currency) -> Result<(), Rejection> {
    let digits = digits(gateway, currency);
    if amount.value().normalize().scale() > digits {
        return Err(Rejection::GatewayTooPrecise { digits, currency });
    }
    match least(gateway, currency) {
        Some(least) if amount < least => Err(Rejection::BelowMinimum { least, currency }),
        Some(_) | None => Ok(()),
    }
}
