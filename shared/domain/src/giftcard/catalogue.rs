//! What the platform and agencies ask of the catalogue: a brand, a pool, redemption codes.
//!
//! **Invariant:** what is added carries the fingerprint of the request that added it: another request with the same key is
//! told from a repetition.

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
    /// Add a brand.
    #[derive(Clone, Debug)]
    pub struct AddBrand {
        /// Shown to people.
        pub name: FreeText => "name",
        /// The price of each denomination, in the deployment's currency.
        pub prices: BTreeMap<Money, Money> => "prices",
        /// Who delivers on demand.
        pub supplier: Option<Supplier> => "supplier",
        /// The supplier's id of the product; present exactly if a supplier is.
        pub product: Option<String> => "product",
        /// The idempotency cause.
        pub cause: Cause => _,
    }
}

impl AddBrand {
    /// The brand.
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
    /// Add a pool.
    #[derive(Clone, Debug)]
    pub struct AddPool {
        /// The brand of its cards.
        pub brand: BrandId => "brand",
        /// One of the brand's denominations.
        pub denomination: Money => "denomination",
        /// How it is filled: csv or buffer.
        pub source: CardSource => "source",
        /// The cost of one card, in the deployment's currency.
        pub cost_per_card: Money => "cost",
        /// With fewer free cards than this, an alert is raised or the pool is refilled.
        pub low_stock_threshold: u32 => "threshold",
        /// The idempotency cause.
        pub cause: Cause => _,
    }
}

impl AddPool {
    /// The pool, empty.
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
    /// Mint redemption codes of a campaign; its id and the key tell the request apart from others.
    #[derive(Clone, Debug)]
    pub struct MintCodes {
        /// How many: 1 to 1000.
        pub count: u32 => "count",
        /// The brand of their cards.
        pub brand: BrandId => "brand",
        /// One of the brand's denominations.
        pub denomination: Money => "denomination",
    }
}
