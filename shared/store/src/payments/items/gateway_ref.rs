//! The item of what is known under a gateway's id.

use crate::engine::attr::{Attributes, Item, Reader, text};
use crate::engine::error::StoreError;
use crate::engine::item::update;
use crate::keys;
use crate::payments::items::topup;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::currency::Currency;
use domain::ids::{EventId, Handle, TopUpId};
use domain::payments::webhook_event::{Lead, LeadTo, Stray};

/// The attributes that change, and those to remove.
fn changing(lead: &Lead) -> (Attributes, Vec<&'static str>) {
    let set = Attributes::default().number("version", lead.version);
    let mut remove = vec!["waiting", "stray", "topup"];
    let (name, value) = match &lead.to {
        LeadTo::Waiting(events) => ("waiting", AttributeValue::L(events.iter().map(text).collect())),
        LeadTo::TopUp(topup) => ("topup", text(topup)),
        LeadTo::Stray(stray) => {
            let reversed = topup::reversals_to_map(&stray.reversed);
            let map = Attributes::default()
                .text("event", &stray.event)
                .number("amount", stray.amount)
                .text("currency", stray.currency)
                .with("reversed", reversed);
            ("stray", AttributeValue::M(map.0))
        }
    };
    remove.retain(|other| *other != name);
    (set.with(name, value), remove)
}

/// What a new lead is stored as.
pub(crate) fn to_item(lead: &Lead) -> Item {
    let mut item = changing(lead).0.text("handle", &lead.handle).0;
    item.extend(keys::lead(&lead.handle).attributes());
    item
}

/// The update of a lead that had version `was`.
pub(crate) fn to_update(table: &str, lead: &Lead, was: u64) -> Result<Update, StoreError> {
    let (set, remove) = changing(lead);
    update(table, &keys::lead(&lead.handle), ("version", was), set.0, &remove)
}

/// Reads a lead.
pub(crate) fn from_item(item: &Item) -> Result<Lead, StoreError> {
    let reader = Reader::new(item, "lead");
    let to = if let Some(topup) = reader.maybe("topup", TopUpId::parse)? {
        LeadTo::TopUp(topup)
    } else if let Some(stray) = reader.map("stray")? {
        LeadTo::Stray(Stray {
            event: stray.parse("event", EventId::parse_stored)?,
            amount: stray.money("amount")?,
            currency: stray.parse("currency", Currency::parse)?,
            reversed: topup::reversals_from_map(&stray, "reversed")?,
        })
    } else {
        let events = reader.texts("waiting")?.into_iter().map(EventId::parse_stored);
        LeadTo::Waiting(events.collect::<Result<_, _>>().map_err(|_| reader.corrupt("waiting"))?)
    };
    Ok(Lead { handle: Handle::stored(reader.text("handle")?), to, version: reader.count("version")? })
}
