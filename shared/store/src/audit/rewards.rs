//! Reads rewards for the audit: their uses, and the credits of their claims.
//!
//! **Invariant:** a reward and its free uses are read before and after its claims, so the comparison also holds while it
//! is claimed.

use super::Audit;
use crate::engine::error::StoreError;
use crate::keys::{self, Key};
use crate::ledger::items::entry;
use crate::rewards::{items, uses};
use domain::cause::Cause;
use domain::ids::AccountRef;
use domain::rewards::audit::AuditedClaim;
use domain::rewards::reward::Reward;

/// What is stored about a reward.
#[derive(Clone, Debug)]
pub struct RewardBooks {
    /// The reward.
    pub reward: Reward,
    /// Its minted uses, before and after its claims were read.
    pub minted: [u64; 2],
    /// The number of its free uses, before and after its claims were read.
    pub free: [u64; 2],
    /// Its claims.
    pub claims: Vec<AuditedClaim>,
}

impl Audit {
    /// Reads all rewards, with their uses and claims.
    pub async fn reward_books(&self) -> Result<Vec<RewardBooks>, StoreError> {
        let mut books = vec![];
        for item in self.table.partition(keys::REWARDS, "").await? {
            let reader = crate::engine::attr::Reader::new(&item, "reward in the list");
            let id = reader.parse("reward_id", domain::ids::RewardId::parse)?;
            let missing = || StoreError::Corrupt(format!("reward {id} is listed, but missing"));
            let reward = uses::reward(&self.table, &id).await?.ok_or_else(missing)?;
            let before = uses::count_free(&self.table, &reward).await?;
            let claims = self.claims(&reward).await?;
            let after = uses::count_free(&self.table, &reward).await?;
            let last = uses::reward(&self.table, &id).await?.ok_or_else(missing)?;
            let minted = [reward.minted, last.minted];
            books.push(RewardBooks { reward, minted, free: [before, after], claims });
        }
        Ok(books)
    }

    async fn claims(&self, reward: &Reward) -> Result<Vec<AuditedClaim>, StoreError> {
        let mut listed = vec![];
        for list in keys::claim_lists(&reward.id) {
            for item in self.table.partition(&list, "").await? {
                listed.push(items::claim_from_item(&item)?);
            }
        }
        let cause = Cause::claim(&reward.id);
        let key = |claim: &items::ListedClaim| keys::entry(&AccountRef::wallet(&claim.customer), &cause);
        let wanted: Vec<Key> = listed.iter().map(key).collect();
        let mut found = std::collections::HashMap::new();
        for part in wanted.chunks(100) {
            found.extend(self.table.with_retry(|| self.table.batch(part)).await?);
        }
        let audited = listed.into_iter().zip(&wanted).map(|(claim, key)| {
            let entry = found.get(key).map(entry::from_item).transpose()?;
            Ok(AuditedClaim { customer: claim.customer, entry })
        });
        audited.collect()
    }
}
