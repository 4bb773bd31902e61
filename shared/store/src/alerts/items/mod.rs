//! How alerts stand in items.

pub(crate) mod alert;
