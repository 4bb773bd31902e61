//! What a process remembers of accounts, brands and pools.
//!
//! **Invariant:** it is forgotten after five seconds, and at once when this process changes it.

use crate::engine::cache::Memory;
use domain::budget::Account;
use domain::giftcard::{Brand, Pool, Source};
use domain::ids::budget::{AccountId, BrandId, PoolId};
use domain::money::Money;

/// All that is remembered.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) accounts: Memory<AccountId, Account>,
    pub(crate) brands: Memory<BrandId, Brand>,
    pub(crate) pools: Memory<PoolId, Pool>,
    pub(crate) pools_of: Memory<(BrandId, Money), Vec<(PoolId, Source)>>,
    /// What the places of the cards that expire soonest begin with.
    pub(crate) soonest: Memory<PoolId, String>,
}
