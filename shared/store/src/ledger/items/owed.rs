//! Debts of a wallet, and the record of a change of them.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::keys;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::{AccountRef, PaymentRef, ReversalId};
use domain::ledger::lot::LotClass;
use domain::ledger::owed::{Debt, Forgiven, Owed, OwedChange};
use domain::time::parse_date;

/// Converts the debts, oldest first, to a list; None without debts.
pub(crate) fn debts(owed: &Owed) -> Option<AttributeValue> {
    let map = |debt: &Debt| {
        let map = Attributes::default()
            .text("reversal", &debt.reversal)
            .text("topup", &debt.payment)
            .number("amount", debt.amount);
        AttributeValue::M(map.0)
    };
    (!owed.debts().is_empty()).then(|| AttributeValue::L(owed.debts().iter().map(map).collect()))
}

fn forgiven_map(forgiven: &Forgiven) -> Attributes {
    Attributes::default()
        .text("date", forgiven.date)
        .text("class", forgiven.class.as_str())
        .number("amount", forgiven.amount)
}

/// Converts the forgiven amounts to a list; None without any.
pub(crate) fn forgiven(owed: &Owed) -> Option<AttributeValue> {
    let map = |forgiven: &Forgiven| AttributeValue::M(forgiven_map(forgiven).0);
    (!owed.forgiven().is_empty()).then(|| AttributeValue::L(owed.forgiven().iter().map(map).collect()))
}

fn forgiven_of(map: &Reader<'_>) -> Result<Forgiven, StoreError> {
    Ok(Forgiven {
        date: map.parse("date", parse_date)?,
        class: map.parse("class", LotClass::parse)?,
        amount: map.money("amount")?,
    })
}

/// Reads both lists from the item of an account.
pub(crate) fn from_lists(reader: &Reader<'_>) -> Result<Owed, StoreError> {
    let debt = |map: Reader<'_>| {
        Ok(Debt {
            reversal: ReversalId::stored(map.text("reversal")?),
            payment: PaymentRef::stored(map.text("topup")?),
            amount: map.money("amount")?,
        })
    };
    let debts = reader.readers("debts")?.into_iter().map(debt).collect::<Result<_, StoreError>>()?;
    let forgiven = reader.readers("forgiven")?;
    let forgiven = forgiven.iter().map(forgiven_of).collect::<Result<_, StoreError>>()?;
    Owed::stored(debts, forgiven).ok_or_else(|| reader.corrupt("debts"))
}

/// Converts a change to attributes.
pub(crate) fn change_to_map(change: &OwedChange) -> Attributes {
    Attributes::default()
        .text("reversal", &change.reversal)
        .text("topup", &change.payment)
        .number("raised", change.raised)
        .number("cancelled", change.cancelled)
        .number("seq", change.seq)
        .text("at", change.at)
        .maybe_map("forgiven", change.forgiven.as_ref().map(forgiven_map))
        .maybe_map("restored", change.restored.as_ref().map(forgiven_map))
}

/// Reads a change.
pub(crate) fn change_from_map(reader: &Reader<'_>) -> Result<OwedChange, StoreError> {
    Ok(OwedChange {
        reversal: ReversalId::stored(reader.text("reversal")?),
        payment: PaymentRef::stored(reader.text("topup")?),
        raised: reader.money("raised")?,
        cancelled: reader.money("cancelled")?,
        forgiven: reader.map("forgiven")?.map(|map| forgiven_of(&map)).transpose()?,
        restored: reader.map("restored")?.map(|map| forgiven_of(&map)).transpose()?,
        seq: reader.count("seq")?,
        at: reader.instant("at")?,
    })
}

/// Converts the change that produced this version to its record.
pub(crate) fn to_item(account: &AccountRef, version: u64, at: usize, change: &OwedChange) -> Item {
    let mut item = change_to_map(change).number("version", version).0;
    item.extend(keys::owed(account, version, at).attributes());
    item
}

/// Reads a change, and the version that it produced.
pub(crate) fn from_item(item: &Item) -> Result<(u64, OwedChange), StoreError> {
    let reader = Reader::new(item, "change of the owed amount");
    Ok((reader.count("version")?, change_from_map(&reader)?))
}
