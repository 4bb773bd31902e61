//! Creates and changes rewards, and the referral program.
//!
//! **Invariant:** no more rewards are open than may be: their list is changed under its version, with the reward.
//! **Invariant:** a change of a reward is made under its version.

use super::{Rewards, items, uses};
use crate::engine::attr::{Attributes, Item, Reader};
use crate::engine::error::StoreError;
use crate::engine::retry::{Certain, Retry};
use crate::keys;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem};
use domain::actor::PerformedBy;
use domain::ids::{RequestId, RewardId};
use domain::rewards::program::{ReferralProgram, ReferralProgramChange};
use domain::rewards::reward::{CreateReward, FIRST_USES, MAX_OPEN, Reward, RewardChange, RewardStatus};
use domain::time::Timestamp;
use std::collections::BTreeMap;

/// Why a reward or the program was not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewardError {
    /// There is no such reward.
    NotFound,
    /// The key was used for another reward.
    KeyReused,
    /// As many rewards are open as may be.
    TooManyOpen,
    /// Its end would not be in the future, or not after its beginning.
    InvalidEnd,
    /// The program has another latest version.
    VersionConflict,
}

/// A change, or why there is none.
pub type RewardsRefused<T> = Result<T, RewardError>;

/// The rewards that are active and have not ended, each with its end.
#[derive(Clone, Debug, Default)]
struct OpenRewards {
    version: u64,
    until: BTreeMap<RewardId, Option<Timestamp>>,
}

impl OpenRewards {
    fn from_item(item: &Item) -> Result<Self, StoreError> {
        let reader = Reader::new(item, "list of open rewards");
        let mut until = BTreeMap::new();
        for (id, map) in reader.maps("rewards")? {
            let id = RewardId::parse(id).map_err(|_| reader.corrupt("rewards"))?;
            until.insert(id, map.maybe("until", Timestamp::parse)?);
        }
        Ok(Self { version: reader.count("version")?, until })
    }

    fn to_item(&self) -> Item {
        let map = |until: &Option<Timestamp>| {
            AttributeValue::M(Attributes::default().maybe("until", until.as_ref()).0)
        };
        let rewards = self.until.iter().map(|(id, until)| (id.to_string(), map(until))).collect();
        let attributes = Attributes::default().with("rewards", AttributeValue::M(rewards));
        let mut item = attributes.number("version", self.version).0;
        item.extend(keys::open_rewards().attributes());
        item
    }

    /// Returns the list with this reward as it is at `now`, without those that have ended.
    fn with(mut self, reward: &Reward, now: Timestamp) -> Option<Self> {
        self.until.retain(|id, until| *id != reward.id && until.is_none_or(|until| until > now));
        if reward.status(now) == RewardStatus::Active {
            self.until.insert(reward.id.clone(), reward.terms.valid_until);
        }
        self.version += 1;
        (self.until.len() <= MAX_OPEN).then_some(self)
    }
}

impl Rewards {
    async fn open(&self) -> Result<OpenRewards, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::open_rewards())).await?;
        item.as_ref().map_or_else(|| Ok(OpenRewards::default()), OpenRewards::from_item)
    }

    /// Returns the ids of the rewards that are active and have not ended.
    pub async fn open_ids(&self, now: Timestamp) -> Result<Vec<RewardId>, StoreError> {
        let open = self.open().await?;
        let is_open = |until: &Option<Timestamp>| until.is_none_or(|until| until > now);
        Ok(open.until.into_iter().filter(|(_, until)| is_open(until)).map(|(id, _)| id).collect())
    }

    fn open_put(&self, open: &OpenRewards) -> Result<TransactWriteItem, StoreError> {
        let was = open.version - 1;
        if was == 0 {
            self.table.new_put(open.to_item())
        } else {
            self.table.versioned_put(open.to_item(), was)
        }
    }

    /// Reads a reward.
    pub async fn reward(&self, id: &RewardId) -> Result<Option<Reward>, StoreError> {
        uses::reward(&self.table, id).await
    }

    /// Creates a reward, once; returns it, and whether it was there before.
    pub async fn create(
        &self,
        create: &CreateReward,
        (at, by): (Timestamp, PerformedBy),
        request: &RequestId,
    ) -> Result<RewardsRefused<(Reward, bool)>, StoreError> {
        let mut retry = self.table.retry();
        let created = loop {
            if let Some(known) = self.reward(&create.id).await? {
                let same = known.fingerprint == create.fingerprint().as_str();
                let replayed = known.request != request.as_str();
                if !same {
                    return Ok(Err(RewardError::KeyReused));
                }
                break (known, replayed);
            }
            let reward = Reward { version: 1, ..Reward::new(create, (at, by.clone()), request) };
            if reward.terms.valid_until.is_some_and(|until| until <= at || until <= reward.terms.valid_from) {
                return Ok(Err(RewardError::InvalidEnd));
            }
            let Some(open) = self.open().await?.with(&reward, at) else {
                return Ok(Err(RewardError::TooManyOpen));
            };
            let mut listed = Attributes::default().text("reward_id", &reward.id).0;
            listed.extend(keys::listed_reward(&reward.id, reward.created_at).attributes());
            let writes = vec![
                self.table.new_put(items::reward_to_item(&reward)?)?,
                self.table.any_put(listed)?,
                self.open_put(&open)?,
            ];
            if self.settle(&mut retry, writes).await? {
                break (reward, false);
            }
        };
        if let Err(error) = self.first_uses(&created.0).await {
            tracing::warn!(%error, "the first uses of a reward are left to its claims");
        }
        Ok(Ok(created))
    }

    /// Creates the first uses of a new reward; if that ends halfway, claims create the others.
    async fn first_uses(&self, reward: &Reward) -> Result<(), StoreError> {
        let mut next = reward.clone();
        while next.minted < FIRST_USES && uses::mint(&self.table, &next).await? {
            let Some(after) = self.reward(&reward.id).await? else { return Ok(()) };
            next = after;
        }
        Ok(())
    }

    /// Sends writes; returns false if they must be decided again.
    async fn settle(&self, retry: &mut Retry, writes: Vec<TransactWriteItem>) -> Result<bool, StoreError> {
        match retry.settled(self.table.transact(writes).await?).await? {
            Some(Certain::Done(_)) => Ok(true),
            Some(Certain::Refused(_)) if !retry.backoff().await => {
                Err(retry.certain(StoreError::Contention("the rewards keep changing".to_owned())))
            }
            Some(Certain::Refused(_)) | None => Ok(false),
        }
    }

    /// Changes a reward. A lower limit removes free uses; the limit is at least what was claimed.
    pub async fn change(
        &self,
        id: &RewardId,
        change: &RewardChange,
        now: Timestamp,
    ) -> Result<RewardsRefused<Reward>, StoreError> {
        let mut retry = self.table.retry();
        loop {
            let Some(reward) = self.reward(id).await? else { return Ok(Err(RewardError::NotFound)) };
            let next = reward.changed(change, now);
            let ends = next.terms.valid_until.filter(|_| change.valid_until.is_some());
            if ends.is_some_and(|until| until <= now || until <= next.terms.valid_from) {
                return Ok(Err(RewardError::InvalidEnd));
            }
            let Some(open) = self.open().await?.with(&next, now) else {
                return Ok(Err(RewardError::TooManyOpen));
            };
            let put = self.table.versioned_put(items::reward_to_item(&next)?, reward.version)?;
            // A send that was applied unseen is decided again on what it has made, with the same end.
            if self.settle(&mut retry, vec![put, self.open_put(&open)?]).await? {
                self.shards.invalidate(id);
                return Ok(Ok(uses::trim(&self.table, id).await.map_err(StoreError::after_effect)?));
            }
        }
    }

    /// Reads the newest version of the referral program; `None` for its defaults.
    pub async fn referral_program(&self) -> Result<Option<ReferralProgram>, StoreError> {
        let item = self.table.newest_item(keys::REFERRAL_PROGRAM).await?;
        item.map(|item| items::program_from_item(&item)).transpose()
    }

    /// Makes the next version of the referral program; `builds_on` is the newest one.
    pub async fn change_referral_program(
        &self,
        (builds_on, defaults): (u32, &ReferralProgram),
        change: &ReferralProgramChange,
        made: (Timestamp, PerformedBy),
        request: &RequestId,
    ) -> Result<RewardsRefused<ReferralProgram>, StoreError> {
        let mut retry = self.table.retry();
        loop {
            let item = self.table.newest_item(keys::REFERRAL_PROGRAM).await?;
            let latest = item.as_ref().map(items::program_from_item).transpose()?;
            let latest = latest.unwrap_or_else(|| defaults.clone());
            if let Some(item) = &item
                && Reader::new(item, "version of the referral program").text("request")? == request.as_str()
            {
                return Ok(Ok(latest));
            }
            if latest.version != builds_on {
                return Ok(Err(RewardError::VersionConflict));
            }
            let next = latest.changed(change, made.clone());
            let put = self.table.new_put(items::program_to_item(&next, request)?)?;
            if self.settle(&mut retry, vec![put]).await? {
                return Ok(Ok(next));
            }
        }
    }
}
