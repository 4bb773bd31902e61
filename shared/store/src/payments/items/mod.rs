//! How top-ups, gateways' reports and references stand in items.

pub(crate) mod gateway_ref;
pub(crate) mod gateway_report;
pub(crate) mod topup;
pub(crate) mod webhook_event;
