//! Placing and checking supplier orders that are stored in the table, and applying what suppliers report.
//!
//! **Invariant:** an order keeps one reference until it is resolved; only a definite reply of the
//! supplier ends it.
//! **Invariant:** a card that is delivered for an order that has already ended is added to stock, and an
//! alert is raised.

use crate::job::{Issued, entry_of};
use crate::{Issuer, alerts};
use domain::budget::BudgetAccount;
use domain::context::Context;
use domain::giftcard::card::PlainCard;
use domain::giftcard::redemption::{self, Redemption, RedemptionStatus};
use domain::giftcard::{CardSource, SupplierProduct};
use domain::ids::budget::PoolId;
use domain::money::Money;
use domain::rejection::Rejection;
use domain::time::Timestamp;
use gateways::suppliers::{CardOrder, OrderIntent, Refusal, SupplierReply};
use std::time::Duration;
use store::{Committed, StoreError};

/// Seconds for which an order that was sent may still be in flight.
const LATE_SECONDS: u32 = 900;

/// Seconds without a definite reply of the supplier after which an alert is raised.
const SILENT_SECONDS: u32 = 3_600;

/// The outcome of asking a supplier about an order.
#[derive(Clone, Debug)]
pub enum OrderOutcome {
    /// The supplier delivered the card, and it was issued.
    Issued(Box<Redemption>, PlainCard),
    /// The supplier has not reported an outcome.
    Pending,
    /// There will be no card; the credit was released.
    Failed(Rejection),
    /// The order had already ended.
    Ended,
}

impl Issuer {
    /// Sends an order for the first time, while the caller waits for at most `wait`, if set. An order
    /// that takes longer is treated as one whose reply was lost.
    pub(crate) async fn first_ask(
        &self,
        pending: Redemption,
        context: &Context,
        wait: Option<Duration>,
        retries: u32,
    ) -> Result<Result<Issued, Rejection>, StoreError> {
        let asking = self.settle_order(&pending, context);
        let supplier_order = match wait {
            Some(wait) => tokio::time::timeout(wait, asking).await.unwrap_or(Ok(OrderOutcome::Pending)),
            None => asking.await,
        };
        Ok(match supplier_order.map_err(StoreError::after_effect)? {
            OrderOutcome::Issued(redemption, card) => {
                Ok(Issued { redemption: *redemption, card: Some(card), replayed: false, retries })
            }
            OrderOutcome::Pending => Ok(Issued { redemption: pending, card: None, replayed: false, retries }),
            OrderOutcome::Failed(rejection) => Err(rejection),
            OrderOutcome::Ended => {
                let found = self.store.gift_cards().redemption(&pending.id).await;
                let found = found.map_err(StoreError::after_effect)?;
                let found = found.ok_or_else(|| StoreError::Corrupt(format!("{} is gone", pending.id)))?;
                match found.status {
                    RedemptionStatus::Failed => Err(Rejection::SupplierRejected),
                    RedemptionStatus::Pending | RedemptionStatus::Issued | RedemptionStatus::Delivered => {
                        let card = self.card_of(&found).await.map_err(StoreError::after_effect)?;
                        Ok(Issued { redemption: found, card, replayed: false, retries })
                    }
                }
            }
        })
    }

    /// Asks the supplier about the order of a pending redemption, and applies the reply.
    pub async fn settle_order(
        &self,
        pending: &Redemption,
        context: &Context,
    ) -> Result<OrderOutcome, StoreError> {
        let Some(supplier_order) =
            pending.order.as_ref().filter(|_| pending.status == RedemptionStatus::Pending)
        else {
            return Ok(OrderOutcome::Ended);
        };
        let next = next_check(supplier_order.tries, context.now);
        if supplier_order.at.plus_seconds(SILENT_SECONDS).is_some_and(|until| context.now >= until) {
            let new_alert = alerts::unresolved(pending.id.as_str(), supplier_order.supplier.as_str());
            self.store.alerts().raise(&new_alert, context.now).await;
        }
        let Some(supplier) = self.suppliers.get(supplier_order.supplier) else {
            tracing::error!(redemption = %pending.id, "the supplier of the order is no longer configured");
            self.store.gift_cards().record_asked(pending, next).await?;
            return Ok(OrderOutcome::Pending);
        };
        let late = supplier_order.at.plus_seconds(LATE_SECONDS).is_none_or(|until| context.now >= until);
        // Recorded before the call, so that a call whose reply is lost counts as sent.
        let sent_before = supplier_order.tries > 0 || context.now > supplier_order.at;
        if sent_before {
            self.store.gift_cards().record_asked(pending, next).await?;
        }
        let order = CardOrder {
            reference: pending.reference(),
            product: supplier_order.product.clone(),
            amount: pending.denomination,
            currency: pending.currency,
            intent: OrderIntent::of(sent_before, late),
        };
        match supplier.order(&order).await {
            SupplierReply::Delivered(card, cost) => self.deliver(pending, card, cost, context).await,
            SupplierReply::Rejected(refusal) => self.refuse(pending, &refusal, context).await,
            SupplierReply::Unresolved(why) => {
                tracing::warn!(redemption = %pending.id, why, "the supplier has not reported the outcome of the order");
                if supplier_order.tries == 0 && context.now == supplier_order.at {
                    self.store.gift_cards().record_asked(pending, next).await?;
                }
                Ok(OrderOutcome::Pending)
            }
        }
    }

    async fn refuse(
        &self,
        pending: &Redemption,
        refusal: &Refusal,
        context: &Context,
    ) -> Result<OrderOutcome, StoreError> {
        let (rejection, why) = match refusal {
            Refusal::OutOfStock => (Rejection::OutOfStock, "out of stock".to_owned()),
            Refusal::OutOfFunds => (Rejection::SupplierRejected, "out of funds at the supplier".to_owned()),
            Refusal::Other(code) => (Rejection::SupplierRejected, format!("refused: {code}")),
        };
        if !self.store.gift_cards().fail_order(pending, &why).await? {
            return Ok(OrderOutcome::Ended);
        }
        self.close_unresolved_alert(pending, context.now).await;
        let new_alert = alerts::failed(&pending.campaign, &pending.brand, &format!("the supplier: {why}"));
        self.store.alerts().raise(&new_alert, context.now).await;
        Ok(OrderOutcome::Failed(rejection))
    }

    /// Closes the alert about an unresolved order, once the order is resolved.
    async fn close_unresolved_alert(&self, pending: &Redemption, now: Timestamp) {
        let new_alert = alerts::unresolved(pending.id.as_str(), "");
        if let Err(error) = self.store.alerts().close_alert(&new_alert.id(), now).await {
            tracing::warn!(%error, "the alert about a resolved order could not be closed");
        }
    }

    async fn deliver(
        &self,
        pending: &Redemption,
        plain: PlainCard,
        cost: Option<Money>,
        context: &Context,
    ) -> Result<OrderOutcome, StoreError> {
        let sealed =
            self.vault.seal_card(&plain, &pending.brand, pending.denomination, CardSource::Api, context.now);
        let card = sealed.ok_or_else(|| StoreError::Corrupt("a card cannot be sealed".to_owned()))?;
        let cost = cost.unwrap_or(pending.denomination);
        let issued = Redemption {
            status: RedemptionStatus::Issued,
            source: Some(CardSource::Api),
            cost: Some(cost),
            card: Some(card.id.clone()),
            issued_at: Some(context.now),
            next_check_at: None,
            ..pending.clone()
        };
        let entry = entry_of(&issued, CardSource::Api, cost, pending.id.cause(), context);
        match self.store.gift_cards().commit_delivered(&entry, &issued, &card).await? {
            Committed::Done => {
                // The card is issued. If settling fails, the slices are resolved later.
                let slices = pending.takes.keys().copied();
                if let Err(error) =
                    self.store.budgets().settle(&pending.charged, slices, &pending.attempt).await
                {
                    tracing::warn!(%error, "a committed attempt could not be settled now; it is settled when its slice is resolved");
                }
                self.close_unresolved_alert(pending, context.now).await;
                if let Ok(Some(charged)) = self.store.budgets().cached_account(&pending.charged).await {
                    self.after(&issued, &charged, context).await;
                }
                Ok(OrderOutcome::Issued(Box::new(issued), plain))
            }
            // The card is already stored: a concurrent check of the same order may have committed it.
            Committed::CardGone => {
                let found = self.store.gift_cards().redemption(&pending.id).await?;
                if found.is_some_and(|found| found.card.as_ref() == Some(&card.id)) {
                    return Ok(OrderOutcome::Ended);
                }
                let supplier =
                    pending.order.as_ref().map_or("", |supplier_order| supplier_order.supplier.as_str());
                self.store
                    .alerts()
                    .raise(&alerts::known_card(&pending.reference(), supplier), context.now)
                    .await;
                if !self.store.gift_cards().fail_order(pending, "the card is known already").await? {
                    return Ok(OrderOutcome::Ended);
                }
                Ok(OrderOutcome::Failed(Rejection::SupplierRejected))
            }
            Committed::Another(_) | Committed::Fenced => {
                let ours = self.store.gift_cards().redemption(&pending.id).await?;
                let taken = ours.is_some_and(|found| found.card.as_ref() == Some(&card.id));
                if !taken {
                    self.restock(pending, &plain, context).await?;
                }
                Ok(OrderOutcome::Ended)
            }
        }
    }

    /// Adds a card to stock that was delivered for an order that had already ended, and raises an alert.
    async fn restock(
        &self,
        ended: &Redemption,
        plain: &PlainCard,
        context: &Context,
    ) -> Result<(), StoreError> {
        let pool = self.fallback_pool(ended, context).await?;
        let sealed =
            self.vault.seal_card(plain, &ended.brand, ended.denomination, CardSource::Buffer, context.now);
        let mut card = sealed.ok_or_else(|| StoreError::Corrupt("a card cannot be sealed".to_owned()))?;
        card.pool = Some(pool.id.clone());
        if self.store.gift_cards().stock_one(&pool, &card).await? {
            let supplier = ended.order.as_ref().map_or("", |supplier_order| supplier_order.supplier.as_str());
            self.store.alerts().raise(&alerts::unclaimed(&ended.reference(), supplier), context.now).await;
        }
        Ok(())
    }

    /// Looks up the order or refill whose reference a supplier's webhook names. Returns false if the
    /// reference is unknown.
    pub async fn look_up_reported(&self, reference: &str, context: &Context) -> Result<bool, StoreError> {
        if let Some((pool, number)) = reference.split_once('.').filter(|(pool, _)| pool.starts_with("pool_"))
        {
            let (Ok(pool), Ok(number)) = (PoolId::parse(pool), number.parse()) else { return Ok(false) };
            return self.look_up_refill(&pool, number, context).await;
        }
        let Some((id, attempt)) = Redemption::of_reference(reference) else { return Ok(false) };
        // The order as it was opened: its redemption may since have been retried with another attempt.
        let Some(order) = self.store.gift_cards().card_order(&id, &attempt).await? else { return Ok(false) };
        let Some(found) = self.store.gift_cards().redemption(&id).await? else { return Ok(false) };
        if found.attempt == attempt && found.status == RedemptionStatus::Pending {
            self.settle_order(&found, context).await?;
            return Ok(true);
        }
        if found.attempt == attempt && found.status != RedemptionStatus::Failed {
            return Ok(true);
        }
        // The order had failed: asks whether its card was delivered nevertheless.
        let Some(supplier_order) = &order.order else { return Ok(true) };
        let Some(supplier) = self.suppliers.get(supplier_order.supplier) else { return Ok(true) };
        let lookup = CardOrder {
            reference: reference.to_owned(),
            product: supplier_order.product.clone(),
            amount: order.denomination,
            currency: order.currency,
            intent: OrderIntent::LookUp,
        };
        match supplier.order(&lookup).await {
            SupplierReply::Delivered(card, _) => self.restock(&order, &card, context).await.map(|()| true),
            SupplierReply::Rejected(_) => Ok(true),
            // No scheduled check covers this order, so the error makes the supplier send its webhook
            // again.
            SupplierReply::Unresolved(why) => Err(StoreError::Unavailable(why)),
        }
    }

    /// Reads the account that a redemption is charged to.
    pub async fn charged(&self, redemption: &Redemption) -> Result<Option<BudgetAccount>, StoreError> {
        self.store.budgets().account(&redemption.charged).await
    }
}

/// Returns the redemption with the supplier order that is about to be placed.
pub(crate) fn asking(redemption: Redemption, product: SupplierProduct, context: &Context) -> Redemption {
    let supplier_order = redemption::SupplierOrder {
        supplier: product.supplier,
        product: product.product,
        at: context.now,
        tries: 0,
    };
    // If the process that places the order stops before the reply, the monitor asks from then on.
    let next_check_at = context.now.plus_seconds(60);
    Redemption { order: Some(supplier_order), next_check_at, ..redemption }
}

/// Returns the time of the next check: exponential backoff from one to fifteen minutes.
fn next_check(tries: u32, now: Timestamp) -> Timestamp {
    let seconds = 60_u32.saturating_mul(1 << tries.min(4)).min(900);
    now.plus_seconds(seconds).unwrap_or(now)
}
