//! An order as callers see it, in every function that answers with one.
//!
//! **Invariant:** after a movement it is rendered from that movement's entry alone, so a replay shows the same.

use crate::json::Number;
use crate::movement::{Transaction, transaction};
use crate::problem::Problem;
use domain::ids::{CustomerId, OrderId};
use domain::ledger::entry::Entry;
use domain::ledger::order::{Order, OrderView};
use domain::unit::Unit;
use serde::Serialize;
use utoipa::ToSchema;

/// An order.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub struct OrderBody {
    order_id: String,
    customer_id: String,
    /// What is to be paid.
    total: Number,
    /// What wallets have paid.
    paid: Number,
    /// What has gone back.
    refunded: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    /// OPEN, PARTIALLY_PAID, PAID, PARTIALLY_REFUNDED or REFUNDED
    status: &'static str,
    #[schema(examples("wallet"))]
    payment_method: &'static str,
    /// The ids of the movements that changed it, oldest first, at most the newest hundred.
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

/// An order as it stands.
pub fn order(order: &Order) -> OrderBody {
    body(&order.id, &order.customer, &order.view(), order.currency.into())
}

/// An order and the movement that changed it.
#[derive(Serialize, ToSchema)]
pub struct OrderMovement {
    order: OrderBody,
    transaction: Transaction,
}

/// The order that a movement left, and the movement.
pub fn order_movement(entry: &Entry) -> Result<OrderMovement, Problem> {
    let (Some(id), Some(view)) = (&entry.order_id, &entry.after.order) else {
        return Err(Problem::internal());
    };
    Ok(OrderMovement {
        order: body(id, entry.account.customer(), view, entry.unit),
        transaction: transaction(entry),
    })
}
