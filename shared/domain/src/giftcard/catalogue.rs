//! Requests to the catalogue: add a brand, add a pool, mint redemption codes.
//!
//! **Invariant:** an added item stores the fingerprint of its request, which distinguishes a
//! repetition from another request with the same key.

use super::{Brand, CardSource, Pool, Supplier, SupplierProduct};
use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::{Fingerprinted, keyed_request};
use crate::ids::budget::{BrandId, PoolId};
use crate::money::Money;
use crate::rejection::Rejection;
use crate::text::FreeText;
use std::collections::BTreeMap;

impl Fingerprinted for BTreeMap<Money, Money> {
    fn fingerprint_text(&self) -> Option<String> {
        Some(self.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>().join(","))
    }
}

keyed_request! {
    /// Adds a brand.
    #[derive(Clone, Debug)]
    pub struct AddBrand {
        /// Display name.
        pub name: FreeText => "name",
        /// The price of each denomination, in the deployment's currency.
        pub prices: BTreeMap<Money, Money> => "prices",
        /// Supplier that delivers on demand.
        pub supplier: Option<Supplier> => "supplier",
        /// Supplier's id of the product; present exactly if `supplier` is.
        pub product: Option<String> => "product",
        /// Idempotency cause.
        pub cause: Cause => _,
    }
}

impl AddBrand {
    /// Creates the brand.
    pub fn decide(self, context: &Context) -> Brand {
        Brand {
            id: BrandId::mint(&self.cause),
            fingerprint: self.fingerprint(),
            name: self.name,
            currency: context.policy.currency(),
            prices: self.prices,
            supplier: self
                .supplier
                .zip(self.product)
                .map(|(supplier, product)| SupplierProduct { supplier, product }),
            created_at: context.now,
            request: context.request.clone(),
        }
    }
}

keyed_request! {
    /// Adds a pool.
    #[derive(Clone, Debug)]
    pub struct AddPool {
        /// Brand of its cards.
        pub brand: BrandId => "brand",
        /// One of the brand's denominations.
        pub denomination: Money => "denomination",
        /// How it is filled: csv or buffer.
        pub source: CardSource => "source",
        /// Purchase cost of one card, in the deployment's currency.
        pub cost_per_card: Money => "cost",
        /// Free cards below which an alert is raised or the pool is refilled.
        pub low_stock_threshold: u32 => "threshold",
        /// Idempotency cause.
        pub cause: Cause => _,
    }
}

impl AddPool {
    /// Creates the pool, empty.
    pub fn decide(self, brand: &Brand, context: &Context) -> Result<Pool, Rejection> {
        if brand.price(self.denomination).is_none() {
            return Err(Rejection::NoSuchDenomination);
        }
        Ok(Pool {
            id: PoolId::mint(&self.cause),
            fingerprint: self.fingerprint(),
            brand: self.brand,
            denomination: self.denomination,
            source: self.source,
            cost_per_card: self.cost_per_card,
            low_stock_threshold: self.low_stock_threshold,
            shards: 1,
            stocked: 0,
            created_at: context.now,
            request: context.request.clone(),
        })
    }
}

keyed_request! {
    /// Mints redemption codes of a campaign; the campaign's id and the key distinguish the request
    /// from others.
    #[derive(Clone, Debug)]
    pub struct MintCodes {
        /// Number of codes, 1 to 1000.
        pub count: u32 => "count",
        /// Brand of their cards.
        pub brand: BrandId => "brand",
        /// One of the brand's denominations.
        pub denomination: Money => "denomination",
    }
}
