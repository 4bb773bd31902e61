//! Reads all wallets of a table for the audit: the list of wallets, and everything stored about
//! one.
//!
//! **Invariant:** the audit reads the base table with strong consistency, in this order: the
//! account; the entries; the account again with its holds and orders; the entries again, if the
//! holds, orders or top-ups are newer. So whatever is read later is never older than the entries
//! read before it.
//! **Invariant:** an item that cannot be read is reported as a difference; it never ends the audit.

use super::Audit;
use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::keys::{self, Key};
use crate::ledger::items::{account, entry, hold, month, owed, status};
use crate::payments::items::{gateway_ref, topup};
use crate::rewards;
use crate::wallet::items::{order, wallet};
use domain::audit::WalletBooks;
use domain::ids::{
    AccountKind, AccountRef, CustomerId, GatewayKey, OrderId, PurchaseId, ReferralCode, TopUpId,
};
use domain::ledger::account::{Account, StatusChange};
use domain::ledger::audit::{Books, Difference};
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::ledger::order::Order;
use domain::ledger::owed::OwedChange;
use domain::ledger::statistics::MonthFigures;
use domain::payments::audit::PaymentBooks;
use domain::payments::topup::TopUp;
use domain::payments::webhook_event::RefTarget;
use domain::rewards::state::ReferralRecord;
use domain::wallet::profile::Profile;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Items of the wallet's own partition.
#[derive(Debug, Default)]
struct OwnItems {
    account: Option<Account>,
    profile: Option<Profile>,
    holds: Vec<Hold>,
    statuses: Vec<(u64, StatusChange)>,
    owed: Vec<(u64, OwedChange)>,
    months: Vec<MonthFigures>,
    referred: Option<ReferralRecord>,
}

/// Items outside its own partition that name a customer.
#[derive(Clone, Debug, Default)]
pub struct Named {
    /// Referral code that belongs to the customer.
    pub referral: Option<ReferralCode>,
    /// Orders of the customer.
    pub orders: BTreeSet<OrderId>,
    /// Top-ups of the customer.
    pub topups: BTreeSet<TopUpId>,
}

/// Wallets of a table.
#[derive(Debug, Default)]
pub struct AccountList {
    /// Every customer that any item names.
    pub wallets: BTreeMap<CustomerId, Named>,
    /// True if any item belongs to vouchers.
    pub has_vouchers: bool,
    /// Every order of which something was reported.
    pub order_records: BTreeSet<OrderId>,
    /// Every customer whose points any item names, with the purchases.
    pub points: BTreeMap<CustomerId, BTreeSet<PurchaseId>>,
    /// Number of items in the table.
    pub items: u64,
}

impl AccountList {
    /// Adds the customer whose points an item names.
    fn add_points(&mut self, pk: &str, own: Option<&AccountRef>, item: &Item) {
        let named = item.get("user_id").and_then(|id| CustomerId::parse(id.as_s().ok()?).ok());
        let own = own.filter(|own| own.kind == AccountKind::Points).map(|own| own.id.clone());
        let purchase = keys::purchase_of(pk).filter(|_| sort_key(item) == "U");
        if let Some(user) = own {
            self.points.entry(user).or_default();
        } else if let (Some(user), Some(purchase)) = (named, purchase) {
            self.points.entry(user).or_default().insert(purchase);
        }
    }
}

impl Audit {
    /// Lists every wallet that any item names. Scans the table; for the audit only.
    pub async fn wallets(&self) -> Result<AccountList, StoreError> {
        let mut list = AccountList::default();
        let mut start = None;
        loop {
            let (from, wanted) = (start.clone(), "pk, sk, customer_id, user_id");
            let output = self
                .table
                .with_retry(|| async {
                    self.table
                        .client
                        .scan()
                        .table_name(&self.table.name)
                        .projection_expression(wanted)
                        .consistent_read(true)
                        .limit(500)
                        .set_exclusive_start_key(from.clone())
                        .send()
                        .await
                        .map_err(|error| read_error(&error))
                })
                .await?;
            for item in output.items.unwrap_or_default() {
                list.items += 1;
                let Some(pk) = item.get(keys::PK).and_then(|pk| pk.as_s().ok()) else { continue };
                let attribute =
                    item.get("customer_id").and_then(|id| CustomerId::parse(id.as_s().ok()?).ok());
                let own = keys::account_of(pk).or_else(|| keys::entry_account(pk));
                list.add_points(pk, own.as_ref(), &item);
                list.order_records.extend(keys::order_reports_of(pk));
                list.has_vouchers |= keys::is_of_vouchers(pk);
                let own = own.as_ref().and_then(AccountRef::wallet_customer).cloned();
                let Some(customer) = own.or(attribute) else { continue };
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

    /// Reads everything stored about a wallet, and lists the items that cannot be read.
    pub async fn wallet_books(
        &self,
        customer: &CustomerId,
        named: &Named,
    ) -> Result<(WalletBooks, Vec<Difference>), StoreError> {
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
        let ledger = Books {
            id: AccountRef::wallet(customer),
            named: named.referral.is_some(),
            account: first.account,
            statuses: first.statuses,
            seen,
            account_seq: again.account.map_or(0, |account| account.seq),
            holds: again.holds,
            orders,
            owed: first.owed,
            months: first.months,
            entries,
        };
        let payments = PaymentBooks { resolved: self.resolved(&topups).await?, topups };
        // The record and the wallet that names who referred it are written together, and read one after the other.
        let referred_by = again.profile.and_then(|profile| profile.referred_by);
        let referred = if referred_by.is_some() { again.referred } else { first.referred };
        let profile = first.profile.map(|profile| Profile { referred_by, ..profile });
        let books = WalletBooks { ledger, profile, referral: named.referral.clone(), referred, payments };
        Ok((books, bad))
    }

    /// Reads the account, its holds and the records of its changes: one partition, in key order.
    async fn own_items(
        &self,
        customer: &CustomerId,
        bad: &mut Vec<Difference>,
    ) -> Result<OwnItems, StoreError> {
        let mut own = OwnItems::default();
        for item in self.table.partition(&keys::account_partition(&AccountRef::wallet(customer)), "").await? {
            match sort_key(&item) {
                "A" => {
                    own.account = readable(account::from_item(&item), customer, &item, bad);
                    own.profile = readable(wallet::profile_from_item(&item, customer), customer, &item, bad);
                }
                key if key.starts_with("H#") => {
                    own.holds.extend(readable(hold::from_item(&item), customer, &item, bad));
                }
                key if key.starts_with(keys::MONTHS) => {
                    own.months.extend(readable(month::from_item(&item), customer, &item, bad));
                }
                key if key.starts_with("W#") => {
                    own.owed.extend(readable(owed::from_item(&item), customer, &item, bad));
                }
                "F" => {
                    let record = rewards::items::referral_from_item(&item);
                    own.referred = readable(record, customer, &item, bad);
                }
                key if key.starts_with("S#") => {
                    own.statuses.extend(readable(status::from_item(&item), customer, &item, bad));
                }
                _ => {}
            }
        }
        Ok(own)
    }

    async fn topups_of(
        &self,
        customer: &CustomerId,
        entries: &[Entry],
        named: &BTreeSet<TopUpId>,
        bad: &mut Vec<Difference>,
    ) -> Result<Vec<TopUp>, StoreError> {
        // A credit names its top-up, so a top-up that was created after the scan is found as well.
        let named_by_entries = entries.iter().filter_map(|entry| entry.metadata.pairs().get("topup_id"));
        let mut ids: BTreeSet<TopUpId> = named_by_entries.filter_map(|id| TopUpId::parse(id).ok()).collect();
        ids.extend(named.iter().cloned());
        ids.retain(|id| id.customer() == customer);
        let wanted: Vec<Key> = ids.iter().map(keys::topup).collect();
        let found: HashMap<Key, Item> = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let read = |item: &Item| readable(topup::from_item(item), customer, item, bad);
        let mut topups: Vec<TopUp> = found.values().filter_map(read).collect();
        topups.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(topups)
    }

    /// Returns the credited top-ups to which the gateway reference of their payment leads.
    async fn resolved(&self, topups: &[TopUp]) -> Result<BTreeSet<TopUpId>, StoreError> {
        let key = |topup: &TopUp| {
            let payment = &topup.credited.as_ref()?.payment;
            Some((keys::gateway_ref(&GatewayKey::of(topup.gateway, payment)), topup.id.clone()))
        };
        let wanted: HashMap<Key, TopUpId> = topups.iter().filter_map(key).collect();
        let keys: Vec<Key> = wanted.keys().cloned().collect();
        let found = self.table.with_retry(|| self.table.batch(&keys)).await?;
        let refs = |(key, id): (&Key, &TopUpId)| {
            let gateway_ref = gateway_ref::from_item(found.get(key)?).ok()?;
            (gateway_ref.to == RefTarget::TopUp(id.clone())).then(|| id.clone())
        };
        Ok(wanted.iter().filter_map(refs).collect())
    }

    async fn orders_of(
        &self,
        customer: &CustomerId,
        named: &BTreeSet<OrderId>,
        bad: &mut Vec<Difference>,
    ) -> Result<Vec<Order>, StoreError> {
        let wanted: Vec<Key> = named.iter().map(keys::order).collect();
        let found: HashMap<Key, Item> = self.table.with_retry(|| self.table.batch(&wanted)).await?;
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
        let items = self.table.partition(&keys::entry_partition(&AccountRef::wallet(customer)), "").await?;
        Ok(items.iter().filter_map(|item| readable(entry::from_item(item), customer, item, bad)).collect())
    }
}

pub(super) fn sort_key(item: &Item) -> &str {
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
