//! A reward: credit that a limited number of customers can claim.
//!
//! **Invariant:** minted uses are free or claimed; they never exceed the limit for longer than it takes to lower it, and
//! the number of a use is never given twice.
//! **Invariant:** what a claim credits never changes.

use crate::actor::PerformedBy;
use crate::currency::Currency;
use crate::fingerprint::keyed_request;
use crate::ids::{LineId, RequestId, RewardId};
use crate::ledger::order::Order;
use crate::money::Money;
use crate::parse::ParseError;
use crate::text::FreeText;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most rewards that are active and have not ended.
pub const MAX_OPEN: usize = 100;

/// The number of uses that one transaction creates or removes, beside the reward itself.
pub const BLOCK: u64 = 99;

/// The number of free uses that a new reward has at once; further ones are created while it is claimed.
pub const FIRST_USES: u64 = 10 * BLOCK;

/// Uses for which one partition is enough.
const USES_PER_SHARD: u64 = 200;

/// The most partitions of a reward's free uses.
pub const MAX_SHARDS: u8 = 16;

/// A use that can be claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreeUse {
    /// The reward.
    pub reward: RewardId,
    /// The partition in which it lies.
    pub shard: u8,
    /// Its number, unique in the reward.
    pub number: u64,
}

/// What a reward gives, and for which purchases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RewardTerms {
    /// What it is called.
    pub name: FreeText,
    /// What it is.
    pub description: Option<FreeText>,
    /// What a claim credits; above zero.
    pub credit_amount: Money,
    /// The currency of its amounts.
    pub currency: Currency,
    /// The least purchase for which it can be claimed; zero if none is needed.
    pub min_purchase_amount: Money,
    /// How many customers can claim it; `None` for no limit.
    pub max_uses: Option<u64>,
    /// From when it can be claimed.
    pub valid_from: Timestamp,
    /// Until when it can be claimed; `None` if it does not end.
    pub valid_until: Option<Timestamp>,
    /// The products and categories that it is for; all purchases if none is named.
    pub applicable_to: BTreeSet<LineId>,
    /// For how many days the credit can be spent; as the wallet's tier says if `None`.
    pub credit_expiry_days: Option<u32>,
}

/// Where a reward is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewardStatus {
    /// It can be claimed, or will be.
    Active,
    /// It was stopped.
    Inactive,
    /// Its time is over.
    Expired,
}

impl RewardStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Active, Self::Inactive, Self::Expired];

    /// Parses the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let named = Self::ALL.into_iter().find(|status| status.as_str() == text);
        named.ok_or(ParseError("must be one of ACTIVE, INACTIVE, EXPIRED"))
    }

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::Expired => "EXPIRED",
        }
    }
}

/// A reward, as stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reward {
    /// Its id.
    pub id: RewardId,
    /// What it gives.
    pub terms: RewardTerms,
    /// False once it was stopped.
    pub is_active: bool,
    /// Uses that were created and not removed: free ones and claimed ones.
    pub minted: u64,
    /// The number of the next use that is created; it never falls.
    pub next_use: u64,
    /// The partitions over which its free uses are spread; the number never falls.
    pub shards: u8,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Who created it.
    pub created_by: PerformedBy,
    /// The fingerprint of the request that created it.
    pub fingerprint: String,
    /// The invocation that created it.
    pub request: String,
    /// Incremented by each change; the condition against stale reads.
    pub version: u64,
}

/// A change of a reward; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct RewardChange {
    /// See [`RewardTerms`], as all that follow.
    pub name: Option<FreeText>,
    /// What it is; `Some(None)` removes it.
    pub description: Option<Option<FreeText>>,
    /// Whether it can be claimed.
    pub is_active: Option<bool>,
    /// How many customers can claim it; `Some(None)` for no limit.
    pub max_uses: Option<Option<u64>>,
    /// Until when it can be claimed; `Some(None)` if it does not end.
    pub valid_until: Option<Option<Timestamp>>,
    /// The products and categories that it is for.
    pub applicable_to: Option<BTreeSet<LineId>>,
    /// The least purchase for which it can be claimed.
    pub min_purchase_amount: Option<Money>,
}

/// Returns true if something is left of an order, and at least this much.
pub fn has_enough_left(order: &Order, least: Money) -> bool {
    let left = order.left();
    !left.is_zero() && left >= least
}

/// Returns the number of partitions for so many uses.
fn shards_for(uses: u64) -> u8 {
    u8::try_from(uses / USES_PER_SHARD).unwrap_or(MAX_SHARDS).clamp(1, MAX_SHARDS)
}

keyed_request! {
    /// Creates a reward.
    #[derive(Clone, Debug)]
    pub struct CreateReward ("create-reward") {
        /// Its id, which follows from the request's cause.
        pub id: RewardId => _,
        /// What it gives; `valid_from` is that of the request only if the caller named one.
        pub terms: RewardTerms => _,
        /// The fields of the request, as parsed.
        pub sent: String => "sent",
    }
}

impl Reward {
    /// Returns a new reward without uses.
    pub fn new(create: &CreateReward, (at, by): (Timestamp, PerformedBy), request: &RequestId) -> Self {
        let limit = create.terms.max_uses.unwrap_or(u64::MAX);
        Self {
            id: create.id.clone(),
            terms: create.terms.clone(),
            is_active: true,
            minted: 0,
            next_use: 0,
            shards: shards_for(limit),
            created_at: at,
            updated_at: at,
            created_by: by,
            fingerprint: create.fingerprint().as_str().to_owned(),
            request: request.to_string(),
            version: 0,
        }
    }

    /// Returns how many uses it can have.
    pub fn limit(&self) -> u64 {
        self.terms.max_uses.unwrap_or(u64::MAX)
    }

    /// Returns the status at `now`.
    pub fn status(&self, now: Timestamp) -> RewardStatus {
        if self.terms.valid_until.is_some_and(|until| until <= now) {
            RewardStatus::Expired
        } else if self.is_active {
            RewardStatus::Active
        } else {
            RewardStatus::Inactive
        }
    }

    /// Returns true if it can be claimed at `now`, if uses are left.
    pub fn is_claimable(&self, now: Timestamp) -> bool {
        self.status(now) == RewardStatus::Active && self.terms.valid_from <= now
    }

    /// Returns true if a claim needs a purchase.
    pub fn needs_purchase(&self) -> bool {
        !self.terms.min_purchase_amount.is_zero() || !self.terms.applicable_to.is_empty()
    }

    /// Returns true if a purchase of these products and categories is what it is for.
    pub fn applies_to<'a>(&self, named: impl IntoIterator<Item = &'a LineId>) -> bool {
        let wanted = &self.terms.applicable_to;
        wanted.is_empty() || named.into_iter().any(|name| wanted.contains(name))
    }

    /// Returns true if an order proves a purchase of its minimum.
    pub fn is_proved_by(&self, order: &Order) -> bool {
        order.totals.status() != "REFUNDED" && has_enough_left(order, self.terms.min_purchase_amount)
    }

    /// Returns the reward with the next block of uses, and these; `None` if it has as many as it can have.
    pub fn mint(&self) -> Option<(Self, Vec<FreeUse>)> {
        let count = self.limit().saturating_sub(self.minted).min(BLOCK);
        if count == 0 {
            return None;
        }
        let numbers = self.next_use..self.next_use.saturating_add(count);
        let free = |number: u64| FreeUse {
            reward: self.id.clone(),
            shard: u8::try_from(number % u64::from(self.shards.max(1))).unwrap_or(0),
            number,
        };
        let minted = self.minted.saturating_add(count);
        let next = Self { minted, next_use: numbers.end, version: self.version + 1, ..self.clone() };
        Some((next, numbers.map(free).collect()))
    }

    /// Returns the reward without some of these free uses, so that it has no more than its limit, and those; if none is
    /// free, the limit becomes what was claimed. `None` if it has no more than its limit.
    pub fn trim(&self, free: &[FreeUse]) -> Option<(Self, Vec<FreeUse>)> {
        let excess = self.minted.saturating_sub(self.limit()).min(BLOCK);
        if excess == 0 {
            return None;
        }
        let gone: Vec<FreeUse> = free.iter().take(usize::try_from(excess).unwrap_or(0)).cloned().collect();
        let mut next = Self { version: self.version + 1, ..self.clone() };
        if gone.is_empty() {
            next.terms.max_uses = Some(self.minted);
        }
        next.minted = self.minted.saturating_sub(u64::try_from(gone.len()).unwrap_or(0));
        Some((next, gone))
    }

    /// Returns the reward after a change.
    pub fn changed(&self, change: &RewardChange, at: Timestamp) -> Self {
        let mut next = self.clone();
        let terms = &mut next.terms;
        if let Some(name) = &change.name {
            terms.name = name.clone();
        }
        if let Some(description) = &change.description {
            terms.description.clone_from(description);
        }
        if let Some(limit) = change.max_uses {
            terms.max_uses = limit;
        }
        if let Some(until) = change.valid_until {
            terms.valid_until = until;
        }
        if let Some(named) = &change.applicable_to {
            terms.applicable_to.clone_from(named);
        }
        if let Some(least) = change.min_purchase_amount {
            terms.min_purchase_amount = least;
        }
        next.is_active = change.is_active.unwrap_or(self.is_active);
        next.shards = self.shards.max(shards_for(next.limit()));
        next.updated_at = at.max(self.updated_at);
        next.version += 1;
        next
    }
}
