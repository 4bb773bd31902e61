//! Events of orders: deliveries, refunds and cancellations.
//!
//! **Invariant:** what is reported of an order before its delivery or its payment counts when that comes.

use crate::apply::{Applying, MAX_TRIES, contradicts};
use crate::message::{CancelledOrder, Named};
use crate::{Failed, Outcome};
use domain::cause::Cause;
use domain::ids::{CustomerId, OrderId};
use domain::loyalty::report::Reported;
use domain::money::{Amount, Money};
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::rewards::deliver::{AfterDelivery, DeliverOrder, ReportOrder};
use domain::wallet::refund::RefundOrder;
use edge::order::{refund_order, report_order};
use store::StoreError;

/// Returns what a message about an order names.
fn of_order(order: &OrderId, customer: Option<&CustomerId>) -> Named {
    Named { user: customer.cloned(), booking: None, payment: None, token: None, order: Some(order.clone()) }
}

impl Applying<'_> {
    /// Credits the wallet for a delivered order.
    pub(crate) async fn delivered(&self, command: DeliverOrder) -> Result<Outcome, Failed> {
        match self.app.store.rewards().report_order(&command, &self.context).await {
            Ok(done) => {
                let named = of_order(&command.order, Some(&command.customer));
                self.check(&named, &done.outcome).await;
                Ok(match (done.outcome.is_ignored, done.replayed) {
                    (true, _) => Outcome::Ignored,
                    (false, true) => Outcome::Duplicate,
                    (false, false) => Outcome::Applied,
                })
            }
            Err(error) if contradicts(&error) => {
                Ok(self.mismatch(&of_order(&command.order, Some(&command.customer)), &error).await)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Raises an alert if more is refunded than the order's total; also for a repetition, because the first delivery of
    /// the message may have ended before its alert.
    async fn check(&self, named: &Named, after: &AfterDelivery) {
        if after.exceeds {
            self.alert(named, "the refunds exceed the order").await;
        }
    }

    /// Returns whose order it is, as far as that is known.
    async fn owner(&self, named: &Named, order: &OrderId) -> Result<Option<CustomerId>, StoreError> {
        if named.user.is_some() {
            return Ok(named.user.clone());
        }
        if let Some(order) = self.app.store.wallets().order(order).await? {
            return Ok(Some(order.customer));
        }
        let record = self.app.store.rewards().order_record(order).await?;
        Ok(record.and_then(|record| record.customer))
    }

    /// Applies a refund of an order, or the failure of one.
    pub(crate) async fn order_refunded(
        &self,
        named: &Named,
        order: OrderId,
        what: Reported,
    ) -> Result<Outcome, Failed> {
        for _ in 0..MAX_TRIES {
            let customer = self.owner(named, &order).await?;
            let what = what.clone();
            let command = ReportOrder { order: order.clone(), customer, what, is_event: true };
            return match report_order(self.app, &command, &self.context).await {
                Ok(done) => {
                    self.check(named, &done.outcome).await;
                    let is_delivered = done.outcome.record.delivered.is_some();
                    Ok(match (done.replayed, is_delivered) {
                        (true, _) => Outcome::Duplicate,
                        (false, true) => Outcome::Applied,
                        (false, false) => Outcome::Parked,
                    })
                }
                // Its customer became known meanwhile.
                Err(StoreError::Rejected(Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound))) => continue,
                Err(error) if contradicts(&error) => Ok(self.mismatch(named, &error).await),
                Err(error) => Err(error.into()),
            };
        }
        Err(Failed::Rejected(Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound)))
    }

    /// Cancels an order: refunds to the wallet what it still has paid, takes the credit for its delivery and the rewards
    /// claimed with it back. What is paid later is refunded at once.
    pub(crate) async fn order_cancelled(&self, sent: CancelledOrder) -> Result<Outcome, Failed> {
        let CancelledOrder { order, customer, reason } = sent;
        let what = Reported::Cancelled(Money::ZERO);
        let command =
            ReportOrder { order: order.clone(), customer: Some(customer.clone()), what, is_event: true };
        let done = match report_order(self.app, &command, &self.context).await {
            Ok(done) => done,
            Err(error) if contradicts(&error) => {
                return Ok(self.mismatch(&of_order(&order, Some(&customer)), &error).await);
            }
            Err(error) => return Err(error.into()),
        };
        let stored = self.app.store.wallets().order(&order).await?;
        let paid = stored.as_ref().map_or(Money::ZERO, |order| order.totals.paid);
        let left = stored.as_ref().map_or(Money::ZERO, domain::ledger::order::Order::refundable);
        if left.is_zero() {
            return Ok(match (done.replayed, done.outcome.record.delivered.is_some(), paid.is_zero()) {
                (true, ..) => Outcome::Duplicate,
                (false, true, _) => Outcome::Applied,
                (false, false, true) => Outcome::Parked,
                (false, false, false) => Outcome::Ignored,
            });
        }
        let amount = Amount::parse(&left.to_string());
        let amount =
            amount.map_err(|_| Failed::Rejected(Rejection::Inconsistent("an order has no amount")))?;
        let cause = Cause::order_cancelled(&order);
        let refund = RefundOrder { customer, amount, order_id: order, reason, cause };
        let done = refund_order(self.app, &refund, &self.context).await?;
        Ok(if done.replayed { Outcome::Duplicate } else { Outcome::Applied })
    }
}
