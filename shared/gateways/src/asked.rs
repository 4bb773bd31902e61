//! What a gateway's own answers say of a payment, by the same readers as its webhooks.
//!
//! **Invariant:** an answer credits by the same rule as a webhook: captured, for what the gateway says was captured.

use crate::Answered;
use crate::error::GatewayError;
use domain::payments::gateway_report::Told;

/// An answer that says this.
pub(crate) fn answered(told: Option<Told>, body: String) -> Result<Answered, GatewayError> {
    let told = told.ok_or(GatewayError::Unreadable("a field of the payment is missing"))?;
    Ok(Answered { told, body })
}

/// JSON that a gateway answered.
pub(crate) fn json(text: &str) -> Result<serde_json::Value, GatewayError> {
    serde_json::from_str(text).map_err(|_| GatewayError::Unreadable("it is not JSON"))
}
