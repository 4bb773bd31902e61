//! What gateways can never take, as far as it is known before they are asked.
//!
//! Sources: razorpay.com/docs/api/orders/create and /docs/payments/international-payments (currencies of three digits);
//! docs.stripe.com/currencies ("Zero-decimal", "Three-decimal currencies", "Minimum and maximum charge amounts");
//! developer.paypal.com/reference/currency-codes ("does not support decimals").
//!
//! **Invariant:** what is refused here would be refused by the gateway, whenever it is asked. What is not known is the gateway's
//! to say.

use crate::currency::Currency;
use crate::ids::Gateway;
use crate::money::Money;
use crate::rejection::Rejection;
use rust_decimal::Decimal;

/// Stripe's currencies without minor units.
const STRIPE_WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];

/// PayPal's currencies of which it takes no fractions.
const PAYPAL_WHOLE: [&str; 3] = ["HUF", "JPY", "TWD"];

/// The least that Stripe charges, in hundredths. (What it charges in other currencies depends on how they are settled.)
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

/// How many digits of the amount a gateway's minor unit stands for.
pub fn unit_digits(gateway: Gateway, currency: Currency) -> u32 {
    match (gateway, currency.code()) {
        (Gateway::Stripe, code) if STRIPE_WHOLE.contains(&code) => 0,
        // Without fractions, and yet written in hundredths.
        (Gateway::Stripe, "ISK" | "UGX") => 2,
        (Gateway::PayPal, code) if PAYPAL_WHOLE.contains(&code) => 0,
        (Gateway::Razorpay | Gateway::Stripe | Gateway::PayPal, _) => currency.digits(),
    }
}

/// How many digits after the point a gateway takes; of a third one it takes zero alone.
fn digits(gateway: Gateway, currency: Currency) -> u32 {
    match gateway {
        Gateway::Razorpay | Gateway::Stripe => unit_digits(gateway, currency).min(2),
        Gateway::PayPal => unit_digits(gateway, currency),
    }
}

/// The least that a gateway takes.
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

/// Refuses an amount that the gateway can never take.
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
