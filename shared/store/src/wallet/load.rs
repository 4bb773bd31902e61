//! Reading exactly the items that a decision needs, strongly consistent.
//!
//! **Invariant:** a wallet with nothing due is read in one round trip; a hold whose time is up costs one more.
//! **Invariant:** items read at different moments are safe to decide on: each carries the version that its
//! write will demand.

use crate::Store;
use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::engine::retry::Effort;
use crate::keys::{self, Key};
use crate::payments::process;
use crate::wallet::commit::{Kind, describe};
use crate::wallet::items::{account, entry, hold, order};
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{Get, KeysAndAttributes, ReturnConsumedCapacity, TransactGetItem};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use domain::ids::{CustomerId, HoldId, OrderId};
use domain::ledger::account::Account;
use domain::ledger::command::{Needs, State};
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::ledger::order::Order;
use domain::ledger::posting::Party;
use domain::time::Timestamp;
use std::collections::HashMap;

/// How often items that contradict each other are read again before it is believed.
pub(crate) const MAX_TORN: u32 = 3;

/// A read that was not answered.
pub(crate) fn unread<E>(error: &SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match describe(error) {
        (what, Kind::Busy) => StoreError::Contention(what),
        (what, Kind::Unknown | Kind::Refused) => StoreError::Unavailable(what),
    }
}

impl Store {
    fn report(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }

    /// One item, once.
    pub(crate) async fn get(&self, key: Key) -> Result<Option<Item>, StoreError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .consistent_read(true)
            .set_return_consumed_capacity(self.report());
        let output = request.send().await.map_err(|error| unread(&error))?;
        if let Some(meter) = &self.meter {
            meter.read(output.consumed_capacity.as_slice());
        }
        Ok(output.item)
    }

    /// Several items; what the table leaves unprocessed is asked for again.
    pub(crate) async fn batch(&self, keys: &[Key]) -> Result<HashMap<Key, Item>, StoreError> {
        let mut effort = Effort::new(self.patience);
        let mut found = HashMap::new();
        for chunk in keys.chunks(100) {
            let mut pending: Vec<_> = chunk.iter().map(Key::attributes).collect();
            while !pending.is_empty() {
                let wanted = KeysAndAttributes::builder()
                    .set_keys(Some(pending))
                    .consistent_read(true)
                    .build()
                    .map_err(StoreError::built)?;
                let request = self
                    .client
                    .batch_get_item()
                    .request_items(&self.table, wanted)
                    .set_return_consumed_capacity(self.report());
                let output = request.send().await.map_err(|error| unread(&error))?;
                if let Some(meter) = &self.meter {
                    meter.read(output.consumed_capacity());
                }
                for item in output.responses.into_iter().flatten().flat_map(|(_, items)| items) {
                    if let Some(key) = key_of(&item) {
                        found.insert(key, item);
                    }
                }
                let rest = output.unprocessed_keys.unwrap_or_default();
                pending = rest.into_values().flat_map(|rest| rest.keys).collect();
                if !pending.is_empty() && !effort.again().await {
                    return Err(StoreError::Contention("batch read stays unprocessed".to_owned()));
                }
            }
        }
        Ok(found)
    }

    /// Reads with patience: throttling and silence are waited out.
    pub(crate) async fn patiently<T, F>(&self, read: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut effort = Effort::new(self.patience);
        loop {
            match read().await {
                Err(StoreError::Contention(_) | StoreError::Unavailable(_)) if effort.again().await => {}
                done => return done,
            }
        }
    }

    /// A wallet as stored, with the holds that are due at `now`.
    pub async fn wallet(&self, customer: &CustomerId, now: Timestamp) -> Result<Option<Party>, StoreError> {
        Ok(self.whole(&Needs::wallet(customer), now).await?.party)
    }

    /// A hold and its wallet.
    pub async fn hold(
        &self,
        id: &HoldId,
        now: Timestamp,
    ) -> Result<(Option<Party>, Option<Hold>), StoreError> {
        let needs = Needs { hold: Some(id.clone()), ..Needs::wallet(id.customer()) };
        let state = self.whole(&needs, now).await?;
        Ok((state.party, state.hold))
    }

    /// Loads for reading: items of different moments that contradict each other are read again.
    async fn whole(&self, needs: &Needs, now: Timestamp) -> Result<State, StoreError> {
        let mut state = self.patiently(|| self.load(needs, now)).await?;
        for _ in 0..MAX_TORN {
            if state.party.as_ref().is_none_or(|party| party.settled(now).is_ok()) {
                break;
            }
            state = self.patiently(|| self.load(needs, now)).await?;
        }
        Ok(state)
    }

    /// Everything a command needs: one round trip, and a second only for what the first named.
    pub(crate) async fn load(&self, needs: &Needs, now: Timestamp) -> Result<State, StoreError> {
        let mut wanted: Vec<Key> = needs.customer.iter().map(keys::wallet).collect();
        wanted.extend(needs.counterparty.as_ref().map(keys::wallet));
        wanted.extend(needs.hold.as_ref().map(keys::hold));
        wanted.extend(needs.order.as_ref().map(keys::order));
        wanted.extend(process::wanted(needs));
        let mut found = match wanted.as_slice() {
            [] => HashMap::new(),
            [only] => self.get(only.clone()).await?.map(|item| (only.clone(), item)).into_iter().collect(),
            many => self.batch(many).await?,
        };
        let main = needs.customer.as_ref().map(|id| read_account(&found, id)).transpose()?.flatten();
        let other = needs.counterparty.as_ref().map(|id| read_account(&found, id)).transpose()?.flatten();
        let held = needs.hold.as_ref().map(|id| read_hold(&found, id)).transpose()?.flatten();
        let named = held.as_ref().and_then(|hold| hold.view.order_id.clone());
        // One instant for all that is loaded: the clock, or the latest change if that is later.
        let now = [&main, &other].into_iter().flatten().map(|a| a.updated_at).fold(now, Timestamp::max);
        let due: Vec<HoldId> =
            [&main, &other].into_iter().flatten().flat_map(|a| due_holds(a, now)).collect();
        let mut more: Vec<Key> = due.iter().map(keys::hold).collect();
        more.extend(named.as_ref().map(keys::order));
        more.extend(process::led_to(&found, needs)?);
        more.retain(|key| !found.contains_key(key));
        if !more.is_empty() {
            found.extend(self.batch(&more).await?);
        }
        let party = |account: Account| -> Result<Party, StoreError> {
            let holds = due_holds(&account, now);
            let due_holds = holds.iter().filter_map(|id| read_hold(&found, id).transpose());
            Ok(Party { due_holds: due_holds.collect::<Result<_, _>>()?, account })
        };
        let order = needs.order.as_ref().or(named.as_ref());
        let state = State {
            party: main.map(party).transpose()?,
            counterparty: other.map(party).transpose()?,
            order: order.map(|id| read_order(&found, id)).transpose()?.flatten(),
            hold: held,
            ..State::default()
        };
        Box::pin(self.with_reports(state, &found, needs)).await
    }

    /// Accounts and an entry of one instant: whether a refusal stands, or the request was served before.
    pub(crate) async fn together(
        &self,
        accounts: &[&CustomerId],
        at: (&CustomerId, &domain::cause::Cause),
    ) -> Result<(Vec<Option<Account>>, Option<Entry>), StoreError> {
        let mut wanted: Vec<Key> = accounts.iter().copied().map(keys::wallet).collect();
        wanted.push(keys::entry(at.0, at.1));
        let mut request = self.client.transact_get_items().set_return_consumed_capacity(self.report());
        for key in &wanted {
            let get = Get::builder().table_name(&self.table).set_key(Some(key.attributes()));
            let get = get.build().map_err(StoreError::built)?;
            request = request.transact_items(TransactGetItem::builder().get(get).build());
        }
        let output = request.send().await.map_err(|error| unread(&error))?;
        if let Some(meter) = &self.meter {
            meter.read(output.consumed_capacity());
        }
        let mut items = output.responses.unwrap_or_default().into_iter().map(|response| response.item);
        let read = |item: Item| account::from_item(&item);
        let first: Vec<_> = items.by_ref().take(accounts.len()).collect();
        let accounts = first.into_iter().map(|item| item.map(read).transpose()).collect::<Result<_, _>>()?;
        let entry = items.next().flatten().map(|item| entry::from_item(&item)).transpose()?;
        Ok((accounts, entry))
    }
}

pub(crate) fn key_of(item: &Item) -> Option<Key> {
    let part = |name: &str| item.get(name)?.as_s().ok().cloned();
    Some(Key { pk: part(keys::PK)?, sk: part(keys::SK)? })
}

/// The holds of an account that are due, as a decision at `now` will see it.
fn due_holds(account: &Account, now: Timestamp) -> Vec<HoldId> {
    account.holds.iter().filter(|(_, hold)| hold.due <= now).map(|(id, _)| id.clone()).collect()
}

fn read_account(found: &HashMap<Key, Item>, id: &CustomerId) -> Result<Option<Account>, StoreError> {
    found.get(&keys::wallet(id)).map(account::from_item).transpose()
}

fn read_hold(found: &HashMap<Key, Item>, id: &HoldId) -> Result<Option<Hold>, StoreError> {
    found.get(&keys::hold(id)).map(hold::from_item).transpose()
}

fn read_order(found: &HashMap<Key, Item>, id: &OrderId) -> Result<Option<Order>, StoreError> {
    found.get(&keys::order(id)).map(order::from_item).transpose()
}
