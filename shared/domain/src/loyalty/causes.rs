//! Causes of the entries of purchases and redemptions.
//!
//! **Invariant:** all movements of a purchase have causes with one prefix, by which they are found.

use crate::cause::Cause;
use crate::ids::{HoldId, PaymentRef, PurchaseId, ReversalId};
use crate::ledger::owed::Reversed;

impl Cause {
    /// Returns the cause of what a purchase earns.
    pub fn earning(purchase: &PurchaseId) -> Self {
        Self::composed(format!("{}earn", Self::of_purchase(purchase)))
    }

    /// Returns the cause of a movement that is part of change `step` of a purchase.
    pub fn purchase_step(purchase: &PurchaseId, step: u32, what: &str) -> Self {
        Self::composed(format!("{}{step}:{what}", Self::of_purchase(purchase)))
    }

    /// Returns the common prefix of the causes of all movements of a purchase.
    pub fn of_purchase(purchase: &PurchaseId) -> String {
        let kind = purchase.kind();
        format!("purchase:{kind}:{}:", Self::part(purchase.id()))
    }

    /// Returns the cause of the confirmation of a redemption.
    pub fn confirmation(token: &HoldId) -> Self {
        Self::composed(format!("redemption:{}:confirm", Self::part(token.as_str())))
    }

    /// Returns the cause of the release of a redemption.
    pub fn redemption_release(token: &HoldId) -> Self {
        Self::composed(format!("redemption:{}:release", Self::part(token.as_str())))
    }
}

/// Returns what debts of a purchase's refunds are known by; the collections' causes then have the purchase's prefix.
pub fn debtor(purchase: &PurchaseId) -> ReversalId {
    ReversalId::stored(format!("purchase:{}:{}", purchase.kind(), purchase.id()))
}

/// Returns what the debt of a late confirmation is known by. What pays it has causes without the purchase's prefix, so
/// that it is not taken for points that a refund took back.
pub fn late_debt(purchase: &PurchaseId) -> Reversed {
    let id = ReversalId::stored(format!("redemption:{}:{}", purchase.kind(), purchase.id()));
    Reversed { id, payment: PaymentRef::stored("late") }
}
