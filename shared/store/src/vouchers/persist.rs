//! Converts the writes of purchases of vouchers into items of a transaction.
//!
//! **Invariant:** a code is sold under the conditions that it is free and unsold; a purchase and a count are written
//! under the condition that they are as they were read.

use crate::engine::attr::{number, text};
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::engine::write::change;
use crate::keys;
use crate::ledger::persist::Persist;
use crate::vouchers::items;
use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use domain::ids::{VoucherId, VoucherPurchaseId};
use domain::vouchers::audit::StoredCount;
use domain::vouchers::code::FreeCode;
use domain::vouchers::state::VoucherWrite;

/// Returns the write by which a code names its purchase.
fn sell(
    table: &Table,
    free: &FreeCode,
    purchase: &VoucherPurchaseId,
) -> Result<TransactWriteItem, StoreError> {
    let update = Update::builder()
        .table_name(&table.name)
        .set_key(Some(keys::card(&free.card).attributes()))
        .update_expression("SET purchase_id = :purchase")
        .condition_expression("voucher_id = :voucher AND attribute_not_exists(purchase_id)")
        .expression_attribute_values(":purchase", text(purchase))
        .expression_attribute_values(":voucher", text(&free.voucher));
    Ok(change(update.build().map_err(StoreError::built)?))
}

/// Returns the write by which a sold code is counted, in a part at random, so that purchases seldom conflict.
fn count_sold(table: &Table, voucher: &VoucherId) -> Result<TransactWriteItem, StoreError> {
    let update = Update::builder()
        .table_name(&table.name)
        .set_key(Some(keys::stocked(voucher, fastrand::u8(0..keys::STOCK_PARTS)).attributes()))
        .update_expression("ADD sold :one")
        .expression_attribute_values(":one", number(1));
    Ok(change(update.build().map_err(StoreError::built)?))
}

impl Persist for VoucherWrite {
    fn items(&self, table: &Table) -> Result<Vec<TransactWriteItem>, StoreError> {
        Ok(match self {
            Self::Loyalty(write) => return write.items(table),
            Self::Sell { free, purchase } => vec![
                table.existing_delete(&keys::free_code(free))?,
                sell(table, free, purchase)?,
                count_sold(table, &free.voucher)?,
            ],
            Self::DropMessage { purchase, method } => {
                vec![table.any_delete(&keys::voucher_outbox(purchase, *method))?]
            }
            Self::Purchase { purchase, was: 0 } => vec![
                table.new_put(items::purchase_to_item(purchase)?)?,
                table.any_put(items::listed_to_item(purchase))?,
            ],
            Self::Purchase { purchase, was } => {
                vec![table.versioned_put(items::purchase_to_item(purchase)?, *was)?]
            }
            Self::Count { user, voucher, limit_number, bought, was } => {
                let (user, voucher) = (user.clone(), voucher.clone());
                let (limit_number, bought) = (*limit_number, *bought);
                let item =
                    items::count_to_item(&StoredCount { user, voucher, limit_number, bought }, was + 1);
                vec![if *was == 0 { table.new_put(item)? } else { table.versioned_put(item, *was)? }]
            }
            Self::Deliver { purchase, address } => {
                let item = items::outbox_to_item(purchase, address);
                item.map(|item| table.any_put(item)).transpose()?.into_iter().collect()
            }
        })
    }
}
