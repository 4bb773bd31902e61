//! View of an order that entries store.

use crate::engine::attr::{Attributes, Reader, text};
use crate::engine::error::StoreError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::TransactionId;
use domain::ledger::order::{OrderTotals, OrderView};

/// Converts what callers see of an order to attributes.
pub(crate) fn view_to_map(view: &OrderView) -> Attributes {
    let transactions = view.transactions.iter().map(text).collect();
    Attributes::default()
        .number("total", view.totals.total)
        .number("paid", view.totals.paid)
        .number("refunded", view.totals.refunded)
        .with("transactions", AttributeValue::L(transactions))
}

/// Reads what callers see of an order.
pub(crate) fn view_from_map(reader: &Reader<'_>) -> Result<OrderView, StoreError> {
    Ok(OrderView {
        totals: OrderTotals {
            total: reader.money("total")?,
            paid: reader.money("paid")?,
            refunded: reader.money("refunded")?,
        },
        transactions: reader.texts("transactions")?.into_iter().map(TransactionId::stored).collect(),
    })
}
