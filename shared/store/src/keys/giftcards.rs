//! Keys of gift cards, redemptions and what belongs to them.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | brand | `K#<brand>` | `K` | |
//! | pool | `M#<pool>` | `M` | |
//! | card, with its sealed parts | `C#<card>` | `C` | |
//! | free card | `F#<pool>#<shard>` | `<last date, or never>#<card>` | |
//! | redemption | `N#<redemption>` | `N` | `due` while a supplier is asked |
//! | a look at its card | `N#<redemption>` | `R#<instant>#<request>` | |
//! | an order at a supplier | `N#<redemption>` | `O#<attempt>` | |
//! | what is to be sent | `Q#<redemption>` | `<method>` | |
//! | registered redemption code | `X#<code>` | `X` | |
//! | a request that minted codes | `V#<campaign>` | `<cause>` | |
//! | count of tries | `T#<what>` | `T` | |
//! | refill of a pool | `J#<pool>` | `<number, 8 digits>` | |
//! | a refill that is not done | `J#<pool>` | `O#<number, 8 digits>` | |
//! | brands, pools, pools of a brand and denomination | `L#brands`, `L#pools`, `L#q:<brand>:<denomination>` | `<instant>#<id>` | |
//!
//! **Invariant:** no key holds a code: cards and codes are known by keyed digests.

use super::Key;
use domain::cause::Cause;
use domain::giftcard::card::FreeCard;
use domain::giftcard::redemption::Method;
use domain::ids::RequestId;
use domain::ids::budget::{AccountId, AttemptId, BrandId, CardId, CodeId, PoolId, RedemptionId};
use domain::money::Money;
use domain::time::{Date, Timestamp, parse_date};

/// The list of all brands.
pub const BRANDS: &str = "L#brands";
/// The list of all pools.
pub const POOLS: &str = "L#pools";
/// What refills that are not done begin with; it sorts after every number.
pub const OPEN_REFILLS: &str = "O#";
/// In place of a date, of cards that do not expire; it sorts after every date.
const NEVER: &str = "never";

/// A brand.
pub fn brand(brand: &BrandId) -> Key {
    Key::new(format!("K#{brand}"), "K")
}

/// A pool.
pub fn pool(pool: &PoolId) -> Key {
    Key::new(format!("M#{pool}"), "M")
}

/// A card.
pub fn card(card: &CardId) -> Key {
    Key::new(format!("C#{card}"), "C")
}

/// The card whose partition this is.
pub fn card_of(pk: &str) -> Option<CardId> {
    pk.strip_prefix("C#").map(CardId::of)
}

/// A shard of a pool's free cards.
pub fn free_cards(pool: &PoolId, shard: u8) -> String {
    format!("F#{pool}#{shard}")
}

/// A free card; those that expire soonest come first, those that never do last.
pub fn free_card(free: &FreeCard) -> Key {
    let date = free.expires_on.map_or_else(|| NEVER.to_owned(), |date| date.to_string());
    Key::new(free_cards(&free.pool, free.shard), format!("{date}#{}", free.card))
}

/// The free card whose place this is, and its last date.
pub fn free_card_of(sk: &str) -> Option<(CardId, Option<Date>)> {
    let (date, card) = sk.split_once('#')?;
    let date = if date == NEVER { None } else { Some(parse_date(date).ok()?) };
    Some((CardId::of(card), date))
}

/// A redemption.
pub fn redemption(redemption: &RedemptionId) -> Key {
    Key::new(format!("N#{redemption}"), "N")
}

/// The redemption whose partition this is.
pub fn redemption_of(pk: &str) -> Option<RedemptionId> {
    RedemptionId::parse(pk.strip_prefix("N#")?).ok()
}

/// A look at a redemption's card.
pub fn reveal(redemption: &RedemptionId, at: Timestamp, request: &RequestId) -> Key {
    Key::new(format!("N#{redemption}"), format!("R#{at}#{request}"))
}

/// An order at a supplier, for one attempt.
pub fn card_order(redemption: &RedemptionId, attempt: &AttemptId) -> Key {
    Key::new(format!("N#{redemption}"), format!("O#{attempt}"))
}

/// What is to be sent to a recipient.
pub fn outbox(redemption: &RedemptionId, method: Method) -> Key {
    Key::new(format!("Q#{redemption}"), method.as_str())
}

/// A registered redemption code.
pub fn code(code: &CodeId) -> Key {
    Key::new(format!("X#{code}"), "X")
}

/// A request that minted codes.
pub fn minting(campaign: &AccountId, cause: &Cause) -> Key {
    Key::new(format!("V#{campaign}"), cause.as_str())
}

/// A count of tries.
pub fn tries(what: &str) -> Key {
    Key::new(format!("T#{what}"), "T")
}

/// A refill of a pool.
pub fn refill(pool: &PoolId, number: u64) -> Key {
    Key::new(refills(pool), format!("{number:08}"))
}

/// Says that a refill is not done.
pub fn open_refill(pool: &PoolId, number: u64) -> Key {
    Key::new(refills(pool), format!("{OPEN_REFILLS}{number:08}"))
}

/// The refills of a pool.
pub fn refills(pool: &PoolId) -> String {
    format!("J#{pool}")
}

/// The list of pools of a brand and denomination.
pub fn pools_of(brand: &BrandId, denomination: Money) -> String {
    format!("L#q:{brand}:{denomination}")
}

/// A place in a list.
pub fn listed(list: &str, at: Timestamp, id: &str) -> Key {
    Key::new(list.to_owned(), format!("{at}#{id}"))
}
