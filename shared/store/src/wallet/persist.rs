//! Converts the writes of decisions about wallets into items of a transaction.
//!
//! **Invariant:** a new wallet, its referral code and a new order are each written under the
//! condition that the key is free.

use crate::engine::attr::Attributes;
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::engine::write::change;
use crate::keys;
use crate::ledger::persist::Persist;
use crate::wallet::items::{order, wallet};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::wallet::state::WalletWrite;

impl Persist for WalletWrite {
    fn items(&self, table: &Table) -> Result<Vec<TransactWriteItem>, StoreError> {
        Ok(vec![match self {
            Self::Ledger(write) => return write.items(table),
            Self::Open(opened) => table.new_put(wallet::to_item(opened))?,
            Self::ReferralCode { code, customer } => {
                let mut item = Attributes::default().text("customer_id", customer).0;
                item.extend(keys::referral(code).attributes());
                table.new_put(item)?
            }
            Self::OpenOrder(opened) => {
                let reports = keys::order_reports(&opened.id);
                let same = match opened.reports.version {
                    0 => table.absent(&reports)?,
                    version => table.unchanged(&reports, version)?,
                };
                return Ok(vec![table.new_put(order::to_item(opened))?, same]);
            }
            Self::Order { order, was } => change(order::to_update(&table.name, order, *was)?),
            Self::ListOrder { customer, order, at } => {
                let mut item = Attributes::default().text("customer_id", customer).text("order_id", order).0;
                item.extend(keys::listed_order(customer, *at, order).attributes());
                table.new_put(item)?
            }
        }])
    }
}
