//! Codes in stock: gift cards of a pool, and codes of a voucher.
//!
//! **Invariant:** a code and its place among the free ones are written together, and only if the code is not known
//! anywhere: all codes have one space of keys.
//! **Invariant:** finding a free code changes nothing; the first request to delete the free item gets the code.

use crate::engine::attr::{Item, text};
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::engine::retry::Certain;
use crate::engine::table::Table;
use crate::keys::{self, Key};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::ids::budget::CardId;

/// Result of putting codes into stock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// Number of codes that were put in.
    pub accepted: u64,
    /// Codes that were known already, in the order given, each with the pool or voucher that has or had it.
    pub known: Vec<(CardId, Option<String>)>,
}

impl Import {
    /// Adds the result of another part of the same import.
    pub(crate) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.known.extend(other.known);
    }
}

/// The items of a code.
#[derive(Clone, Debug)]
pub(crate) struct StockItems {
    /// Keyed digest of the code.
    pub(crate) id: CardId,
    /// The code itself, sealed.
    pub(crate) code: Item,
    /// Its place among the free ones.
    pub(crate) free: Item,
}

/// The attributes that name the pool or the voucher of a code.
pub(crate) const HOLDERS: [&str; 2] = ["pool_id", "voucher_id"];

fn attribute(item: &Item, name: &str) -> Option<String> {
    item.get(name)?.as_s().ok().cloned()
}

/// Returns the pool or voucher of a stored code.
fn holder(item: &Item) -> Option<String> {
    HOLDERS.iter().find_map(|name| attribute(item, name))
}

/// Returns true if both are the same code, put into the same stock by the same import.
fn is_same(stored: &Item, sent: &Item) -> bool {
    attribute(stored, "created_at") == attribute(sent, "created_at") && holder(stored) == holder(sent)
}

/// Returns the codes that are known, each with the pool or voucher that has or had it.
pub(crate) async fn known(
    table: &Table,
    ids: impl Iterator<Item = &CardId>,
) -> Result<Vec<(CardId, Option<String>)>, StoreError> {
    let wanted: Vec<(&CardId, Key)> = ids.map(|id| (id, keys::card(id))).collect();
    let keys: Vec<Key> = wanted.iter().map(|(_, key)| key.clone()).collect();
    let found = table.with_retry(|| table.batch(&keys)).await?;
    let known = wanted.into_iter().filter_map(|(id, key)| Some((id.clone(), holder(found.get(&key)?))));
    Ok(known.collect())
}

/// Puts codes into stock in one transaction; those that are known anywhere are left out. `counted` returns a further
/// write, given the number of codes, which must not have a condition that can fail.
pub(crate) async fn put(
    table: &Table,
    codes: &[StockItems],
    counted: impl Fn(usize) -> Result<Option<TransactWriteItem>, StoreError>,
) -> Result<Import, StoreError> {
    let mut import = Import::default();
    let mut left: Vec<&StockItems> = codes.iter().collect();
    let mut retry = table.retry();
    // After a send with an unknown outcome, a batch may find its own codes. They count as accepted only in that case.
    while !left.is_empty() {
        let mut writes: Vec<TransactWriteItem> = Vec::new();
        for code in &left {
            writes.push(table.new_put(code.code.clone())?);
            writes.push(table.any_put(code.free.clone())?);
        }
        writes.extend(counted(left.len())?);
        let sent = table.transact(writes).await?;
        let Some(sent) = retry.settled(sent).await? else { continue };
        match sent {
            Certain::Done(_) => {
                import.accepted += u64::try_from(left.len()).unwrap_or(0);
                return Ok(import);
            }
            Certain::Refused(refused) => {
                let outcome_unknown = retry.may_be_applied();
                let mut gone = Vec::new();
                for (at, found) in refused {
                    let Some(code) = left.get(at / 2) else { continue };
                    gone.push(code.id.clone());
                    let same = found.as_ref().is_some_and(|found| is_same(found, &code.code));
                    if outcome_unknown && same {
                        import.accepted += 1;
                    } else {
                        import.known.push((code.id.clone(), found.as_ref().and_then(holder)));
                    }
                }
                left.retain(|code| !gone.contains(&code.id));
            }
        }
    }
    Ok(import)
}

/// Reads free codes of a partition whose place is at or after `from`, those that expire first.
pub(crate) async fn some_free(
    table: &Table,
    partition: &str,
    from: &str,
    (limit, is_consistent): (i32, bool),
) -> Result<Vec<Item>, StoreError> {
    let output = table
        .with_retry(|| async {
            let query = table
                .client
                .query()
                .table_name(&table.name)
                .key_condition_expression("pk = :pk AND sk >= :from")
                .expression_attribute_values(":pk", text(partition))
                .expression_attribute_values(":from", text(from))
                .consistent_read(is_consistent)
                .limit(limit)
                .set_return_consumed_capacity(table.capacity_report());
            query.send().await.map_err(|error| read_error(&error))
        })
        .await?;
    if let Some(meter) = &table.meter {
        meter.read(output.consumed_capacity.as_slice());
    }
    Ok(output.items.unwrap_or_default())
}
