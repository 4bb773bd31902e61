//! The API view of an order, shared by all functions that return one.
//!
//! **Invariant:** after a movement it is rendered from that movement's entry alone, so a replay returns
//! the same.

use crate::app::App;
use crate::json::Number;
use crate::movement::{Transaction, transaction};
use crate::problem::Problem;
use domain::context::Context;
use domain::ids::{CustomerId, OrderId};
use domain::ledger::entry::Entry;
use domain::ledger::order::{Order, OrderView};
use domain::rejection::Rejection;
use domain::rewards::deliver::{AfterDelivery, ReportOrder};
use domain::rewards::reversal::ReverseClaims;
use domain::unit::Unit;
use domain::wallet::refund::RefundOrder;
use serde::Serialize;
use store::{Done, StoreError};
use utoipa::ToSchema;

/// An order and how much of it has been paid from wallets.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderBody {
    order_id: String,
    customer_id: String,
    /// Amount to pay.
    total: Number,
    /// Amount paid from wallets.
    paid: Number,
    /// Amount refunded to wallets.
    refunded: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    /// OPEN, PARTIALLY_PAID, PAID, PARTIALLY_REFUNDED or REFUNDED
    status: &'static str,
    #[schema(examples("wallet"))]
    payment_method: &'static str,
    /// Ids of the transactions that changed the order, oldest first; at most the newest 100.
    transactions: Vec<String>,
}

fn body(id: &OrderId, customer: &CustomerId, view: &OrderView, unit: Unit) -> OrderBody {
    let money = |amount| Number::money(amount, unit);
    OrderBody {
        order_id: id.to_string(),
        customer_id: customer.to_string(),
        total: money(view.totals.total),
        paid: money(view.totals.paid),
        refunded: money(view.totals.refunded),
        currency: unit.code(),
        status: view.totals.status(),
        payment_method: "wallet",
        transactions: view.transactions.iter().map(ToString::to_string).collect(),
    }
}

/// Renders the current state of an order.
pub fn order(order: &Order) -> OrderBody {
    body(&order.id, &order.customer, &order.view(), order.currency.into())
}

/// An order and the transaction that changed it.
#[derive(Serialize, ToSchema)]
pub struct OrderMovement {
    order: OrderBody,
    transaction: Transaction,
}

/// Refunds an order, and takes the rewards back that were claimed with it and of which too little is left.
///
/// A repetition completes what was interrupted between the two, with its key or as one refund too many.
pub async fn refund_order(
    app: &App,
    command: &RefundOrder,
    context: &Context,
) -> Result<Done<Entry>, StoreError> {
    let refunded = app.store.wallets().execute(command, context).await;
    if matches!(&refunded, Ok(_) | Err(StoreError::Rejected(Rejection::RefundExceedsPayment))) {
        let (customer, order) = (command.customer.clone(), command.order_id.clone());
        let reversal = ReverseClaims { customer, order };
        app.store.rewards().reverse_claims(&reversal, context).await.map_err(StoreError::after_effect)?;
    }
    refunded
}

/// Reports a refund of an order, the failure of one, or its cancellation, and takes the rewards back that were claimed
/// with it and of which too little is left. A repetition completes what was interrupted between the two.
pub async fn report_order(
    app: &App,
    command: &ReportOrder,
    context: &Context,
) -> Result<Done<AfterDelivery>, StoreError> {
    let done = app.store.rewards().report_order(command, context).await?;
    if let Some(customer) = done.outcome.record.customer.clone() {
        let reversal = ReverseClaims { customer, order: command.order.clone() };
        app.store.rewards().reverse_claims(&reversal, context).await.map_err(StoreError::after_effect)?;
    }
    Ok(done)
}

/// Renders an entry with the order as it was after that entry.
pub fn order_movement(entry: &Entry) -> Result<OrderMovement, Problem> {
    let (Some(id), Some(view)) = (&entry.order_id, &entry.after.order) else {
        return Err(Problem::internal());
    };
    Ok(OrderMovement {
        order: body(id, entry.account.customer(), view, entry.unit),
        transaction: transaction(entry),
    })
}
