//! Converts the writes of decisions into items of a transaction.
//!
//! **Invariant:** the items of the transaction are in the order of the writes, so that each cancellation
//! reason can be mapped to its write.

use crate::engine::attr::Attributes;
use crate::engine::error::StoreError;
use crate::engine::sent::Sent;
use crate::engine::table::Table;
use crate::engine::write::change;
use crate::keys;
use crate::ledger::items::{account, entry, hold, month, owed, status};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ledger::decision::{Conditional, FailedCondition, Write};
use domain::ledger::entry::Entry;
use domain::time::Timestamp;

/// Write of an area that can be sent to the table.
pub(crate) trait Persist: Conditional + Send + Sync {
    /// Returns the items of the transaction; one for most writes.
    fn items(&self, table: &Table) -> Result<Vec<TransactWriteItem>, StoreError>;
}

impl Persist for Write {
    fn items(&self, table: &Table) -> Result<Vec<TransactWriteItem>, StoreError> {
        let name = &table.name;
        Ok(vec![match self {
            Self::Account { account, was } => change(account::to_update(name, account, *was)?),
            Self::Entry(posted) => table.new_put(entry::to_item(posted))?,
            Self::PlaceHold(placed) => table.new_put(hold::to_item(placed))?,
            Self::Hold { hold, was } => change(hold::to_update(name, hold, *was)?),
            Self::OwedRecord { account, version, at, change } => {
                table.new_put(owed::to_item(account, *version, *at, change))?
            }
            // The condition of the account guards it.
            Self::Month { account, figures } => table.any_put(month::to_item(account, figures))?,
            Self::ReportDay { account, day } => {
                let key = keys::unreported(account.customer(), *day);
                let due = keys::due(Timestamp::end_of(*day), &key.pk);
                let mut item = Attributes::default()
                    .text(keys::DUE_PK, keys::due_partition(keys::DueKind::PointDays, &key.pk))
                    .text(keys::DUE_SK, due)
                    .0;
                item.extend(key.attributes());
                table.any_put(item)?
            }
            Self::StatusRecord { account, version, change } => {
                table.new_put(status::to_item(account, *version, change))?
            }
        }])
    }
}

/// Outcome of sending the writes of a decision.
#[derive(Debug)]
pub(crate) enum Committed {
    /// All writes were applied.
    Applied,
    /// Nothing was applied: the decisive failed condition and, if the cause has an entry, that
    /// entry.
    Refused(FailedCondition, Option<Box<Entry>>),
    /// Nothing was applied: another request won, or the table throttles. Retry.
    Busy(String),
    /// Nothing was applied: there is no connection to the table.
    Unsent(String),
    /// The outcome is unknown: the writes may have been applied.
    Unknown(String),
}

/// Sends the writes as one transaction, without retry.
///
/// If several conditions failed, the decisive one is returned: first an existing entry, then an
/// existing account, then a state that has moved, then a name that is taken.
pub(crate) async fn send<W: Persist>(table: &Table, writes: &[W]) -> Result<Committed, StoreError> {
    let (mut items, mut write_of) = (Vec::new(), Vec::new());
    for write in writes {
        for item in write.items(table)? {
            items.push(item);
            write_of.push(write);
        }
    }
    let refused = match table.transact(items).await? {
        Sent::Done(_) => return Ok(Committed::Applied),
        Sent::Busy(why) => return Ok(Committed::Busy(why)),
        Sent::Unsent(why) => return Ok(Committed::Unsent(why)),
        Sent::Unknown(why) => return Ok(Committed::Unknown(why)),
        Sent::Refused(refused) => refused,
    };
    let rank = |failed: &FailedCondition| match failed {
        FailedCondition::Caused => 0,
        FailedCondition::Opened => 1,
        FailedCondition::Stale => 2,
        FailedCondition::NameTaken => 3,
    };
    let failed = refused.iter().filter_map(|(at, item)| Some((write_of.get(*at)?.failed(), item)));
    let Some((failed, item)) = failed.min_by_key(|(failed, _)| rank(failed)) else {
        return Ok(Committed::Busy("cancelled without a reason".to_owned()));
    };
    let item = item.as_ref().filter(|_| failed == FailedCondition::Caused);
    let found = item.map(entry::from_item).transpose()?.map(Box::new);
    Ok(Committed::Refused(failed, found))
}
