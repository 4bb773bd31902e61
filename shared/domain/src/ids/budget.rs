//! Identifiers of budgets, brands, pools, cards and redemptions.
//!
//! **Invariant:** an account's id tells its kind, so its entries can be found without reading it.
//! **Invariant:** a redemption's id is a keyed digest of campaign and code: it finds the redemption of a code, and
//! tells nothing about the code.

use super::cause::Cause;
use super::text::text_id;
use crate::fingerprint::{Fingerprinted, as_printed, as_worded};
use crate::hash::Hash;
use crate::parse::ParseError;
use std::collections::BTreeSet;

/// What an account stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BudgetKind {
    /// Where all credit comes from; unlimited.
    Platform,
    /// A reseller.
    Agency,
    /// A customer of an agency.
    Client,
    /// What a client spends on.
    Campaign,
}

impl BudgetKind {
    /// The kinds that can be created.
    pub const BELOW: [Self; 3] = [Self::Agency, Self::Client, Self::Campaign];

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Agency => "agency",
            Self::Client => "client",
            Self::Campaign => "campaign",
        }
    }

    /// Reads the kind of a new account.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let named = Self::BELOW.into_iter().find(|kind| kind.as_str() == text);
        named.ok_or(ParseError("must be one of agency, client, campaign"))
    }

    /// What its parent must be.
    pub fn parent(self) -> Option<Self> {
        match self {
            Self::Platform => None,
            Self::Agency => Some(Self::Platform),
            Self::Client => Some(Self::Agency),
            Self::Campaign => Some(Self::Client),
        }
    }

    /// True if it is spent from, by many at once: then its entries are spread.
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
    /// A budget account: `platform`, or `acct_` with a letter for its kind.
    AccountId
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
    /// What one redemption code of one campaign came to.
    RedemptionId
}
text_id! {
    /// One try to spend: what is set aside is set aside for it, and only the process that made it commits it.
    AttemptId
}
text_id! {
    /// A gift card: the keyed digest of its code.
    CardId
}
text_id! {
    /// A registered redemption code: its keyed digest.
    CodeId
}

fn hex_tail(text: &str, prefix: &str, length: usize) -> bool {
    let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.strip_prefix(prefix).is_some_and(|tail| tail.len() == length && tail.bytes().all(plain))
}

impl AccountId {
    /// The account that all credit comes from.
    pub fn platform() -> Self {
        Self("platform".to_owned())
    }

    /// The account that this cause makes below a parent.
    pub fn mint(kind: BudgetKind, parent: &AccountId, cause: &Cause) -> Self {
        Self(format!("acct_{}{}", kind.letter(), Hash::of(format!("{parent}|{cause}")).prefix(10)))
    }

    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = text == "platform"
            || BudgetKind::BELOW.iter().any(|kind| hex_tail(text, &format!("acct_{}", kind.letter()), 20));
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of an account")) }
    }

    /// What kind of account it is.
    pub fn kind(&self) -> BudgetKind {
        let letter = self.0.strip_prefix("acct_").and_then(|rest| rest.chars().next());
        let of = |kind: &BudgetKind| letter == Some(kind.letter());
        BudgetKind::BELOW.into_iter().find(of).unwrap_or(BudgetKind::Platform)
    }
}

impl BrandId {
    /// The brand that this cause makes.
    pub fn mint(cause: &Cause) -> Self {
        Self(format!("brand_{}", Hash::of(format!("brand|{cause}")).prefix(10)))
    }

    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = hex_tail(text, "brand_", 20);
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of a brand")) }
    }
}

impl PoolId {
    /// The pool that this cause makes.
    pub fn mint(cause: &Cause) -> Self {
        Self(format!("pool_{}", Hash::of(format!("pool|{cause}")).prefix(10)))
    }

    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = hex_tail(text, "pool_", 20);
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of a pool")) }
    }
}

impl RedemptionId {
    /// The redemption with this keyed digest (32 hexadecimal digits).
    pub fn of(digest: &str) -> Self {
        Self(format!("rdm_{digest}"))
    }

    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = hex_tail(text, "rdm_", 32);
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of a redemption")) }
    }

    /// Why the budget pays: for this redemption.
    pub fn cause(&self) -> Cause {
        Cause::redemption(&self.0)
    }
}

impl AttemptId {
    /// An attempt of an invocation; `chance` sets apart two invocations that were given one id.
    pub fn mint(request: &str, chance: u64) -> Self {
        Self(Hash::of(format!("attempt|{request}|{chance}")).prefix(8))
    }

    /// Takes an id that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl CardId {
    /// The card with this keyed digest.
    pub fn of(digest: impl Into<String>) -> Self {
        Self(digest.into())
    }
}

impl CodeId {
    /// The code with this keyed digest.
    pub fn of(digest: impl Into<String>) -> Self {
        Self(digest.into())
    }
}

as_printed!(AccountId, BrandId);
as_worded!(BudgetKind);

impl Fingerprinted for BTreeSet<BrandId> {
    fn fingerprint_text(&self) -> Option<String> {
        Some(self.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
    }
}
