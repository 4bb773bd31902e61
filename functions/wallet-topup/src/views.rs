//! What callers see of a top-up.
//!
//! **Invariant:** the answer to the request that began a top-up is rendered from what never changes of it, so a
//! replay repeats it byte for byte.

use domain::currency::Currency;
use domain::money::Money;
use domain::time::Timestamp;
use domain::topup::TopUp;
use edge::Problem;
use edge::json::Number;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A top-up that has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct Initiated {
    topup_id: String,
    /// razorpay, stripe or paypal
    gateway: &'static str,
    /// The gateway's order, checkout session or payment intent.
    gateway_order_id: String,
    amount: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    /// What the client's SDK needs, as the gateway names it.
    #[schema(value_type = Object)]
    checkout: Box<RawValue>,
    /// A page on which the customer can pay.
    checkout_url: Option<String>,
    #[schema(examples("PENDING"))]
    status: &'static str,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// A top-up as it was begun.
pub(crate) fn initiated(topup: &TopUp) -> Result<Initiated, Problem> {
    let placed = topup.placed.as_ref().ok_or_else(Problem::internal)?;
    Ok(Initiated {
        topup_id: topup.id.to_string(),
        gateway: topup.gateway.as_str(),
        gateway_order_id: placed.order.to_string(),
        amount: Number::money(topup.amount, topup.currency),
        currency: topup.currency.code(),
        checkout: RawValue::from_string(placed.checkout.clone()).map_err(|_| Problem::internal())?,
        checkout_url: placed.checkout_url.clone(),
        status: "PENDING",
        expires_at: topup.expires_at.to_string(),
    })
}

/// A top-up.
#[derive(Serialize, ToSchema)]
#[schema(as = TopUp)]
pub(crate) struct TopUpBody {
    topup_id: String,
    customer_id: String,
    /// razorpay, stripe or paypal
    gateway: &'static str,
    /// null until the gateway has answered.
    gateway_order_id: Option<String>,
    /// The payment that was credited.
    gateway_payment_id: Option<String>,
    /// How the customer paid, where that is said apart, such as google_pay.
    method: Option<String>,
    amount: Number,
    /// What refunds and disputes have taken back of it.
    reversed: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    /// PENDING, CREDITED, FAILED, EXPIRED, PARTIALLY_REVERSED or REVERSED
    status: &'static str,
    checkout_url: Option<String>,
    /// The ids of the movements that it caused, oldest first, at most the newest hundred.
    transactions: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    credited_at: Option<String>,
}

/// A top-up as it stands at `now`.
pub(crate) fn topup(topup: &TopUp, now: Timestamp) -> TopUpBody {
    let money = |amount: Money, currency: Currency| Number::money(amount, currency);
    let (placed, credited) = (topup.placed.as_ref(), topup.credited.as_ref());
    TopUpBody {
        topup_id: topup.id.to_string(),
        customer_id: topup.id.customer().to_string(),
        gateway: topup.gateway.as_str(),
        gateway_order_id: placed.map(|placed| placed.order.to_string()),
        gateway_payment_id: credited.map(|credited| credited.payment.to_string()),
        method: credited.and_then(|credited| credited.method.clone()),
        amount: money(topup.amount, topup.currency),
        reversed: money(topup.reversed(), topup.currency),
        currency: topup.currency.code(),
        status: topup.status(now),
        checkout_url: placed.and_then(|placed| placed.checkout_url.clone()),
        transactions: topup.transactions.iter().map(ToString::to_string).collect(),
        created_at: topup.created_at.to_string(),
        expires_at: topup.expires_at.to_string(),
        credited_at: credited.map(|credited| credited.at.to_string()),
    }
}
