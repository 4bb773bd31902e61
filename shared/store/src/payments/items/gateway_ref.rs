//! Item of a gateway reference: where a gateway's id leads.
//!
//! Stored names: `handle` is the gateway key; `stray` is an unmatched payment.

use crate::engine::attr::{Attributes, Item, Reader, text};
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, update};
use crate::keys;
use crate::payments::items::topup;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::currency::Currency;
use domain::ids::{EventId, GatewayKey, TopUpId};
use domain::payments::webhook_event::{GatewayRef, RefTarget, UnmatchedPayment};

/// Returns the attributes that an update sets, and those that it removes.
fn changing(gateway_ref: &GatewayRef) -> (Attributes, Vec<&'static str>) {
    let set = Attributes::default().number("version", gateway_ref.version);
    let mut remove = vec!["waiting", "stray", "topup"];
    let (name, value) = match &gateway_ref.to {
        RefTarget::Waiting(events) => ("waiting", AttributeValue::L(events.iter().map(text).collect())),
        RefTarget::TopUp(topup) => ("topup", text(topup)),
        RefTarget::UnmatchedPayment(unmatched) => {
            let reversed = topup::reversals_to_map(&unmatched.reversed);
            let map = Attributes::default()
                .text("event", &unmatched.event)
                .number("amount", unmatched.amount)
                .text("currency", unmatched.currency)
                .with("reversed", reversed);
            ("stray", AttributeValue::M(map.0))
        }
    };
    remove.retain(|other| *other != name);
    (set.with(name, value), remove)
}

/// Converts a new gateway reference to its item.
pub(crate) fn to_item(gateway_ref: &GatewayRef) -> Item {
    let mut item = changing(gateway_ref).0.text("handle", &gateway_ref.key).0;
    item.extend(keys::gateway_ref(&gateway_ref.key).attributes());
    item
}

/// Builds the update of a gateway reference, under the condition that it still has version `was`.
pub(crate) fn to_update(table: &str, gateway_ref: &GatewayRef, was: u64) -> Result<Update, StoreError> {
    let (set, remove) = changing(gateway_ref);
    update(
        table,
        &keys::gateway_ref(&gateway_ref.key),
        Guard { attribute: "version", value: was },
        set.0,
        &remove,
    )
}

/// Reads a gateway reference from its item.
pub(crate) fn from_item(item: &Item) -> Result<GatewayRef, StoreError> {
    let reader = Reader::new(item, "gateway reference");
    let to = if let Some(topup) = reader.maybe("topup", TopUpId::parse)? {
        RefTarget::TopUp(topup)
    } else if let Some(unmatched) = reader.map("stray")? {
        RefTarget::UnmatchedPayment(UnmatchedPayment {
            event: unmatched.parse("event", EventId::parse_stored)?,
            amount: unmatched.money("amount")?,
            currency: unmatched.parse("currency", Currency::parse)?,
            reversed: topup::reversals_from_map(&unmatched, "reversed")?,
        })
    } else {
        let events = reader.texts("waiting")?.into_iter().map(EventId::parse_stored);
        RefTarget::Waiting(events.collect::<Result<_, _>>().map_err(|_| reader.corrupt("waiting"))?)
    };
    Ok(GatewayRef { key: GatewayKey::stored(reader.text("handle")?), to, version: reader.count("version")? })
}
