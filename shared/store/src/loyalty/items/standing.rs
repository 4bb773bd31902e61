//! The tier, an attribute of the account of points, and its records.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::document::{document, read_document};
use crate::engine::error::StoreError;
use crate::keys;
use crate::ledger::items::account;
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::ids::AccountRef;
use domain::ledger::account::Account;
use domain::loyalty::tiers::{Standing, TierRecord};

/// The name of the attribute.
const TIER: &str = "tier";

/// Converts a new account of points to its item.
pub(crate) fn to_item(account: &Account, standing: &Standing) -> Result<Item, StoreError> {
    let attributes = account::to_attributes(account).text("user_id", account.id.customer());
    Ok(attributes.text(TIER, document(standing)?).0)
}

/// Builds the update of an account of points, under the condition that it still has version `was`.
pub(crate) fn to_update(
    table: &str,
    account: &Account,
    standing: &Standing,
    was: u64,
) -> Result<Update, StoreError> {
    let more = [(TIER.to_owned(), AttributeValue::S(document(standing)?))];
    account::to_update_with(table, account, was, more)
}

/// Reads the tier from the item of an account of points.
pub(crate) fn from_item(item: &Item) -> Result<Standing, StoreError> {
    let reader = Reader::new(item, "account of points");
    read_document(reader.text(TIER)?).ok_or_else(|| reader.corrupt(TIER))
}

/// Converts a record of a tier to its item.
pub(crate) fn record_to_item(
    account: &AccountRef,
    (version, at): (u64, usize),
    seq: u64,
    record: &TierRecord,
) -> Result<Item, StoreError> {
    let attributes = Attributes::default().number("version", version).number("seq", seq);
    let mut item = attributes.text("record", document(record)?).0;
    item.extend(keys::tier_record(account, version, at).attributes());
    Ok(item)
}

/// Reads a record of a tier, with the version of the account and the number of its last entry.
pub(crate) fn record_from_item(item: &Item) -> Result<(u64, u64, TierRecord), StoreError> {
    let reader = Reader::new(item, "record of a tier");
    let record = read_document(reader.text("record")?).ok_or_else(|| reader.corrupt("record"))?;
    Ok((reader.count("version")?, reader.count("seq")?, record))
}
