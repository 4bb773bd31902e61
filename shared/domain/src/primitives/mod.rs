//! Basic types of every area: money, time, text and digests.
//!
//! **Invariant:** a value of these types is valid by construction; nothing here depends on an
//! account.

pub mod currency;
pub mod fingerprint;
pub mod hash;
pub mod language;
pub mod money;
pub mod month;
pub mod parse;
pub(crate) mod serde_text;
pub mod text;
pub mod time;
pub mod unit;
