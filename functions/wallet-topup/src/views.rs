//! The API view of a top-up that was just started.
//!
//! **Invariant:** the response to the request that started a top-up is rendered only from data that
//! never changes, so a replay is identical byte for byte.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::payments::topup::TopUp;
use edge::Problem;
use edge::json::Number;
use edge::seal::SealKeys;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

/// A started top-up, with the data to pay it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Initiated {
    topup_id: String,
    /// razorpay, stripe or paypal
    gateway: &'static str,
    /// Gateway's id of the order, checkout session or payment intent.
    gateway_order_id: String,
    amount: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    /// Data for the client's SDK, with the gateway's own field names.
    #[schema(value_type = Object)]
    checkout: Box<RawValue>,
    /// Page on which the customer can pay; null if the gateway provides none.
    checkout_url: Option<String>,
    #[schema(examples("PENDING"))]
    status: &'static str,
    #[schema(format = DateTime)]
    expires_at: String,
}

/// Seals checkout data, which may contain a secret of the gateway; the top-up's id is bound into
/// the seal.
pub(crate) fn seal(keys: &SealKeys, topup: &TopUp, checkout: &str) -> Result<String, Problem> {
    let sealed = keys.seal(topup.id.as_str(), checkout.as_bytes()).ok_or_else(Problem::internal)?;
    Ok(STANDARD.encode(sealed))
}

/// Renders a top-up as it was when it was started; fails if the gateway has not created its order.
pub(crate) fn initiated(topup: &TopUp, keys: &SealKeys) -> Result<Initiated, Problem> {
    let placed = topup.placed.as_ref().ok_or_else(Problem::internal)?;
    let opened =
        STANDARD.decode(&placed.checkout).ok().and_then(|sealed| keys.open(topup.id.as_str(), &sealed));
    let checkout = opened.and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
        tracing::error!(topup = %topup.id, "sealed checkout data cannot be opened: is its key still configured?");
        Problem::internal()
    })?;
    Ok(Initiated {
        topup_id: topup.id.to_string(),
        gateway: topup.gateway.as_str(),
        gateway_order_id: placed.order.to_string(),
        amount: Number::money(topup.amount, topup.currency),
        currency: topup.currency.code(),
        checkout: RawValue::from_string(checkout).map_err(|_| Problem::internal())?,
        checkout_url: placed.checkout_url.clone(),
        status: "PENDING",
        expires_at: topup.expires_at.to_string(),
    })
}
