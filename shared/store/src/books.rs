//! Reading a whole table for the audit: which accounts there are, and all that is stored about one.
//!
//! **Invariant:** the audit's reads are strongly consistent and from the base table; the account is read first,
//! then its holds, its entries and its orders, and the entries again until they cover all of them.
//! **Invariant:** an item that cannot be read is a difference, never an end of the audit.

use crate::Store;
use crate::attr::{Item, text};
use crate::error::StoreError;
use crate::items::{account, entry, hold, order};
use crate::keys::{self, Key};
use crate::load::unread;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::audit::{Books, Difference};
use domain::entry::Entry;
use domain::ids::{CustomerId, OrderId};
use domain::order::Order;
use std::collections::{BTreeSet, HashMap};

/// The accounts of a table, and orders that nobody's entries may name.
#[derive(Debug, Default)]
pub struct AccountList {
    /// Every customer with an account or entries.
    pub wallets: BTreeSet<CustomerId>,
    /// How many items there are in all.
    pub items: u64,
}

impl Store {
    /// Every wallet that has left a trace in the table. Scans: for the audit alone.
    pub async fn accounts(&self) -> Result<AccountList, StoreError> {
        let mut list = AccountList::default();
        let mut start = None;
        loop {
            let (from, names) = (start.clone(), "pk, sk");
            let output = self
                .patiently(|| async {
                    self.client
                        .scan()
                        .table_name(&self.table)
                        .projection_expression(names)
                        .consistent_read(true)
                        .limit(500)
                        .set_exclusive_start_key(from.clone())
                        .send()
                        .await
                        .map_err(|error| unread(&error))
                })
                .await?;
            for item in output.items.unwrap_or_default() {
                list.items += 1;
                let Some(pk) = item.get(keys::PK).and_then(|pk| pk.as_s().ok()) else { continue };
                list.wallets.extend(keys::wallet_customer(pk).or_else(|| keys::entry_customer(pk)));
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(list);
            }
        }
    }

    /// All that is stored about a wallet, and what of it cannot be read.
    pub async fn books(&self, customer: &CustomerId) -> Result<(Books, Vec<Difference>), StoreError> {
        let mut bad = Vec::new();
        let mut books = Books {
            customer: customer.clone(),
            account: None,
            holds: vec![],
            orders: vec![],
            entries: vec![],
        };
        // One partition, read in key order: the account (`A`) comes before its holds (`H#…`).
        for item in self.partition(&keys::wallet_partition(customer)).await? {
            match sort_key(&item) {
                "A" => books.account = readable(account::from_item(&item), customer, &item, &mut bad),
                key if key.starts_with("H#") => {
                    books.holds.extend(readable(hold::from_item(&item), customer, &item, &mut bad));
                }
                _ => {}
            }
        }
        books.entries = self.entries(customer, &mut bad).await?;
        let named: BTreeSet<OrderId> = books.entries.iter().filter_map(|e| e.order_id.clone()).collect();
        books.orders = self.orders_of(customer, &named, &mut bad).await?;
        let covered = books.entries.iter().map(|entry| entry.seq).max().unwrap_or(0);
        if books.orders.iter().any(|order| order.seq > covered) {
            bad.clear();
            books.entries = self.entries(customer, &mut bad).await?;
        }
        Ok((books, bad))
    }

    async fn orders_of(
        &self,
        customer: &CustomerId,
        named: &BTreeSet<OrderId>,
        bad: &mut Vec<Difference>,
    ) -> Result<Vec<Order>, StoreError> {
        let wanted: Vec<Key> = named.iter().map(keys::order).collect();
        let found: HashMap<Key, Item> = self.patiently(|| self.batch(&wanted)).await?;
        let orders = found.values().filter_map(|item| readable(order::from_item(item), customer, item, bad));
        let mut orders: Vec<Order> = orders.collect();
        orders.retain(|order| order.customer == *customer);
        orders.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(orders)
    }

    async fn entries(
        &self,
        customer: &CustomerId,
        bad: &mut Vec<Difference>,
    ) -> Result<Vec<Entry>, StoreError> {
        let items = self.partition(&keys::entry_partition(customer)).await?;
        Ok(items.iter().filter_map(|item| readable(entry::from_item(item), customer, item, bad)).collect())
    }

    async fn partition(&self, pk: &str) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut start: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let from = start.clone();
            let output = self
                .patiently(|| async {
                    self.client
                        .query()
                        .table_name(&self.table)
                        .key_condition_expression("pk = :pk")
                        .expression_attribute_values(":pk", text(pk))
                        .consistent_read(true)
                        .limit(500)
                        .set_exclusive_start_key(from.clone())
                        .send()
                        .await
                        .map_err(|error| unread(&error))
                })
                .await?;
            items.extend(output.items.unwrap_or_default());
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(items);
            }
        }
    }
}

fn sort_key(item: &Item) -> &str {
    item.get(keys::SK).and_then(|sk| sk.as_s().ok()).map_or("", String::as_str)
}

fn readable<T>(
    read: Result<T, StoreError>,
    customer: &CustomerId,
    item: &Item,
    bad: &mut Vec<Difference>,
) -> Option<T> {
    read.map_err(|error| {
        let (account, at) = (format!("w:{customer}"), Some(sort_key(item).to_owned()));
        bad.push(Difference { account, at, detail: error.to_string() });
    })
    .ok()
}
