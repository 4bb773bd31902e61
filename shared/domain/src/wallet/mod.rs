//! Customers' money wallets: one command for each operation, and who may request it.
//!
//! **Invariant:** a decision depends only on the command, the loaded state and the context.
//!
//! Each command implements [`Command`](crate::ledger::command::Command): `needs` names what is loaded, `key`
//! is its cause and fingerprint, and `decide` returns the writes of one transaction or a rejection. The
//! account of a wallet is a ledger account ([`ledger::account`](crate::ledger::account)) of the kind `w` with
//! a money unit; what only wallets have (referral code, metadata) is its [profile](profile), and what it owes
//! is counted by the ledger. Orders are items of their own, written under their version in the same
//! transaction, with what each lot paid and has left to refund.

pub mod audit;
pub mod create;
pub mod credit;
pub mod debit;
pub mod holds;
pub mod import;
pub mod order_payment;
pub mod permit;
pub mod profile;
pub mod refund;
pub mod register_order;
pub mod settle;
pub mod state;
pub mod statement;
pub mod status;
pub mod transfer;
