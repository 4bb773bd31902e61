//! The ledger over the table: loading accounts, carrying out commands exactly once, and what stands in items.
//!
//! **Invariant:** an account's value changes only through [`execute::execute`]: all writes of a decision in one
//! transaction under their conditions.

pub(crate) mod execute;
pub(crate) mod history;
pub(crate) mod items;
pub(crate) mod load;
pub(crate) mod persist;
