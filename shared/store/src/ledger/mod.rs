//! The ledger in the table: loads accounts, executes commands exactly once, and converts ledger
//! values to items.
//!
//! **Invariant:** the value of an account changes only through [`execute::execute`]: all writes of
//! a decision in one transaction, each under its condition.

pub(crate) mod execute;
pub(crate) mod history;
pub(crate) mod items;
pub(crate) mod load;
pub(crate) mod persist;
