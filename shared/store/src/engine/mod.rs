//! Access to the table: sends reads and writes, retries them and determines their outcome.
//!
//! **Invariant:** nothing here depends on an area; each area defines what it stores and under which
//! condition.

pub(crate) mod attr;
pub(crate) mod cache;
pub(crate) mod client;
pub(crate) mod document;
pub(crate) mod due;
pub(crate) mod error;
pub(crate) mod item;
pub(crate) mod list;
pub(crate) mod meter;
pub(crate) mod numbered;
pub(crate) mod read;
pub(crate) mod retry;
pub mod schema;
pub(crate) mod sent;
pub(crate) mod table;
pub(crate) mod write;
