//! How budget accounts, their slices and their entries stand in items.

pub(crate) mod budget;
pub(crate) mod budget_entry;
