//! Reads wallets for callers and for the sweep.
//!
//! **Invariant:** wallets, holds and orders are read with strong consistency. Entries, and the
//! choice of which orders are listed, may come from a list or an index.

use super::Wallets;
use crate::engine::due::{DuePage, DueWork, Place};
use crate::engine::error::StoreError;
use crate::keys::{self, DueKind};
use crate::ledger::history::EntryPage;
use crate::ledger::items::entry;
use crate::ledger::load::load_consistent;
use crate::wallet::items::order;
use domain::cause::Cause;
use domain::ids::{AccountRef, CustomerId, HoldId, OrderId};
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::ledger::order::Order;
use domain::time::Timestamp;
use domain::wallet::profile::LoadedWallet;
use domain::wallet::state::{WalletNeeds, WalletState};
use std::collections::BTreeSet;

/// Number of a wallet's newest entries that are searched for orders.
const LOOKED_THROUGH: u16 = 100;

impl Wallets {
    /// Reads a wallet as stored, with the holds that are due at `now`.
    pub async fn wallet(
        &self,
        customer: &CustomerId,
        now: Timestamp,
    ) -> Result<Option<LoadedWallet>, StoreError> {
        let state: WalletState = load_consistent(&self.table, &WalletNeeds::wallet(customer), now).await?;
        Ok(state.wallet)
    }

    /// Reads a hold and its wallet.
    pub async fn hold(
        &self,
        id: &HoldId,
        now: Timestamp,
    ) -> Result<(Option<LoadedWallet>, Option<Hold>), StoreError> {
        let needs = WalletNeeds { hold: Some(id.clone()), ..WalletNeeds::wallet(id.customer()) };
        let state: WalletState = load_consistent(&self.table, &needs, now).await?;
        Ok((state.wallet, state.hold))
    }

    /// Returns up to `limit` entries with numbers below `before`, newest first.
    pub async fn history(
        &self,
        customer: &CustomerId,
        before: u64,
        limit: u16,
    ) -> Result<EntryPage, StoreError> {
        self.table.history(&AccountRef::wallet(customer), before, limit).await
    }

    /// Returns the entry with this number, from the index.
    pub async fn entry(&self, customer: &CustomerId, seq: u64) -> Result<Option<Entry>, StoreError> {
        let page = self.history(customer, seq.saturating_add(1), 1).await?;
        Ok(page.entries.into_iter().next().filter(|entry| entry.seq == seq))
    }

    /// Reads the entry of this cause with strong consistency.
    pub async fn entry_of(&self, account: &AccountRef, cause: &Cause) -> Result<Option<Entry>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::entry(account, cause))).await?;
        item.map(|item| entry::from_item(&item)).transpose()
    }

    /// Reads an order.
    pub async fn order(&self, id: &OrderId) -> Result<Option<Order>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::order(id))).await?;
        item.map(|item| order::from_item(&item)).transpose()
    }

    /// Returns a customer's newest orders: registered ones, and those that the newest entries of
    /// the wallet name.
    pub async fn newest_orders(&self, customer: &CustomerId, limit: u16) -> Result<Vec<Order>, StoreError> {
        let listed = self.table.newest_listed(&keys::order_list(customer), limit).await?;
        let mut ids: BTreeSet<OrderId> = listed
            .iter()
            .filter_map(|place| place.split_once('#'))
            .filter_map(|(_, id)| OrderId::parse_stored(id).ok())
            .collect();
        let page = self.history(customer, u64::MAX, LOOKED_THROUGH).await?;
        ids.extend(page.entries.into_iter().filter_map(|entry| entry.order_id));
        let keys: Vec<_> = ids.iter().map(keys::order).collect();
        let found = self.table.with_retry(|| self.table.batch(&keys)).await?;
        let orders: Result<Vec<Order>, _> = found.values().map(order::from_item).collect();
        let mut orders: Vec<Order> =
            orders?.into_iter().filter(|order| order.customer == *customer).collect();
        orders.sort_by(|a, b| (b.created_at, &b.id).cmp(&(a.created_at, &a.id)));
        orders.truncate(usize::from(limit));
        Ok(orders)
    }
}

impl DueWork for Wallets {
    type Item = CustomerId;

    async fn due(&self, page: DuePage<'_>) -> Result<Vec<(CustomerId, Place)>, StoreError> {
        let found = self.table.due(DueKind::Wallets, page).await?;
        let customer = |pk: &str| keys::account_of(pk)?.wallet_customer().cloned();
        Ok(found.into_iter().filter_map(|(pk, at)| Some((customer(&pk)?, at))).collect())
    }

    async fn postpone(&self, customer: &CustomerId, until: Timestamp) -> Result<(), StoreError> {
        self.table.postpone(keys::wallet(customer), until).await
    }
}
