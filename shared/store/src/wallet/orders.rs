//! Orders for showing: one, or a customer's newest.
//!
//! **Invariant:** what is shown of an order is read strongly consistent; only which orders are shown comes from
//! a list.

use crate::Store;
use crate::engine::attr::text;
use crate::engine::error::StoreError;
use crate::keys;
use crate::wallet::items::order;
use crate::wallet::load::unread;
use domain::ids::{CustomerId, OrderId};
use domain::ledger::order::Order;
use std::collections::BTreeSet;

/// How many of a wallet's newest entries are looked through for orders.
const LOOKED_THROUGH: u16 = 100;

impl Store {
    /// An order.
    pub async fn order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        let item = self.patiently(|| self.get(keys::order(id))).await?;
        item.map(|item| order::from_item(&item)).transpose()
    }

    /// A customer's newest orders: those registered, and those that the wallet's newest entries name.
    pub async fn newest_orders(&self, customer: &CustomerId, limit: u16) -> Result<Vec<Order>, StoreError> {
        let listed = self.newest_listed(&keys::order_list(customer), limit).await?;
        let mut ids: BTreeSet<OrderId> = listed
            .iter()
            .filter_map(|place| place.split_once('#'))
            .filter_map(|(_, id)| OrderId::parse(id).ok())
            .collect();
        let page = self.history(customer, u64::MAX, LOOKED_THROUGH).await?;
        ids.extend(page.entries.into_iter().filter_map(|entry| entry.order_id));
        let keys: Vec<_> = ids.iter().map(keys::order).collect();
        let found = self.patiently(|| self.batch(&keys)).await?;
        let orders: Result<Vec<Order>, _> = found.values().map(order::from_item).collect();
        let mut orders: Vec<Order> =
            orders?.into_iter().filter(|order| order.customer == *customer).collect();
        orders.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        orders.truncate(usize::from(limit));
        Ok(orders)
    }

    /// The newest places of a list, newest first.
    pub(crate) async fn newest_listed(&self, list: &str, limit: u16) -> Result<Vec<String>, StoreError> {
        self.patiently(|| async {
            let request = self
                .client
                .query()
                .table_name(&self.table)
                .key_condition_expression("pk = :list")
                .expression_attribute_values(":list", text(list))
                .consistent_read(true)
                .scan_index_forward(false)
                .limit(i32::from(limit));
            let output = request.send().await.map_err(|error| unread(&error))?;
            let place = |item: &crate::engine::attr::Item| item.get(keys::SK)?.as_s().ok().cloned();
            Ok(output.items.unwrap_or_default().iter().filter_map(place).collect())
        })
        .await
    }
}
