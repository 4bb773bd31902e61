//! What callers see of a top-up.
//!
//! **Invariant:** the answer to the request that began a top-up is rendered from what never changes of it, so a
//! replay repeats it byte for byte.

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
