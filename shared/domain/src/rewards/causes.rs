//! Causes of the entries of rewards and referrals.
//!
//! **Invariant:** the claims of a wallet have causes with one prefix, by which they are found.

use crate::cause::Cause;
use crate::ids::{CustomerId, OrderId, PaymentRef, ReversalId, RewardId};
use crate::ledger::owed::Reversed;

/// The common prefix of the causes of all claims.
pub const CLAIMS: &str = "reward:";

/// The common prefix of the causes of the credits of all customers whom a customer has referred.
pub const REFERRALS: &str = "referral:";

/// Begins the cause of a referred customer's credit.
pub const REFERRED: &str = "referred-by:";

/// Begins what the reversal of a referral is known by.
pub const REFERRAL_REVERSALS: &str = "referral-reversal:";

impl Cause {
    /// Returns the cause of the claim of a reward.
    pub fn claim(reward: &RewardId) -> Self {
        Self::composed(format!("{CLAIMS}{}", Self::part(reward.as_str())))
    }

    /// Returns the cause of the referrer's credit for a referred customer.
    pub fn referral(referred: &CustomerId) -> Self {
        Self::composed(format!("{REFERRALS}{}", Self::part(referred.as_str())))
    }

    /// Returns the cause of the referred customer's credit.
    pub fn referred_by(referrer: &CustomerId) -> Self {
        Self::composed(format!("{REFERRED}{}", Self::part(referrer.as_str())))
    }
}

/// Returns the reward of a claim from its cause.
pub fn claimed(cause: &Cause) -> Option<RewardId> {
    RewardId::parse(cause.as_str().strip_prefix(CLAIMS)?).ok()
}

/// Returns what the reversal of a referral is known by, in both wallets.
pub fn reversed_referral(referred: &CustomerId) -> Reversed {
    let id = ReversalId::stored(format!("{REFERRAL_REVERSALS}{referred}"));
    Reversed { id, payment: PaymentRef::stored("referral") }
}

/// Returns what the reversals of a delivered order's credit are known by.
pub fn reversed_delivery(order: &OrderId) -> Reversed {
    let id = ReversalId::stored(format!("order-reversal:{order}"));
    Reversed { id, payment: PaymentRef::stored(format!("order:{order}")) }
}

/// Returns what the reversal of a claim is known by, and its order.
pub fn reversed_claim(reward: &RewardId, order: &OrderId) -> Reversed {
    let id = ReversalId::stored(format!("reward-reversal:{reward}"));
    Reversed { id, payment: PaymentRef::stored(format!("order:{order}")) }
}
