//! Reads what a decision about loyalty needs.
//!
//! **Invariant:** account, purchase and the number of the rules are read in one round trip; a second one is only for
//! items that the first one named.

use crate::engine::attr::Item;
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::keys::{self, Key};
use crate::ledger::load::{Found, Load, due_holds, entries_caused};
use crate::loyalty::items::{purchase, standing};
use crate::loyalty::rules;
use crate::wallet::items::order;
use domain::cause::Cause;
use domain::ids::{AccountRef, CustomerId, PurchaseId};
use domain::ledger::lot::LotClass;
use domain::loyalty::park::ParkState;
use domain::loyalty::record::PurchaseRecord;
use domain::loyalty::state::{LoadedPoints, LoyaltyNeeds, LoyaltyState};
use domain::time::Timestamp;
use std::collections::BTreeMap;

impl Load for LoyaltyState {
    async fn load(table: &Table, needs: &LoyaltyNeeds, now: Timestamp) -> Result<Self, StoreError> {
        let users: Vec<&CustomerId> = std::iter::once(&needs.user).chain(&needs.other).collect();
        let accounts: Vec<AccountRef> = users.iter().copied().map(AccountRef::points).collect();
        let mut wanted: Vec<Key> = accounts.iter().map(keys::account).collect();
        wanted.push(keys::rules_head());
        wanted.extend(needs.purchases.iter().map(keys::purchase));
        wanted.extend(needs.lock.as_ref().map(keys::hold));
        wanted.extend(needs.order.as_ref().map(keys::order));
        let mut found = Found::read(table, &wanted).await?;
        let stored = rules::of_head(table, found.item(&keys::rules_head())).await?;
        let now = stored.changed_at.map_or(now, |changed| now.max(changed));
        let mut more = Vec::new();
        let mut latest = now;
        for account in &accounts {
            if let Some(account) = found.account(account)? {
                latest = latest.max(account.updated_at);
                more.extend(due_holds(&account, latest).iter().map(keys::hold));
            }
        }
        more.extend(named_by(&found, &needs.purchases)?);
        found.read_more(table, more).await?;
        // The purchase to which another id leads may itself name further items.
        let led = resolved(&found, &needs.purchases)?;
        found.read_more(table, named_by(&found, &led)?).await?;
        let mut points = accounts.iter().map(|account| read_points(&found, account, latest));
        let mut next = || points.next().transpose().map(Option::flatten);
        let purchases = read_purchases(&found, &needs.purchases)?;
        let redemptions = purchases.values().filter_map(|record| record.redemption.clone());
        let tokens = redemptions.chain(needs.lock.clone());
        let locks = tokens.filter_map(|id| found.hold(&id).transpose()).map(|hold| {
            Ok((hold.as_ref().map_err(|_| StoreError::Corrupt("lock".to_owned()))?.id.clone(), hold?))
        });
        let locks = locks.collect::<Result<BTreeMap<_, _>, StoreError>>()?;
        let order = match &needs.order {
            Some(id) => found.item(&keys::order(id)).map(order::from_item).transpose()?,
            None => None,
        };
        let account = AccountRef::points(&needs.user);
        let (mut movements, mut expired) = (vec![], vec![]);
        for record in purchases.values() {
            if needs.movements {
                movements.extend(entries_caused(table, &account, &Cause::of_purchase(&record.id)).await?);
            }
            let date = record.booked.as_ref().and_then(|booked| booked.expires_on);
            if let Some(date) = date.filter(|date| *date < latest.date()) {
                expired
                    .extend(entries_caused(table, &account, &Cause::of_expiry(date, LotClass::Paid)).await?);
            }
        }
        movements.sort_by_key(|entry| entry.seq);
        let (points, other) = (next()?, if needs.other.is_some() { next()? } else { None });
        Ok(Self { points, other, purchases, locks, order, movements, expired, rules: stored })
    }
}

impl Load for ParkState {
    async fn load(table: &Table, needs: &Vec<PurchaseId>, _: Timestamp) -> Result<Self, StoreError> {
        let wanted: Vec<Key> = needs.iter().map(keys::purchase).collect();
        let mut found = Found::read(table, &wanted).await?;
        found.read_more(table, named_by(&found, needs)?).await?;
        let led = resolved(&found, needs)?;
        found.read_more(table, named_by(&found, &led)?).await?;
        Ok(Self { purchases: read_purchases(&found, needs)? })
    }
}

/// Returns the keys that the items of these purchases name.
fn named_by(found: &Found, purchases: &[PurchaseId]) -> Result<Vec<Key>, StoreError> {
    let mut keys = Vec::new();
    for id in purchases {
        let Some(item) = found.item(&keys::purchase(id)) else { continue };
        if let Some(other) = purchase::leads_to(item)? {
            keys.push(keys::purchase(&other));
            continue;
        }
        if purchase::has_earning(item) {
            keys.push(keys::earning(id));
        }
        let redemption = item.get("redemption").and_then(|token| token.as_s().ok());
        let redemption = redemption.and_then(|token| domain::ids::HoldId::parse_stored(token).ok());
        keys.extend(redemption.as_ref().map(keys::hold));
    }
    Ok(keys)
}

/// Returns the purchases to which other ids lead.
fn resolved(found: &Found, purchases: &[PurchaseId]) -> Result<Vec<PurchaseId>, StoreError> {
    let leads_to = |id: &PurchaseId| found.item(&keys::purchase(id)).map(purchase::leads_to).transpose();
    let led: Result<Vec<Option<Option<PurchaseId>>>, StoreError> = purchases.iter().map(leads_to).collect();
    Ok(led?.into_iter().flatten().flatten().collect())
}

fn read_purchases(
    found: &Found,
    named: &[PurchaseId],
) -> Result<BTreeMap<PurchaseId, PurchaseRecord>, StoreError> {
    let mut records = BTreeMap::new();
    for id in named {
        let Some(item) = found.item(&keys::purchase(id)) else { continue };
        let (id_of, item): (PurchaseId, &Item) = match purchase::leads_to(item)? {
            Some(other) => {
                let missing = || StoreError::Corrupt(format!("purchase {id} leads to none"));
                let item = found.item(&keys::purchase(&other)).ok_or_else(missing)?;
                (other, item)
            }
            None => (id.clone(), item),
        };
        records.insert(id.clone(), purchase::from_item(item, found.item(&keys::earning(&id_of)))?);
    }
    Ok(records)
}

pub(crate) fn read_points(
    found: &Found,
    account: &AccountRef,
    now: Timestamp,
) -> Result<Option<LoadedPoints>, StoreError> {
    let Some(item) = found.item(&keys::account(account)) else { return Ok(None) };
    let Some(stored) = found.account(account)? else { return Ok(None) };
    Ok(Some(LoadedPoints { loaded: found.loaded(stored, now)?, standing: standing::from_item(item)? }))
}
