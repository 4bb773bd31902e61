//! Lots as a list of maps: `c` class, `s` source, `a` amount, `d` expiry date (absent: never
//! expires).

use crate::engine::attr::{Attributes, Reader};
use crate::engine::error::StoreError;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ledger::lot::{CreditSource, Lot, LotClass};

pub(crate) fn to_list<'a>(lots: impl Iterator<Item = &'a Lot>) -> AttributeValue {
    AttributeValue::L(lots.map(|lot| AttributeValue::M(to_map(lot).0)).collect())
}

/// Converts one lot.
pub(crate) fn to_map(lot: &Lot) -> Attributes {
    Attributes::default()
        .text("c", lot.class.as_str())
        .text("s", lot.source.as_str())
        .number("a", lot.amount)
        .maybe("d", lot.expires_on)
}

/// Reads one lot.
pub(crate) fn from_map(map: &Reader<'_>) -> Result<Lot, StoreError> {
    Ok(Lot {
        expires_on: map.date("d")?,
        class: map.parse("c", LotClass::parse)?,
        source: map.parse("s", CreditSource::parse)?,
        amount: map.money("a")?,
    })
}

pub(crate) fn from_list(reader: &Reader<'_>, name: &str) -> Result<Vec<Lot>, StoreError> {
    reader.readers(name)?.iter().map(from_map).collect()
}
