//! Permissions for loyalty.
//!
//! **Invariant:** what is not granted here is refused; a customer reaches only what is their own.

use crate::actor::{Actor, Role};
use crate::ids::CustomerId;
use crate::permit::{Action, Denial, Reach};

/// The actions on a customer's points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoyaltyAction {
    /// Read points, movements, purchases and changes of the tier.
    Read,
    /// Read one redemption.
    ReadRedemption,
    /// Say what a purchase would earn.
    Simulate,
    /// Book what a purchase earns.
    Earn,
    /// Lock points, and release a lock.
    Redeem,
    /// Release locked points.
    Release,
    /// Confirm locked points.
    Confirm,
    /// Report refunds and cancellations.
    Refund,
    /// Add, remove or transfer points by hand.
    Adjust,
    /// Freeze points, grant tiers, change the program, campaigns and vouchers, read reports.
    Manage,
    /// Read bought vouchers.
    ReadVouchers,
    /// See the code of a bought voucher.
    Reveal,
    /// Read the program and the catalogue of vouchers.
    ReadProgram,
    /// Read what concerns all customers: versions of the program, campaigns, members.
    ReadRules,
}

impl Action for LoyaltyAction {
    type Resource = CustomerId;

    fn reach(self, actor: &Actor) -> Result<Reach, Denial> {
        reach(actor, self)
    }

    fn permit_own(self, actor: &Actor, customer: &CustomerId) -> Result<(), Denial> {
        if actor.owns(customer) { Ok(()) } else { Err(Denial::Unknown) }
    }
}

/// Returns whether owners may, whether staff may, and the scopes by which services may.
fn grants(action: LoyaltyAction) -> (bool, bool, &'static [&'static str]) {
    match action {
        LoyaltyAction::Read => (true, true, &["loyalty:read"]),
        LoyaltyAction::ReadRedemption => (true, true, &["loyalty:redeem", "loyalty:read"]),
        LoyaltyAction::Simulate => (true, true, &["loyalty:read", "loyalty:earn"]),
        LoyaltyAction::Earn => (false, false, &["loyalty:earn"]),
        LoyaltyAction::Redeem | LoyaltyAction::Reveal => (true, false, &["loyalty:redeem"]),
        LoyaltyAction::Release => (true, true, &["loyalty:redeem"]),
        LoyaltyAction::Confirm => (false, false, &["loyalty:redeem"]),
        LoyaltyAction::Refund => (false, false, &["loyalty:refund"]),
        LoyaltyAction::Adjust => (false, false, &["loyalty:adjust"]),
        LoyaltyAction::Manage => (false, false, &[]),
        LoyaltyAction::ReadProgram | LoyaltyAction::ReadVouchers => (true, true, &[]),
        LoyaltyAction::ReadRules => (false, true, &["loyalty:read"]),
    }
}

fn reach(actor: &Actor, action: LoyaltyAction) -> Result<Reach, Denial> {
    let (owner, staff, scopes) = grants(action);
    let all = match actor.role {
        Role::Admin => true,
        Role::Staff => staff,
        Role::Service => scopes.iter().any(|scope| actor.scopes.contains(*scope)),
        Role::Customer if owner => return Ok(Reach::Own),
        Role::Customer | Role::Agency | Role::Client | Role::System => false,
    };
    // The program is open to any token.
    if all || action == LoyaltyAction::ReadProgram { Ok(Reach::All) } else { Err(Denial::Forbidden) }
}
