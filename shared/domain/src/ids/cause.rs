//! The cause of a movement of value: the key of its ledger entry, and so the guard against moving
//! the value twice.
//!
//! **Invariant:** different causes never have the same text: every component is percent-encoded, so
//! a `:` inside an id or a key cannot be mistaken for a separator.
//! **Invariant:** a cause fits into a DynamoDB sort key (1024 bytes), whatever the caller sent.

use super::caller::{IdempotencyKey, RequestId};
use crate::hash::Hash;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'@');

/// The kinds of requests that have a cause. The kind is part of the cause, so one idempotency key
/// can be used once for each kind.
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
    /// Start a top-up.
    TopUp,
    /// Open a budget account.
    OpenAccount,
    /// Allocate credit to a child account.
    Allocate,
    /// Reclaim credit from a child account.
    Reclaim,
    /// Add a brand of gift cards.
    AddBrand,
    /// Add a pool of gift cards.
    AddPool,
    /// Mint redemption codes.
    MintCodes,
    /// Add or remove points by hand.
    AdjustPoints,
    /// Move points to another customer.
    TransferPoints,
    /// Lock points for a booking.
    Redeem,
    /// Create a campaign of the loyalty program.
    CreateCampaign,
    /// Create a reward.
    CreateReward,
    /// Add a voucher to the catalogue.
    CreateVoucher,
    /// Buy a voucher.
    BuyVoucher,
    /// Add credits to many wallets.
    BulkCredits,
    /// Add points for many customers.
    BulkPoints,
    /// Making an upload.
    MakeUpload,
    /// Making a job that imports accounts.
    Import,
    /// Making a job that exports what is in the table.
    Export,
}

impl Operation {
    /// Returns the word used in the cause.
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
            Self::AdjustPoints => "adjust-points",
            Self::TransferPoints => "transfer-points",
            Self::Redeem => "redeem",
            Self::CreateCampaign => "create-campaign",
            Self::CreateVoucher => "create-voucher",
            Self::BuyVoucher => "buy-voucher",
            Self::CreateReward => "create-reward",
            Self::BulkCredits => "bulk-credits",
            Self::BulkPoints => "bulk-points",
            Self::MakeUpload => "make-upload",
            Self::Import => "import",
            Self::Export => "export",
        }
    }
}

/// Why value moved.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cause(String);

impl Cause {
    /// Returns the cause of a request: its idempotency key if it has one, so that a repetition has
    /// the same cause; otherwise its own id.
    pub fn of_request(operation: Operation, key: Option<&IdempotencyKey>, request: &RequestId) -> Self {
        match key {
            Some(key) => Self(format!("key:{}:{}", operation.as_str(), Self::part(key.as_str()))),
            None => Self(format!("request:{}:{}", operation.as_str(), Self::part(request.as_str()))),
        }
    }

    /// Returns the cause for something whose keys are separate for each caller.
    #[must_use]
    pub fn of_caller(&self, role: &str, sub: &str) -> Self {
        Self(format!("{self}|{role}|{}", Self::part(sub)))
    }

    /// Wraps a cause that an area composes of encoded [`Cause::part`]s.
    pub(crate) fn composed(text: String) -> Self {
        Self(text)
    }

    /// Encodes one component: percent-encoded, or its digest if that exceeds 400 bytes (`~` occurs
    /// in no encoding).
    pub(crate) fn part(text: &str) -> String {
        let encoded = utf8_percent_encode(text, PLAIN).to_string();
        if encoded.len() > 400 { format!("~{}", Hash::of(text)) } else { encoded }
    }

    /// Wraps a stored cause.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns true if the cause is a caller's idempotency key; another request with that key is
    /// then an error of the caller.
    pub fn is_keyed(&self) -> bool {
        self.0.starts_with("key:")
    }

    /// Returns the text.
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
