//! Reads rewards, claims and referrals for callers.
//!
//! **Invariant:** how often a reward was claimed is exact: it follows from its free uses, read with strong consistency
//! between two reads of the reward that are the same.

use super::{ListedClaim, Rewards, items, uses};
use crate::engine::attr::{Item, Reader};
use crate::engine::error::StoreError;
use crate::keys::{self, Key};
use crate::ledger::items::entry;
use domain::cause::Cause;
use domain::ids::{AccountRef, CustomerId, OrderId, RewardId};
use domain::ledger::entry::Entry;
use domain::rewards::causes::{CLAIMS, claimed};
use domain::rewards::delivery::OrderRecord;
use domain::rewards::reward::Reward;
use domain::rewards::state::ReferralRecord;
use futures::{StreamExt, TryStreamExt};
use std::collections::BTreeSet;

/// Rewards whose uses are counted at once.
const AT_ONCE: usize = 8;

/// Page of claims.
#[derive(Debug)]
pub struct ClaimPage {
    /// Newest first.
    pub claims: Vec<ListedClaim>,
    /// Place of the last claim, if there may be older ones.
    pub next: Option<String>,
}

impl Rewards {
    /// Reads all rewards, oldest first.
    pub async fn rewards(&self) -> Result<Vec<Reward>, StoreError> {
        let listed = self.table.partition(keys::REWARDS, "").await?;
        let id = |item: &Item| Reader::new(item, "reward in the list").parse("reward_id", RewardId::parse);
        let ids = listed.iter().map(id).collect::<Result<Vec<_>, _>>()?;
        self.rewards_of(&ids).await
    }

    /// Reads these rewards, in this order.
    pub async fn rewards_of(&self, ids: &[RewardId]) -> Result<Vec<Reward>, StoreError> {
        let wanted: Vec<Key> = ids.iter().map(keys::reward).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        wanted.iter().filter_map(|key| found.get(key)).map(items::reward_from_item).collect()
    }

    /// Returns a reward as it is now, and how often it was claimed.
    pub async fn claimed(&self, mut reward: Reward) -> Result<(Reward, u64), StoreError> {
        let mut retry = self.table.retry();
        loop {
            let free = uses::count_free(&self.table, &reward).await?;
            let Some(now) = self.reward(&reward.id).await? else {
                return Err(StoreError::Corrupt(format!("reward {} is missing", reward.id)));
            };
            if now.version == reward.version {
                return Ok((now, reward.minted.saturating_sub(free)));
            }
            reward = now;
            if !retry.backoff().await {
                return Err(StoreError::Contention("the reward keeps changing".to_owned()));
            }
        }
    }

    /// Returns rewards as they are now, in this order, each with how often it was claimed.
    pub async fn all_claimed(&self, rewards: Vec<Reward>) -> Result<Vec<(Reward, u64)>, StoreError> {
        let counts = futures::stream::iter(rewards.into_iter().map(|reward| self.claimed(reward)));
        counts.buffered(AT_ONCE).try_collect().await
    }

    /// Returns claims of a reward that are older than the place `before`, newest first.
    pub async fn claims(
        &self,
        reward: &RewardId,
        before: Option<&str>,
        (skip, limit): (u16, u16),
    ) -> Result<ClaimPage, StoreError> {
        let wanted = usize::from(skip) + usize::from(limit);
        let lists = keys::claim_lists(reward);
        let pages = lists.iter().map(|list| self.table.page_before(list, before, wanted + 1));
        let pages = futures::future::try_join_all(pages).await?;
        let place =
            |item: &Item| item.get(keys::SK).and_then(|sk| sk.as_s().ok()).cloned().unwrap_or_default();
        let mut found: Vec<(String, Item)> =
            pages.into_iter().flatten().map(|item| (place(&item), item)).collect();
        found.sort_unstable_by(|a, b| b.0.cmp(&a.0));
        let more = found.len() > wanted;
        found.truncate(wanted);
        let next = found.last().filter(|_| more).map(|(place, _)| place.clone());
        let shown = found.iter().skip(usize::from(skip)).map(|(_, item)| items::claim_from_item(item));
        Ok(ClaimPage { claims: shown.collect::<Result<_, _>>()?, next })
    }

    /// Returns the rewards that a customer has claimed.
    pub async fn claimed_by(&self, customer: &CustomerId) -> Result<BTreeSet<RewardId>, StoreError> {
        let partition = keys::entry_partition(&AccountRef::wallet(customer));
        let found = self.table.partition(&partition, CLAIMS).await?;
        let cause = |item: &Item| item.get(keys::SK)?.as_s().ok().map(Cause::stored);
        Ok(found.iter().filter_map(cause).filter_map(|cause| claimed(&cause)).collect())
    }

    /// Reads what was reported of an order.
    pub async fn order_record(&self, order: &OrderId) -> Result<Option<OrderRecord>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::order_reports(order))).await?;
        item.map(|item| items::order_record_from_item(&item)).transpose()
    }

    /// Returns true if a customer has claimed a reward with this order.
    pub async fn has_claims(&self, customer: &CustomerId, order: &OrderId) -> Result<bool, StoreError> {
        let partition = keys::entry_partition(&AccountRef::wallet(customer));
        let found = self.table.partition(&partition, CLAIMS).await?;
        let entries = found.iter().map(entry::from_item).collect::<Result<Vec<_>, _>>()?;
        Ok(entries.iter().any(|entry| entry.order_id.as_ref() == Some(order)))
    }

    /// Reads the record of who referred a customer.
    pub async fn referral(&self, customer: &CustomerId) -> Result<Option<ReferralRecord>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::referral_record(customer))).await?;
        item.map(|item| items::referral_from_item(&item)).transpose()
    }

    /// Returns the customer to whom a referral code belongs.
    pub async fn customer_of(
        &self,
        code: &domain::ids::ReferralCode,
    ) -> Result<Option<CustomerId>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::referral(code))).await?;
        let customer =
            |item: &Item| Reader::new(item, "referral code").parse("customer_id", CustomerId::parse);
        item.as_ref().map(customer).transpose()
    }

    /// Reads entries of wallets with strong consistency; `None` for each that does not exist.
    pub async fn entries(&self, wanted: &[(CustomerId, Cause)]) -> Result<Vec<Option<Entry>>, StoreError> {
        let key = |(customer, cause): &(CustomerId, Cause)| keys::entry(&AccountRef::wallet(customer), cause);
        let wanted: Vec<Key> = wanted.iter().map(key).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        wanted.iter().map(|key| found.get(key).map(entry::from_item).transpose()).collect()
    }
}
