//! What pools have in stock, added up.
//!
//! **Invariant:** the three kinds of health add up to the number of pools.

use super::{CardSource, Pool, StockHealth};
use crate::money::Money;

/// Pools of one source, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StockSummary {
    /// How many pools.
    pub pools: u64,
    /// How many free cards they have.
    pub available: u64,
    /// The face value of those cards.
    pub value: Money,
    /// Pools at or above their threshold.
    pub green: u64,
    /// Pools below their threshold.
    pub yellow: u64,
    /// Empty pools.
    pub red: u64,
}

impl StockSummary {
    /// Of the pools of a source, each with its number of free cards.
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
