//! Entries of budgets: the immutable record of every movement of credit, stored by its cause.
//!
//! **Invariant:** an entry never changes once it is written. It names the slices it took from or
//! put into, so each slice can be recomputed from its entries.
//! **Invariant:** the response to the request that caused an entry can be rendered from the entry
//! alone.

use super::slice::Flow;
use crate::actor::PerformedBy;
use crate::cause::Cause;
use crate::currency::Currency;
use crate::fingerprint::{Fingerprint, fingerprint_by_word};
use crate::hash::Hash;
use crate::ids::budget::{AccountId, AttemptId, BrandId, RedemptionId};
use crate::ids::{RequestId, TransactionId};
use crate::money::Money;
use crate::parse::ParseError;
use crate::text::FreeText;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Where a card comes from, in the order in which the sources are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CardSource {
    /// A pool that is filled from files.
    Csv,
    /// A pool that is refilled from a supplier ahead of demand.
    Buffer,
    /// A supplier's order for this redemption.
    Api,
}

impl CardSource {
    /// All sources, in order.
    pub const ALL: [Self; 3] = [Self::Csv, Self::Buffer, Self::Api];

    /// Returns the API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Buffer => "buffer",
            Self::Api => "api",
        }
    }

    /// Parses the stored word.
    pub fn stored(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|source| source.as_str() == text).ok_or(ParseError("is not a source"))
    }

    /// Parses the kind of a pool: csv or buffer.
    pub fn pool(text: &str) -> Result<Self, ParseError> {
        let known = Self::stored(text).ok().filter(|source| *source != Self::Api);
        known.ok_or(ParseError("must be csv or buffer"))
    }
}

/// Type of an entry. It determines the direction; amounts are positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MoveType {
    /// Credit moves to a child.
    AllocationOut,
    /// Credit arrives from the parent.
    AllocationIn,
    /// Credit returns to the parent.
    ReclaimOut,
    /// Credit returns from a child.
    ReclaimIn,
    /// A gift card is paid for.
    Redemption,
    /// Credit moves from one slice to another; the account's balance does not change.
    Rebalance,
}

impl MoveType {
    /// All types.
    pub const ALL: [Self; 6] = [
        Self::AllocationOut,
        Self::AllocationIn,
        Self::ReclaimOut,
        Self::ReclaimIn,
        Self::Redemption,
        Self::Rebalance,
    ];

    /// Returns the API's word.
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

    /// Parses the API's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(ParseError(
            "must be one of ALLOCATION_OUT, ALLOCATION_IN, RECLAIM_OUT, RECLAIM_IN, REDEMPTION",
        ))
    }

    /// Returns the flow of the slices that it takes from, and the flow of those that it puts into.
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

/// The counterpart of an entry, in the other account of the transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    /// Account of the counterpart.
    pub account: AccountId,
    /// Cause of the counterpart.
    pub cause: Cause,
    /// Available credit of that account afterwards; for the platform, the credit it has issued.
    pub balance_after: Money,
}

/// The card that a redemption paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// Campaign that the code belongs to.
    pub campaign: AccountId,
    /// Redemption that the entry belongs to.
    pub redemption: RedemptionId,
    /// Brand of the card.
    pub brand: BrandId,
    /// Face value.
    pub denomination: Money,
    /// Where the card came from.
    pub source: CardSource,
    /// Purchase cost of the card.
    pub cost: Money,
}

/// An entry of a budget account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetEntry {
    /// Account that it belongs to.
    pub account: AccountId,
    /// Idempotency cause, unique in the account.
    pub cause: Cause,
    /// Attempt that committed it.
    pub attempt: AttemptId,
    /// Type of the entry.
    pub kind: MoveType,
    /// Positive; the type determines the direction.
    pub amount: Money,
    /// Currency of the account.
    pub currency: Currency,
    /// Amounts taken, by slice.
    pub takes: BTreeMap<u8, Money>,
    /// Amounts put in, by slice.
    pub puts: BTreeMap<u8, Money>,
    /// Available credit afterwards, as far as it was read; for the platform, the credit it has
    /// issued.
    pub balance_after: Money,
    /// When it was decided.
    pub at: Timestamp,
    /// Actor who caused it.
    pub by: PerformedBy,
    /// Invocation that wrote it.
    pub request: RequestId,
    /// Fingerprint of the request; None if it follows from something else.
    pub fingerprint: Option<Fingerprint>,
    /// Reason, in the caller's words.
    pub notes: Option<FreeText>,
    /// Counterpart; only for transfers between accounts.
    pub other: Option<Other>,
    /// Card that was paid for; only for redemptions.
    pub paid: Option<Paid>,
    /// Digest of all fields above.
    pub hash: Hash,
}

impl BudgetEntry {
    /// Returns the id that the API shows.
    pub fn id(&self) -> TransactionId {
        let digest = Hash::of(format!("{}|{}|{}", self.account, self.cause, self.at));
        TransactionId::stored(format!("txn_{}_{}", self.at.millis(), digest.prefix(10)))
    }

    /// Returns the entry with its digest set.
    pub fn sealed(self) -> Self {
        Self { hash: self.digest(), ..self }
    }

    /// Returns the digest of its fields: SHA-256 over a line `name=length:value` for each that is
    /// present, in this order.
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

fingerprint_by_word!(CardSource);
