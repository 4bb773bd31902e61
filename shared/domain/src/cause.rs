//! Why value moved: the key of a ledger entry, and so the guard against moving it twice.
//!
//! **Invariant:** two different reasons never have the same text: every component is percent-encoded, so a
//! `:` inside an id or a key cannot be mistaken for a separator.
//! **Invariant:** a cause fits a DynamoDB sort key (1 024 bytes), whatever the caller sent.

use crate::gateway::{Gateway, ReversalId};
use crate::hash::Hash;
use crate::ids::{GatewayId, HoldId, IdempotencyKey, OrderId, RequestId};
use crate::lot::LotClass;
use crate::time::Date;
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
            Some(key) => Self(format!("key:{}:{}", operation.as_str(), part(key.as_str()))),
            None => Self(format!("request:{}:{}", operation.as_str(), part(request.as_str()))),
        }
    }

    /// *The* payment of an order.
    pub fn order_payment(order: &OrderId) -> Self {
        Self(format!("order:{}:pay", part(order.as_str())))
    }

    /// The second entry of a movement: `of` is the first one's cause, in the account `from`.
    pub fn counterpart(verb: &str, from: &str, of: &Cause) -> Self {
        Self(format!("{verb}:{}:{}", part(from), part(&of.0)))
    }

    /// Credit whose date has passed; the entry's number sets apart a second expiry of the same lot.
    pub fn expiry(date: Date, class: LotClass, seq: u64) -> Self {
        Self(format!("expiry:{date}:{}:{seq}", class.as_str()))
    }

    /// A hold that nobody captured or released in time.
    pub fn hold_timeout(hold: &HoldId) -> Self {
        Self(format!("hold-timeout:{}", part(hold.as_str())))
    }

    /// A captured payment of a gateway.
    pub fn topup(gateway: Gateway, payment: &GatewayId) -> Self {
        Self(format!("topup:{}:{}", gateway.as_str(), part(payment.as_str())))
    }

    /// The `step`-th movement of a refund or dispute: `refund:razorpay:rfnd_1:1`.
    pub fn reversal(id: &ReversalId, step: u32) -> Self {
        Self(format!("{}{step}", Self::of_reversal(id)))
    }

    /// The collection, as entry `seq`, of what is owed for a refund or dispute.
    pub fn collection(id: &ReversalId, seq: u64) -> Self {
        Self(format!("{}owed:{seq}", Self::of_reversal(id)))
    }

    /// What the causes of all movements of a refund or dispute begin with.
    pub fn of_reversal(id: &ReversalId) -> String {
        let parts: Vec<String> = id.as_str().splitn(3, ':').map(part).collect();
        format!("{}:", parts.join(":"))
    }

    /// What the causes of all expiries of a date and class begin with.
    pub fn of_expiry(date: Date, class: LotClass) -> String {
        format!("expiry:{date}:{}:", class.as_str())
    }

    /// A redemption of a gift card: `redemption:rdm_…`.
    pub fn redemption(id: &str) -> Self {
        Self(format!("redemption:{}", part(id)))
    }

    /// What is left of an account that is being closed, by the version of its status.
    pub fn closing(status_version: u64) -> Self {
        Self(format!("closing:{status_version}"))
    }

    /// The evening out of two slices.
    pub fn rebalance(attempt: &str) -> Self {
        Self(format!("rebalance:{}", part(attempt)))
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

/// One component: percent-encoded; if that grows past 400 bytes, its digest (`~` occurs in no encoding).
fn part(text: &str) -> String {
    let encoded = utf8_percent_encode(text, PLAIN).to_string();
    if encoded.len() > 400 { format!("~{}", Hash::of(text)) } else { encoded }
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
