//! What was reported of an order: its delivery, refunds and cancellation, and the credit that follows from them.
//!
//! **Invariant:** the credit that is kept is a function of the delivery and of all reports, whatever their order.
//! **Invariant:** it is judged by the rules of the delivery.

use crate::currency::Currency;
use crate::ids::{CustomerId, OrderId, RefundId, RequestId};
use crate::ledger::order::OrderReports;
use crate::loyalty::exact::{self, Exact};
use crate::loyalty::numbers::Percent;
use crate::loyalty::record::PARKED_SECONDS;
use crate::loyalty::refunds::Refunds;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::time::{Date, Timestamp};
use serde::{Deserialize, Serialize};

/// A delivered order, and the rules by which it gives credit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// The total of the order.
    pub total: Money,
    /// The currency of its amounts.
    pub currency: Currency,
    /// Part of the total that is credited.
    pub percent: Percent,
    /// The most that is credited.
    pub most: Option<Money>,
    /// The version of the program with these rules.
    pub program_version: u32,
    /// What was credited.
    pub amount: Money,
    /// The last date on which the credit can be spent.
    pub expires_on: Option<Date>,
    /// When it was reported.
    pub at: Timestamp,
    /// The number of the change by which it was reported.
    pub step: u32,
    /// The invocation that reported it.
    pub request: String,
}

impl Delivered {
    /// Returns the credit for this much of the order.
    pub fn credit(&self, of: Money) -> Result<Money, Rejection> {
        const OVERFLOW: Rejection = Rejection::Inconsistent("the credit of an order overflows");
        let part = exact::money(of) * self.percent.exact() / Exact::from_integer(100.into());
        let credit = exact::money_floor(&part, self.currency.digits()).ok_or(OVERFLOW)?;
        Ok(self.most.map_or(credit, |most| credit.min(most)))
    }
}

/// A change of the credit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStep {
    /// The refund that was reported, or that failed.
    pub refund_id: Option<RefundId>,
    /// The amount that the report named.
    pub amount: Option<Money>,
    /// How much of the order is refunded in all.
    pub refunded: Money,
    /// The credit that is kept.
    pub kept: Money,
    /// Credit that this change took back, owed and forgiven included.
    pub reversed: Money,
    /// Credit that it gave back.
    pub restored: Money,
    /// What is owed for the order after it.
    pub owed: Money,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// The transactions of the wallet that it made.
    pub transactions: Vec<String>,
}

/// What was reported of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRecord {
    /// The order.
    pub order: OrderId,
    /// Whose it is; unknown as long as only refunds of it were reported.
    pub customer: Option<CustomerId>,
    /// Its delivery.
    pub delivered: Option<Delivered>,
    /// All that is known of refunds; a cancelled order keeps nothing.
    pub refunds: Refunds,
    /// The changes, oldest first.
    pub steps: Vec<DeliveryStep>,
    /// The number of the change by which it was cancelled.
    pub cancelled_at: Option<u32>,
    /// The number of the last entry that took credit back or gave it back.
    pub reversals: u32,
    /// When somebody should look, if neither the order nor its delivery is known by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_at: Option<Timestamp>,
    /// Incremented by each change; the condition against stale reads.
    pub version: u64,
}

impl OrderRecord {
    /// Creates the record of an order of which nothing is stored.
    pub fn new(order: OrderId) -> Self {
        Self {
            order,
            customer: None,
            delivered: None,
            refunds: Refunds::default(),
            steps: vec![],
            cancelled_at: None,
            reversals: 0,
            alert_at: None,
            version: 0,
        }
    }

    /// Says when somebody should look, if only refunds were reported of an order until then that is not registered.
    pub fn expect(&mut self, now: Timestamp) {
        if self.lacks_order() {
            self.alert_at = self.alert_at.or(now.plus_seconds(PARKED_SECONDS));
        }
    }

    /// Returns true if refunds were reported of it, and no delivery.
    pub fn lacks_order(&self) -> bool {
        self.delivered.is_none() && !self.refunds.reported().is_zero()
    }

    /// Returns true if the order was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.refunds.amount_kept.is_some()
    }

    /// Returns the credit that is kept after the changes so far.
    pub fn kept(&self) -> Money {
        self.steps.last().map_or(Money::ZERO, |step| step.kept)
    }

    /// Returns how much of the order is refunded.
    pub fn refunded(&self) -> Money {
        match &self.delivered {
            Some(delivered) => self.refunds.refunded(delivered.total),
            None => self.refunds.reported(),
        }
    }

    /// Returns the credit that all reports together leave.
    pub fn keeps(&self) -> Result<Money, Rejection> {
        let Some(delivered) = &self.delivered else { return Ok(Money::ZERO) };
        delivered.credit(delivered.total.saturating_sub(self.refunds.refunded(delivered.total)))
    }

    /// Returns true if more is reported as refunded than this total.
    pub fn exceeds(&self, total: Option<Money>) -> bool {
        total.is_some_and(|total| self.refunds.reported() > total)
    }

    /// Returns what orders show of the reports.
    pub fn reports(&self) -> OrderReports {
        OrderReports {
            refunded: self.refunds.reported(),
            is_cancelled: self.is_cancelled(),
            version: self.version,
        }
    }

    /// Returns the record as it was after a change.
    pub fn as_of(&self, step: u32) -> Self {
        let until = usize::try_from(step).unwrap_or(usize::MAX).saturating_add(1);
        let steps = self.steps.iter().take(until).cloned().collect();
        let delivered = self.delivered.clone().filter(|delivered| delivered.step <= step);
        Self { delivered, steps, ..self.clone() }
    }

    /// Returns the number of the next change.
    pub fn next_step(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }

    /// Returns the invocation that reported the delivery.
    pub fn delivered_by(&self) -> Option<RequestId> {
        self.delivered.as_ref().map(|delivered| RequestId::new(delivered.request.as_str()))
    }
}
