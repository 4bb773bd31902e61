//! The item of an order.

use crate::engine::attr::{Attributes, Item, Reader, text};
use crate::engine::error::StoreError;
use crate::engine::item::update;
use crate::keys;
use crate::wallet::items::lot;
use crate::wallet::load;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_dynamodb::types::Update;
use domain::currency::Currency;
use domain::ids::{CustomerId, OrderId, RequestId, TransactionId};
use domain::ledger::order::{Order, OrderTotals, OrderView};

/// What callers see of an order.
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

fn changing(order: &Order) -> Attributes {
    view_to_map(&order.view())
        .number("refundable", order.refundable())
        .with("lots", lot::to_list(order.lots.iter()))
        .number("seq", order.seq)
        .number("version", order.version)
}

/// What a new order is stored as.
pub(crate) fn to_item(order: &Order) -> Item {
    let mut item = changing(order)
        .text("order_id", &order.id)
        .text("customer_id", &order.customer)
        .text("currency", order.currency)
        .text("created_at", order.created_at)
        .text("request", &order.request)
        .0;
    item.extend(keys::order(&order.id).attributes());
    item
}

/// The update of an order that had version `was`.
pub(crate) fn to_update(table: &str, order: &Order, was: u64) -> Result<Update, StoreError> {
    update(table, &keys::order(&order.id), ("version", was), changing(order).0, &[])
}

/// Reads an order item.
pub(crate) fn from_item(item: &Item) -> Result<Order, StoreError> {
    let reader = Reader::new(item, "order");
    let view = view_from_map(&reader)?;
    let order = Order {
        id: reader.parse("order_id", OrderId::parse)?,
        customer: reader.parse("customer_id", CustomerId::parse)?,
        currency: reader.parse("currency", Currency::parse)?,
        totals: view.totals,
        transactions: view.transactions,
        request: RequestId::new(reader.text("request")?),
        lots: lot::from_list(&reader, "lots")?,
        created_at: reader.instant("created_at")?,
        seq: reader.count("seq")?,
        version: reader.count("version")?,
    };
    // What can be refunded stands beside the sums for people who look into the table.
    if reader.money("refundable")? != order.refundable() || load::key_of(item) != Some(keys::order(&order.id))
    {
        return Err(reader.corrupt("refundable or order_id: another than its sums or key"));
    }
    Ok(order)
}
