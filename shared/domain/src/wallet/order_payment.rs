//! The checks for debits, holds and captures that name an order.
//!
//! **Invariant:** what wallets pay for an order never exceeds its total; only a trusted caller can
//! register an order by paying for it.

use crate::actor::{Actor, Role};
use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::ids::{CustomerId, OrderId, RequestId};
use crate::ledger::command::{CauseKey, draft};
use crate::ledger::entry::{After, Entry, EntryType};
use crate::ledger::lot::{CreditSource, Lot};
use crate::ledger::order::{Order, OrderReports, OrderTotals};
use crate::ledger::posting::Posting;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::wallet::state::WalletWrite;
use std::collections::BTreeSet;

/// A payment or hold that names an order.
pub(crate) struct OrderPayment<'a> {
    pub order: &'a OrderId,
    pub customer: &'a CustomerId,
    pub currency: Currency,
    pub amount: Money,
    pub actor: &'a Actor,
    pub now: Timestamp,
    pub request: &'a RequestId,
    /// What was reported of it before it was registered.
    pub reports: Option<OrderReports>,
}

/// Returns the order that is named: the stored one, or, for a trusted caller, a new one with this
/// amount as its total. The amount must not exceed what is due.
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

/// Returns a new order of which nothing has been paid.
pub(crate) fn opened(naming: &OrderPayment<'_>) -> Order {
    Order {
        id: naming.order.clone(),
        customer: naming.customer.clone(),
        currency: naming.currency,
        totals: OrderTotals::unpaid(naming.amount),
        lots: vec![],
        transactions: vec![],
        products: BTreeSet::new(),
        reports: naming.reports.unwrap_or_default(),
        created_at: naming.now,
        request: naming.request.clone(),
        seq: 0,
        version: 0,
    }
}

/// Returns the write of a changed order; version zero means that the order was not stored before.
pub(crate) fn order_write(mut order: Order, seq: u64) -> WalletWrite {
    let was = order.version;
    order.version += 1;
    order.seq = seq;
    if was == 0 { WalletWrite::OpenOrder(order) } else { WalletWrite::Order { order, was } }
}

/// Refunds at once what an order was paid that had been cancelled; `payment` is the entry of the payment.
pub(crate) fn refund_if_cancelled(
    posting: &mut Posting,
    order: &mut Order,
    payment: &Entry,
    context: &Context,
) -> Result<(), Rejection> {
    let amount = order.refundable();
    if !order.reports.is_cancelled || amount.is_zero() {
        return Ok(());
    }
    let today = posting.today();
    let grace = context.policy.refund_expiry(today);
    let lots: Vec<Lot> = order.refund(amount)?.into_iter().map(|lot| lot.returned(today, grace)).collect();
    let key = CauseKey::new(Cause::cancelled_payment(&order.id, &payment.id()), Fingerprint::stored(""));
    let expires_on = lots.iter().filter_map(|lot| lot.expires_on).min();
    let mut refund = draft(key, EntryType::Refund, lots, None, context);
    (refund.fingerprint, refund.source) = (None, Some(CreditSource::Refund));
    (refund.order_id, refund.expires_on) = (Some(order.id.clone()), expires_on);
    order.note(posting.next_transaction(&refund.cause));
    refund.after = After { order: Some(order.view()), ..After::default() };
    posting.post(refund).map(|_| ())
}
