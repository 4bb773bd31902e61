//! The table itself: sending reads and writes, retrying them, and telling what became of them.
//!
//! **Invariant:** nothing here knows an area: what is stored, and under which condition, is said by the area.

pub(crate) mod attr;
pub(crate) mod cache;
pub(crate) mod client;
pub(crate) mod due;
pub(crate) mod error;
pub(crate) mod item;
pub(crate) mod meter;
pub(crate) mod read;
pub(crate) mod retry;
pub mod schema;
pub(crate) mod sent;
pub(crate) mod table;
pub(crate) mod write;
