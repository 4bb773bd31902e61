//! Item of an order.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, update};
use crate::engine::read::key_of;
use crate::keys;
use crate::ledger::items::lot;
use crate::ledger::items::order_view::{view_from_map, view_to_map};
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::currency::Currency;
use domain::ids::{CustomerId, LineId, OrderId, RequestId};
use domain::ledger::order::{Order, OrderReports};

fn changing(order: &Order) -> Attributes {
    let attributes = view_to_map(&order.view())
        .number("refundable", order.refundable())
        .with("lots", lot::to_list(order.lots.iter()))
        .number("seq", order.seq)
        .number("version", order.version);
    if order.reports.version == 0 {
        return attributes;
    }
    reported(attributes, &order.reports).number("reports", order.reports.version)
}

fn reported(attributes: Attributes, reports: &OrderReports) -> Attributes {
    attributes.number("reported", reports.refunded).text("cancelled", reports.is_cancelled)
}

/// Reads what is reported of a customer's order from the item of the reports. What names another customer counts for
/// nothing.
pub(crate) fn reports_from_item(item: &Item, owner: &CustomerId) -> Result<OrderReports, StoreError> {
    let reader = Reader::new(item, "reports of an order");
    let reported = reports(&reader, "version")?;
    if reader.has("customer_id") && reader.text("customer_id")? != owner.as_str() {
        return Ok(OrderReports { version: reported.version, ..OrderReports::default() });
    }
    Ok(reported)
}

/// Returns the attributes that the item of the reports has for orders that are registered later.
pub(crate) fn reports_attributes(reports: &OrderReports) -> Attributes {
    reported(Attributes::default(), reports).number("version", reports.version)
}

fn reports(reader: &Reader<'_>, version: &str) -> Result<OrderReports, StoreError> {
    if !reader.has(version) || !reader.has("reported") {
        return Ok(OrderReports::default());
    }
    Ok(OrderReports {
        refunded: reader.money("reported")?,
        is_cancelled: reader.text("cancelled")? == "true",
        version: reader.count(version)?,
    })
}

/// Converts a new order to its item.
pub(crate) fn to_item(order: &Order) -> Item {
    let mut attributes = changing(order);
    if !order.products.is_empty() {
        let names = order.products.iter().map(ToString::to_string).collect();
        attributes = attributes.with("products", AttributeValue::Ss(names));
    }
    let mut item = attributes
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
    let products = reader.set("products")?.into_iter().map(LineId::parse);
    let order = Order {
        products: products.collect::<Result<_, _>>().map_err(|_| reader.corrupt("products"))?,
        id: reader.parse("order_id", OrderId::parse_stored)?,
        customer: reader.parse("customer_id", CustomerId::parse)?,
        currency: reader.parse("currency", Currency::parse)?,
        totals: view.totals,
        transactions: view.transactions,
        request: RequestId::new(reader.text("request")?),
        reports: reports(&reader, "reports")?,
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
