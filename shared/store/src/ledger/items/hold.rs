//! Item of a hold, and the view of it that entries store.

use crate::engine::attr::{Attributes, Item, Reader, text};
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, update};
use crate::engine::read::key_of;
use crate::keys;
use crate::ledger::items::{lot, points};
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::actor::Role;
use domain::ids::{HoldId, OrderId, TransactionId};
use domain::ledger::hold::{Hold, HoldStatus, HoldView};
use domain::text::FreeText;

/// Converts what callers see of a hold to attributes.
pub(crate) fn view_to_map(view: &HoldView) -> Attributes {
    let transactions = view.transactions.iter().map(text).collect();
    Attributes::default()
        .number("amount", view.amount)
        .number("captured", view.captured)
        .number("released", view.released)
        .text("status", view.status.as_str())
        .maybe("order_id", view.order_id.as_ref())
        .text("expires_at", view.expires_at)
        .with("transactions", AttributeValue::L(transactions))
        .maybe_map("lock", view.lock.as_deref().map(points::lock_to_map))
}

/// Reads what callers see of a hold.
pub(crate) fn view_from_map(reader: &Reader<'_>) -> Result<HoldView, StoreError> {
    Ok(HoldView {
        amount: reader.money("amount")?,
        captured: reader.money("captured")?,
        released: reader.money("released")?,
        status: reader.parse("status", HoldStatus::parse)?,
        order_id: reader.maybe("order_id", OrderId::parse_stored)?,
        expires_at: reader.instant("expires_at")?,
        transactions: reader.texts("transactions")?.into_iter().map(TransactionId::stored).collect(),
        lock: reader.map("lock")?.map(|lock| points::lock_from(&lock).map(Box::new)).transpose()?,
    })
}

fn changing(hold: &Hold) -> Attributes {
    let changing =
        view_to_map(&hold.view).with("lots", lot::to_list(hold.lots.iter())).number("seq", hold.seq);
    if hold.view.lock.is_some() { changing.with("paid", lot::to_list(hold.paid.iter())) } else { changing }
}

/// Converts a new hold to its item.
pub(crate) fn to_item(hold: &Hold) -> Item {
    let mut item = changing(hold)
        .text("hold_id", &hold.id)
        .text("side", hold.side.as_str())
        .maybe("reason", hold.reason.as_ref().map(FreeText::as_str))
        .text("created_at", hold.created_at)
        .0;
    item.extend(keys::hold(&hold.id).attributes());
    item
}

/// Builds the update of a hold, under the condition that `was` is still the last entry that changed
/// it.
pub(crate) fn to_update(table: &str, hold: &Hold, was: u64) -> Result<Update, StoreError> {
    update(table, &keys::hold(&hold.id), Guard { attribute: "seq", value: was }, changing(hold).0, &[])
}

/// Reads a hold from its item.
pub(crate) fn from_item(item: &Item) -> Result<Hold, StoreError> {
    let reader = Reader::new(item, "hold");
    let id = reader.parse("hold_id", HoldId::parse_stored)?;
    if key_of(item) != Some(keys::hold(&id)) {
        return Err(reader.corrupt("hold_id: differs from its key"));
    }
    Ok(Hold {
        id,
        view: view_from_map(&reader)?,
        side: reader.parse("side", Role::stored)?,
        reason: reader.maybe("reason", FreeText::parse_stored)?,
        created_at: reader.instant("created_at")?,
        lots: lot::from_list(&reader, "lots")?,
        paid: lot::from_list(&reader, "paid")?,
        seq: reader.count("seq")?,
    })
}
