//! The business decisions of Scrip: which changes of stored value are allowed, and which records
//! prove them.
//!
//! **Invariant:** nothing here performs I/O, is asynchronous, reads a clock, draws a random number
//! or reads the environment. The same state, command and context always produce the same decision.
//! **Invariant:** a ledger account changes only by [`ledger::account::Account::apply`] of an entry
//! (value), by [`ledger::account::Account::owe`] (debts) or by [`wallet::status`] (permission to
//! move value), so every balance can be recomputed from its entries.

pub mod actor;
pub mod alert;
pub mod audit;
pub mod budget;
pub mod context;
pub mod giftcard;
pub mod ids;
pub mod jobs;
pub mod ledger;
pub mod loyalty;
pub mod payments;
pub mod permit;
pub mod policy;
pub mod primitives;
pub mod rejection;
pub mod rewards;
pub mod vouchers;
pub mod wallet;

pub use ids::cause;
pub use primitives::{currency, fingerprint, hash, language, money, month, parse, text, time, unit};
