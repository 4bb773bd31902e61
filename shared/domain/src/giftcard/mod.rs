//! Gift cards: brands, pools of cards, redemption codes and redemptions.
//!
//! **Invariant:** the secrets of a card are only held sealed here; nothing that prints shows them.
//!
//! # From a code to a card
//!
//! [`provision`] decides the order: credit first, then CSV pools, then buffer pools, then the supplier. The
//! crate `issuing` executes it step by step.
//!
//! * **A free card** is an item `F#<pool>#<shard>`, ordered by its last date. A reader draws a shard at
//!   random, then a card among those that expire soonest, so concurrent buyers rarely conflict and expired
//!   cards are not read. The transaction that sells a card deletes this item. Pools get more shards as their
//!   stock grows. A buyer that loses a card to another looks for the next, then falls back to the next
//!   source.
//! * **A card** is an item whose key is the keyed digest of its code, so no card is stocked twice. Code,
//!   number, PIN and URL are sealed one by one, bound to the names of item and field, with the key's id in
//!   front. The [redemption](redemption) is an item whose key is the keyed digest of campaign and code, and
//!   that id is the cause of its entry: one card for a code, ever.
//! * **A supplier's order** is written as PENDING at the key and in the redemption, in one transaction,
//!   before the supplier is called with a reference that contains the attempt. The attempt moves from
//!   `pending` to `waiting`, so an outage of a supplier does not block pools. Any answer but a definite
//!   rejection keeps it pending: the webhook or the monitor asks again with the same reference, and the order
//!   is never placed with another supplier. A rejection turns PENDING into VOID and releases the credit. A
//!   card that is delivered all the same goes into stock with an alert; its webhook is not acknowledged
//!   before that is known.
//! * **Buffer pools** are refilled below their threshold by the same kind of order, recorded as a refill
//!   `J#<pool>` before it is placed. A supplier that rejects an order or does not answer gets no further
//!   orders for that pool in that run.
//! * **Deliveries** are outbox items `Q#…`, written with the redemption.
//!
//! # The public redemption endpoint
//!
//! Every failure is the same 404 after the same time; a supplier is waited for at most that long, then the
//! answer is 202. Tries are counted by address before a code is looked up, and raise an alert that does not
//! contain the address. Every digest of a code is made of its folded form ([`code`]), so it does not matter
//! how a code is written.

pub mod card;
pub mod catalogue;
pub mod code;
pub mod guessing;
pub mod profit;
pub mod provision;
pub mod redemption;
pub mod stock;

pub use crate::budget::entry::CardSource;

use crate::currency::Currency;
use crate::fingerprint::{Fingerprint, fingerprint_by_word};
use crate::ids::RequestId;
use crate::ids::budget::{BrandId, PoolId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::text::FreeText;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// A supplier that delivers cards on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supplier {
    /// Reloadly.
    Reloadly,
    /// Tremendous.
    Tremendous,
}

impl Supplier {
    /// Returns the API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reloadly => "reloadly",
            Self::Tremendous => "tremendous",
        }
    }

    /// Parses the API's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "reloadly" => Ok(Self::Reloadly),
            "tremendous" => Ok(Self::Tremendous),
            _ => Err(ParseError("must be reloadly or tremendous")),
        }
    }
}

/// A product of a supplier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplierProduct {
    /// Supplier that delivers it.
    pub supplier: Supplier,
    /// Supplier's id of the product.
    pub product: String,
}

/// A brand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// Minted from the cause of the request that added it.
    pub id: BrandId,
    /// Display name.
    pub name: FreeText,
    /// Currency of its cards.
    pub currency: Currency,
    /// Price that a budget pays for a card, by denomination.
    pub prices: BTreeMap<Money, Money>,
    /// Product that delivers its cards on demand; None if no supplier does.
    pub supplier: Option<SupplierProduct>,
    /// When it was added.
    pub created_at: Timestamp,
    /// Fingerprint of the request that added it.
    pub fingerprint: Fingerprint,
    /// Invocation that added it.
    pub request: RequestId,
}

impl Brand {
    /// Returns the price that a budget pays for a card; None if the brand lacks the denomination.
    pub fn price(&self, denomination: Money) -> Option<Money> {
        self.prices.get(&denomination).copied()
    }
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Minted from the cause of the request that added it.
    pub id: PoolId,
    /// Brand of its cards.
    pub brand: BrandId,
    /// Face value of its cards.
    pub denomination: Money,
    /// How it is filled: csv or buffer.
    pub source: CardSource,
    /// Purchase cost of a card.
    pub cost_per_card: Money,
    /// Free cards below which an alert is raised or the pool is refilled.
    pub low_stock_threshold: u32,
    /// Number of shards over which its free cards are spread, 1 to 16.
    pub shards: u8,
    /// Number of cards ever added.
    pub stocked: u64,
    /// When it was added.
    pub created_at: Timestamp,
    /// Fingerprint of the request that added it.
    pub fingerprint: Fingerprint,
    /// Invocation that added it.
    pub request: RequestId,
}

/// Maximum number of shards of a pool; each supports about 500 sales per second.
pub const MAX_SHARDS: u8 = 16;

/// Number of stocked cards per shard.
const CARDS_PER_SHARD: u64 = 500;

/// Returns over how many shards a pool is spread after `stocked` cards were added.
pub fn shards_for(stocked: u64) -> u8 {
    let wanted = stocked.div_ceil(CARDS_PER_SHARD).clamp(1, u64::from(MAX_SHARDS));
    u8::try_from(wanted).unwrap_or(MAX_SHARDS)
}

/// Stock level of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockHealth {
    /// At or above its threshold.
    Green,
    /// Below its threshold.
    Yellow,
    /// No free card.
    Red,
}

impl StockHealth {
    /// Returns the stock level of a pool with `free` free cards.
    pub fn of(free: u64, low_stock_threshold: u32) -> Self {
        match free {
            0 => Self::Red,
            free if free < u64::from(low_stock_threshold) => Self::Yellow,
            _ => Self::Green,
        }
    }

    /// Returns the API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }
}

/// Bytes that only the vault can read; they are not printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

fingerprint_by_word!(Supplier);
