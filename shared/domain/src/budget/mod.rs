//! Prepaid budgets: platform → agency → client → campaign, and what may be done with them.
//!
//! **Invariant:** value flows from a parent to its own child and back, or is spent; nothing else.
//! **Invariant:** an account is one or more slices, none ever below zero, and for each slice holds at every
//! instant: received = available + Σ attempts without an entry + Σ amounts of entries naming it.
//!
//! # Slices
//!
//! An account has 1 to 64 **slices**, each an item of its own, so that many spenders do not write to one
//! item; the first slice *is* the account (its name, parent, mode and thresholds). Credit moves in three
//! ways:
//!
//! * **Down and up** the tree ([`allocate`]): one slice of each side and both entries in one transaction. If
//!   an account that is being spent from has no slice with enough, the amount is reserved on several slices
//!   as a spend does, and moved by a transaction that contains none of them; each slice counts it when the
//!   attempt is removed.
//! * **Between slices** of an account, by the monitor, if one has too little and others have much.
//! * **Spent** ([`spend`]), never with a balance inside a transaction, because DynamoDB rejects overlapping
//!   transactions but serializes single updates:
//!
//! ```text
//! reserve  one update of a slice: available − amount, pending.<attempt>         ┐ concurrently: a card is looked up,
//!          if there is cover, no stop is set and fewer than 64 are pending      ┘ and an earlier result of the code
//! commit   one transaction of items that are not shared: entry, redemption, card, free card
//! settle   pending.<attempt> is removed together with this process's next reservation
//! ```
//!
//! # Attempts
//!
//! An **attempt** is one send's right to commit, with the credit it has reserved. The entry's key is the only
//! arbiter of a cause ([`key`]): free; VOID (the attempts listed there are *fenced*: they can no longer
//! commit); PENDING (a supplier was sent an order for this attempt); or the entry. Only the process that made
//! an attempt commits it, and each send has an attempt of its own. An attempt whose outcome is unknown is
//! resolved by the monitor (by the index `due`, after 60 s) or by a spend that finds a slice full. It reads
//! the key: if the entry is of this attempt, the attempt is *settled*; if the entry is of another attempt or
//! this one is fenced, its reservation is released; if the key is free, VOID is written first. So a crash at
//! any point ends with one card or with all of the credit released, and a late commit fails on the fence.
//!
//! [`spend`] decides on which slice to begin (by the cause's hash), where to continue, and when to gather
//! from several slices. 402 is only returned after every slice was read and nothing undecided would suffice;
//! otherwise the answer is `503 contention`. Credit reserved for supplier orders counts as unavailable. A
//! caller short of credit first fences attempts that have timed out, and what an earlier request for the same
//! code left behind more than 15 s ago.
//!
//! # Stops
//!
//! A **stop** (paused, closing) is stored on the slices that are spent from: an account's own, and for a
//! shared campaign on its client's, each with the version of the status, so that late copies cannot overtake
//! newer ones. `PATCH` returns when every slice has the stop; from then on no reservation succeeds, whatever
//! a process has cached. `auto_paused` is only shown, never stored: active with nothing left. Closing
//! resolves attempts, returns what is left to the parent, and is finished by the monitor if attempts are
//! undecided. Slices can be added while others spend: empty, with the status and stops of the first, in the
//! transaction that changes the account.
//!
//! # What is cached
//!
//! Accounts, brands and pools are cached for five seconds, to choose where to look; a cached value never
//! authorizes a movement (slices carry the stops) and is read again before it causes a refusal. One
//! exception: an agency's list of brands is on no slice, so a brand that was withdrawn can be issued for five
//! more seconds. A campaign's mode changes only while nothing is available or reserved, a condition on every
//! slice in that transaction; a process with the old mode cached finds the campaign empty, or its stop on the
//! client's slices, and reads again.

pub mod allocate;
pub mod audit;
mod causes;
pub mod change;
pub mod entry;
pub mod figures;
pub mod key;
pub mod permit;
pub mod rounds;
pub mod slice;
pub mod spend;
pub mod statement;
pub mod tree;

use crate::currency::Currency;
use crate::fingerprint::{Fingerprint, fingerprint_by_word};
use crate::ids::RequestId;
use crate::ids::budget::{AccountId, BrandId, BudgetKind};
use crate::money::Money;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use crate::text::FreeText;
use crate::time::Timestamp;

use slice::Slice;
use std::collections::BTreeSet;

/// Maximum number of slices of an account.
pub const MAX_SLICES: u8 = 64;

/// Maximum number of children of an account that are not closed.
pub const MAX_OPEN_CHILDREN: u32 = 1_000;

/// Maximum number of slices that an account may have without an admin: more of them make every tree and
/// every run of the monitor slower for all.
pub const MAX_OWN_SLICES: u8 = 16;

/// Which account's credit a campaign spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The credit of its client.
    Shared,
    /// Its own credit.
    Isolated,
}

impl Mode {
    /// Returns the API's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Isolated => "isolated",
        }
    }

    /// Parses the API's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "shared" => Ok(Self::Shared),
            "isolated" => Ok(Self::Isolated),
            _ => Err(ParseError("must be shared or isolated")),
        }
    }
}

/// Whether credit may leave an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetStatus {
    /// Credit may leave it.
    Active,
    /// It was stopped by a request.
    Paused,
    /// What is left returns to the parent as soon as nothing is reserved.
    Closing,
    /// Closed for good.
    Closed,
}

impl BudgetStatus {
    /// Returns the stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    /// Parses the stored word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let all = [Self::Active, Self::Paused, Self::Closing, Self::Closed];
        let named = all.into_iter().find(|status| status.as_str() == text);
        named.ok_or(ParseError("must be one of active, paused, closing"))
    }

    /// Returns true if credit may still be allocated to it and reclaimed from it.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }
}

/// State of an account at its creation, from which every repetition of the request is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetOpening {
    /// Fingerprint of the request.
    pub fingerprint: Fingerprint,
    /// Invocation that created the account.
    pub request: RequestId,
    /// Name at creation.
    pub name: FreeText,
    /// Threshold at creation.
    pub low_credit_threshold: Option<Money>,
    /// Mode at creation.
    pub mode: Mode,
    /// Number of slices at creation.
    pub slices: u8,
    /// Brands at creation.
    pub brands: Option<BTreeSet<BrandId>>,
    /// Credit that it could spend; for a shared campaign, the credit of its client.
    pub available: Money,
}

/// An account together with its first slice; both are one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetAccount {
    /// Contains the kind of the account.
    pub id: AccountId,
    /// Account that its credit comes from; None for the platform.
    pub parent: Option<AccountId>,
    /// All accounts above it except the platform, the highest first.
    pub ancestors: Vec<AccountId>,
    /// Display name.
    pub name: FreeText,
    /// Currency of the account, its entries and its children.
    pub currency: Currency,
    /// Which account's credit a campaign spends; other accounts spend their own.
    pub mode: Mode,
    /// True if the campaign spends its client's credit, or ever did.
    pub was_shared: bool,
    /// Number of slices, 1 to 64.
    pub slices: u8,
    /// True if the monitor may raise the number of slices.
    pub auto_slices: bool,
    /// Available credit below which an alert is raised.
    pub low_credit_threshold: Option<Money>,
    /// Brands that an agency may use; None means all.
    pub brands: Option<BTreeSet<BrandId>>,
    /// Price of one of its cards, for estimates; None until known.
    pub card_price: Option<Money>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed, apart from its slices.
    pub updated_at: Timestamp,
    /// State at creation.
    pub opened: BudgetOpening,
    /// Incremented by every change apart from its slices; the condition against stale reads.
    pub version: u64,
    /// Status version that all copies are known to have: on every slice and, for a shared campaign,
    /// on every slice of its client.
    pub copied_status_version: u64,
    /// Numbers of its children; None if an earlier version wrote the account, and they have not been
    /// counted since.
    pub children: Option<ChildCount>,
    /// First slice.
    pub first: Slice,
}

/// Numbers of an account's children.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChildCount {
    /// Children that are not closed.
    pub open: u32,
    /// All children.
    pub total: u64,
}

impl BudgetAccount {
    /// Returns the kind of the account.
    pub fn kind(&self) -> BudgetKind {
        self.id.kind()
    }

    /// Returns the status, which decides whether credit may leave the account.
    pub fn status(&self) -> BudgetStatus {
        self.first.status
    }

    /// Returns the account that its spends are charged to.
    pub fn charged(&self) -> &AccountId {
        match (self.mode, &self.parent) {
            (Mode::Shared, Some(parent)) if self.kind() == BudgetKind::Campaign => parent,
            (Mode::Shared | Mode::Isolated, _) => &self.id,
        }
    }

    /// Returns true if this is a campaign that spends its client's credit.
    pub fn is_shared(&self) -> bool {
        *self.charged() != self.id
    }

    /// Returns true if the account is `root` or below it.
    pub fn is_within(&self, root: &AccountId) -> bool {
        self.id == *root || self.ancestors.contains(root)
    }

    /// Returns the agency that it is or belongs to.
    pub fn agency(&self) -> Option<&AccountId> {
        if self.kind() == BudgetKind::Agency { Some(&self.id) } else { self.ancestors.first() }
    }

    /// Returns the platform's account in its initial state.
    pub fn platform(currency: Currency, now: Timestamp) -> Option<Self> {
        let name = FreeText::parse("Platform").ok()?;
        let opened = BudgetOpening {
            fingerprint: Fingerprint::of(&[]),
            request: RequestId::new("platform"),
            name: name.clone(),
            low_credit_threshold: None,
            mode: Mode::Isolated,
            slices: 1,
            brands: None,
            available: Money::ZERO,
        };
        Some(Self {
            id: AccountId::platform(),
            parent: None,
            ancestors: vec![],
            name,
            currency,
            mode: Mode::Isolated,
            was_shared: false,
            slices: 1,
            auto_slices: true,
            low_credit_threshold: None,
            brands: None,
            card_price: None,
            created_at: now,
            updated_at: now,
            opened,
            version: 1,
            copied_status_version: 1,
            children: Some(ChildCount::default()),
            first: Slice::new(0),
        })
    }
}

fingerprint_by_word!(Mode);
serde_by_text! { Mode: |mode| mode.as_str().to_owned(), Mode::parse; }
