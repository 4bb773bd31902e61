//! The response to a gateway's webhook.
//!
//! **Invariant:** a gateway learns the outcome of its report and nothing else.

use domain::payments::webhook_event::WebhookEvent;
use serde::Serialize;
use utoipa::ToSchema;

/// Outcome of a webhook delivery.
#[derive(Serialize, ToSchema)]
pub(crate) struct Taken {
    event_id: String,
    /// processed, ignored, parked, quarantined or failed
    status: &'static str,
}

/// Renders the response for a processed delivery.
pub(crate) fn taken(event: &WebhookEvent) -> Taken {
    Taken { event_id: event.id.to_string(), status: event.status.as_str() }
}
