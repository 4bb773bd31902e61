//! Items of budget accounts, their slices and their entries.

pub(crate) mod budget;
pub(crate) mod budget_entry;
