//! Keys of rewards and referrals.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | reward | `RW#<reward>` | `S` | |
//! | rewards that are active and have not ended | `RW#open` | `S` | |
//! | reward in the list of all | `L#rewards` | `<instant>#<reward>` | |
//! | free use of a reward | `F#<reward>#<shard>` | `<number, 12 digits>` | |
//! | claim in the list of its reward | `L#r:<reward>:<shard>` | `<instant>#<customer>` | |
//! | record that a claim was reversed | `A#w:<customer>` | `K#<reward>` | |
//! | record of who referred a customer | `A#w:<customer>` | `F` | |
//! | what was reported of an order | `PU#o:<order>` | `U` | |
//! | version of the referral program | `RU#referral` | `<version, 8 digits>` | |
//!
//! **Invariant:** a use has one number, and one partition that follows from it.

use super::{Key, account_partition};
use domain::hash::Hash;
use domain::ids::{AccountRef, CustomerId, RewardId};
use domain::rewards::reward::FreeUse;
use domain::time::Timestamp;

/// Number of lists over which the claims of a reward are spread; a fixed property of the table.
pub const CLAIM_SHARDS: u8 = 16;

/// The partition that lists all rewards.
pub const REWARDS: &str = "L#rewards";

/// The partition of the versions of the referral program.
pub const REFERRAL_PROGRAM: &str = "RU#referral";

/// Range key prefix of the records of reversed claims.
pub const REVERSED_CLAIMS: &str = "K#";

/// Returns the key of a reward.
pub fn reward(reward: &RewardId) -> Key {
    Key::new(format!("RW#{reward}"), "S")
}

/// Returns the key of the list of rewards that are active and have not ended.
pub fn open_rewards() -> Key {
    Key::new("RW#open".to_owned(), "S")
}

/// Returns the key of a reward in the list of all.
pub fn listed_reward(reward: &RewardId, created_at: Timestamp) -> Key {
    Key::new(REWARDS.to_owned(), format!("{created_at}#{reward}"))
}

/// Returns the partition of a shard of a reward's free uses.
pub fn free_uses(reward: &RewardId, shard: u8) -> String {
    format!("F#{reward}#{shard}")
}

/// Returns the key of a free use.
pub fn free_use(free: &FreeUse) -> Key {
    Key::new(free_uses(&free.reward, free.shard), format!("{:012}", free.number))
}

/// Returns the partitions that list the claims of a reward.
pub fn claim_lists(reward: &RewardId) -> Vec<String> {
    (0..CLAIM_SHARDS).map(|shard| format!("L#r:{reward}:{shard}")).collect()
}

/// Returns the key of a claim in the list of its reward.
pub fn listed_claim(reward: &RewardId, customer: &CustomerId, at: Timestamp) -> Key {
    let shard = Hash::of(customer.as_str()).bytes().first().copied().unwrap_or(0) % CLAIM_SHARDS;
    Key::new(format!("L#r:{reward}:{shard}"), format!("{at}#{customer}"))
}

/// Returns the key of the record of who referred a customer.
pub fn referral_record(customer: &CustomerId) -> Key {
    Key::new(account_partition(&AccountRef::wallet(customer)), "F")
}

/// Returns the key of the record that a claim was reversed.
pub fn reversed_claim(customer: &CustomerId, reward: &RewardId) -> Key {
    Key::new(account_partition(&AccountRef::wallet(customer)), format!("{REVERSED_CLAIMS}{reward}"))
}

/// Returns the key of a version of the referral program.
pub fn referral_version(version: u32) -> Key {
    Key::new(REFERRAL_PROGRAM.to_owned(), format!("{version:08}"))
}
