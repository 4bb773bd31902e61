//! The decisions of Scrip: what may happen to stored value, and what proof it leaves.
//!
//! **Invariant:** nothing here performs I/O, is asynchronous, reads a clock, draws a random number or looks
//! at the environment. The same state, command and context always give the same decision.
//! **Invariant:** an account changes only by [`account::Account::apply`] of an entry (value) or by
//! [`decide::status`] (permission to move value), so every balance can be recomputed from its entries.

pub mod account;
pub mod account_ref;
pub mod actor;
pub mod alert;
pub mod audit;
pub mod authz;
pub mod budget;
pub mod cause;
pub mod context;
pub mod currency;
pub mod decide;
pub mod decision;
pub mod entry;
pub mod event;
pub mod fingerprint;
pub mod gateway;
pub mod gateway_limits;
pub mod giftcard;
pub mod hash;
pub mod hold;
pub mod ids;
pub mod lot;
pub mod money;
pub mod order;
pub mod owed;
pub mod parse;
pub mod policy;
pub mod posting;
pub mod rejection;
pub mod report;
pub mod reversal;
pub mod settle;
pub mod text;
pub mod time;
pub mod topup;
