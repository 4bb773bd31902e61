//! Converts the writes of decisions about rewards and referrals into items of a transaction.
//!
//! **Invariant:** a use is deleted under the condition that it exists, and a referral's record is written under the
//! condition that it is as it was read.

use crate::engine::attr::{Item, number, text};
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::engine::write::change;
use crate::keys;
use crate::ledger::items::account;
use crate::ledger::persist::Persist;
use crate::rewards::items;
use crate::wallet::items::{order, wallet};
use aws_sdk_dynamodb::types::{ConditionCheck, TransactWriteItem};
use domain::ids::CustomerId;
use domain::rewards::state::RewardsWrite;
use domain::wallet::profile::Profile;

/// Returns the attributes of a profile that referrals and deliveries change.
fn profile_attributes(profile: &Profile) -> Item {
    let mut item = Item::new();
    item.insert("referral_count".to_owned(), number(profile.referral_count));
    if profile.delivered_orders > 0 {
        item.insert(wallet::DELIVERED.to_owned(), number(profile.delivered_orders));
    }
    for (name, customer) in [("referred_by", &profile.referred_by), ("referral_root", &profile.referral_root)]
    {
        if let Some(customer) = customer {
            item.insert(name.to_owned(), text(customer));
        }
    }
    item
}

/// Returns the check that a customer was referred by nobody.
fn is_root(table: &Table, customer: &CustomerId) -> Result<TransactWriteItem, StoreError> {
    let check = ConditionCheck::builder()
        .table_name(&table.name)
        .set_key(Some(keys::wallet(customer).attributes()))
        .condition_expression("attribute_exists(pk) AND attribute_not_exists(referred_by)");
    let check = check.build().map_err(StoreError::built)?;
    Ok(TransactWriteItem::builder().condition_check(check).build())
}

impl Persist for RewardsWrite {
    fn items(&self, table: &Table) -> Result<Vec<TransactWriteItem>, StoreError> {
        Ok(vec![match self {
            Self::Ledger(write) => return write.items(table),
            Self::Wallet { account, profile, was } => {
                let more = profile_attributes(profile);
                change(account::to_update_with(&table.name, account, *was, more)?)
            }
            Self::TakeUse(free) => table.existing_delete(&keys::free_use(free))?,
            // The entry of the same transaction guards it.
            Self::ListClaim { reward, entry, least } => {
                table.any_put(items::claim_to_item(reward, entry, *least))?
            }
            Self::SameOrder { order, version } => table.unchanged(&keys::order(order), *version)?,
            Self::OrderRecord { record, was: 0 } => table.new_put(items::order_record_to_item(record)?)?,
            Self::OrderRecord { record, was } => {
                table.versioned_put(items::order_record_to_item(record)?, *was)?
            }
            Self::Order { order, was } => change(order::to_update(&table.name, order, *was)?),
            Self::NoOrder(order) => table.absent(&keys::order(order))?,
            Self::IsRoot(customer) => is_root(table, customer)?,
            Self::Referral { record, was: 0 } => table.new_put(items::referral_to_item(record))?,
            Self::Referral { record, was } => table.versioned_put(items::referral_to_item(record), *was)?,
            Self::ReversedClaim(reversed) => match reversed.version {
                1 => table.new_put(items::reversed_to_item(reversed))?,
                next => table.versioned_put(items::reversed_to_item(reversed), next - 1)?,
            },
        }])
    }
}
