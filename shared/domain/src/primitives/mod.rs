//! What every area is written in: money, time, text, digests.
//!
//! **Invariant:** a value of these types is valid by construction; nothing here knows an account.

pub mod currency;
pub mod fingerprint;
pub mod hash;
pub mod money;
pub mod parse;
pub mod text;
pub mod time;
pub mod unit;
