//! What gateways are answered.
//!
//! **Invariant:** a gateway learns what became of its report and nothing else.

use domain::payments::webhook_event::WebhookEvent;
use serde::Serialize;
use utoipa::ToSchema;

/// What a gateway is answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Taken {
    event_id: String,
    /// processed, ignored, parked, quarantined or failed
    status: &'static str,
}

/// What a gateway is answered.
pub(crate) fn taken(event: &WebhookEvent) -> Taken {
    Taken { event_id: event.id.to_string(), status: event.status.as_str() }
}
