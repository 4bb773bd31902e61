//! Prepaid budgets: platform → agency → client → campaign, and what may be done with them.
//!
//! **Invariant:** value flows from a parent to its own child and back, or is spent; nothing else.
//! **Invariant:** an account is one or more slices, each never below zero, and of each holds at every instant:
//! received = available + Σ attempts without an entry + Σ amounts of entries naming it.

pub mod allocate;
pub mod audit;
mod causes;
pub mod change;
pub mod entry;
pub mod figures;
pub mod key;
pub mod permit;
pub mod slice;
pub mod spend;
pub mod tree;

use crate::currency::Currency;
use crate::fingerprint::{Fingerprint, as_worded};
use crate::ids::RequestId;
use crate::ids::budget::{AccountId, BrandId, BudgetKind};
use crate::money::Money;
use crate::parse::ParseError;
use crate::text::FreeText;
use crate::time::Timestamp;

use slice::Slice;
use std::collections::BTreeSet;

/// The most slices that an account can have.
pub const MAX_SLICES: u8 = 64;

/// Whose credit a campaign spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Its client's.
    Shared,
    /// Its own.
    Isolated,
}

impl Mode {
    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Isolated => "isolated",
        }
    }

    /// Reads the contract's word.
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
    /// It may.
    Active,
    /// Someone has stopped it.
    Paused,
    /// What is left goes back to the parent as soon as nothing is reserved.
    Closing,
    /// For good.
    Closed,
}

impl BudgetStatus {
    /// The stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let all = [Self::Active, Self::Paused, Self::Closing, Self::Closed];
        let named = all.into_iter().find(|status| status.as_str() == text);
        named.ok_or(ParseError("must be one of active, paused, closing"))
    }

    /// True if credit may still come in and go back by hand.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }
}

/// How an account came to be: what its creation answers, however often it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetOpening {
    /// What was asked for.
    pub fingerprint: Fingerprint,
    /// The invocation that did it.
    pub request: RequestId,
    /// The name it was given.
    pub name: FreeText,
    /// The threshold it was given.
    pub low_credit_threshold: Option<Money>,
    /// The mode it was given.
    pub mode: Mode,
    /// The number of slices it was given.
    pub slices: u8,
    /// The brands it was given.
    pub brands: Option<BTreeSet<BrandId>>,
    /// What it could spend: of a campaign that shares its client's credit, what that had.
    pub available: Money,
}

/// An account: what is known of it, and its first slice (both are one item).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetAccount {
    /// Its id.
    pub id: AccountId,
    /// Where its credit comes from; none for the platform.
    pub parent: Option<AccountId>,
    /// All above it but the platform, the highest first.
    pub ancestors: Vec<AccountId>,
    /// What people call it.
    pub name: FreeText,
    /// The one currency it holds.
    pub currency: Currency,
    /// Whose credit a campaign spends; of others, its own.
    pub mode: Mode,
    /// True of a campaign that spends its client's credit, or ever did.
    pub was_shared: bool,
    /// How many slices it has.
    pub slices: u8,
    /// Below this, someone is told.
    pub low_credit_threshold: Option<Money>,
    /// The brands that an agency may use; all, if none are named.
    pub brands: Option<BTreeSet<BrandId>>,
    /// What one of its cards costs, as far as is known: for estimates.
    pub card_price: Option<Money>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When what is known of it last changed.
    pub updated_at: Timestamp,
    /// How it came to be.
    pub opened: BudgetOpening,
    /// Counts the changes of what is known of it; the guard against a stale read.
    pub version: u64,
    /// The version of its status that every slice, and of a shared campaign every slice of its client, is known to have.
    pub copied_status_version: u64,
    /// Its first slice.
    pub first: Slice,
}

impl BudgetAccount {
    /// What it stands for.
    pub fn kind(&self) -> BudgetKind {
        self.id.kind()
    }

    /// Whether credit may leave it.
    pub fn status(&self) -> BudgetStatus {
        self.first.status
    }

    /// The account that its spends are charged to.
    pub fn charged(&self) -> &AccountId {
        match (self.mode, &self.parent) {
            (Mode::Shared, Some(parent)) if self.kind() == BudgetKind::Campaign => parent,
            (Mode::Shared | Mode::Isolated, _) => &self.id,
        }
    }

    /// True if this is a campaign that spends its client's credit.
    pub fn is_shared(&self) -> bool {
        *self.charged() != self.id
    }

    /// True if the account is this one or below it.
    pub fn is_within(&self, root: &AccountId) -> bool {
        self.id == *root || self.ancestors.contains(root)
    }

    /// The agency that it is, or belongs to.
    pub fn agency(&self) -> Option<&AccountId> {
        if self.kind() == BudgetKind::Agency { Some(&self.id) } else { self.ancestors.first() }
    }

    /// The platform's account, as it is before anything has happened.
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
            low_credit_threshold: None,
            brands: None,
            card_price: None,
            created_at: now,
            updated_at: now,
            opened,
            version: 1,
            copied_status_version: 1,
            first: Slice::new(0),
        })
    }
}

as_worded!(Mode);
