//! The API view of a top-up, shared by all functions that return one.
//!
//! **Invariant:** the status depends on the current time: an unpaid top-up that has expired is shown as
//! expired, whether or not a scheduled job has run.

use crate::json::Number;
use domain::currency::Currency;
use domain::money::Money;
use domain::payments::topup::TopUp;
use domain::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

/// A top-up: a payment into a wallet through a gateway.
#[derive(Serialize, ToSchema)]
#[schema(as = TopUp)]
pub struct TopUpBody {
    topup_id: String,
    customer_id: String,
    /// razorpay, stripe or paypal
    gateway: &'static str,
    /// null until the gateway has created its order.
    gateway_order_id: Option<String>,
    /// Id of the credited payment; null until then.
    gateway_payment_id: Option<String>,
    /// Payment method, such as google_pay, if the gateway reports it separately.
    method: Option<String>,
    amount: Number,
    /// Amount taken back by refunds and disputes.
    reversed: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    /// PENDING, CREDITED, FAILED, EXPIRED, PARTIALLY_REVERSED or REVERSED
    status: &'static str,
    checkout_url: Option<String>,
    /// Ids of the transactions that the top-up caused, oldest first; at most the newest 100.
    transactions: Vec<String>,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    expires_at: String,
    #[schema(format = DateTime)]
    credited_at: Option<String>,
}

/// Renders the state of a top-up at `now`.
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
