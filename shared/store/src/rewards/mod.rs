//! Rewards and referrals in the table.
//!
//! **Invariant:** credit is given and taken back only through [`Rewards::claim`], [`Rewards::refer`],
//! [`Rewards::report_order`] and [`Rewards::reverse_claims`].

mod changes;
pub(crate) mod items;
mod load;
mod persist;
mod reads;
pub(crate) mod uses;

use crate::engine::cache::TtlCache;
use crate::engine::error::StoreError;
use crate::engine::table::Table;
use crate::ledger::execute::{Done, execute};
use domain::context::Context;
use domain::ids::RewardId;
use domain::ledger::command::Command;
use domain::ledger::entry::Entry;
use domain::rewards::claim::ClaimReward;
use domain::rewards::delivery_state::DeliveryState;
use domain::rewards::reversal::ReverseClaims;
use domain::rewards::state::{ReferralState, RewardsWrite};
use std::sync::Arc;

pub use changes::{RewardError, RewardsRefused};
pub use items::ListedClaim;
pub use reads::ClaimPage;

/// Area of rewards and referrals.
#[derive(Clone, Debug)]
pub struct Rewards {
    pub(crate) table: Table,
    /// The partitions of rewards' free uses.
    pub(crate) shards: Arc<TtlCache<RewardId, u8>>,
}

impl Rewards {
    /// Executes a referral or its reversal: exactly once, or not at all.
    pub async fn refer<C>(&self, command: &C, context: &Context) -> Result<Done<C::Outcome>, StoreError>
    where
        C: Command<State = ReferralState, Write = RewardsWrite>,
    {
        // Boxed: the state has two wallets.
        Box::pin(execute(&self.table, command, context)).await
    }

    /// Takes the claims of an order back of which too little is left.
    pub async fn reverse_claims(&self, command: &ReverseClaims, context: &Context) -> Result<(), StoreError> {
        Box::pin(execute(&self.table, command, context)).await.map(|_| ())
    }

    /// Executes a report of an order's delivery, refunds or cancellation: exactly once, or not at all.
    pub async fn report_order<C>(
        &self,
        command: &C,
        context: &Context,
    ) -> Result<Done<C::Outcome>, StoreError>
    where
        C: Command<State = DeliveryState, Write = RewardsWrite>,
    {
        Box::pin(execute(&self.table, command, context)).await
    }

    /// Executes a claim; if the reward's partitions are known, a free use is looked for while the reward is read.
    pub async fn claim(&self, claim: ClaimReward, context: &Context) -> Result<Done<Entry>, StoreError> {
        let known = self.shards.get(&claim.reward).map(|shards| *shards);
        let claim = ClaimReward { shards: known, ..claim };
        let done = Box::pin(execute(&self.table, &claim, context)).await?;
        // The claim is made; if this read fails, the next claim reads again.
        if known.is_none()
            && let Ok(Some(reward)) = uses::reward(&self.table, &claim.reward).await
        {
            self.shards.insert(reward.id, reward.shards);
        }
        Ok(done)
    }
}
