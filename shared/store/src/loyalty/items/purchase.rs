//! Item of a purchase, and of what it earned if that is large.
//!
//! Stored names: `booked` is what was earned, `steps` the changes since, `leads_to` the purchase to which another id
//! leads.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::document::{document, read_document};
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, due, next_check_at, update};
use crate::engine::read::key_of;
use crate::keys::{self, DueKind};
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::ids::{BookingId, CustomerId, HoldId, PaymentId, PurchaseId};
use domain::loyalty::record::PurchaseRecord;
use domain::loyalty::refunds::Refunds;

/// Size in bytes above which what was earned is an item of its own, so that changes do not write it again.
const INLINE_BYTES: usize = 700;

/// Items of a purchase: its own, and that of what it earned.
pub(crate) struct PurchaseItems {
    pub(crate) changing: Item,
    pub(crate) earning: Option<Item>,
}

/// Converts a purchase to its items.
pub(crate) fn to_items(record: &PurchaseRecord) -> Result<PurchaseItems, StoreError> {
    let mut attributes = Attributes::default()
        .maybe("user_id", record.user.as_ref())
        .maybe("booking_id", record.booking_id.as_ref())
        .maybe("payment_id", record.payment_id.as_ref())
        .text("refunds", document(&record.refunds)?)
        .text("steps", document(&record.steps)?)
        .maybe("redemption", record.redemption.as_ref())
        .number("version", record.version);
    if let Some(charge_after) = record.charge_after {
        attributes = attributes.number("charge_after", charge_after);
    }
    if let Some(step) = record.cancelled_at {
        attributes = attributes.number("cancelled_at", step);
    }
    let booked = record.booked.as_ref().map(document).transpose()?;
    let earning = match booked {
        Some(booked) if booked.len() > INLINE_BYTES => {
            attributes = attributes.with("has_earning", AttributeValue::Bool(true));
            let mut item = Attributes::default().text("booked", booked).0;
            item.extend(keys::earning(&record.id).attributes());
            Some(item)
        }
        Some(booked) => {
            attributes = attributes.text("booked", booked);
            None
        }
        None => None,
    };
    // What has earned meanwhile leaves the index when the monitor looks at it.
    if let Some(at) = record.alert_at.filter(|_| record.booked.is_none()) {
        attributes = due(attributes, DueKind::Parked, at, &keys::purchase(&record.id).pk);
    }
    Ok(PurchaseItems { changing: attributes.0, earning })
}

/// Builds the update of a purchase, under the condition that it still has version `was`.
pub(crate) fn to_update(
    table: &str,
    id: &PurchaseId,
    changing: Item,
    was: u64,
) -> Result<Update, StoreError> {
    update(table, &keys::purchase(id), Guard { attribute: "version", value: was }, changing, &[])
}

/// Converts another id of a purchase to its item.
pub(crate) fn alias_to_item(id: &PurchaseId, leads_to: &PurchaseId) -> Item {
    let mut item = Attributes::default().text("leads_to", leads_to).0;
    item.extend(keys::purchase(id).attributes());
    item
}

/// Returns the purchase to which an item leads, if it is that of another id.
pub(crate) fn leads_to(item: &Item) -> Result<Option<PurchaseId>, StoreError> {
    Reader::new(item, "purchase").maybe("leads_to", PurchaseId::parse)
}

/// Returns true if what the purchase earned is an item of its own.
pub(crate) fn has_earning(item: &Item) -> bool {
    Reader::new(item, "purchase").has("has_earning")
}

/// Reads a purchase from its item, and from that of what it earned.
pub(crate) fn from_item(item: &Item, earning: Option<&Item>) -> Result<PurchaseRecord, StoreError> {
    let reader = Reader::new(item, "purchase");
    let id =
        key_of(item).and_then(|key| keys::purchase_of(&key.pk)).ok_or_else(|| reader.corrupt(keys::PK))?;
    let booked = match earning {
        Some(earning) => Some(Reader::new(earning, "earning of a purchase").text("booked")?),
        None if reader.has("has_earning") => return Err(reader.corrupt("booked")),
        None => reader.maybe_text("booked")?,
    };
    let booked =
        booked.map(|text| read_document(text).ok_or_else(|| reader.corrupt("booked"))).transpose()?;
    let refunds: Option<Refunds> = read_document(reader.text("refunds")?);
    let small = |name: &str| u32::try_from(reader.count(name)?).map_err(|_| reader.corrupt(name));
    Ok(PurchaseRecord {
        id,
        user: reader.maybe("user_id", CustomerId::parse)?,
        booking_id: reader.maybe("booking_id", BookingId::parse)?,
        payment_id: reader.maybe("payment_id", PaymentId::parse)?,
        booked,
        refunds: refunds.ok_or_else(|| reader.corrupt("refunds"))?,
        steps: read_document(reader.text("steps")?).ok_or_else(|| reader.corrupt("steps"))?,
        redemption: reader.maybe("redemption", HoldId::parse_stored)?,
        charge_after: if reader.has("charge_after") { Some(reader.money("charge_after")?) } else { None },
        cancelled_at: if reader.has("cancelled_at") { Some(small("cancelled_at")?) } else { None },
        alert_at: next_check_at(&reader)?,
        version: reader.count("version")?,
    })
}
