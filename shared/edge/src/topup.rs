//! A top-up as callers see it, in every function that answers with one.
//!
//! **Invariant:** its status is that of the clock: an unpaid one that has expired says so, whether or not a job has run.

use crate::json::Number;
use domain::currency::Currency;
use domain::money::Money;
use domain::payments::topup::TopUp;
use domain::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A top-up.
#[derive(Serialize, ToSchema)]
#[schema(as = TopUp)]
pub struct TopUpBody {
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
pub fn topup(topup: &TopUp, now: Timestamp) -> TopUpBody {
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
