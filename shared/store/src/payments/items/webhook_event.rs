//! Item of a gateway's report.
//!
//! Stored names: `told` is the report, `under` the gateway key that it waits for (`waiting_on`),
//! `event_id` and `topup_id` the ids.

use crate::engine::attr::{Attributes, Item, Reader, text};
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, due, next_check_at, update};
use crate::keys;
use crate::payments::items::gateway_report;
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::ids::{EventId, GatewayKey, RequestId, TopUpId, TransactionId};
use domain::payments::webhook_event::{EventStatus, WebhookEvent, reasons};

/// Returns the attributes that an update sets, and those that it removes.
fn changing(event: &WebhookEvent) -> (Attributes, Vec<&'static str>) {
    let mut remove = vec![];
    let transactions = event.transactions.iter().map(text).collect();
    let mut set = Attributes::default()
        .text("status", event.status.as_str())
        .with("transactions", AttributeValue::L(transactions))
        .text("updated_at", event.updated_at)
        .text("request", &event.request)
        .number("version", event.version);
    let texts = [
        ("detail", event.detail.map(str::to_owned)),
        ("topup_id", event.topup.as_ref().map(ToString::to_string)),
        ("under", event.waiting_on.as_ref().map(ToString::to_string)),
        ("alerted_at", event.alerted_at.map(|at| at.to_string())),
    ];
    for (name, value) in texts {
        if value.is_none() {
            remove.push(name);
        }
        set = set.maybe(name, value);
    }
    match &event.report {
        Some(says) => set = set.map(gateway_report::to_map(says), "told"),
        None => remove.push("told"),
    }
    match event.next_check_at {
        Some(at) => set = due(set, keys::DueKind::Payments, at, &keys::event(&event.id).pk),
        None => remove.extend([keys::DUE_PK, keys::DUE_SK]),
    }
    (set, remove)
}

/// Converts a new report to its item.
pub(crate) fn to_item(event: &WebhookEvent, body: &[u8]) -> Item {
    let (set, _) = changing(event);
    let mut item = set
        .text("event_id", &event.id)
        .text("kind", &event.kind)
        .text("received_at", event.received_at)
        .with("body", AttributeValue::B(Blob::new(body)))
        .0;
    item.extend(keys::event(&event.id).attributes());
    item
}

/// Builds the update of a report, under the condition that it still has version `was`.
pub(crate) fn to_update(table: &str, event: &WebhookEvent, was: u64) -> Result<Update, StoreError> {
    let (set, remove) = changing(event);
    update(table, &keys::event(&event.id), Guard { attribute: "version", value: was }, set.0, &remove)
}

/// Reads a report from its item.
pub(crate) fn from_item(item: &Item) -> Result<WebhookEvent, StoreError> {
    let reader = Reader::new(item, "report");
    let detail = match reader.maybe_text("detail")? {
        Some(text) => Some(reasons::known(text).unwrap_or("the reason is of another version")),
        None => None,
    };
    Ok(WebhookEvent {
        id: reader.parse("event_id", EventId::parse_stored)?,
        kind: reader.text("kind")?.to_owned(),
        status: reader.parse("status", EventStatus::parse)?,
        detail,
        report: reader.map("told")?.map(|map| gateway_report::from_map(&map)).transpose()?,
        topup: reader.maybe("topup_id", TopUpId::parse)?,
        transactions: reader.texts("transactions")?.into_iter().map(TransactionId::stored).collect(),
        waiting_on: reader.maybe_text("under")?.map(GatewayKey::stored),
        received_at: reader.instant("received_at")?,
        updated_at: reader.instant("updated_at")?,
        alerted_at: reader.maybe("alerted_at", domain::time::Timestamp::parse)?,
        next_check_at: next_check_at(&reader)?,
        request: RequestId::new(reader.text("request")?),
        version: reader.count("version")?,
    })
}

/// Returns the sealed body of a report.
pub(crate) fn body_of(item: &Item) -> Option<Vec<u8>> {
    item.get("body").and_then(|body| body.as_b().ok()).map(|body| body.as_ref().to_vec())
}
