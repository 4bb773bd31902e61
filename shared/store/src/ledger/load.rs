//! Reads exactly the items that a decision needs, with strong consistency.
//!
//! **Invariant:** an account with nothing due is read in one round trip; a due hold costs one more.
//! **Invariant:** it is safe to decide on items that were read at different moments, because each
//! carries the version that its write will require.

use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::keys::{self, Key};
use crate::ledger::items::{account, entry, hold};
use domain::cause::Cause;
use domain::ids::{AccountRef, HoldId};
use domain::ledger::account::Account;
use domain::ledger::command::State;
use domain::ledger::entry::Entry;
use domain::ledger::hold::Hold;
use domain::ledger::posting::LoadedAccount;
use domain::time::Timestamp;
use std::collections::HashMap;

/// Number of times that contradictory items are read again before the contradiction is taken as
/// stored.
pub(crate) const MAX_TORN: u32 = 3;

/// State that can be read from the table.
pub(crate) trait Load: State {
    /// Reads the items that `needs` names, without retry: one round trip, and a second one only for
    /// items that the first one named.
    fn load(
        table: &Table,
        needs: &Self::Needs,
        now: Timestamp,
    ) -> impl Future<Output = Result<Self, StoreError>> + Send;
}

/// Items that were read for one state.
pub(crate) struct Found(HashMap<Key, Item>);

impl Found {
    /// Reads the items of these keys.
    pub(crate) async fn read(table: &Table, wanted: &[Key]) -> Result<Self, StoreError> {
        Ok(Self(match wanted {
            [] => HashMap::new(),
            [only] => table.get(only.clone()).await?.map(|item| (only.clone(), item)).into_iter().collect(),
            many => table.batch(many).await?,
        }))
    }

    /// Reads the items of these keys as well, except those already read.
    pub(crate) async fn read_more(&mut self, table: &Table, mut wanted: Vec<Key>) -> Result<(), StoreError> {
        wanted.retain(|key| !self.0.contains_key(key));
        if !wanted.is_empty() {
            self.0.extend(table.batch(&wanted).await?);
        }
        Ok(())
    }

    /// Returns an item, if it was read and exists.
    pub(crate) fn item(&self, key: &Key) -> Option<&Item> {
        self.0.get(key)
    }

    /// Returns an account, if it was read and exists.
    pub(crate) fn account(&self, id: &AccountRef) -> Result<Option<Account>, StoreError> {
        self.item(&keys::account(id)).map(account::from_item).transpose()
    }

    /// Returns a hold, if it was read and exists.
    pub(crate) fn hold(&self, id: &HoldId) -> Result<Option<Hold>, StoreError> {
        self.item(&keys::hold(id)).map(hold::from_item).transpose()
    }

    /// Returns the account with the holds that are due at `now`.
    pub(crate) fn loaded(&self, account: Account, now: Timestamp) -> Result<LoadedAccount, StoreError> {
        let ids = due_holds(&account, now);
        let due_holds = ids.iter().filter_map(|id| self.hold(id).transpose()).collect::<Result<_, _>>()?;
        Ok(LoadedAccount { account, due_holds, values: None })
    }
}

/// Reads the entries whose causes begin with `prefix`, with strong consistency, oldest first.
pub(crate) async fn entries_caused(
    table: &Table,
    account: &AccountRef,
    prefix: &str,
) -> Result<Vec<Entry>, StoreError> {
    let items = table.partition(&keys::entry_partition(account), prefix).await?;
    let mut entries = items.iter().map(entry::from_item).collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| entry.seq);
    Ok(entries)
}

/// Reads the entries of these causes, in their order, with strong consistency; those that are not there are left out.
pub(crate) async fn entries_of(
    table: &Table,
    account: &AccountRef,
    causes: impl Iterator<Item = Cause>,
) -> Result<Vec<Entry>, StoreError> {
    let wanted: Vec<Key> = causes.map(|cause| keys::entry(account, &cause)).collect();
    let found = table.with_retry(|| table.batch(&wanted)).await?;
    wanted.iter().filter_map(|key| found.get(key)).map(entry::from_item).collect()
}

/// Returns the holds of an account that are due for a decision at `now`.
pub(crate) fn due_holds(account: &Account, now: Timestamp) -> Vec<HoldId> {
    account.holds.iter().filter(|(_, hold)| hold.due <= now).map(|(id, _)| id.clone()).collect()
}

/// Reads a state for display; items of different moments that contradict each other are read again.
pub(crate) async fn load_consistent<S: Load>(
    table: &Table,
    needs: &S::Needs,
    now: Timestamp,
) -> Result<S, StoreError> {
    let mut state = table.with_retry(|| S::load(table, needs, now)).await?;
    for _ in 0..MAX_TORN {
        if state.loaded().into_iter().flatten().all(|loaded| loaded.settled(now).is_ok()) {
            break;
        }
        state = table.with_retry(|| S::load(table, needs, now)).await?;
    }
    Ok(state)
}

/// Reads the versions of accounts, and the entry of a cause in the first account, at one instant.
/// This shows whether a rejection is valid or the request was served earlier.
pub(crate) async fn versions_and_entry(
    table: &Table,
    accounts: &[AccountRef],
    cause: &Cause,
) -> Result<(Vec<Option<u64>>, Option<Entry>), StoreError> {
    let mut wanted: Vec<Key> = accounts.iter().map(keys::account).collect();
    wanted.extend(accounts.first().map(|first| keys::entry(first, cause)));
    let mut items = table.read_atomically_once(&wanted).await?.into_iter();
    let version = |item: Option<Item>| match item {
        Some(item) => account::from_item(&item).map(|account| Some(account.version)),
        None => Ok(None),
    };
    let versions = items.by_ref().take(accounts.len()).map(version).collect::<Result<_, _>>()?;
    let entry = items.next().flatten().map(|item| entry::from_item(&item)).transpose()?;
    Ok((versions, entry))
}
