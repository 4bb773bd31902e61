//! Items of alerts.

pub(crate) mod alert;
