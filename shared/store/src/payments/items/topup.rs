//! Item of a top-up.

use crate::engine::attr::{Attributes, Item, Reader, number, text};
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, due, next_check_at, update};
use crate::engine::read::key_of;
use crate::keys;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::currency::Currency;
use domain::fingerprint::Fingerprint;
use domain::ids::{EventId, Gateway, GatewayId, RequestId, ReversalId, TopUpId, TransactionId};
use domain::ledger::lot::LotClass;
use domain::money::Money;
use domain::payments::reversal::{Reversal, SingleRefund};
use domain::payments::topup::{Credited, GatewayOrder, TopUp};
use domain::time::Timestamp;
use std::collections::BTreeMap;

/// Returns the attributes that an update sets, and those that it removes.
fn changing(topup: &TopUp) -> (Attributes, Vec<&'static str>) {
    let mut remove = vec![];
    let mut set = Attributes::default()
        .with("failed", AttributeValue::Bool(topup.failed))
        .with("transactions", AttributeValue::L(topup.transactions.iter().map(text).collect()))
        .with("events", AttributeValue::L(topup.events.iter().map(text).collect()))
        .number("seq", topup.seq)
        .number("wallet_version", topup.wallet_version)
        .number("version", topup.version);
    if let Some(placed) = &topup.placed {
        let map = Attributes::default()
            .text("order", &placed.order)
            .text("checkout", &placed.checkout)
            .maybe("checkout_url", placed.checkout_url.as_ref());
        set = set.map(map, "placed");
    }
    if let Some(credited) = &topup.credited {
        let map = Attributes::default()
            .text("payment", &credited.payment)
            .maybe("charge", credited.charge.as_ref())
            .maybe("method", credited.method.as_ref())
            .maybe("expires_on", credited.expires_on)
            .text("class", credited.class.as_str())
            .text("transaction", &credited.transaction)
            .text("at", credited.at);
        set = set.map(map, "credited");
    }
    if !topup.reversals.is_empty() {
        set = set.with("reversals", reversals_to_map(&topup.reversals));
    }
    match topup.next_check_at {
        Some(at) => set = due(set, keys::DueKind::Payments, at, &keys::topup(&topup.id).pk),
        None => remove.extend([keys::DUE_PK, keys::DUE_SK]),
    }
    (set, remove)
}

/// Converts refunds and disputes to a map by id.
pub(crate) fn reversals_to_map(reversals: &BTreeMap<ReversalId, Reversal>) -> AttributeValue {
    let maps = reversals.iter().map(|(id, reversal)| {
        let mut map = Attributes::default()
            .number("allotted", reversal.allotted)
            .number("forgiven", reversal.forgiven)
            .number("steps", reversal.steps);
        let amounts = [("taken", reversal.taken), ("lost", reversal.lost), ("returned", reversal.returned)];
        for (name, amount) in amounts {
            if let Some(amount) = amount {
                map = map.with(name, number(amount));
            }
        }
        (id.to_string(), AttributeValue::M(with_refunds(map, reversal).0))
    });
    AttributeValue::M(maps.collect())
}

/// Adds the reports of single refunds, and the reported sums by instant.
fn with_refunds(mut map: Attributes, reversal: &Reversal) -> Attributes {
    map = map.maybe("first_at", reversal.first_at);
    if !reversal.sums.is_empty() {
        let sums = reversal.sums.iter().map(|(at, sum)| (at.to_string(), number(sum)));
        map = map.with("sums", AttributeValue::M(sums.collect()));
    }
    if !reversal.refunds.is_empty() {
        let refund = |refund: &SingleRefund| {
            let map = Attributes::default().number("amount", refund.amount);
            AttributeValue::M(map.maybe("failed_at", refund.failed_at).0)
        };
        let refunds = reversal.refunds.iter().map(|(id, known)| (id.to_string(), refund(known)));
        map = map.with("refunds", AttributeValue::M(refunds.collect()));
    }
    map
}

/// Converts a new top-up to its item.
pub(crate) fn to_item(topup: &TopUp) -> Item {
    let (set, _) = changing(topup);
    let mut item = set
        .text("topup_id", &topup.id)
        .text("customer_id", topup.id.customer())
        .number("amount", topup.amount)
        .text("currency", topup.currency)
        .text("gateway", topup.gateway.as_str())
        .maybe("return_url", topup.return_url.as_ref())
        .text("fp", topup.fingerprint.as_str())
        .text("request", &topup.request)
        .text("created_at", topup.created_at)
        .text("expires_at", topup.expires_at)
        .0;
    item.extend(keys::topup(&topup.id).attributes());
    item
}

/// Builds the update of a top-up, under the condition that it still has version `was`.
pub(crate) fn to_update(table: &str, topup: &TopUp, was: u64) -> Result<Update, StoreError> {
    let (set, remove) = changing(topup);
    update(table, &keys::topup(&topup.id), Guard { attribute: "version", value: was }, set.0, &remove)
}

fn reversal(map: &Reader<'_>) -> Result<Reversal, StoreError> {
    let maybe = |name| if map.has(name) { map.money(name).map(Some) } else { Ok(None) };
    Ok(Reversal {
        taken: maybe("taken")?,
        lost: maybe("lost")?,
        returned: maybe("returned")?,
        refunds: refunds(map)?,
        first_at: map.maybe("first_at", Timestamp::parse)?,
        sums: sums(map)?,
        allotted: map.money("allotted")?,
        forgiven: map.money("forgiven")?,
        steps: u32::try_from(map.count("steps")?).map_err(|_| map.corrupt("steps"))?,
    })
}

fn refunds(map: &Reader<'_>) -> Result<BTreeMap<GatewayId, SingleRefund>, StoreError> {
    let refund = |(id, known): &(&str, Reader<'_>)| {
        let failed_at = known.maybe("failed_at", Timestamp::parse)?;
        let id = GatewayId::parse(id).map_err(|_| map.corrupt("refunds"))?;
        Ok((id, SingleRefund { amount: known.money("amount")?, failed_at }))
    };
    map.maps("refunds")?.iter().map(refund).collect()
}

fn sums(map: &Reader<'_>) -> Result<BTreeMap<Timestamp, Money>, StoreError> {
    let Some(sums) = map.map("sums")? else { return Ok(BTreeMap::new()) };
    let sum = |at: &str| Ok((Timestamp::parse(at).map_err(|_| map.corrupt("sums"))?, sums.money(at)?));
    sums.names().map(sum).collect()
}

/// Reads refunds and disputes from a map by id.
pub(crate) fn reversals_from_map(
    reader: &Reader<'_>,
    name: &str,
) -> Result<BTreeMap<ReversalId, Reversal>, StoreError> {
    let maps = reader.maps(name)?;
    maps.iter().map(|(id, map)| Ok((ReversalId::stored(*id), reversal(map)?))).collect()
}

/// Reads a top-up from its item.
pub(crate) fn from_item(item: &Item) -> Result<TopUp, StoreError> {
    let reader = Reader::new(item, "top-up");
    let placed = |map: Reader<'_>| {
        Ok::<_, StoreError>(GatewayOrder {
            order: map.parse("order", GatewayId::parse)?,
            checkout: map.text("checkout")?.to_owned(),
            checkout_url: map.maybe_text("checkout_url")?.map(str::to_owned),
        })
    };
    let credited = |map: Reader<'_>| {
        Ok::<_, StoreError>(Credited {
            payment: map.parse("payment", GatewayId::parse)?,
            charge: map.maybe("charge", GatewayId::parse)?,
            method: map.maybe_text("method")?.map(str::to_owned),
            expires_on: map.date("expires_on")?,
            class: map.parse("class", LotClass::parse)?,
            transaction: TransactionId::stored(map.text("transaction")?),
            at: map.instant("at")?,
        })
    };
    let events = reader.texts("events")?.into_iter().map(EventId::parse_stored);
    let topup = TopUp {
        id: reader.parse("topup_id", TopUpId::parse)?,
        amount: reader.money("amount")?,
        currency: reader.parse("currency", Currency::parse)?,
        gateway: reader.parse("gateway", Gateway::parse)?,
        return_url: reader.maybe_text("return_url")?.map(str::to_owned),
        fingerprint: Fingerprint::stored(reader.text("fp")?),
        request: RequestId::new(reader.text("request")?),
        placed: reader.map("placed")?.map(placed).transpose()?,
        failed: reader.flag("failed")?,
        credited: reader.map("credited")?.map(credited).transpose()?,
        transactions: reader.texts("transactions")?.into_iter().map(TransactionId::stored).collect(),
        events: events.collect::<Result<_, _>>().map_err(|_| reader.corrupt("events"))?,
        reversals: reversals_from_map(&reader, "reversals")?,
        created_at: reader.instant("created_at")?,
        expires_at: reader.instant("expires_at")?,
        next_check_at: next_check_at(&reader)?,
        seq: reader.count("seq")?,
        wallet_version: reader.count("wallet_version")?,
        version: reader.count("version")?,
    };
    if key_of(item) != Some(keys::topup(&topup.id)) {
        return Err(reader.corrupt("topup_id: differs from its key"));
    }
    Ok(topup)
}
