//! Item of an account: the attributes that every kind of account has.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::engine::item::{Guard, due, next_check_at, update};
use crate::engine::read::key_of;
use crate::keys;
use crate::ledger::items::{lot, month, owed, points};
use aws_sdk_dynamodb::types::{AttributeValue, Update};
use domain::actor::{PerformedBy, Role};
use domain::cause::Cause;
use domain::fingerprint::Fingerprint;
use domain::hash::Hash;
use domain::ids::{AccountKind, HoldId, RequestId};
use domain::ledger::account::{Account, AccountStatus, OpenHold, Opening, Totals};
use domain::ledger::lot::Lots;
use domain::ledger::statistics::MonthFigures;
use domain::time::Timestamp;
use domain::unit::Unit;

/// Converts a new account to attributes; its area adds its own.
pub(crate) fn to_attributes(account: &Account) -> Attributes {
    let opening = &account.opening;
    let opened = Attributes::default()
        .text("cause", &opening.cause)
        .text("fp", opening.fingerprint.as_str())
        .text("request", &opening.request)
        .number("initial", opening.initial)
        .text("role", opening.by.role.as_str())
        .text("sub", &opening.by.sub);
    let (changing, _) = changing(account);
    let mut attributes = Attributes(changing)
        .text("currency", account.unit)
        .text("created_at", account.created_at)
        .map(opened, "opened");
    attributes.0.extend(keys::account(&account.id).attributes());
    attributes
}

/// Builds the update of an account, under the condition that it still has version `was`.
pub(crate) fn to_update(table: &str, account: &Account, was: u64) -> Result<Update, StoreError> {
    to_update_with(table, account, was, [])
}

/// Builds the same update, which also sets attributes of the account's area.
pub(crate) fn to_update_with(
    table: &str,
    account: &Account,
    was: u64,
    more: impl IntoIterator<Item = (String, AttributeValue)>,
) -> Result<Update, StoreError> {
    let (mut set, remove) = changing(account);
    set.extend(more);
    update(table, &keys::account(&account.id), Guard { attribute: "version", value: was }, set, &remove)
}

/// Returns the attributes that an update sets, and those that it removes.
fn changing(account: &Account) -> (Item, Vec<&'static str>) {
    let holds = account.holds.iter().map(|(id, hold)| {
        let map = Attributes::default().text("due", hold.due).number("amount", hold.amount);
        (id.to_string(), AttributeValue::M(map.0))
    });
    let mut remove = Vec::new();
    let mut set = Attributes::default()
        .text("status", account.status.as_str())
        .with("lots", lot::to_list(account.lots.iter()))
        .with("holds", AttributeValue::M(holds.collect()))
        .number("available", account.available())
        .number("held", account.held())
        .number("owed", account.owed.total())
        .number("earned", account.totals.earned)
        .number("spent", account.totals.spent)
        .number("refunded", account.totals.refunded)
        .number("expired", account.totals.expired)
        .number("seq", account.seq)
        .text("head", account.head)
        .number("version", account.version)
        .text("updated_at", account.updated_at)
        .maybe_map("figures", account.figures.as_ref().map(month::to_attributes))
        .maybe("last_transaction_at", account.last_transaction_at);
    // Most wallets owe nothing; then the attributes are absent.
    for (name, list) in [("debts", owed::debts(&account.owed)), ("forgiven", owed::forgiven(&account.owed))] {
        match list {
            Some(list) => set = set.with(name, list),
            None => remove.push(name),
        }
    }
    if let Some(part) = &account.points {
        set = points::add_part(set, part);
    }
    match account.next_check_at {
        Some(next_check_at) => {
            let kind = keys::DueKind::of(account.id.kind);
            set = due(set, kind, next_check_at, &keys::account_partition(&account.id));
        }
        None => remove.extend([keys::DUE_PK, keys::DUE_SK]),
    }
    (set.0, remove)
}

/// Reads the figures of the current month. Figures that do not include the last entry were left behind by
/// an earlier version, which does not know them.
fn figures(reader: &Reader<'_>) -> Result<Option<MonthFigures>, StoreError> {
    let figures = reader.map("figures")?.map(|figures| month::from_reader(&figures)).transpose()?;
    let seq = reader.count("seq")?;
    Ok(figures.filter(|figures| figures.last_seq == seq))
}

/// Reads an account from its item.
pub(crate) fn from_item(item: &Item) -> Result<Account, StoreError> {
    let name = item.get(keys::PK).and_then(|pk| pk.as_s().ok()).map_or("account", String::as_str);
    let reader = Reader::new(item, name);
    let opened = reader.map("opened")?.ok_or_else(|| reader.corrupt("opened"))?;
    let holds = reader.maps("holds")?.into_iter().map(|(id, hold)| {
        let id = HoldId::parse_stored(id).map_err(|_| reader.corrupt("holds"))?;
        Ok((id, OpenHold { due: hold.instant("due")?, amount: hold.money("amount")? }))
    });
    let id =
        key_of(item).and_then(|key| keys::account_of(&key.pk)).ok_or_else(|| reader.corrupt(keys::PK))?;
    let is_points = id.kind == AccountKind::Points;
    let account = Account {
        id,
        unit: reader.parse("currency", Unit::parse)?,
        status: reader.parse("status", AccountStatus::parse)?,
        lots: Lots::new(lot::from_list(&reader, "lots")?).ok_or_else(|| reader.corrupt("lots"))?,
        holds: holds.collect::<Result<_, StoreError>>()?,
        owed: owed::from_lists(&reader)?,
        totals: Totals {
            earned: reader.money("earned")?,
            spent: reader.money("spent")?,
            refunded: reader.money("refunded")?,
            expired: reader.money("expired")?,
        },
        seq: reader.count("seq")?,
        head: reader.parse("head", Hash::parse)?,
        version: reader.count("version")?,
        created_at: reader.instant("created_at")?,
        updated_at: reader.instant("updated_at")?,
        last_transaction_at: reader.maybe("last_transaction_at", Timestamp::parse)?,
        opening: Opening {
            cause: Cause::stored(opened.text("cause")?),
            fingerprint: Fingerprint::stored(opened.text("fp")?),
            request: RequestId::new(opened.text("request")?),
            initial: opened.money("initial")?,
            by: PerformedBy {
                role: opened.parse("role", Role::stored)?,
                sub: opened.text("sub")?.to_owned(),
            },
        },
        points: is_points.then(|| points::part_from(&reader).map(Box::new)).transpose()?,
        figures: figures(&reader)?,
        next_check_at: next_check_at(&reader)?,
    };
    let customer =
        (account.id.kind == AccountKind::Wallet).then(|| reader.text("customer_id")).transpose()?;
    if customer.is_some_and(|customer| customer != account.id.customer().as_str()) {
        return Err(reader.corrupt("customer_id: differs from its key"));
    }
    // The sums are stored in addition to the lots, for operators who inspect the table; both must
    // agree.
    let sums = (reader.money("available")?, reader.money("held")?, reader.money("owed")?);
    if sums != (account.available(), account.held(), account.owed.total()) {
        return Err(reader.corrupt("available, held or owed: not the sum of its lots, holds or debts"));
    }
    Ok(account)
}
