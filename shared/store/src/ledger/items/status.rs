//! Record of a status change (actor, time, reason); never updated.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::keys;
use domain::actor::{PerformedBy, Role};
use domain::ids::AccountRef;
use domain::ledger::account::{AccountStatus, StatusChange};
use domain::text::FreeText;

/// Converts the change that produced this version to its record.
pub(crate) fn to_item(account: &AccountRef, version: u64, change: &StatusChange) -> Item {
    let mut item = Attributes::default()
        .number("version", version)
        .text("from", change.from.as_str())
        .text("to", change.to.as_str())
        .text("reason", change.reason.as_str())
        .text("role", change.by.role.as_str())
        .text("sub", &change.by.sub)
        .text("at", change.at)
        .0;
    item.extend(keys::status(account, version).attributes());
    item
}

/// Reads a change, and the version that it produced.
pub(crate) fn from_item(item: &Item) -> Result<(u64, StatusChange), StoreError> {
    let reader = Reader::new(item, "status change");
    let change = StatusChange {
        from: reader.parse("from", AccountStatus::parse)?,
        to: reader.parse("to", AccountStatus::parse)?,
        reason: reader.parse("reason", FreeText::parse_stored)?,
        by: PerformedBy { role: reader.parse("role", Role::stored)?, sub: reader.text("sub")?.to_owned() },
        at: reader.instant("at")?,
    };
    Ok((reader.count("version")?, change))
}
