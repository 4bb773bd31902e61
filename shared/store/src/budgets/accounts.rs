//! Opening, reading and changing budget accounts.
//!
//! **Invariant:** the first slice is the account: whoever changes slices or stops sees there what others have changed.
//! **Invariant:** a change is made under the versions that it was decided on, and acknowledged when every slice has it.

use super::reserve::appointed;
use super::write::Sent;
use crate::Store;
use crate::attr::{Attributes, Reader, number, text};
use crate::effort::Effort;
use crate::error::StoreError;
use crate::items::budget;
use crate::keys::{self, Key};
use crate::load::unread;
use aws_sdk_dynamodb::types::{KeysAndAttributes, TransactWriteItem, Update};
use domain::budget::allocate::Whole;
use domain::budget::change::{Around, ChangeAccount, OpenAccount, added};
use domain::budget::ids::AccountId;
use domain::budget::{Account, Mode, Status};
use domain::context::Context;
use domain::money::Money;
use domain::rejection::Rejection;
use domain::time::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

impl Store {
    /// An account, strongly consistent, as one item.
    pub async fn account(&self, id: &AccountId) -> Result<Option<Account>, StoreError> {
        let item = self.patiently(|| self.get(keys::slice(id, 0))).await?;
        let account = item.map(|item| budget::from_item(&item)).transpose()?;
        if let Some(account) = &account {
            self.known.accounts.learn(id.clone(), account.clone());
        }
        Ok(account)
    }

    /// An account as this process knows it, at most some seconds old.
    pub async fn known_account(&self, id: &AccountId) -> Result<Option<Arc<Account>>, StoreError> {
        if let Some(known) = self.known.accounts.get(id) {
            return Ok(Some(known));
        }
        Ok(self.account(id).await?.map(Arc::new))
    }

    /// Forgets what this process knows of an account.
    pub fn forget_account(&self, id: &AccountId) {
        self.known.accounts.forget(id);
    }

    /// The platform's account; made when it is first asked for.
    pub async fn platform(&self, context: &Context) -> Result<Account, StoreError> {
        let id = AccountId::platform();
        if let Some(account) = self.account(&id).await? {
            return Ok(account);
        }
        let fresh = Account::platform(context.policy.currency(), context.now);
        let fresh = fresh.ok_or_else(|| StoreError::Corrupt("the platform cannot be named".to_owned()))?;
        let sent = self.transact(vec![self.new_put(budget::to_item(&fresh))?]).await?;
        if let Sent::Busy(why) | Sent::Unknown(why) = sent {
            tracing::warn!(why, "the platform's account is made by another");
        }
        self.account(&id).await?.ok_or_else(|| StoreError::Unavailable("no platform account".to_owned()))
    }

    /// An account with all its slices.
    pub async fn whole_account(&self, id: &AccountId) -> Result<Option<Whole>, StoreError> {
        let Some(account) = self.account(id).await? else { return Ok(None) };
        Ok(Some(self.with_slices(vec![account]).await?.remove(id)).flatten())
    }

    /// Several accounts with all their slices; the platform is made if it is missing.
    pub(crate) async fn whole_accounts(
        &self,
        ids: &[AccountId],
        context: &Context,
    ) -> Result<HashMap<AccountId, Whole>, StoreError> {
        let wanted: Vec<Key> = ids.iter().map(|id| keys::slice(id, 0)).collect();
        let found = self.patiently(|| self.batch(&wanted)).await?;
        let mut accounts = found.values().map(budget::from_item).collect::<Result<Vec<_>, _>>()?;
        let platform = AccountId::platform();
        if ids.contains(&platform) && !found.contains_key(&keys::slice(&platform, 0)) {
            accounts.push(self.platform(context).await?);
        }
        self.with_slices(accounts).await
    }

    pub(crate) async fn with_slices(
        &self,
        accounts: Vec<Account>,
    ) -> Result<HashMap<AccountId, Whole>, StoreError> {
        let others =
            |account: &Account| (1..account.slices).map(|n| keys::slice(&account.id, n)).collect::<Vec<_>>();
        let wanted: Vec<Key> = accounts.iter().flat_map(others).collect();
        let found =
            if wanted.is_empty() { HashMap::new() } else { self.patiently(|| self.batch(&wanted)).await? };
        let mut wholes = HashMap::new();
        for account in accounts {
            let mut others = Vec::new();
            for number in 1..account.slices {
                let item = found.get(&keys::slice(&account.id, number));
                let missing = || StoreError::Corrupt(format!("{} has no slice {number}", account.id));
                others.push(budget::slice_from_item(item.ok_or_else(missing)?, number)?);
            }
            wholes.insert(account.id.clone(), Whole { account, others });
        }
        Ok(wholes)
    }

    /// What the slices of an account have, but for one, as far as a trailing read shows: for showing.
    pub async fn shown_elsewhere(
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
            .patiently(|| async {
                let read = self.client.batch_get_item().request_items(&self.table, request.clone());
                read.send().await.map_err(|error| unread(&error))
            })
            .await?;
        let items = output.responses.into_iter().flatten().flat_map(|(_, items)| items);
        let amounts = items.map(|item| Reader::new(&item, "budget slice").money("available"));
        Ok(amounts.collect::<Result<Vec<_>, _>>()?.into_iter().sum())
    }

    /// Opens an account; asked again, gives what the first request made.
    pub async fn open_account(
        &self,
        open: &OpenAccount,
        context: &Context,
    ) -> Result<(Account, bool), StoreError> {
        let mut effort = Effort::new(self.patience);
        loop {
            let first = self.account(&open.id()).await?;
            if let Some(known) = first {
                if known.opened.fingerprint != open.fingerprint() {
                    return Err(Rejection::KeyReused.into());
                }
                let replayed = known.opened.request != context.request;
                return Ok((known, replayed));
            }
            let mut found = self.whole_accounts(std::slice::from_ref(&open.parent), context).await?;
            let parent = found.remove(&open.parent).ok_or(Rejection::AccountNotFound)?;
            let account = open.decide(&parent, context)?;
            let listed = keys::listed_child(&open.parent, account.created_at, &account.id);
            let mut item = Attributes::default().text("account_id", &account.id).0;
            item.extend(listed.attributes());
            let mut writes = vec![
                self.new_put(budget::to_item(&account))?,
                self.any_put(item)?,
                self.parent_update(&open.parent)?,
            ];
            for number in 1..account.slices {
                let slice = added(&account, number);
                writes.push(self.new_put(budget::slice_to_item(&account.id, &slice))?);
            }
            match self.transact(writes).await? {
                Sent::Done(_) => return Ok((account, false)),
                Sent::Busy(why) if !effort.again().await => return Err(StoreError::Contention(why)),
                Sent::Unknown(why) if !effort.again().await => return Err(StoreError::Unavailable(why)),
                // One that is there by now answers.
                Sent::Refused(_) | Sent::Busy(_) | Sent::Unknown(_) => {}
            }
        }
    }

    /// A parent has one child more: whoever is closing it decides again.
    fn parent_update(&self, parent: &AccountId) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(keys::slice(parent, 0).attributes()))
            .update_expression("SET version = version + :one")
            .condition_expression("#status IN (:active, :paused)")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":one", number(1))
            .expression_attribute_values(":active", text("active"))
            .expression_attribute_values(":paused", text("paused"));
        Ok(TransactWriteItem::builder().update(update.build().map_err(StoreError::built)?).build())
    }

    /// Changes an account; when it returns, every slice has the change.
    pub async fn change_account(
        &self,
        id: &AccountId,
        change: &ChangeAccount,
        context: &Context,
    ) -> Result<Account, StoreError> {
        let mut effort = Effort::new(self.patience);
        loop {
            let whole = self.whole_account(id).await?.ok_or(Rejection::AccountNotFound)?;
            let around = self.around(&whole, change, context.now).await?;
            let account = change.decide(&whole, around, context.now)?;
            if self.rewrite(&whole.account, &account).await? {
                self.forget_account(id);
                self.keep_or_undo(&whole.account, &account).await?;
                // It is changed by now: what follows may be cut short, and is due.
                self.copy_status(id, context.now).await.map_err(unknown)?;
                self.finish_closing(id, context).await.map_err(unknown)?;
                return self.account(id).await?.ok_or_else(|| Rejection::AccountNotFound.into());
            }
            if whole.account.slices != account.slices {
                self.renew_slices(id).await?;
            }
            if !effort.again().await {
                return Err(StoreError::Contention("the account is being changed by others".to_owned()));
            }
        }
    }

    /// A campaign that shares its client's credit from now on must have none of its own: what came in while it was being
    /// changed undoes the change.
    async fn keep_or_undo(&self, was: &Account, is: &Account) -> Result<(), StoreError> {
        if was.mode == is.mode || is.mode != Mode::Shared {
            return Ok(());
        }
        let whole = self.whole_account(&is.id).await?.ok_or(Rejection::AccountNotFound)?;
        if whole.available().is_zero() {
            return Ok(());
        }
        let mut undone = whole.account.clone();
        undone.mode = was.mode;
        undone.first.status_version += 1;
        undone.version += 1;
        self.rewrite(&whole.account, &undone).await?;
        self.forget_account(&is.id);
        Err(Rejection::AccountNotEmpty.into())
    }

    async fn around(
        &self,
        whole: &Whole,
        change: &ChangeAccount,
        now: Timestamp,
    ) -> Result<Around, StoreError> {
        let account = &whole.account;
        let mut around = Around { reserved: false, children: false };
        if change.mode.is_some_and(|mode| mode != account.mode) {
            self.resolve(account.charged(), now).await?;
            around.reserved = self.is_reserved(account).await?;
        }
        if change.status == Some(Status::Closing) {
            let children = self.children(&account.id).await?;
            around.children = children.iter().any(|child| child.status() != Status::Closed);
        }
        Ok(around)
    }

    /// Writes what is known of an account, with its status and any slices it gains, if nothing has changed meanwhile.
    pub(super) async fn rewrite(&self, was: &Account, account: &Account) -> Result<bool, StoreError> {
        for number in was.slices..account.slices {
            // With the status that the account has had: the new one is copied like to any other slice.
            self.add_slice(was, number).await?;
        }
        let mut set = budget::facts(account).0;
        set.insert("status".to_owned(), text(account.first.status.as_str()));
        set.insert("status_version".to_owned(), number(account.first.status_version));
        let key = keys::slice(&account.id, 0);
        if was.first.status_version != account.first.status_version {
            set.extend(appointed(&key.pk, account.updated_at));
        }
        let done = self
            .update(&key, |update| {
                let mut parts = Vec::new();
                let mut update = update;
                for (at, (name, value)) in set.into_iter().enumerate() {
                    parts.push(format!("#s{at} = :s{at}"));
                    update = update
                        .expression_attribute_names(format!("#s{at}"), name)
                        .expression_attribute_values(format!(":s{at}"), value);
                }
                update
                    .update_expression(format!("SET {}", parts.join(", ")))
                    .condition_expression(
                        "version = :was AND status_version = :status AND stops_version = :stops",
                    )
                    .expression_attribute_values(":was", number(was.version))
                    .expression_attribute_values(":status", number(was.first.status_version))
                    .expression_attribute_values(":stops", number(was.first.stops_version))
            })
            .await?;
        match done {
            Sent::Done(_) => Ok(true),
            Sent::Refused(_) | Sent::Busy(_) | Sent::Unknown(_) => Ok(false),
        }
    }

    /// The accounts right below one, in the order in which they were made.
    pub async fn children(&self, id: &AccountId) -> Result<Vec<Account>, StoreError> {
        let places = self.partition(&keys::children(id), "").await?;
        let ids = places.iter().filter_map(|item| {
            let id = item.get("account_id")?.as_s().ok()?;
            AccountId::parse(id).ok()
        });
        let wanted: Vec<Key> = ids.map(|id| keys::slice(&id, 0)).collect();
        let found = self.patiently(|| self.batch(&wanted)).await?;
        wanted.iter().filter_map(|key| found.get(key)).map(budget::from_item).collect()
    }

    /// The accounts with their slices, by id.
    pub async fn wholes(&self, accounts: Vec<Account>) -> Result<BTreeMap<AccountId, Whole>, StoreError> {
        Ok(self.with_slices(accounts).await?.into_iter().collect())
    }

    /// Remembers what a card of a campaign costs, for estimates; once known it is not touched again.
    pub async fn note_card_price(&self, id: &AccountId, price: Money) -> Result<(), StoreError> {
        let sent = self
            .update(&keys::slice(id, 0), |update| {
                update
                    .update_expression("SET card_price = :price")
                    .condition_expression("attribute_exists(pk) AND attribute_not_exists(card_price)")
                    .expression_attribute_values(":price", number(price))
            })
            .await?;
        if let Sent::Busy(why) | Sent::Unknown(why) = sent {
            tracing::debug!(why, "the price of a card is noted another time");
        }
        self.forget_account(id);
        Ok(())
    }
}

/// What is cut short after it had its effect is not known to have had none.
fn unknown(error: StoreError) -> StoreError {
    if let StoreError::Contention(why) = error { StoreError::Unavailable(why) } else { error }
}
