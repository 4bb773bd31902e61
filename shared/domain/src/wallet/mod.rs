//! Customers' money wallets: one decision for each operation, and who may ask for it.
//!
//! **Invariant:** a decision looks only at the command, the loaded state and the context.

pub mod audit;
pub mod create;
pub mod credit;
pub mod debit;
pub mod holds;
pub mod order_payment;
pub mod permit;
pub mod profile;
pub mod refund;
pub mod register_order;
pub mod settle;
pub mod state;
pub mod status;
pub mod transfer;
