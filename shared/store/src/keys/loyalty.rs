//! Keys of loyalty.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | account of points, with the tier | `A#p:<customer>` | `A` | `due` while something will fall due |
//! | lock, record of a status change | `A#p:<customer>` | as a wallet's | |
//! | record of a tier | `A#p:<customer>` | `T#<version, 12 digits>#<n, 3 digits>` | |
//! | entry | `E#p:<customer>` | `<cause>` | `by_account` by number |
//! | purchase | `PU#b:<booking>`, `PU#p:<payment>` | `U` | |
//! | what a purchase earned, if it is large | the same | `X` | |
//! | number of the rules | `RU#rules` | `head` | |
//! | version of the program | `RU#program` | `<version, 8 digits>` | |
//! | version of a campaign | `RU#campaign:<campaign>` | `<version, 8 digits>` | |
//! | campaign in the list of all | `L#campaigns` | `<instant>#<campaign>` | |
//! | place up to which every member has been looked at | `I#tiers` | `I` | |
//! | day on which points have moved that is not in the report | `L#d:<customer>` | `<date>` | `due` once it is over |
//! | number of the last entry that is in the report | `A#p:<customer>` | `R` | |
//! | figures of a day, of a part of the customers | `RP#<shard>` | `<date>` | |
//! | date through which the report is complete | `I#points` | `I` | |
//! | member in the list of a tier | `L#m:<tier>:<shard>` | `<customer>` | |
//!
//! **Invariant:** a purchase is stored under one of its ids; the items of the others lead to it.

use super::{Key, account_partition};
use domain::hash::Hash;
use domain::ids::{AccountRef, CustomerId, LoyaltyCampaignId, PurchaseId};
use domain::time::{Date, Timestamp};

/// Number of lists over which the members of a tier are spread; a fixed property of the table.
pub const MEMBER_SHARDS: u8 = 16;

/// Returns the key of the record of a tier that was written with this version of the account.
pub fn tier_record(account: &AccountRef, version: u64, at: usize) -> Key {
    Key::new(account_partition(account), format!("{TIER_RECORDS}{version:012}#{at:03}"))
}

/// Range key prefix of the records of a tier.
pub const TIER_RECORDS: &str = "T#";

/// Returns the key of a purchase.
pub fn purchase(purchase: &PurchaseId) -> Key {
    Key::new(format!("PU#{purchase}"), "U")
}

/// Parses the purchase from its partition key.
pub fn purchase_of(pk: &str) -> Option<PurchaseId> {
    PurchaseId::parse(pk.strip_prefix("PU#")?).ok()
}

/// Returns the key of what a purchase earned, if that is an item of its own.
pub fn earning(purchase: &PurchaseId) -> Key {
    Key::new(format!("PU#{purchase}"), "X")
}

/// Returns the key of the number of the rules.
pub fn rules_head() -> Key {
    Key::new("RU#rules".to_owned(), "head")
}

/// The partition of the versions of the program.
pub const PROGRAM: &str = "RU#program";

/// Returns the key of a version of the program.
pub fn program_version(version: u32) -> Key {
    Key::new(PROGRAM.to_owned(), format!("{version:08}"))
}

/// Returns the key of a version of a campaign.
pub fn campaign_version(campaign: &LoyaltyCampaignId, version: u32) -> Key {
    Key::new(format!("RU#campaign:{campaign}"), format!("{version:08}"))
}

/// The partition that lists all campaigns.
pub const CAMPAIGNS: &str = "L#campaigns";

/// Returns the key of a campaign in the list of all.
pub fn listed_campaign(campaign: &LoyaltyCampaignId, created_at: Timestamp) -> Key {
    Key::new(CAMPAIGNS.to_owned(), format!("{created_at}#{campaign}"))
}

/// Returns the partition of a shard of the list of a tier's members.
pub fn members(tier: &str, shard: u8) -> String {
    format!("L#m:{tier}:{shard}")
}

/// Returns the key of the place up to which every member has been looked at.
pub fn tier_walk() -> Key {
    Key::new("I#tiers".to_owned(), "I")
}

/// Returns the key of a member in the list of a tier.
pub fn member(tier: &str, user: &CustomerId) -> Key {
    let shard = Hash::of(user.as_str()).bytes().first().copied().unwrap_or(0) % MEMBER_SHARDS;
    Key::new(members(tier, shard), user.as_str())
}

/// Number of parts of the customers whose figures are added apart; a fixed property of the table.
pub const REPORT_SHARDS: u8 = 16;

/// Returns the partition of the days on which a customer's points have moved and that are not in the report.
pub fn unreported_days(user: &CustomerId) -> String {
    format!("L#d:{user}")
}

/// Returns the key of such a day.
pub fn unreported(user: &CustomerId, day: Date) -> Key {
    Key::new(unreported_days(user), day.to_string())
}

/// Parses the customer from the partition key of such days.
pub fn unreported_of(pk: &str) -> Option<CustomerId> {
    CustomerId::parse(pk.strip_prefix("L#d:")?).ok()
}

/// Returns the key of the number of a customer's last entry that is in the report.
pub fn reported(user: &CustomerId) -> Key {
    Key::new(account_partition(&AccountRef::points(user)), "R")
}

/// Returns the partition of a part of the report.
pub fn report(shard: u8) -> String {
    format!("RP#{shard}")
}

/// Returns the key of a day's figures of the customers among whom this one is.
pub fn report_day(user: &CustomerId, day: Date) -> Key {
    let shard = Hash::of(user.as_str()).bytes().first().copied().unwrap_or(0) % REPORT_SHARDS;
    Key::new(report(shard), day.to_string())
}

/// Returns the key of the date through which the report is complete.
pub fn report_through() -> Key {
    Key::new("I#points".to_owned(), "I")
}
