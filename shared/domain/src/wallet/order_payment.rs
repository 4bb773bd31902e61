//! What an order allows: shared by debits and captures that name one.
//!
//! **Invariant:** what wallets pay for an order never exceeds its total; only a trusted caller can make an
//! order known by paying it.

use crate::actor::{Actor, Role};
use crate::currency::Currency;
use crate::ids::{CustomerId, OrderId, RequestId};
use crate::ledger::order::{Order, OrderTotals};
use crate::money::Money;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::wallet::state::WalletWrite;

/// Who names an order, and for how much.
pub(crate) struct OrderPayment<'a> {
    pub order: &'a OrderId,
    pub customer: &'a CustomerId,
    pub currency: Currency,
    pub amount: Money,
    pub actor: &'a Actor,
    pub now: Timestamp,
    pub request: &'a RequestId,
}

/// The order that is named: the one known, or (for a trusted caller) one with this amount as its total.
/// What is still due must cover the amount.
pub(crate) fn payable(known: Option<&Order>, naming: &OrderPayment<'_>) -> Result<Order, Rejection> {
    let Some(order) = known else {
        if naming.actor.role == Role::Customer {
            return Err(Rejection::OrderNotFound);
        }
        return Ok(opened(naming));
    };
    if order.customer != *naming.customer {
        return Err(Rejection::OrderNotFound);
    }
    if naming.currency != order.currency {
        return Err(Rejection::CurrencyMismatch);
    }
    if naming.amount > order.due() {
        return Err(Rejection::PaymentExceedsDue);
    }
    Ok(order.clone())
}

/// An order of which nothing has been paid.
pub(crate) fn opened(naming: &OrderPayment<'_>) -> Order {
    Order {
        id: naming.order.clone(),
        customer: naming.customer.clone(),
        currency: naming.currency,
        totals: OrderTotals::unpaid(naming.amount),
        lots: vec![],
        transactions: vec![],
        created_at: naming.now,
        request: naming.request.clone(),
        seq: 0,
        version: 0,
    }
}

/// The write of a changed order; version zero is one that nobody had registered.
pub(crate) fn order_write(mut order: Order, seq: u64) -> WalletWrite {
    let was = order.version;
    order.version += 1;
    order.seq = seq;
    if was == 0 { WalletWrite::OpenOrder(order) } else { WalletWrite::Order { order, was } }
}
