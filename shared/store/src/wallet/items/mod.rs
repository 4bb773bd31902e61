//! How wallets and their orders stand in items.

pub(crate) mod order;
pub(crate) mod wallet;
