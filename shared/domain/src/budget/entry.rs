//! Ledger entries of budgets: the immutable record of every movement, kept by its cause.
//!
//! **Invariant:** an entry, once written, never changes; it names the slices it took from or put into, so each can be
//! recomputed from its entries.
//! **Invariant:** the answer to the request that caused an entry can be rendered from the entry alone.

use super::slice::Flow;
use crate::actor::PerformedBy;
use crate::cause::Cause;
use crate::currency::Currency;
use crate::fingerprint::{Fingerprint, as_worded};
use crate::hash::Hash;
use crate::ids::budget::{AccountId, AttemptId, BrandId, RedemptionId};
use crate::ids::{RequestId, TransactionId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::text::FreeText;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Where a card comes from, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CardSource {
    /// A pool that was filled from files.
    Csv,
    /// A pool that is filled from a supplier ahead of need.
    Buffer,
    /// A supplier, asked for this redemption.
    Api,
}

impl CardSource {
    /// Every source, in order.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Buffer, Self::Api];

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Buffer => "buffer",
            Self::Api => "api",
        }
    }

    /// Reads a stored word.
    pub fn stored(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|source| source.as_str() == text).ok_or(ParseError("is not a source"))
    }

    /// Reads the kind of a pool.
    pub fn pool(text: &str) -> Result<Self, ParseError> {
        let known = Self::stored(text).ok().filter(|source| *source != Self::Api);
        known.ok_or(ParseError("must be csv or buffer"))
    }
}

/// What a movement is; the type tells its direction, amounts are positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoveType {
    /// To a child.
    AllocationOut,
    /// From the parent.
    AllocationIn,
    /// Back to the parent.
    ReclaimOut,
    /// Back from a child.
    ReclaimIn,
    /// A gift card was paid.
    Redemption,
    /// From one slice to another; the account's balance stays.
    Rebalance,
}

impl MoveType {
    /// Every type.
    pub const ALL: [Self; 6] = [
        Self::AllocationOut,
        Self::AllocationIn,
        Self::ReclaimOut,
        Self::ReclaimIn,
        Self::Redemption,
        Self::Rebalance,
    ];

    /// The word that callers see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AllocationOut => "ALLOCATION_OUT",
            Self::AllocationIn => "ALLOCATION_IN",
            Self::ReclaimOut => "RECLAIM_OUT",
            Self::ReclaimIn => "RECLAIM_IN",
            Self::Redemption => "REDEMPTION",
            Self::Rebalance => "REBALANCE",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(ParseError(
            "must be one of ALLOCATION_OUT, ALLOCATION_IN, RECLAIM_OUT, RECLAIM_IN, REDEMPTION",
        ))
    }

    /// The flows of the slices that it takes from, and of those that it puts into.
    pub fn flows(self) -> (Option<Flow>, Option<Flow>) {
        match self {
            Self::AllocationOut => (Some(Flow::Allocated), None),
            Self::AllocationIn => (None, Some(Flow::Received)),
            Self::ReclaimOut => (Some(Flow::Reclaimed), None),
            Self::ReclaimIn => (None, Some(Flow::Returned)),
            Self::Redemption => (None, None),
            Self::Rebalance => (Some(Flow::MovedOut), Some(Flow::MovedIn)),
        }
    }
}

/// The entry on the other side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// In which account.
    pub account: AccountId,
    /// Under which cause.
    pub cause: Cause,
    /// What that account had available afterwards (of the platform: issued).
    pub balance_after: Money,
}

/// The card that a redemption paid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// By which campaign.
    pub campaign: AccountId,
    /// The redemption.
    pub redemption: RedemptionId,
    /// Of which brand.
    pub brand: BrandId,
    /// Its face value.
    pub denomination: Money,
    /// Where it came from.
    pub source: CardSource,
    /// What it had cost us.
    pub cost: Money,
}

/// One movement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetEntry {
    /// In which account.
    pub account: AccountId,
    /// Why; the key that makes it happen once.
    pub cause: Cause,
    /// The attempt that committed it.
    pub attempt: AttemptId,
    /// What it is.
    pub kind: MoveType,
    /// How much.
    pub amount: Money,
    /// In which currency.
    pub currency: Currency,
    /// What it took, by slice.
    pub takes: BTreeMap<u8, Money>,
    /// What it put, by slice.
    pub puts: BTreeMap<u8, Money>,
    /// What was available afterwards, as far as was seen (of the platform: issued).
    pub balance_after: Money,
    /// When.
    pub at: Timestamp,
    /// Who did it.
    pub by: PerformedBy,
    /// The invocation that wrote it.
    pub request: RequestId,
    /// What was asked for; none for what follows from something else.
    pub fingerprint: Option<Fingerprint>,
    /// Why, in the caller's words.
    pub notes: Option<FreeText>,
    /// The other side, of an allocation.
    pub other: Option<Other>,
    /// What was paid, of a redemption.
    pub paid: Option<Paid>,
    /// The digest of all of the above.
    pub hash: Hash,
}

impl BudgetEntry {
    /// The id that callers see.
    pub fn id(&self) -> TransactionId {
        let digest = Hash::of(format!("{}|{}|{}", self.account, self.cause, self.at));
        TransactionId::stored(format!("txn_{}_{}", self.at.millis(), digest.prefix(10)))
    }

    /// This entry with its digest.
    pub fn sealed(self) -> Self {
        Self { hash: self.digest(), ..self }
    }

    /// The digest of its fields: SHA-256 over a line `name=length:value` for each that is present, in this order.
    pub fn digest(&self) -> Hash {
        let mut text = String::new();
        let mut put = |name: &str, value: &dyn std::fmt::Display| {
            let value = value.to_string();
            let _ = writeln!(text, "{name}={}:{value}", value.len());
        };
        put("account", &format!("b:{}", self.account));
        put("cause", &self.cause);
        put("attempt", &self.attempt);
        put("type", &self.kind.as_str());
        put("amount", &self.amount);
        put("currency", &self.currency);
        for (slice, amount) in &self.takes {
            put("take", &format!("{slice}|{amount}"));
        }
        for (slice, amount) in &self.puts {
            put("put", &format!("{slice}|{amount}"));
        }
        put("balance_after", &self.balance_after);
        put("created_at", &self.at);
        put("actor", &format!("{}|{}", self.by.role.as_str(), self.by.sub));
        put("request", &self.request);
        if let Some(fingerprint) = &self.fingerprint {
            put("fingerprint", &fingerprint.as_str());
        }
        if let Some(notes) = &self.notes {
            put("notes", &notes.as_str());
        }
        if let Some(other) = &self.other {
            put("other", &format!("b:{}|{}|{}", other.account, other.cause, other.balance_after));
        }
        if let Some(paid) = &self.paid {
            put("redemption", &format!("{}|{}|{}", paid.campaign, paid.redemption, paid.brand));
            put("card", &format!("{}|{}|{}", paid.denomination, paid.source.as_str(), paid.cost));
        }
        Hash::of(text)
    }
}

as_worded!(CardSource);
