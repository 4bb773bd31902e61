//! Figures of a month: an attribute of the account while the month lasts, then an item of their own.

use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::engine::read::key_of;
use crate::keys;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::ids::AccountRef;
use domain::ledger::entry::EntryType;
use domain::ledger::lot::CreditSource;
use domain::ledger::statistics::{MonthFigures, Tally};
use domain::month::Month;

/// Converts figures to attributes: `month`, `last_seq`, and `tallies` by `TYPE` or `TYPE source`, each a
/// count `n` and a `sum`.
pub(crate) fn to_attributes(figures: &MonthFigures) -> Attributes {
    let tallies = figures.tallies.iter().map(|((kind, source), tally)| {
        let name = match source {
            Some(source) => format!("{} {}", kind.as_str(), source.as_str()),
            None => kind.as_str().to_owned(),
        };
        (
            name,
            AttributeValue::M(Attributes::default().number("n", tally.count).number("sum", tally.amount).0),
        )
    });
    Attributes::default()
        .text("month", figures.month)
        .number("last_seq", figures.last_seq)
        .with("tallies", AttributeValue::M(tallies.collect()))
}

/// Converts the figures of a month that has ended to their item.
pub(crate) fn to_item(account: &AccountRef, figures: &MonthFigures) -> Item {
    let mut item = to_attributes(figures).0;
    item.extend(keys::month(account, figures.month).attributes());
    item
}

/// Reads figures from the attributes of an account or of their item.
pub(crate) fn from_reader(reader: &Reader<'_>) -> Result<MonthFigures, StoreError> {
    let corrupt = || reader.corrupt("tallies");
    let tallies = reader.maps("tallies")?.into_iter().map(|(name, tally)| {
        let (kind, source) = name.split_once(' ').map_or((name, None), |(kind, source)| (kind, Some(source)));
        let kind = EntryType::parse(kind).map_err(|_| corrupt())?;
        let source = source.map(CreditSource::parse).transpose().map_err(|_| corrupt())?;
        Ok(((kind, source), Tally { count: tally.count("n")?, amount: tally.money("sum")? }))
    });
    Ok(MonthFigures {
        month: reader.parse("month", Month::parse)?,
        last_seq: reader.count("last_seq")?,
        tallies: tallies.collect::<Result<_, StoreError>>()?,
    })
}

/// Reads the figures of a month that has ended.
pub(crate) fn from_item(item: &Item) -> Result<MonthFigures, StoreError> {
    let reader = Reader::new(item, "figures of a month");
    let figures = from_reader(&reader)?;
    let is_own = key_of(item).is_some_and(|key| key.sk == keys::month_sk(figures.month));
    if is_own { Ok(figures) } else { Err(reader.corrupt("month")) }
}
