//! Sealing what is kept but not to be read by whoever can read the table.
//!
//! **Invariant:** there is one way to seal, the vault's.

pub use vault::SealKeys;
