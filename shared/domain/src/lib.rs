//! The decisions of Scrip: what may happen to stored value, and what proof it leaves.
//!
//! **Invariant:** nothing here performs I/O, is asynchronous, reads a clock, draws a random number or looks
//! at the environment. The same state, command and context always give the same decision.
//! **Invariant:** an account changes only by [`ledger::account::Account::apply`] of an entry (value) or by
//! [`wallet::status`] (permission to move value), so every balance can be recomputed from its entries.

pub mod actor;
pub mod alert;
pub mod audit;
pub mod budget;
pub mod context;
pub mod giftcard;
pub mod ids;
pub mod ledger;
pub mod payments;
pub mod permit;
pub mod policy;
pub mod primitives;
pub mod rejection;
pub mod wallet;

pub use ids::cause;
pub use primitives::{currency, fingerprint, hash, money, parse, text, time, unit};
