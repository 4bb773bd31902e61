//! Item of an order.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, update};
use crate::engine::read::key_of;
use crate::keys;
use crate::ledger::items::lot;
use crate::ledger::items::order_view::{view_from_map, view_to_map};
use aws_sdk_dynamodb::types::Update;
use domain::currency::Currency;
use domain::ids::{CustomerId, OrderId, RequestId};
use domain::ledger::order::Order;

fn changing(order: &Order) -> Attributes {
    view_to_map(&order.view())
        .number("refundable", order.refundable())
        .with("lots", lot::to_list(order.lots.iter()))
        .number("seq", order.seq)
        .number("version", order.version)
}

/// Converts a new order to its item.
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

/// Builds the update of an order, under the condition that it still has version `was`.
pub(crate) fn to_update(table: &str, order: &Order, was: u64) -> Result<Update, StoreError> {
    update(table, &keys::order(&order.id), Guard { attribute: "version", value: was }, changing(order).0, &[])
}

/// Reads an order from its item.
pub(crate) fn from_item(item: &Item) -> Result<Order, StoreError> {
    let reader = Reader::new(item, "order");
    let view = view_from_map(&reader)?;
    let order = Order {
        id: reader.parse("order_id", OrderId::parse_stored)?,
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
    // The refundable amount is stored in addition to the sums, for operators who inspect the table.
    if reader.money("refundable")? != order.refundable() || key_of(item) != Some(keys::order(&order.id)) {
        return Err(reader.corrupt("refundable or order_id: differs from its sums or key"));
    }
    Ok(order)
}
