//! The ledger: accounts, their entries, lots and holds, and how a decision is posted.
//!
//! **Invariant:** nothing here depends on payments, budgets or gift cards.

pub mod account;
pub mod audit;
mod canonical;
pub mod causes;
pub mod command;
pub mod decision;
pub mod due;
pub mod entry;
pub mod entry_type;
pub mod hold;
pub mod hold_moves;
pub mod lot;
pub mod order;
pub mod owed;
pub mod points;
pub mod posting;
pub(crate) mod reversals;
pub mod spend;
pub mod statistics;
