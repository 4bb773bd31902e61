//! What decisions about rewards and referrals read and write.
//!
//! **Invariant:** a use is removed in the transaction of the claim that takes it, and only while it is free.
//! **Invariant:** a referral is recorded in the transaction that credits both wallets, and only if none was before.

use crate::ids::{AccountRef, CustomerId, OrderId, RequestId, RewardId};
use crate::ledger::account::Account;
use crate::ledger::command;
use crate::ledger::decision::{Conditional, FailedCondition, Write as LedgerWrite};
use crate::ledger::entry::Entry;
use crate::ledger::order::Order;
use crate::ledger::posting::LoadedAccount;
use crate::money::Money;
use crate::rewards::delivery::OrderRecord;
use crate::rewards::program::ReferralProgram;
use crate::rewards::reward::{FreeUse, Reward};
use crate::time::Timestamp;
use crate::wallet::profile::{LoadedWallet, Profile};

/// The items that a claim needs.
#[derive(Clone, Debug)]
pub struct ClaimNeeds {
    /// Who claims.
    pub customer: CustomerId,
    /// The reward.
    pub reward: RewardId,
    /// The order that proves a purchase.
    pub order: Option<OrderId>,
    /// The partitions of its free uses, if known: then one is searched while the reward is read.
    pub shards: Option<u8>,
}

/// What was found when a free use was looked for.
#[derive(Clone, Debug)]
pub enum Drawn {
    /// This one was free.
    Free(FreeUse),
    /// There is none, and none can be created.
    Exhausted,
}

/// What a claim is decided on.
#[derive(Clone, Debug, Default)]
pub struct ClaimState {
    /// The wallet; `None` if it does not exist.
    pub wallet: Option<LoadedWallet>,
    /// The reward; `None` if it does not exist.
    pub reward: Option<Reward>,
    /// The order, if it exists.
    pub order: Option<Order>,
    /// A free use; `None` if there is no reward.
    pub drawn: Option<Drawn>,
}

impl command::State for ClaimState {
    type Needs = ClaimNeeds;

    fn accounts(needs: &ClaimNeeds) -> Vec<AccountRef> {
        vec![AccountRef::wallet(&needs.customer)]
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        vec![self.wallet.as_ref().map(|wallet| &wallet.loaded)]
    }
}

/// The record of a referral: its guard, and what a repetition is answered from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralRecord {
    /// Who was referred.
    pub referred: CustomerId,
    /// By whom.
    pub referrer: CustomerId,
    /// When.
    pub at: Timestamp,
    /// The referrer's credit.
    pub referrer_bonus: Money,
    /// The referred customer's credit; zero if there was none.
    pub referred_bonus: Money,
    /// How many customers the referrer had referred then.
    pub referral_count: u64,
    /// Its reversal.
    pub reversed: Option<ReferralReversal>,
    /// Incremented by each change.
    pub version: u64,
}

/// The reversal of a referral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferralReversal {
    /// When.
    pub at: Timestamp,
    /// The invocation that made it.
    pub request: RequestId,
    /// How many customers the referrer had referred after it.
    pub referral_count: u64,
}

/// The items that a referral needs.
#[derive(Clone, Debug)]
pub struct ReferralNeeds {
    /// Who refers.
    pub referrer: CustomerId,
    /// Who is referred.
    pub referred: CustomerId,
    /// True if the credits that have expired are needed, because they are taken back.
    pub expiries: bool,
}

/// What a referral is decided on.
#[derive(Clone, Debug, Default)]
pub struct ReferralState {
    /// The referrer's wallet; `None` if it does not exist.
    pub referrer: Option<LoadedWallet>,
    /// The referred customer's wallet; `None` if it does not exist.
    pub referred: Option<LoadedWallet>,
    /// The record, if the customer was referred before.
    pub record: Option<ReferralRecord>,
    /// The first of the referrer's chain, who was referred by nobody; `None` if the chain is too long.
    pub root: Option<CustomerId>,
    /// The program; `None` for its defaults.
    pub program: Option<ReferralProgram>,
    /// The credits of the referral, referrer's first.
    pub credits: [Option<Entry>; 2],
    /// What has expired with the date of those credits.
    pub expired: [Vec<Entry>; 2],
}

impl command::State for ReferralState {
    type Needs = ReferralNeeds;

    fn accounts(needs: &ReferralNeeds) -> Vec<AccountRef> {
        [&needs.referrer, &needs.referred].map(AccountRef::wallet).into()
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        [&self.referrer, &self.referred].map(|wallet| wallet.as_ref().map(|wallet| &wallet.loaded)).into()
    }
}

/// A write of one item, with its condition.
#[derive(Clone, Debug)]
pub enum RewardsWrite {
    /// A write of a wallet's account.
    Ledger(Box<LedgerWrite>),
    /// A changed account with its profile; its stored version must still be `was`.
    Wallet {
        /// The account.
        account: Box<Account>,
        /// Data beside the account.
        profile: Box<Profile>,
        /// The version before.
        was: u64,
    },
    /// A use that is claimed; it must be free.
    TakeUse(FreeUse),
    /// A claim in the list of its reward; written together with its entry.
    ListClaim {
        /// The reward.
        reward: RewardId,
        /// The entry.
        entry: Box<Entry>,
        /// The least purchase for which the reward was then.
        least: Money,
    },
    /// A check that an order has not changed.
    SameOrder {
        /// The order.
        order: OrderId,
        /// Its version.
        version: u64,
    },
    /// What was reported of an order; its stored version must still be `was`, 0 for none.
    OrderRecord {
        /// The record.
        record: Box<OrderRecord>,
        /// The version before.
        was: u64,
    },
    /// An order with what was reported of it; its stored version must still be `was`.
    Order {
        /// The order.
        order: Box<Order>,
        /// The version before.
        was: u64,
    },
    /// A check that an order is not registered.
    NoOrder(OrderId),
    /// A check that a customer was referred by nobody.
    IsRoot(CustomerId),
    /// The record of a referral; its stored version must still be `was`, 0 for none.
    Referral {
        /// The record.
        record: Box<ReferralRecord>,
        /// The version before.
        was: u64,
    },
    /// The record that a claim was reversed; its stored version must be the one before, and none is stored before the
    /// first.
    ReversedClaim(Box<ReversedClaim>),
}

/// The record that a claim was reversed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversedClaim {
    /// Whose claim.
    pub customer: CustomerId,
    /// The reward.
    pub reward: RewardId,
    /// The order that proved the purchase.
    pub order: OrderId,
    /// What was credited.
    pub amount: Money,
    /// When it was reversed, or given back.
    pub at: Timestamp,
    /// False once the credit was given back, because a refund has failed.
    pub is_taken: bool,
    /// The number of the last entry that took credit back or gave it back.
    pub number: u32,
    /// Incremented by each change; the condition against stale reads.
    pub version: u64,
}

impl From<LedgerWrite> for RewardsWrite {
    fn from(write: LedgerWrite) -> Self {
        Self::Ledger(Box::new(write))
    }
}

impl Conditional for RewardsWrite {
    fn failed(&self) -> FailedCondition {
        match self {
            Self::Ledger(write) => write.failed(),
            Self::Wallet { .. }
            | Self::TakeUse(_)
            | Self::ListClaim { .. }
            | Self::SameOrder { .. }
            | Self::OrderRecord { .. }
            | Self::Order { .. }
            | Self::NoOrder(_)
            | Self::IsRoot(_)
            | Self::Referral { .. }
            | Self::ReversedClaim(_) => FailedCondition::Stale,
        }
    }

    fn entry(&self) -> Option<&Entry> {
        if let Self::Ledger(write) = self { write.entry() } else { None }
    }
}

/// Returns the writes of a wallet with its changed profile in the place of its account.
pub(super) fn with_profile(writes: Vec<LedgerWrite>, profile: &Profile) -> Vec<RewardsWrite> {
    let replaced = |write: LedgerWrite| {
        if let LedgerWrite::Account { account, was } = write {
            RewardsWrite::Wallet { account, profile: Box::new(profile.clone()), was }
        } else {
            RewardsWrite::from(write)
        }
    };
    writes.into_iter().map(replaced).collect()
}
