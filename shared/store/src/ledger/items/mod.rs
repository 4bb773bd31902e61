//! Items of accounts, their entries, holds and records.

pub(crate) mod account;
pub mod entry;
pub(crate) mod hold;
pub(crate) mod lot;
pub(crate) mod month;
pub(crate) mod order_view;
pub(crate) mod owed;
pub(crate) mod points;
pub(crate) mod status;
