//! Item of an entry: written once, under the condition that its cause is free.
//!
//! Stored names: `type` is the kind, `fp` the fingerprint, `currency` the unit, `created_at` the
//! instant (`at`), `topup` the payment.

use crate::engine::attr::{Attributes, Item, Reader, pairs};
use crate::engine::error::StoreError;
use crate::keys;
use crate::ledger::items::{hold, lot, order_view, points};
use domain::actor::{PerformedBy, Role};
use domain::cause::Cause;
use domain::fingerprint::Fingerprint;
use domain::hash::Hash;
use domain::ids::{AccountRef, CustomerId, HoldId, OrderId, PaymentRef, RequestId, ReversalId};
use domain::ledger::entry::{After, Counterpart, Entry, EntryType};
use domain::ledger::lot::CreditSource;
use domain::ledger::owed::Reversed;
use domain::text::{FreeText, Metadata};
use domain::unit::Unit;

/// Converts an entry to its item.
pub(crate) fn to_item(entry: &Entry) -> Item {
    let mut attributes = Attributes::default()
        .text(keys::HISTORY_SK, keys::history(entry.seq))
        .text("type", entry.kind.as_str())
        .number("amount", entry.amount)
        .text("currency", entry.unit)
        .number("balance_after", entry.balance_after)
        .text("created_at", entry.at)
        .text("role", entry.by.role.as_str())
        .text("sub", &entry.by.sub)
        .maybe("request", entry.request.as_ref())
        .maybe("fp", entry.fingerprint.as_ref().map(Fingerprint::as_str))
        .maybe("reason", entry.reason.as_ref().map(FreeText::as_str))
        .maybe("source", entry.source.map(CreditSource::as_str))
        .maybe("order_id", entry.order_id.as_ref())
        .maybe("hold_id", entry.hold_id.as_ref())
        .maybe("expires_on", entry.expires_on)
        .with("lots", lot::to_list(entry.lots.iter()))
        .text("prev_hash", entry.prev_hash)
        .text("hash", entry.hash);
    if !entry.metadata.is_empty() {
        attributes = attributes.with("metadata", pairs(entry.metadata.pairs()));
    }
    if let Some(view) = &entry.after.hold {
        attributes = attributes.map(hold::view_to_map(view), "hold");
    }
    if let Some(view) = &entry.after.order {
        attributes = attributes.map(order_view::view_to_map(view), "order");
    }
    if let Some(other) = &entry.after.counterpart {
        let map = Attributes::default()
            .text("customer_id", other.account.customer())
            .number("seq", other.seq)
            .text("cause", &other.cause)
            .number("balance_after", other.balance_after);
        attributes = attributes.map(map, "counterpart");
    }
    if let Some(reversed) = &entry.after.reversal {
        let map = Attributes::default().text("id", &reversed.id).text("topup", &reversed.payment);
        attributes = attributes.map(map, "reversal");
    }
    if let Some(moved) = &entry.points {
        attributes = attributes.map(points::move_to_map(moved), "points");
    }
    let mut item = attributes.0;
    item.extend(keys::entry(&entry.account, &entry.cause).attributes());
    item
}

/// Reads an entry from its item as stored, without recomputing anything.
pub fn from_item(item: &Item) -> Result<Entry, StoreError> {
    let part = |name| item.get(name).and_then(|value| value.as_s().ok()).map_or("", String::as_str);
    let (pk, cause) = (part(keys::PK), part(keys::SK));
    let what = format!("{pk} {cause}");
    let reader = Reader::new(item, &what);
    let account = keys::entry_account(pk).ok_or_else(|| reader.corrupt(keys::PK))?;
    let counterpart = match reader.map("counterpart")? {
        Some(other) => Some(Counterpart {
            account: AccountRef { kind: account.kind, id: other.parse("customer_id", CustomerId::parse)? },
            seq: other.count("seq")?,
            cause: Cause::stored(other.text("cause")?),
            balance_after: other.money("balance_after")?,
        }),
        None => None,
    };
    let reversal = match reader.map("reversal")? {
        Some(map) => Some(Reversed {
            id: ReversalId::stored(map.text("id")?),
            payment: PaymentRef::stored(map.text("topup")?),
        }),
        None => None,
    };
    Ok(Entry {
        account,
        cause: Cause::stored(cause),
        seq: reader.text(keys::HISTORY_SK)?.parse().map_err(|_| reader.corrupt(keys::HISTORY_SK))?,
        kind: reader.parse("type", EntryType::parse)?,
        amount: reader.money("amount")?,
        unit: reader.parse("currency", Unit::parse)?,
        balance_after: reader.money("balance_after")?,
        at: reader.instant("created_at")?,
        by: PerformedBy { role: reader.parse("role", Role::stored)?, sub: reader.text("sub")?.to_owned() },
        request: reader.maybe_text("request")?.map(RequestId::new),
        fingerprint: reader.maybe_text("fp")?.map(Fingerprint::stored),
        reason: reader.maybe("reason", FreeText::parse_stored)?,
        source: reader.maybe("source", CreditSource::parse)?,
        order_id: reader.maybe("order_id", OrderId::parse_stored)?,
        hold_id: reader.maybe("hold_id", HoldId::parse_stored)?,
        expires_on: reader.date("expires_on")?,
        lots: lot::from_list(&reader, "lots")?,
        metadata: Metadata::parse_stored(reader.pairs("metadata")?)
            .map_err(|_| reader.corrupt("metadata"))?,
        after: After {
            hold: reader.map("hold")?.map(|map| hold::view_from_map(&map)).transpose()?,
            order: reader.map("order")?.map(|map| order_view::view_from_map(&map)).transpose()?,
            counterpart,
            reversal,
        },
        points: reader.map("points")?.map(|moved| points::move_from(&moved).map(Box::new)).transpose()?,
        prev_hash: reader.parse("prev_hash", Hash::parse)?,
        hash: reader.parse("hash", Hash::parse)?,
    })
}
