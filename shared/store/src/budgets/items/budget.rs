//! Items of a budget account: the first slice with the account's attributes, and the other slices.
//!
//! Stored names: in attempts and stops, `a` is the amount, `c` the cause, `m` the campaign, `v` the
//! version; `copied` is the status version that was copied (`copied_status_version`).

use crate::engine::attr::{Attributes, Item, Reader, number, text};
use crate::engine::error::StoreError;
use crate::engine::item::next_check_at;
use crate::keys;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::budget::slice::{Flow, Flows, Reserved, Slice, Stop};
use domain::budget::{BudgetAccount, BudgetOpening, BudgetStatus, ChildCount, Mode};
use domain::cause::Cause;
use domain::currency::Currency;
use domain::fingerprint::Fingerprint;
use domain::ids::RequestId;
use domain::ids::budget::{AccountId, AttemptId, BrandId};
use domain::money::Money;
use domain::text::FreeText;
use std::collections::{BTreeMap, BTreeSet};

/// Attribute: number of children that are not closed.
pub(crate) const CHILDREN_OPEN: &str = "children_open";

/// Attribute: number of all children.
pub(crate) const CHILDREN_TOTAL: &str = "children_total";

/// Converts the attributes of an account that can change, with its version, but without its first
/// slice.
pub(crate) fn changing(account: &BudgetAccount) -> Attributes {
    let brands = account.brands.as_ref().map(|brands| brands.iter().map(text).collect());
    let set = Attributes::default()
        .text("name", account.name.as_str())
        .text("mode", account.mode.as_str())
        .with("was_shared", AttributeValue::Bool(account.was_shared))
        .number("slices", account.slices)
        .with("auto_slices", AttributeValue::Bool(account.auto_slices))
        .text("updated_at", account.updated_at)
        .number("version", account.version);
    let set = match account.low_credit_threshold {
        Some(threshold) => set.number("low_credit_threshold", threshold),
        None => set,
    };
    let set = match account.card_price {
        Some(price) => set.number("card_price", price),
        None => set,
    };
    match brands {
        Some(brands) => set.with("brands", AttributeValue::L(brands)),
        None => set,
    }
}

/// Converts a new account to its item.
pub(crate) fn to_item(account: &BudgetAccount) -> Item {
    let opened = Attributes::default()
        .text("fp", account.opened.fingerprint.as_str())
        .text("request", &account.opened.request)
        .text("name", account.opened.name.as_str())
        .text("mode", account.opened.mode.as_str())
        .number("slices", account.opened.slices);
    let opened = opened.number("available", account.opened.available);
    let opened = match &account.opened.brands {
        Some(brands) => opened.with("brands", AttributeValue::L(brands.iter().map(text).collect())),
        None => opened,
    };
    let opened = match account.opened.low_credit_threshold {
        Some(threshold) => opened.number("low_credit_threshold", threshold),
        None => opened,
    };
    let above = account.ancestors.iter().map(text).collect();
    let mut item = changing(account)
        .text("account_id", &account.id)
        .maybe("parent_id", account.parent.as_ref())
        .with("above", AttributeValue::L(above))
        .text("currency", account.currency)
        .text("created_at", account.created_at)
        .map(opened, "opened")
        .number("copied", account.copied_status_version)
        .0;
    item.extend(child_count(account.children.unwrap_or_default()).0);
    item.extend(slice_to_item(&account.id, &account.first));
    item
}

/// Converts the numbers of an account's children to its attributes. They are written with every child,
/// apart from the account's other changes.
pub(crate) fn child_count(children: ChildCount) -> Attributes {
    Attributes::default().number(CHILDREN_OPEN, children.open).number(CHILDREN_TOTAL, children.total)
}

fn read_child_count(reader: &Reader<'_>) -> Result<Option<ChildCount>, StoreError> {
    if !reader.has(CHILDREN_OPEN) {
        return Ok(None);
    }
    let open = u32::try_from(reader.count(CHILDREN_OPEN)?).map_err(|_| reader.corrupt(CHILDREN_OPEN))?;
    Ok(Some(ChildCount { open, total: reader.count(CHILDREN_TOTAL)? }))
}

/// Converts a slice to its item.
pub(crate) fn slice_to_item(account: &AccountId, slice: &Slice) -> Item {
    let stops = slice.stops.iter().map(|(campaign, stop)| (campaign.to_string(), stop_to_map(stop)));
    let mut set = Attributes::default()
        .number("available", slice.available)
        .with("pending", attempts(&slice.pending))
        .with("waiting", attempts(&slice.waiting))
        .text("status", slice.status.as_str())
        .number("status_version", slice.status_version)
        .with("stops", AttributeValue::M(stops.collect()))
        .number("stops_version", slice.stops_version);
    for flow in Flow::ALL {
        set = set.number(flow.as_str(), slice.flows.of(flow));
    }
    let mut item = set.0;
    item.extend(keys::slice(account, slice.number).attributes());
    item
}

fn attempts(attempts: &BTreeMap<AttemptId, Reserved>) -> AttributeValue {
    let maps = attempts.iter().map(|(id, held)| (id.to_string(), reserved_to_map(held)));
    AttributeValue::M(maps.collect())
}

/// Converts the reservation of an attempt to the map that its slice stores.
pub(crate) fn reserved_to_map(reserved: &Reserved) -> AttributeValue {
    let map = Attributes::default()
        .text("c", &reserved.cause)
        .text("m", &reserved.campaign)
        .number("a", reserved.amount)
        .text("at", reserved.at);
    AttributeValue::M(map.0)
}

/// Converts a stop to the map that a slice stores.
pub(crate) fn stop_to_map(stop: &Stop) -> AttributeValue {
    let map = Attributes::default()
        .number("v", stop.version)
        .with("on", AttributeValue::Bool(stop.on))
        .text("at", stop.at);
    AttributeValue::M(map.0)
}

/// Converts amounts by slice to a map.
pub(crate) fn parts_to_map(parts: &BTreeMap<u8, Money>) -> AttributeValue {
    AttributeValue::M(parts.iter().map(|(slice, amount)| (slice.to_string(), number(amount))).collect())
}

/// Reads amounts by slice from a map.
pub(crate) fn parts_from_map(reader: &Reader<'_>, name: &str) -> Result<BTreeMap<u8, Money>, StoreError> {
    let Some(map) = reader.map(name)? else { return Ok(BTreeMap::new()) };
    let part = |slice: &str| -> Result<(u8, Money), StoreError> {
        Ok((slice.parse().map_err(|_| reader.corrupt(name))?, map.money(slice)?))
    };
    map.names().map(part).collect()
}

fn reserved_from_map(map: &Reader<'_>) -> Result<Reserved, StoreError> {
    Ok(Reserved {
        cause: Cause::stored(map.text("c")?),
        campaign: map.parse("m", AccountId::parse)?,
        amount: map.money("a")?,
        at: map.instant("at")?,
    })
}

/// Reads a slice from its item.
pub(crate) fn slice_from_item(item: &Item, slice: u8) -> Result<Slice, StoreError> {
    let reader = Reader::new(item, "budget slice");
    let attempts = |name| -> Result<BTreeMap<AttemptId, Reserved>, StoreError> {
        let maps = reader.maps(name)?.into_iter();
        maps.map(|(id, map)| Ok((AttemptId::stored(id), reserved_from_map(&map)?))).collect()
    };
    let mut flows = Flows::default();
    for flow in Flow::ALL {
        *flows.place(flow) = reader.money(flow.as_str())?;
    }
    let stops = reader.maps("stops")?.into_iter().map(|(id, map)| {
        let id = AccountId::parse(id).map_err(|_| reader.corrupt("stops"))?;
        Ok((id, Stop { version: map.count("v")?, on: map.flag("on")?, at: map.instant("at")? }))
    });
    Ok(Slice {
        number: slice,
        available: reader.money("available")?,
        pending: attempts("pending")?,
        waiting: attempts("waiting")?,
        flows,
        status: reader.parse("status", BudgetStatus::parse)?,
        status_version: reader.count("status_version")?,
        stops: stops.collect::<Result<_, StoreError>>()?,
        stops_version: reader.count("stops_version")?,
        next_check_at: next_check_at(&reader)?,
    })
}

fn maybe_money(reader: &Reader<'_>, name: &str) -> Result<Option<Money>, StoreError> {
    if reader.has(name) { reader.money(name).map(Some) } else { Ok(None) }
}

fn small(reader: &Reader<'_>, name: &str) -> Result<u8, StoreError> {
    u8::try_from(reader.count(name)?).map_err(|_| reader.corrupt(name))
}

fn brands(reader: &Reader<'_>) -> Result<Option<BTreeSet<BrandId>>, StoreError> {
    let brands = reader.texts("brands")?.into_iter().map(BrandId::parse);
    let brands = brands.collect::<Result<_, _>>().map_err(|_| reader.corrupt("brands"))?;
    Ok(reader.has("brands").then_some(brands))
}

/// Reads an account from the item of its first slice.
pub(crate) fn from_item(item: &Item) -> Result<BudgetAccount, StoreError> {
    let reader = Reader::new(item, "budget account");
    let opened = reader.map("opened")?.ok_or_else(|| reader.corrupt("opened"))?;
    let above = reader.texts("above")?.into_iter().map(AccountId::parse);
    let shared =
        |reader: &Reader<'_>| Ok::<_, StoreError>(reader.parse("mode", Mode::parse)? == Mode::Shared);
    let was_shared = if reader.has("was_shared") {
        reader.flag("was_shared")?
    } else {
        shared(&reader)? || shared(&opened)?
    };
    Ok(BudgetAccount {
        id: reader.parse("account_id", AccountId::parse)?,
        parent: reader.maybe("parent_id", AccountId::parse)?,
        ancestors: above.collect::<Result<_, _>>().map_err(|_| reader.corrupt("above"))?,
        name: reader.parse("name", FreeText::parse_stored)?,
        currency: reader.parse("currency", Currency::parse)?,
        mode: reader.parse("mode", Mode::parse)?,
        was_shared,
        slices: small(&reader, "slices")?,
        auto_slices: !reader.has("auto_slices") || reader.flag("auto_slices")?,
        low_credit_threshold: maybe_money(&reader, "low_credit_threshold")?,
        brands: brands(&reader)?,
        card_price: maybe_money(&reader, "card_price")?,
        created_at: reader.instant("created_at")?,
        updated_at: reader.instant("updated_at")?,
        opened: BudgetOpening {
            fingerprint: Fingerprint::stored(opened.text("fp")?),
            request: RequestId::new(opened.text("request")?),
            name: opened.parse("name", FreeText::parse_stored)?,
            low_credit_threshold: maybe_money(&opened, "low_credit_threshold")?,
            mode: opened.parse("mode", Mode::parse)?,
            slices: small(&opened, "slices")?,
            brands: brands(&opened)?,
            available: opened.money("available")?,
        },
        version: reader.count("version")?,
        copied_status_version: reader.count("copied")?,
        children: read_child_count(&reader)?,
        first: slice_from_item(item, 0)?,
    })
}
