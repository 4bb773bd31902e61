//! The sample webhooks of `events/webhooks`, filled in with a payment's values.
//!
//! **Invariant:** a webhook has the form of the vendor's sample: only ids, amounts, currency and
//! times differ.

use super::paypal::value;
use serde_json::{Map, Value};

macro_rules! fixture {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../../events/webhooks/", $name, ".json")))
    };
}

/// Every sample with its name.
const FIXTURES: &[(&str, &str)] = &[
    fixture!("google-pay.payment_captured"),
    fixture!("paypal.checkout_order_approved"),
    fixture!("paypal.customer_dispute_created"),
    fixture!("paypal.customer_dispute_resolved"),
    fixture!("paypal.customer_dispute_updated"),
    fixture!("paypal.payment_capture_completed"),
    fixture!("paypal.payment_capture_declined"),
    fixture!("paypal.payment_capture_denied"),
    fixture!("paypal.payment_capture_pending"),
    fixture!("paypal.payment_capture_refunded"),
    fixture!("paypal.payment_capture_reversed"),
    fixture!("razorpay.order_paid"),
    fixture!("razorpay.payment_authorized"),
    fixture!("razorpay.payment_captured"),
    fixture!("razorpay.payment_dispute_action_required"),
    fixture!("razorpay.payment_dispute_closed"),
    fixture!("razorpay.payment_dispute_created"),
    fixture!("razorpay.payment_dispute_lost"),
    fixture!("razorpay.payment_dispute_under_review"),
    fixture!("razorpay.payment_dispute_won"),
    fixture!("razorpay.payment_failed"),
    fixture!("razorpay.refund_failed"),
    fixture!("razorpay.refund_processed"),
    fixture!("stripe.charge_dispute_closed"),
    fixture!("stripe.charge_dispute_created"),
    fixture!("stripe.charge_dispute_funds_reinstated"),
    fixture!("stripe.charge_dispute_funds_withdrawn"),
    fixture!("stripe.charge_refund_updated"),
    fixture!("stripe.charge_refunded"),
    fixture!("stripe.checkout_session_async_payment_failed"),
    fixture!("stripe.checkout_session_async_payment_succeeded"),
    fixture!("stripe.checkout_session_completed"),
    fixture!("stripe.payment_intent_payment_failed"),
    fixture!("stripe.payment_intent_succeeded"),
    fixture!("stripe.refund_failed"),
    fixture!("stripe.refund_updated"),
];

/// Returns the names of all samples.
pub fn names() -> impl Iterator<Item = &'static str> {
    FIXTURES.iter().map(|(name, _)| *name)
}

/// Values that are inserted into a sample.
#[derive(Clone, Debug, Default)]
pub struct SampleValues {
    /// Gateway's id of the event.
    pub event: String,
    /// Id of our top-up.
    pub topup: String,
    /// Gateway's id of the order.
    pub order: String,
    /// Gateway's id of the payment.
    pub payment: String,
    /// Gateway's id of the charge.
    pub charge: String,
    /// Gateway's id of the refund or dispute.
    pub reversal: String,
    /// Paid amount, in minor units.
    pub units: u64,
    /// Refunded or disputed amount, in minor units.
    pub reversed: u64,
    /// Currency code, in capitals.
    pub currency: String,
    /// Time of the event, in seconds since 1970.
    pub at: i64,
}

/// Values in the samples that are replaced.
const SAMPLE_TIME: i64 = 1_768_471_200;
const SAMPLE_TOPUP: &str = "topup_0123456789abcdef0123.cust_123";
const ORDERS: [&str; 3] = ["order_NXhj67fGH2JK9L", "cs_test_a1SpTopUpSample00001", "5O190127TN364715T"];
const PAYMENTS: [&str; 3] = ["pay_NXhjMs8qPq1vZr", "pi_3SpTopUpSample00001", "3C679366HH908993F"];
const CHARGE: &str = "ch_3SpTopUpSample00001";
const REVERSALS: [&str; 6] = [
    "re_3SpTopUpSample00001",
    "rfnd_NXhkP2m1cVb8Qa",
    "disp_NXhlT7k9dRw3Se",
    "dp_1SpTopUpSample00001",
    "1JU08902781691411",
    "PP-D-27803",
];
const EVENTS: [&str; 2] = ["evt_1SpTopUpSample00001", "WH-58D329510W468432D-8HN650336L201105X"];

/// Returns a sample with the values filled in; `None` for an unknown name.
pub fn render(name: &str, values: &SampleValues) -> Option<String> {
    let (_, text) = FIXTURES.iter().find(|(known, _)| *known == name)?;
    let sample: Value = serde_json::from_str(text).ok()?;
    Some(replace(sample, values).to_string())
}

fn replace(value: Value, values: &SampleValues) -> Value {
    match value {
        Value::String(text) => Value::String(replaced(&text, values)),
        Value::Number(number) => match number.as_i64() {
            Some(50_000) => values.units.into(),
            Some(20_000) => values.reversed.into(),
            Some(SAMPLE_TIME) => values.at.into(),
            Some(_) | None => Value::Number(number),
        },
        Value::Array(list) => Value::Array(list.into_iter().map(|value| replace(value, values)).collect()),
        Value::Object(fields) => {
            let fields = fields.into_iter().map(|(name, value)| (name, replace(value, values)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other @ (Value::Null | Value::Bool(_)) => other,
    }
}

fn replaced(text: &str, values: &SampleValues) -> String {
    match text {
        SAMPLE_TOPUP => return values.topup.clone(),
        CHARGE => return values.charge.clone(),
        "INR" => return values.currency.clone(),
        "inr" => return values.currency.to_ascii_lowercase(),
        "500.00" => return value(values.units, &values.currency),
        "200.00" => return value(values.reversed, &values.currency),
        "cust_123" => return values.topup.split_once('.').map_or("", |(_, customer)| customer).to_owned(),
        _ => {}
    }
    let whole = [
        (&EVENTS[..], &values.event),
        (&ORDERS, &values.order),
        (&PAYMENTS, &values.payment),
        (&REVERSALS, &values.reversal),
    ];
    for (samples, actual) in whole {
        for sample in samples {
            if text == *sample {
                return actual.clone();
            }
            // A link ends with the id of its target.
            if let Some(head) = text.strip_suffix(sample).filter(|head| head.ends_with('/')) {
                return format!("{head}{actual}");
            }
        }
    }
    text.to_owned()
}
