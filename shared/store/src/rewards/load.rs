//! Reads what a decision about rewards or referrals needs.
//!
//! **Invariant:** a free use is drawn while the wallet is read, if the reward's partitions are known.

use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::keys::{self, Key};
use crate::ledger::items::entry;
use crate::ledger::load::{Found, Load, due_holds, entries_caused};
use crate::loyalty::rules;
use crate::rewards::{items, uses};
use crate::wallet::items::{order, wallet};
use crate::wallet::load::read_wallet;
use domain::cause::Cause;
use domain::ids::{AccountRef, CustomerId, RewardId};
use domain::ledger::account::AccountStatus;
use domain::ledger::entry::Entry;
use domain::ledger::lot::CreditSource;
use domain::rewards::causes::{CLAIMS, claimed, reversed_claim, reversed_delivery};
use domain::rewards::delivery_state::{DeliveryNeeds, DeliveryState};
use domain::rewards::reversal::{OrderClaim, ReversalNeeds, ReversalState};
use domain::rewards::reward::Reward;
use domain::rewards::state::{ClaimNeeds, ClaimState, ReferralNeeds, ReferralState};
use domain::time::Timestamp;
use domain::wallet::profile::LoadedWallet;

/// The number of accounts of a chain of referrals that are read to find its root.
const MAX_HOPS: usize = 64;

/// Reads the wallets of these customers, whose items are in `found`.
async fn wallets(
    table: &Table,
    found: &mut Found,
    customers: &[&CustomerId],
    now: Timestamp,
) -> Result<Vec<Option<LoadedWallet>>, StoreError> {
    let accounts = customers.iter().map(|customer| found.account(&AccountRef::wallet(customer)));
    let accounts = accounts.collect::<Result<Vec<_>, _>>()?;
    let now = accounts.iter().flatten().map(|account| account.updated_at).fold(now, Timestamp::max);
    let holds = accounts.iter().flatten().flat_map(|account| due_holds(account, now));
    let more: Vec<Key> = holds.map(|id| keys::hold(&id)).collect();
    found.read_more(table, more).await?;
    let loaded = accounts
        .into_iter()
        .map(|account| account.map(|account| read_wallet(found, account, now)).transpose());
    loaded.collect()
}

impl Load for ClaimState {
    async fn load(table: &Table, needs: &ClaimNeeds, now: Timestamp) -> Result<Self, StoreError> {
        let mut wanted = vec![keys::wallet(&needs.customer), keys::reward(&needs.reward)];
        wanted.extend(needs.order.as_ref().map(keys::order));
        let early = async {
            let Some(shards) = needs.shards else { return Ok(None) };
            let shard = uses::any_shard(shards);
            let free = uses::some_free(table, &needs.reward, shard).await?;
            Ok::<_, StoreError>(Some((shard, free)))
        };
        let (mut found, early) = futures::future::try_join(Found::read(table, &wanted), early).await?;
        let mut loaded = wallets(table, &mut found, &[&needs.customer], now).await?;
        let order = needs.order.as_ref().and_then(|id| found.item(&keys::order(id)));
        let order = order.map(order::from_item).transpose()?;
        let reward = found.item(&keys::reward(&needs.reward)).map(items::reward_from_item).transpose()?;
        let wallet = loaded.pop().flatten();
        // A claim that is rejected whatever is free looks for nothing.
        let may_claim = |reward: &&Reward| {
            let account = wallet.as_ref().map(|wallet| &wallet.loaded.account);
            account.is_some_and(|account| {
                account.status == AccountStatus::Active && reward.is_claimable(now.max(account.updated_at))
            })
        };
        let drawn = match reward.as_ref().filter(may_claim) {
            Some(reward) => Some(uses::draw(table, reward, early).await?),
            None => None,
        };
        Ok(Self { wallet, reward, order, drawn })
    }
}

/// Follows the chain of who referred whom to the first, who was referred by nobody.
async fn root_of(
    table: &Table,
    customer: &CustomerId,
    wallet: Option<&LoadedWallet>,
) -> Result<Option<CustomerId>, StoreError> {
    let Some(wallet) = wallet else { return Ok(Some(customer.clone())) };
    let (mut at, mut profile) = (customer.clone(), wallet.profile.clone());
    for hop in 0..=MAX_HOPS {
        // The root as it was then, or who comes before: either is nearer to the root of now.
        let Some(next) = profile.referral_root.or(profile.referred_by) else { return Ok(Some(at)) };
        if hop == MAX_HOPS {
            break;
        }
        let item = table.get(keys::wallet(&next)).await?;
        let Some(item) = item else {
            return Err(StoreError::Corrupt(format!("the wallet of {next} is missing")));
        };
        (profile, at) = (wallet::profile_from_item(&item, &next)?, next);
    }
    Ok(None)
}

impl Load for ReferralState {
    async fn load(table: &Table, needs: &ReferralNeeds, now: Timestamp) -> Result<Self, StoreError> {
        let (from, newcomer) = (&needs.referrer, &needs.referred);
        let mut wanted = vec![keys::wallet(from), keys::wallet(newcomer), keys::referral_record(newcomer)];
        let credits = [
            keys::entry(&AccountRef::wallet(from), &Cause::referral(newcomer)),
            keys::entry(&AccountRef::wallet(newcomer), &Cause::referred_by(from)),
        ];
        if needs.expiries {
            wanted.extend(credits.clone());
        }
        let program = table.newest_item(keys::REFERRAL_PROGRAM);
        let (mut found, program) = futures::future::try_join(Found::read(table, &wanted), program).await?;
        let mut loaded = wallets(table, &mut found, &[from, newcomer], now).await?.into_iter();
        let mut state = Self {
            referrer: loaded.next().flatten(),
            referred: loaded.next().flatten(),
            record: found
                .item(&keys::referral_record(newcomer))
                .map(items::referral_from_item)
                .transpose()?,
            program: program.map(|item| items::program_from_item(&item)).transpose()?,
            ..Self::default()
        };
        if needs.expiries {
            for (at, key) in credits.iter().enumerate() {
                let credit = found.item(key).map(entry::from_item).transpose()?;
                if let (Some(credit), Some(slot)) = (&credit, state.expired.get_mut(at)) {
                    *slot = Box::pin(expiries_of(table, credit)).await?;
                }
                if let Some(slot) = state.credits.get_mut(at) {
                    *slot = credit;
                }
            }
        } else {
            state.root = Box::pin(root_of(table, from, state.referrer.as_ref())).await?;
        }
        Ok(state)
    }
}

/// Reads what has expired with the date and class of a credit.
async fn expiries_of(table: &Table, credit: &Entry) -> Result<Vec<Entry>, StoreError> {
    let Some(lot) = credit.lots.first() else { return Ok(vec![]) };
    let Some(date) = lot.expires_on else { return Ok(vec![]) };
    entries_caused(table, &credit.account, &Cause::of_expiry(date, lot.class)).await
}

impl Load for ReversalState {
    async fn load(table: &Table, needs: &ReversalNeeds, now: Timestamp) -> Result<Self, StoreError> {
        let (customer, account) = (&needs.customer, AccountRef::wallet(&needs.customer));
        let mut claims: Vec<(RewardId, Entry)> = vec![];
        for entry in entries_caused(table, &account, CLAIMS).await? {
            let is_of_order = entry.order_id.as_ref() == Some(&needs.order);
            claims.extend(claimed(&entry.cause).filter(|_| is_of_order).map(|id| (id, entry)));
        }
        // A claim that is committed later fails its check of the order's version.
        if claims.is_empty() {
            return Ok(Self::default());
        }
        let mut wanted = vec![keys::order(&needs.order), keys::wallet(customer)];
        for (id, entry) in &claims {
            wanted.extend([keys::listed_claim(id, customer, entry.at), keys::reversed_claim(customer, id)]);
        }
        let mut found = Found::read(table, &wanted).await?;
        let order = found.item(&keys::order(&needs.order)).map(order::from_item).transpose()?;
        let mut loaded = wallets(table, &mut found, &[customer], now).await?;
        let mut state = Self { order, wallet: loaded.pop().flatten(), ..Self::default() };
        for (id, credit) in claims {
            let listed = found.item(&keys::listed_claim(&id, customer, credit.at));
            let missing = || StoreError::Corrupt(format!("the claim of {id} by {customer} is not listed"));
            let least = items::claim_from_item(listed.ok_or_else(missing)?)?.least;
            let reversed = found.item(&keys::reversed_claim(customer, &id));
            let reversed = reversed.map(|item| items::reversed_from_item(item, &id)).transpose()?;
            let expired = Box::pin(expiries_of(table, &credit)).await?;
            let moved = match &reversed {
                Some(_) => {
                    let causes = Cause::of_reversal(&reversed_claim(&id, &needs.order).id);
                    Box::pin(entries_caused(table, &account, &causes)).await?
                }
                None => vec![],
            };
            state.claims.push(OrderClaim { reward: id, credit, least, reversed, expired, moved });
        }
        Ok(state)
    }
}

impl Load for DeliveryState {
    async fn load(table: &Table, needs: &DeliveryNeeds, now: Timestamp) -> Result<Self, StoreError> {
        let (order_key, record_key) = (keys::order(&needs.order), keys::order_reports(&needs.order));
        let mut wanted = vec![order_key.clone(), record_key.clone(), keys::rules_head()];
        wanted.extend(needs.customer.as_ref().map(keys::wallet));
        let mut found = Found::read(table, &wanted).await?;
        let rules = rules::of_head(table, found.item(&keys::rules_head())).await?;
        let owner: Vec<&CustomerId> = needs.customer.iter().collect();
        let mut loaded = wallets(table, &mut found, &owner, now).await?;
        let record = found.item(&record_key).map(items::order_record_from_item).transpose()?;
        let order = found.item(&order_key).map(order::from_item).transpose()?;
        let (has_owner, wallet) = (needs.customer.is_some(), loaded.pop().flatten());
        let mut state = Self { has_owner, wallet, order, record, rules, ..Self::default() };
        let Some(customer) = &needs.customer else { return Ok(state) };
        let account = AccountRef::wallet(customer);
        let Some(delivered) = state.record.as_ref().and_then(|record| record.delivered.as_ref()) else {
            return Ok(state);
        };
        if let Some(date) = delivered.expires_on {
            let causes = Cause::of_expiry(date, CreditSource::Purchase.class());
            state.expired = Box::pin(entries_caused(table, &account, &causes)).await?;
        }
        let causes = Cause::of_reversal(&reversed_delivery(&needs.order).id);
        state.moved = Box::pin(entries_caused(table, &account, &causes)).await?;
        Ok(state)
    }
}
