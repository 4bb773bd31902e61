//! Items of top-ups, gateways' reports and gateway references.

pub(crate) mod gateway_ref;
pub(crate) mod gateway_report;
pub(crate) mod topup;
pub(crate) mod unpaid;
pub(crate) mod webhook_event;
