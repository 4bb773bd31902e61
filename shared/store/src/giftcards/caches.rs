//! Caches of brands and pools.
//!
//! **Invariant:** a cached value is at most five seconds old, and is invalidated when this process
//! changes it.

use crate::engine::cache::TtlCache;
use domain::giftcard::{Brand, CardSource, Pool};
use domain::ids::budget::{BrandId, PoolId};
use domain::money::Money;

/// All caches of the area.
#[derive(Debug, Default)]
pub(crate) struct Caches {
    pub(crate) brands: TtlCache<BrandId, Brand>,
    pub(crate) pools: TtlCache<PoolId, Pool>,
    pub(crate) pools_of: TtlCache<(BrandId, Money), Vec<(PoolId, CardSource)>>,
    /// Earliest expiry date among a pool's free cards, in the form with which their range keys
    /// begin.
    pub(crate) soonest: TtlCache<PoolId, String>,
}
