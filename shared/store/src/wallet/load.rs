//! Reads what a decision about a wallet needs.
//!
//! **Invariant:** everything that is read is valued at one instant: the clock, or the latest change
//! if that is later.

use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::keys::{self, Key};
use crate::ledger::load::{Found, Load, due_holds};
use crate::wallet::items::{order, wallet};
use domain::ids::{AccountRef, CustomerId, OrderId};
use domain::ledger::account::Account;
use domain::ledger::order::Order;
use domain::time::Timestamp;
use domain::wallet::profile::LoadedWallet;
use domain::wallet::state::{WalletNeeds, WalletState};

impl Load for WalletState {
    async fn load(table: &Table, needs: &WalletNeeds, now: Timestamp) -> Result<Self, StoreError> {
        let customers: Vec<&CustomerId> =
            std::iter::once(&needs.customer).chain(&needs.counterparty).collect();
        let mut wanted: Vec<Key> = customers.iter().copied().map(keys::wallet).collect();
        wanted.extend(needs.hold.as_ref().map(keys::hold));
        wanted.extend(needs.order.as_ref().map(keys::order));
        let mut found = Found::read(table, &wanted).await?;
        let accounts = customers.iter().map(|customer| found.account(&AccountRef::wallet(customer)));
        let accounts = accounts.collect::<Result<Vec<_>, _>>()?;
        let hold = needs.hold.as_ref().map(|id| found.hold(id)).transpose()?.flatten();
        let named = hold.as_ref().and_then(|hold| hold.view.order_id.clone());
        let there = || accounts.iter().flatten();
        let now = there().map(|account| account.updated_at).fold(now, Timestamp::max);
        let mut more: Vec<Key> =
            there().flat_map(|account| due_holds(account, now)).map(|id| keys::hold(&id)).collect();
        more.extend(named.as_ref().map(keys::order));
        found.read_more(table, more).await?;
        let of = needs.order.as_ref().or(named.as_ref());
        let order = of.map(|id| read_order(&found, id)).transpose()?.flatten();
        // Refunds and the cancellation of an order may be reported before it is registered.
        let reports = match (of, &order) {
            (Some(id), None) => {
                let key = keys::order_reports(id);
                found.read_more(table, vec![key.clone()]).await?;
                found.item(&key).map(|item| order::reports_from_item(item, &needs.customer)).transpose()?
            }
            _ => None,
        };
        let mut wallets = accounts.into_iter().map(|account| match account {
            Some(account) => read_wallet(&found, account, now).map(Some),
            None => Ok(None),
        });
        let mut next = || wallets.next().transpose().map(Option::flatten);
        Ok(Self { wallet: next()?, counterparty: next()?, hold, order, reports, codes_taken: 0 })
    }
}

/// Returns a wallet whose account was read.
pub(crate) fn read_wallet(
    found: &Found,
    account: Account,
    now: Timestamp,
) -> Result<LoadedWallet, StoreError> {
    let missing = || StoreError::Corrupt(format!("{} is missing", account.id));
    let item = found.item(&keys::account(&account.id)).ok_or_else(missing)?;
    let profile = wallet::profile_from_item(item, account.id.customer())?;
    Ok(LoadedWallet { loaded: found.loaded(account, now)?, profile })
}

fn read_order(found: &Found, id: &OrderId) -> Result<Option<Order>, StoreError> {
    found.item(&keys::order(id)).map(order::from_item).transpose()
}
