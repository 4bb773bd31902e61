//! Item of the unpaid top-ups of a wallet.

use crate::engine::attr::{Attributes, Item, Reader, text};
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, update};
use crate::keys;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::ids::{CustomerId, TopUpId};
use domain::payments::unpaid::UnpaidTopUps;
use domain::time::Timestamp;

fn changing(unpaid: &UnpaidTopUps) -> Attributes {
    let topups = unpaid.topups.iter().map(|(id, expires_at)| (id.to_string(), text(expires_at)));
    Attributes::default()
        .number("version", unpaid.version)
        .with("topups", AttributeValue::M(topups.collect()))
}

/// Converts a new list to its item.
pub(crate) fn to_item(unpaid: &UnpaidTopUps) -> Item {
    let mut item = changing(unpaid).0;
    item.extend(keys::unpaid(&unpaid.customer).attributes());
    item
}

/// Builds the update of a list, under the condition that it still has version `was`.
pub(crate) fn to_update(table: &str, unpaid: &UnpaidTopUps, was: u64) -> Result<Update, StoreError> {
    let guard = Guard { attribute: "version", value: was };
    update(table, &keys::unpaid(&unpaid.customer), guard, changing(unpaid).0, &[])
}

/// Reads a list from its item.
pub(crate) fn from_item(customer: &CustomerId, item: &Item) -> Result<UnpaidTopUps, StoreError> {
    let reader = Reader::new(item, "unpaid top-ups");
    let map = reader.map("topups")?.ok_or_else(|| reader.corrupt("topups"))?;
    let topup = |id: &str| -> Result<(TopUpId, Timestamp), StoreError> {
        Ok((TopUpId::parse(id).map_err(|_| reader.corrupt("topups"))?, map.instant(id)?))
    };
    let topups = map.names().map(topup).collect::<Result<_, _>>()?;
    Ok(UnpaidTopUps { customer: customer.clone(), topups, version: reader.count("version")? })
}
