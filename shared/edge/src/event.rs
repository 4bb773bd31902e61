//! The API view of a gateway's report.
//!
//! **Invariant:** the body of a report is never shown.

use domain::payments::webhook_event::WebhookEvent;
use serde::Serialize;
use utoipa::ToSchema;

/// A report of a payment gateway and its processing status.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEvent)]
pub struct EventBody {
    event_id: String,
    /// razorpay, stripe, paypal or google-pay
    gateway: String,
    /// The gateway's name for the event type.
    #[serde(rename = "type")]
    kind: String,
    /// processed, ignored, parked, quarantined or failed
    status: &'static str,
    /// Reason for the status, if any.
    detail: Option<&'static str>,
    topup_id: Option<String>,
    customer_id: Option<String>,
    /// Ids of the transactions that the report caused, or that an earlier report of the same fact caused.
    transactions: Vec<String>,
    #[schema(format = DateTime)]
    received_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// Renders a report for admins.
pub fn event(event: &WebhookEvent) -> EventBody {
    let gateway = event.id.as_str().split(':').next().unwrap_or_default();
    EventBody {
        event_id: event.id.to_string(),
        gateway: gateway.to_owned(),
        kind: event.kind.clone(),
        status: event.status.as_str(),
        detail: event.detail,
        topup_id: event.topup.as_ref().map(ToString::to_string),
        customer_id: event.topup.as_ref().map(|topup| topup.customer().to_string()),
        transactions: event.transactions.iter().map(ToString::to_string).collect(),
        received_at: event.received_at.to_string(),
        updated_at: event.updated_at.to_string(),
    }
}
