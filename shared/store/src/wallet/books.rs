//! Reading a whole table for the audit: which accounts there are, and all that is stored about one.
//!
//! **Invariant:** the audit's reads are strongly consistent and from the base table, in this order: the account,
//! the entries, the account again with its holds and orders, and the entries again if those are newer. So what is
//! read later may be newer, never older, than the entries read before it.
//! **Invariant:** an item that cannot be read is a difference, never an end of the audit.

use crate::Store;
use crate::engine::attr::{Item, text};
use crate::engine::error::StoreError;
use crate::keys::{self, Key};
use crate::payments::items::{gateway_ref, topup};
use crate::wallet::items::{account, entry, hold, order, owed, status};
use crate::wallet::load::unread;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::cause::Cause;
use domain::ids::{AccountRef, CustomerId, Handle, OrderId, ReferralCode, TopUpId};
use domain::ledger::account::{Account, StatusChange};
use domain::ledger::audit::{Books, Difference};
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::ledger::order::Order;
use domain::ledger::owed::OwedChange;
use domain::payments::topup::TopUp;
use domain::payments::webhook_event::LeadTo;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The items of a wallet's own partition.
#[derive(Debug, Default)]
struct OwnItems {
    account: Option<Account>,
    holds: Vec<Hold>,
    statuses: Vec<(u64, StatusChange)>,
    owed: Vec<(u64, OwedChange)>,
}

/// What a wallet is named by, beside its own items.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// The referral code that is this customer's.
    pub referral: Option<ReferralCode>,
    /// The customer's orders.
    pub orders: BTreeSet<OrderId>,
    /// The customer's top-ups.
    pub topups: BTreeSet<TopUpId>,
}

/// The wallets of a table.
#[derive(Debug, Default)]
pub struct AccountList {
    /// Every customer who has left a trace.
    pub wallets: BTreeMap<CustomerId, Named>,
    /// How many items there are in all.
    pub items: u64,
}

impl Store {
    /// Every wallet that has left a trace in the table. Scans: for the audit alone.
    pub async fn accounts(&self) -> Result<AccountList, StoreError> {
        let mut list = AccountList::default();
        let mut start = None;
        loop {
            let (from, wanted) = (start.clone(), "pk, sk, customer_id");
            let output = self
                .patiently(|| async {
                    self.client
                        .scan()
                        .table_name(&self.table)
                        .projection_expression(wanted)
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
                let told = item.get("customer_id").and_then(|id| CustomerId::parse(id.as_s().ok()?).ok());
                let own = keys::wallet_customer(pk).or_else(|| keys::entry_customer(pk));
                let Some(customer) = own.or(told) else { continue };
                let named = list.wallets.entry(customer).or_default();
                named.referral = keys::referral_of(pk).or(named.referral.take());
                named.orders.extend(keys::order_of(pk));
                named.topups.extend(keys::topup_of(pk));
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                return Ok(list);
            }
        }
    }

    /// All that is stored about a wallet, and what of it cannot be read.
    pub async fn books(
        &self,
        customer: &CustomerId,
        named: &Named,
    ) -> Result<(Books, Vec<Difference>), StoreError> {
        let mut bad = Vec::new();
        let first = self.own_items(customer, &mut Vec::new()).await?;
        let mut entries = self.entries(customer, &mut bad).await?;
        let last = |entries: &[Entry]| entries.iter().map(|entry| entry.seq).max().unwrap_or(0);
        let seen = last(&entries);
        let again = self.own_items(customer, &mut bad).await?;
        let orders: BTreeSet<OrderId> = entries.iter().filter_map(|e| e.order_id.clone()).collect();
        let orders = orders.union(&named.orders).cloned().collect();
        let orders = self.orders_of(customer, &orders, &mut bad).await?;
        let topups = self.topups_of(customer, &entries, &named.topups, &mut bad).await?;
        let newest = orders.iter().map(|order| order.seq).chain(again.holds.iter().map(|hold| hold.seq));
        let newest = newest.chain(topups.iter().map(|topup| topup.seq)).max();
        if newest.unwrap_or(0) > seen {
            entries = self.entries(customer, &mut Vec::new()).await?;
        }
        let books = Books {
            customer: customer.clone(),
            referral: named.referral.clone(),
            account: first.account,
            statuses: first.statuses,
            seen,
            reached: again.account.map_or(0, |account| account.seq),
            holds: again.holds,
            orders,
            owed: first.owed,
            led: self.led(&topups).await?,
            topups,
            entries,
        };
        Ok((books, bad))
    }

    /// The account, its holds and its changes of status: one partition, read in key order.
    async fn own_items(
        &self,
        customer: &CustomerId,
        bad: &mut Vec<Difference>,
    ) -> Result<OwnItems, StoreError> {
        let mut own = OwnItems::default();
        for item in self.partition(&keys::wallet_partition(customer), "").await? {
            match sort_key(&item) {
                "A" => own.account = readable(account::from_item(&item), customer, &item, bad),
                key if key.starts_with("H#") => {
                    own.holds.extend(readable(hold::from_item(&item), customer, &item, bad));
                }
                key if key.starts_with("W#") => {
                    own.owed.extend(readable(owed::from_item(&item), customer, &item, bad));
                }
                key if key.starts_with("S#") => {
                    own.statuses.extend(readable(status::from_item(&item), customer, &item, bad));
                }
                _ => {}
            }
        }
        Ok(own)
    }

    /// The entry with this cause, strongly consistent.
    pub async fn entry_of(&self, customer: &CustomerId, cause: &Cause) -> Result<Option<Entry>, StoreError> {
        let item = self.patiently(|| self.get(keys::entry(customer, cause))).await?;
        item.map(|item| entry::from_item(&item)).transpose()
    }

    async fn topups_of(
        &self,
        customer: &CustomerId,
        entries: &[Entry],
        named: &BTreeSet<TopUpId>,
        bad: &mut Vec<Difference>,
    ) -> Result<Vec<TopUp>, StoreError> {
        // A credit names its top-up: one that began after the list was made is found all the same.
        let told = entries.iter().filter_map(|entry| entry.metadata.pairs().get("topup_id"));
        let mut ids: BTreeSet<TopUpId> = told.filter_map(|id| TopUpId::parse(id).ok()).collect();
        ids.extend(named.iter().cloned());
        ids.retain(|id| id.customer() == customer);
        let wanted: Vec<Key> = ids.iter().map(keys::topup).collect();
        let found: HashMap<Key, Item> = self.patiently(|| self.batch(&wanted)).await?;
        let read = |item: &Item| readable(topup::from_item(item), customer, item, bad);
        let mut topups: Vec<TopUp> = found.values().filter_map(read).collect();
        topups.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(topups)
    }

    /// The credited top-ups that their payment's own item leads to.
    async fn led(&self, topups: &[TopUp]) -> Result<BTreeSet<TopUpId>, StoreError> {
        let handle = |topup: &TopUp| {
            let payment = &topup.credited.as_ref()?.payment;
            Some((keys::lead(&Handle::of(topup.gateway, payment)), topup.id.clone()))
        };
        let wanted: HashMap<Key, TopUpId> = topups.iter().filter_map(handle).collect();
        let keys: Vec<Key> = wanted.keys().cloned().collect();
        let found = self.patiently(|| self.batch(&keys)).await?;
        let leads = |(key, id): (&Key, &TopUpId)| {
            let lead = gateway_ref::from_item(found.get(key)?).ok()?;
            (lead.to == LeadTo::TopUp(id.clone())).then(|| id.clone())
        };
        Ok(wanted.iter().filter_map(leads).collect())
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
        let items = self.partition(&keys::entry_partition(customer), "").await?;
        Ok(items.iter().filter_map(|item| readable(entry::from_item(item), customer, item, bad)).collect())
    }

    /// The items of a partition whose range keys begin so, strongly consistent.
    pub(crate) async fn partition(&self, pk: &str, prefix: &str) -> Result<Vec<Item>, StoreError> {
        let mut items = Vec::new();
        let mut start: Option<HashMap<String, AttributeValue>> = None;
        loop {
            let from = start.clone();
            let output = self
                .patiently(|| async {
                    let query = self.client.query().table_name(&self.table);
                    // An empty prefix is no condition that DynamoDB takes.
                    let query = if prefix.is_empty() {
                        query.key_condition_expression("pk = :pk")
                    } else {
                        query
                            .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                            .expression_attribute_values(":prefix", text(prefix))
                    };
                    query
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
        let (account, at) = (AccountRef::wallet(customer).to_string(), Some(sort_key(item).to_owned()));
        bad.push(Difference { account, at, detail: error.to_string() });
    })
    .ok()
}
