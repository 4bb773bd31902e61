//! The writes of decisions as items of a transaction.
//!
//! **Invariant:** each write becomes one item of the transaction, in the same order, so that the reason why a transaction
//! was refused finds the write that it is about.

use crate::engine::error::StoreError;
use crate::engine::sent::Sent;
use crate::engine::table::Table;
use crate::engine::write::change;
use crate::ledger::items::{account, entry, hold, owed, status};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ledger::decision::{Conditional, FailedCondition, Write};
use domain::ledger::entry::Entry;

/// A write of some area that the table takes.
pub(crate) trait Persist: Conditional + Send + Sync {
    /// The item of the transaction.
    fn item(&self, table: &Table) -> Result<TransactWriteItem, StoreError>;
}

impl Persist for Write {
    fn item(&self, table: &Table) -> Result<TransactWriteItem, StoreError> {
        let name = &table.name;
        Ok(match self {
            Self::Account { account, was } => change(account::to_update(name, account, *was)?),
            Self::Entry(posted) => table.new_put(entry::to_item(posted))?,
            Self::PlaceHold(placed) => table.new_put(hold::to_item(placed))?,
            Self::Hold { hold, was } => change(hold::to_update(name, hold, *was)?),
            Self::OwedRecord { account, version, at, change } => {
                table.new_put(owed::to_item(account, *version, *at, change))?
            }
            Self::StatusRecord { account, version, change } => {
                table.new_put(status::to_item(account, *version, change))?
            }
        })
    }
}

/// What became of the writes of a decision.
#[derive(Debug)]
pub(crate) enum Committed {
    /// They are applied.
    Applied,
    /// They are not: the decisive condition that failed and, for a cause, the entry that was found.
    Refused(FailedCondition, Option<Box<Entry>>),
    /// They are not: others were quicker, or the table throttles. Try again.
    Busy(String),
    /// Perhaps they are.
    Unknown(String),
}

/// Sends the writes as one transaction, once.
///
/// Of several conditions that failed the decisive one is given: an entry or an account that is already there, before a
/// state that has moved, before a name that is taken.
pub(crate) async fn send<W: Persist>(table: &Table, writes: &[W]) -> Result<Committed, StoreError> {
    let items = writes.iter().map(|write| write.item(table)).collect::<Result<Vec<_>, _>>()?;
    let refused = match table.transact(items).await? {
        Sent::Done(_) => return Ok(Committed::Applied),
        Sent::Busy(why) => return Ok(Committed::Busy(why)),
        Sent::Unknown(why) => return Ok(Committed::Unknown(why)),
        Sent::Refused(refused) => refused,
    };
    let rank = |failed: &FailedCondition| match failed {
        FailedCondition::Caused => 0,
        FailedCondition::Opened => 1,
        FailedCondition::Stale => 2,
        FailedCondition::NameTaken => 3,
    };
    let failed = refused.iter().filter_map(|(at, item)| Some((writes.get(*at)?.failed(), item)));
    let Some((failed, item)) = failed.min_by_key(|(failed, _)| rank(failed)) else {
        return Ok(Committed::Busy("cancelled without a reason".to_owned()));
    };
    let item = item.as_ref().filter(|_| failed == FailedCondition::Caused);
    let found = item.map(entry::from_item).transpose()?.map(Box::new);
    Ok(Committed::Refused(failed, found))
}
