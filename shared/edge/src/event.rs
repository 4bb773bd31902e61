//! A gateway's report as people see it.
//!
//! **Invariant:** its body is never shown.

use domain::payments::webhook_event::WebhookEvent;
use serde::Serialize;
use utoipa::ToSchema;

/// A report, and what became of it.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookEvent)]
pub struct EventBody {
    event_id: String,
    /// razorpay, stripe, paypal or google-pay
    gateway: String,
    /// The gateway's word for its type.
    #[serde(rename = "type")]
    kind: String,
    /// processed, ignored, parked, quarantined or failed
    status: &'static str,
    /// Why, where there is something to say.
    detail: Option<&'static str>,
    topup_id: Option<String>,
    customer_id: Option<String>,
    /// The movements that it caused, or that had been caused by one that says the same.
    transactions: Vec<String>,
    #[schema(format = DateTime)]
    received_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
}

/// A report as admins see it.
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
