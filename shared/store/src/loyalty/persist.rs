//! Converts the writes of decisions about loyalty into items of a transaction.
//!
//! **Invariant:** an account of points, a purchase, and what it earned are each written under the condition that they
//! are as they were when the decision was made.

use crate::engine::attr::Attributes;
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::engine::write::change;
use crate::keys;
use crate::ledger::persist::Persist;
use crate::loyalty::items::{purchase, standing};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::loyalty::state::LoyaltyWrite;

impl Persist for LoyaltyWrite {
    fn items(&self, table: &Table) -> Result<Vec<TransactWriteItem>, StoreError> {
        Ok(match self {
            Self::Ledger(write) => write.items(table)?,
            Self::Points { account, standing, was: 0 } => {
                vec![table.new_put(standing::to_item(account, standing)?)?]
            }
            Self::Points { account, standing, was } => {
                vec![change(standing::to_update(&table.name, account, standing, *was)?)]
            }
            Self::TierRecord { account, version, at, seq, record } => {
                vec![table.new_put(standing::record_to_item(account, (*version, *at), *seq, record)?)?]
            }
            Self::Member { user, tier, left } => {
                let mut item = Attributes::default().text("user_id", user).0;
                item.extend(keys::member(tier, user).attributes());
                let mut items = vec![table.any_put(item)?];
                if let Some(left) = left {
                    items.push(table.any_delete(&keys::member(left, user))?);
                }
                items
            }
            Self::Purchase { record, was, earns } => {
                let purchase::PurchaseItems { mut changing, earning } = purchase::to_items(record)?;
                let mut items = Vec::new();
                if *was == 0 {
                    changing.extend(keys::purchase(&record.id).attributes());
                    items.push(table.new_put(changing)?);
                } else {
                    items.push(change(purchase::to_update(&table.name, &record.id, changing, *was)?));
                }
                // What was earned never changes: it is written with the earning alone.
                if let Some(earning) = earning.filter(|_| *earns) {
                    items.push(table.new_put(earning)?);
                }
                items
            }
            Self::Alias { id, leads_to, was } => {
                let item = purchase::alias_to_item(id, leads_to);
                vec![if *was == 0 { table.new_put(item)? } else { table.versioned_put(item, *was)? }]
            }
        })
    }
}
