//! What a process remembers of brands and pools.
//!
//! **Invariant:** it is forgotten after five seconds, and at once when this process changes it.

use crate::engine::cache::TtlCache;
use domain::giftcard::{Brand, CardSource, Pool};
use domain::ids::budget::{BrandId, PoolId};
use domain::money::Money;

/// All that is remembered.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    pub(crate) brands: TtlCache<BrandId, Brand>,
    pub(crate) pools: TtlCache<PoolId, Pool>,
    pub(crate) pools_of: TtlCache<(BrandId, Money), Vec<(PoolId, CardSource)>>,
    /// What the places of the cards that expire soonest begin with.
    pub(crate) soonest: TtlCache<PoolId, String>,
}
