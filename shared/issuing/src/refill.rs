//! Refilling buffer pools ahead of demand, and choosing a pool for cards whose order has already ended.
//!
//! **Invariant:** each card of a refill is a separate order, stored in the table before its supplier is
//! asked.
//! **Invariant:** a pool is refilled when it falls below its threshold, up to twice the threshold.

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

/// The maximum number of cards that are ordered for one pool in one run.
const MAX_ORDERS_PER_RUN: u64 = 20;

/// Seconds for which an order that was sent may still be in flight.
const LATE_SECONDS: u32 = 900;

/// The outcome of refilling a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefillSummary {
    /// Cards that were delivered into the pool.
    pub delivered: u32,
    /// Orders whose outcome the supplier has not reported.
    pub open: u32,
    /// Orders that the supplier rejected.
    pub rejected: u32,
}

impl Issuer {
    /// Refills a buffer pool that has `free` cards, if that is below its threshold.
    ///
    /// Suppliers may take seconds to answer: orders that are not sent by `until` are left to the next
    /// run.
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
            // A supplier that rejected an order or did not answer is not sent another one in this run.
            if refilled.rejected > 0 || refilled.open > unresolved || Instant::now() >= until {
                break;
            }
            let opened = self.store.gift_cards().open_refill(pool, &product, context.now).await?;
            let Some(refill) = opened else { break };
            self.ask_refill(&refill, pool, &brand, context, &mut refilled).await?;
        }
        Ok(refilled)
    }

    /// Looks up a refill that a supplier's webhook names. If the refill has already ended, a card that
    /// was delivered for it nevertheless is added to stock. Returns false if the refill is unknown.
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
            // No scheduled check covers this refill, so the error makes the supplier send its webhook
            // again.
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

    /// Asks suppliers about every open refill of a pool; those that are not reached by `until` count as
    /// open.
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
                tracing::warn!(pool = %pool.id, why, "the supplier has not reported the outcome of a refill");
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
        // The cost that the supplier reports takes precedence over the pool's expected cost.
        let pool = Pool { cost_per_card: cost.unwrap_or(pool.cost_per_card), ..pool.clone() };
        self.store.gift_cards().finish_refill(refill, &pool, &card).await
    }

    /// Returns a pool for cards of a redemption's brand and denomination: a buffer pool, else any pool,
    /// else a new one.
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
