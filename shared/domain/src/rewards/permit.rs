//! Permissions for rewards and referrals.
//!
//! **Invariant:** what is not granted here is refused; a customer reaches only their own wallet.

use crate::actor::{Actor, Role};
use crate::ids::CustomerId;
use crate::permit::{Action, Denial, Reach};

/// The actions on rewards and referrals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RewardAction {
    /// Create or change a reward, and change the referral program.
    Manage,
    /// Read rewards, their claims, and the referral program.
    ReadAll,
    /// Read which rewards a customer can claim.
    ReadAvailable,
    /// Claim a reward for a customer.
    Claim,
    /// Apply or reverse a referral.
    Refer,
}

impl Action for RewardAction {
    type Resource = CustomerId;

    fn reach(self, actor: &Actor) -> Result<Reach, Denial> {
        let (owner, staff, scope) = match self {
            Self::Manage => (false, false, None),
            Self::ReadAll => (false, true, None),
            Self::ReadAvailable => (true, true, Some("wallet:read")),
            Self::Claim => (true, false, Some("wallet:reward")),
            Self::Refer => (false, false, Some("wallet:referral")),
        };
        // An admin does what a trusted backend does, too.
        let all = match actor.role {
            Role::Admin => true,
            Role::Staff => staff,
            Role::Service => scope.is_some_and(|scope| actor.scopes.contains(scope)),
            Role::Customer if owner => return Ok(Reach::Own),
            Role::Customer | Role::Agency | Role::Client | Role::System => false,
        };
        if all { Ok(Reach::All) } else { Err(Denial::Forbidden) }
    }

    fn permit_own(self, actor: &Actor, customer: &CustomerId) -> Result<(), Denial> {
        if actor.owns(customer) { Ok(()) } else { Err(Denial::Unknown) }
    }
}
