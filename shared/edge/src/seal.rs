//! Sealing of stored secrets, so that read access to the table does not reveal them.
//!
//! **Invariant:** the only implementation is the vault's.

pub use vault::SealKeys;
