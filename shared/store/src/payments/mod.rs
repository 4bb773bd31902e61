//! Payments over the table: top-ups, what gateways have reported, and where a gateway's ids lead.
//!
//! **Invariant:** a report is stored with what became of it, in the transaction that has its effect.

pub(crate) mod items;
pub(crate) mod process;
pub(crate) mod webhook_events;
