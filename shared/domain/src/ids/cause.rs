//! Why value moved: the key of a ledger entry, and so the guard against moving it twice.
//!
//! **Invariant:** two different reasons never have the same text: every component is percent-encoded, so a
//! `:` inside an id or a key cannot be mistaken for a separator.
//! **Invariant:** a cause fits a DynamoDB sort key (1 024 bytes), whatever the caller sent.

use super::caller::{IdempotencyKey, RequestId};
use crate::hash::Hash;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'@');

/// The kinds of request that move value; part of the cause, so one key serves each of them once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Open a wallet.
    Create,
    /// Add credits.
    AddCredits,
    /// Deduct credits.
    DeductCredits,
    /// Refund an order.
    Refund,
    /// Place a hold.
    Hold,
    /// Capture a hold.
    Capture,
    /// Release a hold.
    Release,
    /// Transfer to another wallet.
    Transfer,
    /// Begin a top-up.
    TopUp,
    /// Open a budget account.
    OpenAccount,
    /// Give credit to a child.
    Allocate,
    /// Take credit back from a child.
    Reclaim,
    /// Add a brand of gift cards.
    AddBrand,
    /// Add a pool of gift cards.
    AddPool,
    /// Mint redemption codes.
    MintCodes,
}

impl Operation {
    /// The word in the cause.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::AddCredits => "add-credits",
            Self::DeductCredits => "deduct-credits",
            Self::Refund => "refund",
            Self::Hold => "hold",
            Self::Capture => "capture",
            Self::Release => "release",
            Self::Transfer => "transfer",
            Self::TopUp => "topup",
            Self::OpenAccount => "open-account",
            Self::Allocate => "allocate",
            Self::Reclaim => "reclaim",
            Self::AddBrand => "add-brand",
            Self::AddPool => "add-pool",
            Self::MintCodes => "mint-codes",
        }
    }
}

/// Why value moved.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause(String);

impl Cause {
    /// A request: by its key if it has one (then a repetition is the same cause), else by itself.
    pub fn of_request(operation: Operation, key: Option<&IdempotencyKey>, request: &RequestId) -> Self {
        match key {
            Some(key) => Self(format!("key:{}:{}", operation.as_str(), Self::part(key.as_str()))),
            None => Self(format!("request:{}:{}", operation.as_str(), Self::part(request.as_str()))),
        }
    }

    /// Takes a cause that an area composes of encoded [`Cause::part`]s.
    pub(crate) fn composed(text: String) -> Self {
        Self(text)
    }

    /// One component: percent-encoded; if that grows past 400 bytes, its digest (`~` occurs in no encoding).
    pub(crate) fn part(text: &str) -> String {
        let encoded = utf8_percent_encode(text, PLAIN).to_string();
        if encoded.len() > 400 { format!("~{}", Hash::of(text)) } else { encoded }
    }

    /// Takes a cause that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// True if the caller's key is the cause; another request with that key is then a mistake of the caller's.
    pub fn is_keyed(&self) -> bool {
        self.0.starts_with("key:")
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
