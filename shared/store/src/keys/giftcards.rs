//! Keys of gift cards, redemptions and related items.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | brand | `K#<brand>` | `K` | |
//! | pool | `M#<pool>` | `M` | |
//! | card, with its sealed parts | `C#<card>` | `C` | |
//! | free card | `F#<pool>#<shard>` | `<expiry date, or never>#<card>` | |
//! | redemption | `N#<redemption>` | `N` | `due` while an order at a supplier is open |
//! | record of a reveal of its card | `N#<redemption>` | `R#<instant>#<request>` | |
//! | order at a supplier | `N#<redemption>` | `O#<attempt>` | |
//! | queued message to the recipient | `Q#<redemption>` | `<method>` | `due` from the time it is queued |
//! | registered redemption code | `X#<code>` | `X` | |
//! | request that minted codes | `V#<campaign>` | `<cause>` | |
//! | counter of tries | `T#<what>` | `T` | |
//! | contention of budgets in five minutes | `T#heat:<instant>#<0–7>`; `…#8` once it was looked at | `T` | `purge_at` |
//! | refill of a pool | `J#<pool>` | `<number, 8 digits>` | |
//! | open refill in the list of its pool | `J#<pool>` | `O#<number, 8 digits>` | |
//! | brand in the list of brands | `L#brands` | `<instant>#<brand>` | |
//! | pool in the list of pools | `L#pools` | `<instant>#<pool>` | |
//! | pool in the list of its brand and denomination | `L#q:<brand>:<denomination>` | `<instant>#<pool>` | |
//!
//! **Invariant:** no key contains a code in plain text: cards and codes are identified by keyed
//! digests.

use super::Key;
use domain::cause::Cause;
use domain::giftcard::card::FreeCard;
use domain::giftcard::redemption::Method;
use domain::ids::RequestId;
use domain::ids::budget::{AccountId, AttemptId, BrandId, CardId, CodeId, PoolId, RedemptionId};
use domain::money::Money;
use domain::time::{Date, Timestamp, parse_date};

/// Partition that lists all brands.
pub const BRANDS: &str = "L#brands";
/// Partition that lists all pools.
pub const POOLS: &str = "L#pools";
/// Range key prefix of open refills; it sorts after every refill number.
pub const OPEN_REFILLS: &str = "O#";
/// Replaces the date of cards that do not expire; it sorts after every date.
const NEVER: &str = "never";

/// Returns the key of a brand.
pub fn brand(brand: &BrandId) -> Key {
    Key::new(format!("K#{brand}"), "K")
}

/// Returns the key of a pool.
pub fn pool(pool: &PoolId) -> Key {
    Key::new(format!("M#{pool}"), "M")
}

/// Returns the key of a card.
pub fn card(card: &CardId) -> Key {
    Key::new(format!("C#{card}"), "C")
}

/// Parses the card from its partition key.
pub fn card_of(pk: &str) -> Option<CardId> {
    pk.strip_prefix("C#").map(CardId::of)
}

/// Returns the partition of one shard of a pool's free cards.
pub fn free_cards(pool: &PoolId, shard: u8) -> String {
    format!("F#{pool}#{shard}")
}

/// Returns the key of a free card. Cards that expire first sort first; cards that never expire sort
/// last.
pub fn free_card(free: &FreeCard) -> Key {
    Key::new(free_cards(&free.pool, free.shard), free_place(free.expires_on, &free.card))
}

/// Returns the range key of a free card.
pub(super) fn free_place(expires_on: Option<Date>, card: &CardId) -> String {
    let date = expires_on.map_or_else(|| NEVER.to_owned(), |date| date.to_string());
    format!("{date}#{card}")
}

/// Returns true for a partition of free cards.
pub fn is_of_pool(pk: &str) -> bool {
    pk.starts_with("F#pool_")
}

/// Parses the card and its expiry date from the range key of a free card.
pub fn free_card_of(sk: &str) -> Option<(CardId, Option<Date>)> {
    let (date, card) = sk.split_once('#')?;
    let date = if date == NEVER { None } else { Some(parse_date(date).ok()?) };
    Some((CardId::of(card), date))
}

/// Returns the key of a redemption.
pub fn redemption(redemption: &RedemptionId) -> Key {
    Key::new(format!("N#{redemption}"), "N")
}

/// Parses the redemption from its partition key.
pub fn redemption_of(pk: &str) -> Option<RedemptionId> {
    RedemptionId::parse(pk.strip_prefix("N#")?).ok()
}

/// Returns the key of the record that a request revealed the card of a redemption.
pub fn reveal(redemption: &RedemptionId, at: Timestamp, request: &RequestId) -> Key {
    listed_reveal(format!("N#{redemption}"), at, request)
}

/// Returns the key of the record of a reveal in this partition.
pub(super) fn listed_reveal(partition: String, at: Timestamp, request: &RequestId) -> Key {
    Key::new(partition, format!("R#{at}#{request}"))
}

/// Returns the key of the order that an attempt placed at a supplier.
pub fn card_order(redemption: &RedemptionId, attempt: &AttemptId) -> Key {
    Key::new(format!("N#{redemption}"), format!("O#{attempt}"))
}

/// Returns the key of the queued message to a recipient.
pub fn outbox(redemption: &RedemptionId, method: Method) -> Key {
    Key::new(format!("Q#{redemption}"), method.as_str())
}

/// Returns the key of a registered redemption code.
pub fn code(code: &CodeId) -> Key {
    Key::new(format!("X#{code}"), "X")
}

/// Returns the key of the record of a request that minted codes.
pub fn minting(campaign: &AccountId, cause: &Cause) -> Key {
    Key::new(format!("V#{campaign}"), cause.as_str())
}

/// Returns the key of a counter of tries.
pub fn tries(what: &str) -> Key {
    Key::new(format!("T#{what}"), "T")
}

/// Returns the key of counts of contention in a window; the last shard says that they were looked at.
pub fn heat(window: Timestamp, shard: u8) -> Key {
    tries(&format!("heat:{window}#{shard}"))
}

/// Returns the key of a refill.
pub fn refill(pool: &PoolId, number: u64) -> Key {
    Key::new(refills(pool), format!("{number:08}"))
}

/// Returns the key of a refill in the list of open refills.
pub fn open_refill(pool: &PoolId, number: u64) -> Key {
    Key::new(refills(pool), format!("{OPEN_REFILLS}{number:08}"))
}

/// Returns the partition of a pool's refills.
pub fn refills(pool: &PoolId) -> String {
    format!("J#{pool}")
}

/// Returns the partition that lists the pools of a brand and denomination.
pub fn pools_of(brand: &BrandId, denomination: Money) -> String {
    format!("L#q:{brand}:{denomination}")
}

/// Returns the key of an id in a list.
pub fn listed(list: &str, at: Timestamp, id: &str) -> Key {
    Key::new(list.to_owned(), format!("{at}#{id}"))
}
