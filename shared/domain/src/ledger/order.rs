//! Orders, as far as wallets pay for them and receive refunds.
//!
//! **Invariant:** refunded ≤ paid ≤ total, and the refundable lots sum to paid − refunded.

use crate::currency::Currency;
use crate::ids::{CustomerId, LineId, OrderId, RequestId, TransactionId};
use crate::ledger::lot::Lot;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use std::collections::BTreeSet;

/// The number of lots above which an order merges lots with equal date and class.
const MAX_ORDER_LOTS: usize = 300;

/// The maximum number of entries that an order lists; the newest are kept.
const MAX_TRANSACTIONS: usize = 100;

/// The sums of an order, as stored in an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTotals {
    /// The amount to pay.
    pub total: Money,
    /// The amount that wallets have paid.
    pub paid: Money,
    /// The amount that was refunded.
    pub refunded: Money,
}

impl OrderTotals {
    /// Returns the sums of an order of which nothing has been paid.
    pub fn unpaid(total: Money) -> Self {
        Self { total, paid: Money::ZERO, refunded: Money::ZERO }
    }

    /// Returns the contract's word for these sums.
    pub fn status(&self) -> &'static str {
        if self.paid.is_zero() {
            "OPEN"
        } else if self.refunded == self.paid {
            "REFUNDED"
        } else if !self.refunded.is_zero() {
            "PARTIALLY_REFUNDED"
        } else if self.paid == self.total {
            "PAID"
        } else {
            "PARTIALLY_PAID"
        }
    }
}

/// An order as stored in an entry: enough to render the response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// Its sums.
    pub totals: OrderTotals,
    /// The ids of the entries that changed it, oldest first; at most the newest 100.
    pub transactions: Vec<TransactionId>,
}

/// What was reported of an order, beside what wallets paid for it and got back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderReports {
    /// The amount that was refunded in all, by whatever means.
    pub refunded: Money,
    /// True if it was cancelled: a payment is refunded at once.
    pub is_cancelled: bool,
    /// The version of the reports; 0 if there are none.
    pub version: u64,
}

/// An order, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The caller's id.
    pub id: OrderId,
    /// The customer to whom the order belongs.
    pub customer: CustomerId,
    /// The currency of its amounts.
    pub currency: Currency,
    /// Its sums.
    pub totals: OrderTotals,
    /// What can still be refunded of each lot that paid, in the order in which they were burned.
    pub lots: Vec<Lot>,
    /// The ids of the entries that changed it, oldest first; at most the newest 100.
    pub transactions: Vec<TransactionId>,
    /// The products and categories that it is of, as it was registered.
    pub products: BTreeSet<LineId>,
    /// What was reported of it.
    pub reports: OrderReports,
    /// When it was registered.
    pub created_at: Timestamp,
    /// The invocation that registered it.
    pub request: RequestId,
    /// The number of the wallet's entry that last changed it; 0 if there was no entry yet.
    pub seq: u64,
    /// Incremented by each change; the condition against stale reads.
    pub version: u64,
}

impl Order {
    /// Returns what remains to be paid.
    pub fn due(&self) -> Money {
        self.totals.total.saturating_sub(self.totals.paid)
    }

    /// Returns what can still be refunded.
    pub fn refundable(&self) -> Money {
        self.totals.paid.saturating_sub(self.totals.refunded)
    }

    /// Returns what is left of its total after all refunds.
    pub fn left(&self) -> Money {
        if self.reports.is_cancelled {
            return Money::ZERO;
        }
        self.totals.total.saturating_sub(self.totals.refunded.max(self.reports.refunded))
    }

    /// Returns the order as callers see it.
    pub fn view(&self) -> OrderView {
        OrderView { totals: self.totals, transactions: self.transactions.clone() }
    }

    /// Adds the id of an entry that changes it; drops the oldest if there are too many.
    pub fn note(&mut self, transaction: TransactionId) {
        self.transactions.push(transaction);
        let extra = self.transactions.len().saturating_sub(MAX_TRANSACTIONS);
        self.transactions.drain(..extra);
    }

    /// Records a payment from these lots.
    pub fn pay(&mut self, lots: &[Lot], amount: Money) -> Result<(), Rejection> {
        if amount > self.due() {
            return Err(Rejection::PaymentExceedsDue);
        }
        let overflow = Rejection::Inconsistent("the sums of an order overflow");
        self.totals.paid = self.totals.paid.checked_add(amount).ok_or(overflow.clone())?;
        for lot in lots {
            let same = |last: &&mut Lot| last.expires_on == lot.expires_on && last.class == lot.class;
            match self.lots.last_mut().filter(same) {
                Some(last) => last.amount = last.amount.checked_add(lot.amount).ok_or(overflow.clone())?,
                None => self.lots.push(lot.clone()),
            }
        }
        if self.lots.len() > MAX_ORDER_LOTS {
            self.merge_equal();
        }
        Ok(())
    }

    /// Merges lots with equal date and class into the lot that paid last, so that an order paid in
    /// very many parts fits into an item.
    fn merge_equal(&mut self) {
        let mut kept: Vec<Lot> = Vec::new();
        for lot in std::mem::take(&mut self.lots).into_iter().rev() {
            let same = |held: &&mut Lot| held.expires_on == lot.expires_on && held.class == lot.class;
            match kept.iter_mut().find(same) {
                Some(held) => held.amount = [held.amount, lot.amount].into_iter().sum(),
                None => kept.push(lot),
            }
        }
        kept.reverse();
        self.lots = kept;
    }

    /// Takes a refund from the lots that paid, last burned first; returns them in that order, with
    /// their original dates.
    pub fn refund(&mut self, amount: Money) -> Result<Vec<Lot>, Rejection> {
        if amount > self.refundable() {
            return Err(Rejection::RefundExceedsPayment);
        }
        let overflow = Rejection::Inconsistent("the sums of an order overflow");
        self.totals.refunded = self.totals.refunded.checked_add(amount).ok_or(overflow)?;
        let mut missing = amount;
        let mut taken = Vec::new();
        while !missing.is_zero() {
            let Some(last) = self.lots.last_mut() else {
                return Err(Rejection::Inconsistent(
                    "the lots of an order sum to less than its refundable amount",
                ));
            };
            let part = last.amount.min(missing);
            missing = missing.saturating_sub(part);
            taken.push(last.with_amount(part));
            last.amount = last.amount.saturating_sub(part);
            if last.amount.is_zero() {
                self.lots.pop();
            }
        }
        Ok(taken)
    }
}
