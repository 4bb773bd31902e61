//! Gift cards: brands, pools of cards, and what a redemption code comes to.
//!
//! **Invariant:** what is secret about a card is only ever held sealed here; nothing that prints shows it.

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
use crate::fingerprint::{Fingerprint, as_worded};
use crate::ids::RequestId;
use crate::ids::budget::{BrandId, PoolId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::text::FreeText;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// Who delivers cards of a brand on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Supplier {
    /// Reloadly.
    Reloadly,
    /// Tremendous.
    Tremendous,
}

impl Supplier {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reloadly => "reloadly",
            Self::Tremendous => "tremendous",
        }
    }

    /// Reads the contract's word.
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
    /// Who delivers it.
    pub supplier: Supplier,
    /// The supplier's id of it.
    pub product: String,
}

/// A brand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    /// Its id.
    pub id: BrandId,
    /// What people call it.
    pub name: FreeText,
    /// In which currency its cards are.
    pub currency: Currency,
    /// Its denominations, and what a budget pays for a card of each.
    pub prices: BTreeMap<Money, Money>,
    /// Who delivers on demand, and what they call the product.
    pub supplier: Option<SupplierProduct>,
    /// When it was added.
    pub created_at: Timestamp,
    /// What was asked for when it was added.
    pub fingerprint: Fingerprint,
    /// The invocation that added it.
    pub request: RequestId,
}

impl Brand {
    /// What a budget pays for a card.
    pub fn price(&self, denomination: Money) -> Option<Money> {
        self.prices.get(&denomination).copied()
    }
}

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its id.
    pub id: PoolId,
    /// Of which brand.
    pub brand: BrandId,
    /// The face value of its cards.
    pub denomination: Money,
    /// How it is filled: csv or buffer.
    pub source: CardSource,
    /// What a card of it had cost us.
    pub cost_per_card: Money,
    /// Below this, someone is told, or it is refilled.
    pub low_stock_threshold: u32,
    /// Over how many shards its free cards are spread.
    pub shards: u8,
    /// How many cards it has ever been given.
    pub stocked: u64,
    /// When it was added.
    pub created_at: Timestamp,
    /// What was asked for when it was added.
    pub fingerprint: Fingerprint,
    /// The invocation that added it.
    pub request: RequestId,
}

/// The most shards that a pool is spread over: each takes some 500 sales a second.
pub const MAX_SHARDS: u8 = 16;

/// How many cards a shard is worth.
const CARDS_PER_SHARD: u64 = 500;

/// Over how many shards a pool is spread that has been given so many cards.
pub fn shards_for(stocked: u64) -> u8 {
    let wanted = stocked.div_ceil(CARDS_PER_SHARD).clamp(1, u64::from(MAX_SHARDS));
    u8::try_from(wanted).unwrap_or(MAX_SHARDS)
}

/// How a pool stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StockHealth {
    /// Enough.
    Green,
    /// Below its threshold.
    Yellow,
    /// Nothing.
    Red,
}

impl StockHealth {
    /// Of a pool with so many free cards.
    pub fn of(free: u64, low_stock_threshold: u32) -> Self {
        match free {
            0 => Self::Red,
            free if free < u64::from(low_stock_threshold) => Self::Yellow,
            _ => Self::Green,
        }
    }

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Yellow => "yellow",
            Self::Red => "red",
        }
    }
}

/// Bytes that only the vault can read; they do not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

as_worded!(Supplier);
