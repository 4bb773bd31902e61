//! Asking suppliers about orders that the table knows, and what follows from what they say.
//!
//! **Invariant:** an order is asked under one reference until it is resolved; only what the supplier says for certain
//! ends it.
//! **Invariant:** a card that comes for an order which had ended goes into stock, and someone is told.

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

/// How long an order may still be on its way.
const LATE_SECONDS: u32 = 900;

/// How long a supplier may be silent before someone is told.
const SILENT_SECONDS: u32 = 3_600;

/// What became of an order that was asked about.
#[derive(Clone, Debug)]
pub enum OrderOutcome {
    /// The card is the recipient's.
    Issued(Box<Redemption>, PlainCard),
    /// The supplier has not said.
    Pending,
    /// There will be no card; the credit is given back.
    Failed(Rejection),
    /// It had ended before.
    Ended,
}

impl Issuer {
    /// Asks for the first time, for the caller who waits: for so long, if that is said. An order whose caller has waited
    /// long enough is one whose answer was lost.
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
                let found = self.store.gift_cards().redemption(&pending.id).await?;
                let found = found.ok_or_else(|| StoreError::Corrupt(format!("{} is gone", pending.id)))?;
                match found.status {
                    RedemptionStatus::Failed => Err(Rejection::SupplierRejected),
                    RedemptionStatus::Pending | RedemptionStatus::Issued | RedemptionStatus::Delivered => {
                        let card = self.card_of(&found).await?;
                        Ok(Issued { redemption: found, card, replayed: false, retries })
                    }
                }
            }
        })
    }

    /// Asks the supplier of a pending redemption, and does what its answer says.
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
            tracing::error!(redemption = %pending.id, "its supplier is not configured any more");
            self.store.gift_cards().record_asked(pending, next).await?;
            return Ok(OrderOutcome::Pending);
        };
        let late = supplier_order.at.plus_seconds(LATE_SECONDS).is_none_or(|until| context.now >= until);
        // That it was asked is written down before: a call whose answer is lost was one.
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
                tracing::warn!(redemption = %pending.id, why, "the supplier has not said what became of the order");
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
        self.over(pending, context.now).await;
        let new_alert = alerts::failed(&pending.campaign, &pending.brand, &format!("the supplier: {why}"));
        self.store.alerts().raise(&new_alert, context.now).await;
        Ok(OrderOutcome::Failed(rejection))
    }

    /// The order is resolved: nobody need look after it any more.
    async fn over(&self, pending: &Redemption, now: Timestamp) {
        let new_alert = alerts::unresolved(pending.id.as_str(), "");
        if let Err(error) = self.store.alerts().close_alert(&new_alert.id(), now).await {
            tracing::warn!(%error, "an alert that is over stays open for now");
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
                // It is issued: what follows is made up for by whoever resolves the slices.
                let slices = pending.takes.keys().copied();
                if let Err(error) =
                    self.store.budgets().settle(&pending.charged, slices, &pending.attempt).await
                {
                    tracing::warn!(%error, "a committed attempt is taken off another time");
                }
                self.over(pending, context.now).await;
                if let Ok(Some(charged)) = self.store.budgets().cached_account(&pending.charged).await {
                    self.after(&issued, &charged, context).await;
                }
                Ok(OrderOutcome::Issued(Box::new(issued), plain))
            }
            // It is known: what was just delivered may have been committed by another who asked.
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

    /// A card that came for an order which had ended goes into stock.
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

    /// A supplier tells of a reference: whatever it is about is asked about. False if it is nothing of ours.
    pub async fn look_up_reported(&self, reference: &str, context: &Context) -> Result<bool, StoreError> {
        if let Some((pool, number)) = reference.split_once('.').filter(|(pool, _)| pool.starts_with("pool_"))
        {
            let (Ok(pool), Ok(number)) = (PoolId::parse(pool), number.parse()) else { return Ok(false) };
            return self.look_up_refill(&pool, number, context).await;
        }
        let Some((id, attempt)) = Redemption::of_reference(reference) else { return Ok(false) };
        // The order as it was opened: its redemption may have been tried again since, otherwise.
        let Some(order) = self.store.gift_cards().card_order(&id, &attempt).await? else { return Ok(false) };
        let Some(found) = self.store.gift_cards().redemption(&id).await? else { return Ok(false) };
        if found.attempt == attempt && found.status == RedemptionStatus::Pending {
            self.settle_order(&found, context).await?;
            return Ok(true);
        }
        if found.attempt == attempt && found.status != RedemptionStatus::Failed {
            return Ok(true);
        }
        // An order that had failed: has its card come after all?
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
            // Nobody looks again by himself: the supplier is to tell once more.
            SupplierReply::Unresolved(why) => Err(StoreError::Unavailable(why)),
        }
    }

    /// The account that a redemption is charged to, if it is known.
    pub async fn charged(&self, redemption: &Redemption) -> Result<Option<BudgetAccount>, StoreError> {
        self.store.budgets().account(&redemption.charged).await
    }
}

/// A redemption whose supplier is about to be asked.
pub(crate) fn asking(redemption: Redemption, product: SupplierProduct, context: &Context) -> Redemption {
    let supplier_order = redemption::SupplierOrder {
        supplier: product.supplier,
        product: product.product,
        at: context.now,
        tries: 0,
    };
    // Whoever asks first may never come back: the monitor asks after that.
    let next_check_at = context.now.plus_seconds(60);
    Redemption { order: Some(supplier_order), next_check_at, ..redemption }
}

/// Later each time, up to fifteen minutes.
fn next_check(tries: u32, now: Timestamp) -> Timestamp {
    let seconds = 60_u32.saturating_mul(1 << tries.min(4)).min(900);
    now.plus_seconds(seconds).unwrap_or(now)
}
