//! Sums of the stock of pools.
//!
//! **Invariant:** the pools of the three stock levels add up to the number of pools.

use super::{CardSource, Pool, StockHealth};
use crate::money::Money;

/// Sums over the pools of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockSummary {
    /// Number of pools.
    pub pools: u64,
    /// Number of free cards.
    pub available: u64,
    /// Face value of those cards.
    pub value: Money,
    /// Pools at or above their threshold.
    pub green: u64,
    /// Pools below their threshold.
    pub yellow: u64,
    /// Pools without free cards.
    pub red: u64,
}

impl StockSummary {
    /// Sums up the pools of a source; each comes with its number of free cards.
    pub fn of(source: CardSource, pools: &[(Pool, u64)]) -> Self {
        let mut summary = Self::default();
        for (pool, free) in pools.iter().filter(|(pool, _)| pool.source == source) {
            let value = pool.denomination.value().checked_mul((*free).into());
            let value = value.and_then(|value| Money::try_new(value).ok()).unwrap_or_default();
            summary.pools += 1;
            summary.available += free;
            summary.value = [summary.value, value].into_iter().sum();
            match StockHealth::of(*free, pool.low_stock_threshold) {
                StockHealth::Green => summary.green += 1,
                StockHealth::Yellow => summary.yellow += 1,
                StockHealth::Red => summary.red += 1,
            }
        }
        summary
    }
}
