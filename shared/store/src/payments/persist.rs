//! Converts the writes of decisions about payments into items of a transaction.
//!
//! **Invariant:** a report, a top-up and a gateway reference are each written under the condition
//! that their version has not changed since the decision.

use crate::alerts::items::alert;
use crate::engine::attr::number;
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::engine::write::change;
use crate::keys;
use crate::ledger::persist::Persist;
use crate::payments::items::{gateway_ref, topup, unpaid, webhook_event};
use aws_sdk_dynamodb::types::TransactWriteItem;
use domain::payments::state::{Listing, PaymentWrite};

/// Seconds for which it is known that a payment was credited because its gateway was polled.
const POLLED_SECONDS: i64 = 90 * 86_400;

impl Persist for PaymentWrite {
    fn items(&self, table: &Table) -> Result<Vec<TransactWriteItem>, StoreError> {
        let name = &table.name;
        Ok(vec![match self {
            Self::Ledger(write) => return write.items(table),
            Self::OpenTopUp(opened) => table.new_put(topup::to_item(opened))?,
            Self::TopUp { topup, was } => change(topup::to_update(name, topup, *was)?),
            Self::DropTopUp { id, was } => table.versioned_delete(&keys::topup(id), *was)?,
            Self::Event { event, body, was: 0 } => table.new_put(webhook_event::to_item(event, body))?,
            Self::Event { event, was, .. } => change(webhook_event::to_update(name, event, *was)?),
            Self::GatewayRef { gateway_ref, was: 0 } => table.new_put(gateway_ref::to_item(gateway_ref))?,
            Self::GatewayRef { gateway_ref, was } => change(gateway_ref::to_update(name, gateway_ref, *was)?),
            Self::Unpaid { unpaid, was: 0 } => table.new_put(unpaid::to_item(unpaid))?,
            Self::Unpaid { unpaid, was } => change(unpaid::to_update(name, unpaid, *was)?),
            Self::DropRef { key, was } => table.versioned_delete(&keys::gateway_ref(key), *was)?,
            Self::Alert(alert) => table.any_put(alert::to_item(alert))?,
            Self::List(listing) => {
                let mut item = keys::listing(listing).attributes();
                if let Listing::Polled { at, .. } = listing {
                    item.insert("purge_at".to_owned(), number(at.millis() / 1_000 + POLLED_SECONDS));
                }
                table.any_put(item)?
            }
            Self::Unlist(listing) => table.any_delete(&keys::listing(listing))?,
        }])
    }
}
