//! Items of wallets and their orders.

pub(crate) mod order;
pub(crate) mod wallet;
