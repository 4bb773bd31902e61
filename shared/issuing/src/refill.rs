//! Filling buffer pools ahead of need, and finding a shelf for cards that came for nobody.
//!
//! **Invariant:** each card of a refill is an order of its own, opened in the table before its supplier is asked.
//! **Invariant:** a pool is refilled when it falls below its threshold, up to twice that.

use crate::{Issuer, alerts};
use domain::cause::Cause;
use domain::context::Context;
use domain::fingerprint::Fingerprint;
use domain::giftcard::card::PlainCard;
use domain::giftcard::redemption::Redemption;
use domain::giftcard::{Brand, CardSource, Pool};
use domain::ids::budget::PoolId;
use domain::money::Money;
use gateways::suppliers::{CardOrder, OrderIntent, Refusal, SupplierReply};
use std::time::Instant;
use store::{Refill, StoreError};

/// How many cards of one pool are ordered in one run.
const MAX_ORDERS_PER_RUN: u64 = 20;

/// How long an order may still be on its way.
const LATE_SECONDS: u32 = 900;

/// What a look at a pool came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefillSummary {
    /// Cards that lie in the pool now.
    pub delivered: u32,
    /// Orders whose supplier has not said what became of them.
    pub open: u32,
    /// Orders that the supplier has rejected.
    pub rejected: u32,
}

impl Issuer {
    /// Refills a buffer pool that has `free` cards, if that is below its threshold.
    ///
    /// Suppliers may take seconds to answer: what is not asked by `until` is left to the next look.
    pub async fn refill(
        &self,
        pool: &Pool,
        free: u64,
        context: &Context,
        until: Instant,
    ) -> Result<RefillSummary, StoreError> {
        let mut refilled = self.ask_refills(pool, context, until).await?;
        let threshold = u64::from(pool.low_stock_threshold);
        let Some(brand) = self.store.gift_cards().brand(&pool.brand).await? else { return Ok(refilled) };
        let Some(product) = brand.supplier.clone() else { return Ok(refilled) };
        if free >= threshold
            || pool.source != CardSource::Buffer
            || self.suppliers.get(product.supplier).is_none()
        {
            return Ok(refilled);
        }
        let coming = free + u64::from(refilled.delivered) + u64::from(refilled.open);
        let wanted = (2 * threshold).saturating_sub(coming).min(MAX_ORDERS_PER_RUN);
        let unresolved = refilled.open;
        for _ in 0..wanted {
            // One that says no, or nothing, will say so again.
            if refilled.rejected > 0 || refilled.open > unresolved || Instant::now() >= until {
                break;
            }
            let opened = self.store.gift_cards().open_refill(pool, &product, context.now).await?;
            let Some(refill) = opened else { break };
            self.ask_refill(&refill, pool, &brand, context, &mut refilled).await?;
        }
        Ok(refilled)
    }

    /// A supplier tells of a refill: it is asked about, and one that had failed is looked at.
    pub(crate) async fn look_up_refill(
        &self,
        pool: &PoolId,
        number: u64,
        context: &Context,
    ) -> Result<bool, StoreError> {
        let Some(pool) = self.store.gift_cards().pool(pool).await? else { return Ok(false) };
        let Some(refill) = self.store.gift_cards().refill(&pool.id, number).await? else { return Ok(false) };
        let Some(supplier) = self.suppliers.get(refill.supplier) else { return Ok(true) };
        let Some(brand) = self.store.gift_cards().brand(&pool.brand).await? else { return Ok(true) };
        if refill.open {
            self.ask_refill(&refill, &pool, &brand, context, &mut RefillSummary::default()).await?;
            return Ok(true);
        }
        let lookup = CardOrder {
            reference: refill.reference(),
            product: refill.product.clone(),
            amount: pool.denomination,
            currency: brand.currency,
            intent: OrderIntent::LookUp,
        };
        let plain = match supplier.order(&lookup).await {
            SupplierReply::Delivered(plain, _) => plain,
            SupplierReply::Rejected(_) => return Ok(true),
            // Nobody looks again by himself: the supplier is to tell once more.
            SupplierReply::Unresolved(why) => return Err(StoreError::Unavailable(why)),
        };
        let sealed =
            self.vault.seal_card(&plain, &pool.brand, pool.denomination, CardSource::Buffer, context.now);
        let mut card = sealed.ok_or_else(|| StoreError::Corrupt("a card cannot be sealed".to_owned()))?;
        card.pool = Some(pool.id.clone());
        if self.store.gift_cards().stock_one(&pool, &card).await? {
            let new_alert = alerts::unclaimed(&refill.reference(), refill.supplier.as_str());
            self.store.alerts().raise(&new_alert, context.now).await;
        }
        Ok(true)
    }

    /// Asks about every refill of a pool that is not done.
    async fn ask_refills(
        &self,
        pool: &Pool,
        context: &Context,
        until: Instant,
    ) -> Result<RefillSummary, StoreError> {
        let mut refilled = RefillSummary::default();
        let Some(brand) = self.store.gift_cards().brand(&pool.brand).await? else { return Ok(refilled) };
        for refill in self.store.gift_cards().open_refills(&pool.id).await? {
            if Instant::now() >= until {
                refilled.open += 1;
                continue;
            }
            self.ask_refill(&refill, pool, &brand, context, &mut refilled).await?;
        }
        Ok(refilled)
    }

    async fn ask_refill(
        &self,
        refill: &Refill,
        pool: &Pool,
        brand: &Brand,
        context: &Context,
        refilled: &mut RefillSummary,
    ) -> Result<(), StoreError> {
        let Some(supplier) = self.suppliers.get(refill.supplier) else {
            refilled.open += 1;
            return Ok(());
        };
        let late = refill.at.plus_seconds(LATE_SECONDS).is_none_or(|until| context.now >= until);
        self.store.gift_cards().record_refill_asked(refill).await?;
        let order = CardOrder {
            reference: refill.reference(),
            product: refill.product.clone(),
            amount: pool.denomination,
            currency: brand.currency,
            intent: OrderIntent::of(refill.tries > 0 || context.now > refill.at, late),
        };
        match supplier.order(&order).await {
            SupplierReply::Delivered(card, cost) => {
                if self.shelve_refill(refill, pool, &card, cost, context).await? {
                    refilled.delivered += 1;
                } else {
                    let who = refill.supplier.as_str();
                    self.store
                        .alerts()
                        .raise(&alerts::known_card(&refill.reference(), who), context.now)
                        .await;
                }
            }
            SupplierReply::Unresolved(why) => {
                tracing::warn!(pool = %pool.id, why, "the supplier has not said what became of a refill");
                refilled.open += 1;
            }
            SupplierReply::Rejected(refusal) => {
                self.store.gift_cards().fail_refill(refill).await?;
                let why = match refusal {
                    Refusal::OutOfStock => "out of stock".to_owned(),
                    Refusal::OutOfFunds => "out of funds".to_owned(),
                    Refusal::Other(code) => code,
                };
                self.store.alerts().raise(&alerts::refill_failed(pool, &why), context.now).await;
                refilled.rejected += 1;
            }
        }
        Ok(())
    }

    async fn shelve_refill(
        &self,
        refill: &Refill,
        pool: &Pool,
        plain: &PlainCard,
        cost: Option<Money>,
        context: &Context,
    ) -> Result<bool, StoreError> {
        let sealed =
            self.vault.seal_card(plain, &pool.brand, pool.denomination, CardSource::Buffer, context.now);
        let mut card = sealed.ok_or_else(|| StoreError::Corrupt("a card cannot be sealed".to_owned()))?;
        card.pool = Some(pool.id.clone());
        // What the supplier says it had cost counts more than what the pool expects.
        let pool = Pool { cost_per_card: cost.unwrap_or(pool.cost_per_card), ..pool.clone() };
        self.store.gift_cards().finish_refill(refill, &pool, &card).await
    }

    /// A pool for cards of a redemption's kind: a buffer pool, else any, else one that is made for them.
    pub(crate) async fn fallback_pool(
        &self,
        ended: &Redemption,
        context: &Context,
    ) -> Result<Pool, StoreError> {
        self.store.gift_cards().invalidate_pools(&ended.brand, ended.denomination);
        let pools = self.store.gift_cards().pools_of(&ended.brand, ended.denomination).await?;
        let best = pools.iter().find(|(_, source)| *source == CardSource::Buffer).or_else(|| pools.first());
        if let Some((id, _)) = best
            && let Some(pool) = self.store.gift_cards().pool(id).await?
        {
            return Ok(pool);
        }
        let cause = Cause::stored(format!("shelf:{}:{}", ended.brand, ended.denomination));
        let pool = Pool {
            id: domain::ids::budget::PoolId::mint(&cause),
            brand: ended.brand.clone(),
            denomination: ended.denomination,
            source: CardSource::Buffer,
            cost_per_card: ended.denomination,
            low_stock_threshold: 0,
            shards: 1,
            stocked: 0,
            created_at: context.now,
            fingerprint: Fingerprint::of(&[("shelf", Some(cause.to_string()))]),
            request: context.request.clone(),
        };
        Ok(self.store.gift_cards().add_pool(pool).await?.0)
    }
}
