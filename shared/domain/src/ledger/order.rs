//! Orders, as far as wallets pay for them and get refunds.
//!
//! **Invariant:** refunded ≤ paid ≤ total, and the refundable lots sum to paid − refunded.

use crate::currency::Currency;
use crate::ids::{CustomerId, OrderId, RequestId, TransactionId};
use crate::ledger::lot::Lot;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// How many lots an order keeps apart.
const MAX_ORDER_LOTS: usize = 300;

/// How many movements an order names: the newest.
const MAX_TRANSACTIONS: usize = 100;

/// The sums of an order, as an entry remembers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTotals {
    /// What is to be paid.
    pub total: Money,
    /// What wallets have paid.
    pub paid: Money,
    /// What has gone back.
    pub refunded: Money,
}

impl OrderTotals {
    /// An order of which nothing has been paid.
    pub fn unpaid(total: Money) -> Self {
        Self { total, paid: Money::ZERO, refunded: Money::ZERO }
    }

    /// The contract's word for these sums.
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

/// An order as an entry remembers it: enough to answer from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// Its sums.
    pub totals: OrderTotals,
    /// The movements that changed it, oldest first, at most the newest hundred.
    pub transactions: Vec<TransactionId>,
}

/// An order as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The caller's id.
    pub id: OrderId,
    /// Whose order it is.
    pub customer: CustomerId,
    /// In which currency.
    pub currency: Currency,
    /// Its sums.
    pub totals: OrderTotals,
    /// What each lot paid and has left to refund, in burn order.
    pub lots: Vec<Lot>,
    /// The movements that changed it, oldest first, at most the newest hundred.
    pub transactions: Vec<TransactionId>,
    /// Since when it is known.
    pub created_at: Timestamp,
    /// The invocation that made it known.
    pub request: RequestId,
    /// The wallet's entry that last changed it (zero: none yet).
    pub seq: u64,
    /// Counts its changes; the guard against a stale read.
    pub version: u64,
}

impl Order {
    /// What is still to be paid.
    pub fn due(&self) -> Money {
        self.totals.total.saturating_sub(self.totals.paid)
    }

    /// What can still be refunded.
    pub fn refundable(&self) -> Money {
        self.totals.paid.saturating_sub(self.totals.refunded)
    }

    /// The order as callers see it.
    pub fn view(&self) -> OrderView {
        OrderView { totals: self.totals, transactions: self.transactions.clone() }
    }

    /// Notes a movement that changes it.
    pub fn note(&mut self, transaction: TransactionId) {
        self.transactions.push(transaction);
        let extra = self.transactions.len().saturating_sub(MAX_TRANSACTIONS);
        self.transactions.drain(..extra);
    }

    /// Books a payment from these lots.
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

    /// Merges lots of equal date and class into the one that paid last: an order paid in very many parts must
    /// stay an item.
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

    /// Takes back the lots that paid, last burned first; gives them in that order, with their old dates.
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
                    "the lots of an order are fewer than what it can refund",
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
