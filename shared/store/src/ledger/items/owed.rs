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

/// Converts the change that produced this version to its record.
pub(crate) fn to_item(account: &AccountRef, version: u64, at: usize, change: &OwedChange) -> Item {
    let mut attributes = Attributes::default()
        .number("version", version)
        .text("reversal", &change.reversal)
        .text("topup", &change.payment)
        .number("raised", change.raised)
        .number("cancelled", change.cancelled)
        .number("seq", change.seq)
        .text("at", change.at);
    if let Some(forgiven) = &change.forgiven {
        attributes = attributes.map(forgiven_map(forgiven), "forgiven");
    }
    if let Some(restored) = &change.restored {
        attributes = attributes.map(forgiven_map(restored), "restored");
    }
    let mut item = attributes.0;
    item.extend(keys::owed(account, version, at).attributes());
    item
}

/// Reads a change, and the version that it produced.
pub(crate) fn from_item(item: &Item) -> Result<(u64, OwedChange), StoreError> {
    let reader = Reader::new(item, "change of the owed amount");
    let change = OwedChange {
        reversal: ReversalId::stored(reader.text("reversal")?),
        payment: PaymentRef::stored(reader.text("topup")?),
        raised: reader.money("raised")?,
        cancelled: reader.money("cancelled")?,
        forgiven: reader.map("forgiven")?.map(|map| forgiven_of(&map)).transpose()?,
        restored: reader.map("restored")?.map(|map| forgiven_of(&map)).transpose()?,
        seq: reader.count("seq")?,
        at: reader.instant("at")?,
    };
    Ok((reader.count("version")?, change))
}
