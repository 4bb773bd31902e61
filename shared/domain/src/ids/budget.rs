//! Ids of budget accounts, brands, pools, cards, codes and redemptions.
//!
//! **Invariant:** an account's id contains its kind, so its entries can be found without reading
//! the account.
//! **Invariant:** a redemption's id is a keyed digest of campaign and code: it finds the redemption
//! of a code and reveals nothing about the code.

use super::cause::Cause;
use super::text::{caller_id, text_id};
use crate::fingerprint::{Fingerprinted, fingerprint_by_display, fingerprint_by_word};
use crate::hash::Hash;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use std::collections::BTreeSet;

/// The kind of a budget account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BudgetKind {
    /// The source of all credit; unlimited.
    Platform,
    /// A reseller.
    Agency,
    /// A customer of an agency.
    Client,
    /// A purpose on which a client spends.
    Campaign,
}

impl BudgetKind {
    /// The kinds that can be created; all are below the platform.
    pub const BELOW: [Self; 3] = [Self::Agency, Self::Client, Self::Campaign];

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Agency => "agency",
            Self::Client => "client",
            Self::Campaign => "campaign",
        }
    }

    /// Parses the kind of a new account.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let named = Self::BELOW.into_iter().find(|kind| kind.as_str() == text);
        named.ok_or(ParseError("must be one of agency, client, campaign"))
    }

    /// Returns the kind that its parent must have; `None` for the platform.
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::Platform => None,
            Self::Agency => Some(Self::Platform),
            Self::Client => Some(Self::Agency),
            Self::Campaign => Some(Self::Client),
        }
    }

    /// Returns true if many callers can spend from it at once; its entries are then spread over
    /// several partitions.
    pub fn is_spent_from(self) -> bool {
        matches!(self, Self::Client | Self::Campaign)
    }

    fn letter(self) -> char {
        match self {
            Self::Platform => 'p',
            Self::Agency => 'a',
            Self::Client => 'c',
            Self::Campaign => 'm',
        }
    }
}

text_id! {
    /// A budget account: `platform`, or `acct_` followed by a letter for its kind and a hash.
    AccountId
}
text_id! {
    /// An account in the system that it comes from.
    ExternalId
}
text_id! {
    /// A brand of gift cards.
    BrandId
}
text_id! {
    /// A pool of gift cards.
    PoolId
}
text_id! {
    /// The redemption of one code in one campaign.
    RedemptionId
}
text_id! {
    /// An attempt to spend: credit is reserved for it, and only the process that made it commits
    /// it.
    AttemptId
}
text_id! {
    /// A gift card, identified by the keyed digest of its code.
    CardId
}
text_id! {
    /// A registered redemption code, identified by its keyed digest.
    CodeId
}

fn hex_tail(text: &str, prefix: &str, length: usize) -> bool {
    let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.strip_prefix(prefix).is_some_and(|tail| tail.len() == length && tail.bytes().all(plain))
}

impl AccountId {
    /// Returns the account that is the source of all credit.
    pub fn platform() -> Self {
        Self("platform".to_owned())
    }

    /// Returns the id of the account that this cause creates below a parent.
    pub fn mint(kind: BudgetKind, parent: &AccountId, cause: &Cause) -> Self {
        Self(format!("acct_{}{}", kind.letter(), Hash::of(format!("{parent}|{cause}")).prefix(10)))
    }

    /// Returns the id of the account of another system that is imported below a parent.
    pub fn imported(kind: BudgetKind, parent: &Self, external: &ExternalId) -> Self {
        Self::mint(kind, parent, &Cause::external(external.as_str()))
    }

    /// Parses an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = text == "platform"
            || BudgetKind::BELOW.iter().any(|kind| hex_tail(text, &format!("acct_{}", kind.letter()), 20));
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of an account")) }
    }

    /// Returns the kind of the account.
    pub fn kind(&self) -> BudgetKind {
        let letter = self.0.strip_prefix("acct_").and_then(|rest| rest.chars().next());
        let of = |kind: &BudgetKind| letter == Some(kind.letter());
        BudgetKind::BELOW.into_iter().find(of).unwrap_or(BudgetKind::Platform)
    }
}

impl ExternalId {
    /// Parses an id, with the rule of all ids of callers.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        caller_id(text).map(|text| Self(text.to_owned()))
    }
}

impl BrandId {
    /// Returns the id of the brand that this cause creates.
    pub fn mint(cause: &Cause) -> Self {
        Self(format!("brand_{}", Hash::of(format!("brand|{cause}")).prefix(10)))
    }

    /// Parses an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = hex_tail(text, "brand_", 20);
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of a brand")) }
    }
}

impl PoolId {
    /// Returns the id of the pool that this cause creates.
    pub fn mint(cause: &Cause) -> Self {
        Self(format!("pool_{}", Hash::of(format!("pool|{cause}")).prefix(10)))
    }

    /// Parses an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = hex_tail(text, "pool_", 20);
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of a pool")) }
    }
}

impl RedemptionId {
    /// Returns the id of the redemption with this keyed digest (32 hexadecimal digits).
    pub fn of(digest: &str) -> Self {
        Self(format!("rdm_{digest}"))
    }

    /// Parses an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = hex_tail(text, "rdm_", 32);
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of a redemption")) }
    }

    /// Returns the cause of the budget entry that pays for this redemption.
    pub fn cause(&self) -> Cause {
        Cause::redemption(&self.0)
    }
}

impl AttemptId {
    /// Returns the id of an invocation's attempt; `chance` distinguishes two invocations that have
    /// the same request id.
    pub fn mint(request: &str, chance: u64) -> Self {
        Self(Hash::of(format!("attempt|{request}|{chance}")).prefix(8))
    }

    /// Wraps a stored id.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl CardId {
    /// Returns the id of the card with this keyed digest.
    pub fn of(digest: impl Into<String>) -> Self {
        Self(digest.into())
    }
}

impl CodeId {
    /// Returns the id of the code with this keyed digest.
    pub fn of(digest: impl Into<String>) -> Self {
        Self(digest.into())
    }
}

fingerprint_by_display!(AccountId, BrandId);
fingerprint_by_word!(BudgetKind);

serde_by_text! {
    AccountId: ToString::to_string, AccountId::parse;
    ExternalId: ToString::to_string, ExternalId::parse;
    BudgetKind: |kind| kind.as_str().to_owned(), BudgetKind::parse;
}

impl Fingerprinted for BTreeSet<BrandId> {
    fn fingerprint_text(&self) -> Option<String> {
        Some(self.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}
