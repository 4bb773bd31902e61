//! Opens and reads budget accounts.
//!
//! **Invariant:** the first slice is the account's own item, so every change of slices or stops
//! conflicts there with concurrent ones.
//! **Invariant:** an account, its other slices and its place in its parent's list are written in
//! one transaction.

use super::Budgets;
use crate::budgets::items::budget;
use crate::engine::attr::{Attributes, Reader, number};
use crate::engine::error::StoreError;
use crate::engine::read::read_error;
use crate::engine::retry::Certain;
use crate::engine::sent::Sent;
use crate::keys::{self, Key};
use aws_sdk_dynamodb::types::KeysAndAttributes;
use domain::budget::BudgetAccount;
use domain::budget::allocate::SlicedAccount;
use domain::budget::change::{OpenAccount, added};
use domain::context::Context;
use domain::ids::budget::AccountId;
use domain::money::Money;
use domain::rejection::Rejection;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

impl Budgets {
    /// Reads an account with its first slice, as one strongly consistent item.
    pub async fn account(&self, id: &AccountId) -> Result<Option<BudgetAccount>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::slice(id, 0))).await?;
        let account = item.map(|item| budget::from_item(&item)).transpose()?;
        if let Some(account) = &account {
            self.accounts.insert(id.clone(), account.clone());
        }
        Ok(account)
    }

    /// Returns an account from the cache, at most five seconds old, or reads it.
    pub async fn cached_account(&self, id: &AccountId) -> Result<Option<Arc<BudgetAccount>>, StoreError> {
        if let Some(known) = self.accounts.get(id) {
            return Ok(Some(known));
        }
        Ok(self.account(id).await?.map(Arc::new))
    }

    /// Removes an account from this process's cache.
    pub fn invalidate_account(&self, id: &AccountId) {
        self.accounts.invalidate(id);
    }

    /// Returns the platform's account; creates it if it does not exist.
    pub async fn platform(&self, context: &Context) -> Result<BudgetAccount, StoreError> {
        let id = AccountId::platform();
        if let Some(account) = self.account(&id).await? {
            return Ok(account);
        }
        let fresh = BudgetAccount::platform(context.policy.currency(), context.now);
        let fresh = fresh.ok_or_else(|| StoreError::Corrupt("the platform's name is invalid".to_owned()))?;
        let sent = self.table.transact(vec![self.table.new_put(budget::to_item(&fresh))?]).await?;
        if let Sent::Busy(why) | Sent::Unsent(why) | Sent::Unknown(why) = sent {
            tracing::warn!(why, "the platform's account may have been created by another request");
        }
        self.account(&id).await?.ok_or_else(|| StoreError::Unavailable("no platform account".to_owned()))
    }

    /// Reads an account with all its slices.
    pub async fn load_sliced(&self, id: &AccountId) -> Result<Option<SlicedAccount>, StoreError> {
        let Some(account) = self.account(id).await? else { return Ok(None) };
        Ok(Some(self.with_slices(vec![account]).await?.remove(id)).flatten())
    }

    /// Reads several accounts with all their slices; creates the platform's account if it is
    /// requested and does not exist.
    pub(crate) async fn load_sliced_many(
        &self,
        ids: &[AccountId],
        context: &Context,
    ) -> Result<HashMap<AccountId, SlicedAccount>, StoreError> {
        let wanted: Vec<Key> = ids.iter().map(|id| keys::slice(id, 0)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let mut accounts = found.values().map(budget::from_item).collect::<Result<Vec<_>, _>>()?;
        let platform = AccountId::platform();
        if ids.contains(&platform) && !found.contains_key(&keys::slice(&platform, 0)) {
            accounts.push(self.platform(context).await?);
        }
        self.with_slices(accounts).await
    }

    pub(crate) async fn with_slices(
        &self,
        accounts: Vec<BudgetAccount>,
    ) -> Result<HashMap<AccountId, SlicedAccount>, StoreError> {
        let others = |account: &BudgetAccount| {
            (1..account.slices).map(|n| keys::slice(&account.id, n)).collect::<Vec<_>>()
        };
        let wanted: Vec<Key> = accounts.iter().flat_map(others).collect();
        let found = if wanted.is_empty() {
            HashMap::new()
        } else {
            self.table.with_retry(|| self.table.batch(&wanted)).await?
        };
        let mut sliced_accounts = HashMap::new();
        for account in accounts {
            let mut others = Vec::new();
            for number in 1..account.slices {
                let item = found.get(&keys::slice(&account.id, number));
                let missing = || StoreError::Corrupt(format!("{} has no slice {number}", account.id));
                others.push(budget::slice_from_item(item.ok_or_else(missing)?, number)?);
            }
            sliced_accounts.insert(account.id.clone(), SlicedAccount { account, others });
        }
        Ok(sliced_accounts)
    }

    /// Returns the sum that is available on all slices of an account except `but`. For display
    /// only: the read is eventually consistent.
    pub async fn other_slices_available(
        &self,
        account: &AccountId,
        slices: u8,
        but: u8,
    ) -> Result<Money, StoreError> {
        let wanted =
            (0..slices).filter(|slice| *slice != but).map(|slice| keys::slice(account, slice).attributes());
        let wanted: Vec<_> = wanted.collect();
        if wanted.is_empty() {
            return Ok(Money::ZERO);
        }
        let request = KeysAndAttributes::builder()
            .set_keys(Some(wanted))
            .projection_expression("available")
            .build()
            .map_err(StoreError::built)?;
        let output = self
            .table
            .with_retry(|| async {
                let read =
                    self.table.client.batch_get_item().request_items(&self.table.name, request.clone());
                read.send().await.map_err(|error| read_error(&error))
            })
            .await?;
        let items = output.responses.into_iter().flatten().flat_map(|(_, items)| items);
        let amounts = items.map(|item| Reader::new(&item, "budget slice").money("available"));
        Ok(amounts.collect::<Result<Vec<_>, _>>()?.into_iter().sum())
    }

    /// Opens an account, or finds it if this request is a repetition. Returns the account, and true
    /// if an earlier request opened it.
    pub async fn open_account(
        &self,
        open: &OpenAccount,
        context: &Context,
    ) -> Result<(BudgetAccount, bool), StoreError> {
        let mut retry = self.table.retry();
        loop {
            // A transactional read conflicts with a transaction in progress; a plain read could
            // miss an account that is just being created.
            let first = self.table.read_atomically(&[keys::slice(&open.id(), 0)]).await;
            let first = first.map_err(|error| retry.certain(error))?.into_iter().next().flatten();
            let first = first.map(|item| budget::from_item(&item)).transpose()?;
            if let Some(known) = first {
                if known.opened.fingerprint != open.fingerprint() {
                    return Err(Rejection::KeyReused.into());
                }
                let replayed = known.opened.request != context.request;
                return Ok((known, replayed));
            }
            let found = self.load_sliced_many(std::slice::from_ref(&open.parent), context).await;
            let mut found = found.map_err(|error| retry.certain(error))?;
            let mut parent = found.remove(&open.parent).ok_or(Rejection::AccountNotFound)?;
            if parent.account.children.is_none() {
                let counted = self.child_count(&open.parent).await;
                parent.account.children = Some(counted.map_err(|error| retry.certain(error))?);
            }
            let account = open.decide(&parent, context)?;
            let listed = keys::listed_child(&open.parent, account.created_at, &account.id);
            let mut item = Attributes::default().text("account_id", &account.id).0;
            item.extend(listed.attributes());
            let mut writes = vec![
                self.table.new_put(budget::to_item(&account))?,
                self.table.any_put(item)?,
                self.child_opened(&open.parent)?,
            ];
            for number in 1..account.slices {
                let slice = added(&account, number);
                writes.push(self.table.new_put(budget::slice_to_item(&account.id, &slice))?);
            }
            // If the account exists by now, the next read finds it.
            let sent = self.table.transact(writes).await?;
            if let Some(Certain::Done(_)) = retry.settled(sent).await? {
                return Ok((account, false));
            }
        }
    }

    /// Reads the slices of these accounts; returns the accounts by id.
    pub async fn sliced_accounts(
        &self,
        accounts: Vec<BudgetAccount>,
    ) -> Result<BTreeMap<AccountId, SlicedAccount>, StoreError> {
        Ok(self.with_slices(accounts).await?.into_iter().collect())
    }

    /// Records the price of a campaign's card, for estimates; a recorded price is never changed.
    pub async fn record_card_price(&self, id: &AccountId, price: Money) -> Result<(), StoreError> {
        let sent = self
            .table
            .update(&keys::slice(id, 0), |update| {
                update
                    .update_expression("SET card_price = :price")
                    .condition_expression("attribute_exists(pk) AND attribute_not_exists(card_price)")
                    .expression_attribute_values(":price", number(price))
            })
            .await?;
        if let Sent::Busy(why) | Sent::Unsent(why) | Sent::Unknown(why) = sent {
            tracing::debug!(why, "the price of a card is not recorded; a later request records it");
        }
        self.invalidate_account(id);
        Ok(())
    }
}
