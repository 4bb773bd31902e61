//! Permissions for budgets and gift cards.
//!
//! **Invariant:** an agency or client reaches its own account and those below it; an actor who
//! reaches none reads nothing.

use super::BudgetAccount;
use crate::actor::{Actor, Role};
use crate::ids::budget::{AccountId, BudgetKind};
use crate::permit::{Action, Denial, Reach};

/// An action on budgets or gift cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetAction {
    /// Open an account of this kind below the account.
    Open(BudgetKind),
    /// Read the account, the accounts below it, and its entries.
    Read,
    /// Change the account's name and threshold.
    Change,
    /// Change the account's status, mode and number of slices: never by the account itself.
    Control,
    /// Give an account more slices than [`MAX_OWN_SLICES`](super::MAX_OWN_SLICES).
    GrantSlices,
    /// Move credit from the account to a child, or back.
    Allocate,
    /// Set the brands that an agency may use.
    GrantBrands,
    /// Register redemption codes of the account.
    Register,
    /// Have a card issued with the account's credit.
    Provision,
    /// Read a redemption of the account.
    ReadRedemption,
    /// See the card of a redemption of the account.
    Reveal,
    /// Manage brands, pools, cards, inventory and profit; not about one account.
    Catalogue,
    /// Manage alerts; not about one account.
    Alerts,
}

impl Action for BudgetAction {
    type Resource = BudgetAccount;

    fn reach(self, actor: &Actor) -> Result<Reach, Denial> {
        reach(actor, self)
    }

    fn permit_own(self, actor: &Actor, account: &BudgetAccount) -> Result<(), Denial> {
        let own = own(actor).filter(|own| account.is_within(own)).ok_or(Denial::Unknown)?;
        match self {
            // An agency opens clients and a client opens campaigns, each directly below itself.
            Self::Open(kind) if account.id != *own || kind.parent() != Some(account.kind()) => {
                Err(Denial::Forbidden)
            }
            // An account that is paused must not be able to resume itself.
            Self::Control if account.id == *own => Err(Denial::Forbidden),
            Self::Open(_)
            | Self::Read
            | Self::Change
            | Self::Control
            | Self::GrantSlices
            | Self::Allocate
            | Self::GrantBrands
            | Self::Register
            | Self::Provision
            | Self::ReadRedemption
            | Self::Reveal
            | Self::Catalogue
            | Self::Alerts => Ok(()),
        }
    }
}

fn reach(actor: &Actor, action: BudgetAction) -> Result<Reach, Denial> {
    let within = match action {
        BudgetAction::Open(_)
        | BudgetAction::Read
        | BudgetAction::Change
        | BudgetAction::Control
        | BudgetAction::Allocate
        | BudgetAction::Register
        | BudgetAction::Provision
        | BudgetAction::ReadRedemption
        | BudgetAction::Reveal => true,
        BudgetAction::GrantBrands
        | BudgetAction::GrantSlices
        | BudgetAction::Catalogue
        | BudgetAction::Alerts => false,
    };
    let service =
        matches!(action, BudgetAction::Provision | BudgetAction::ReadRedemption | BudgetAction::Reveal);
    let staff = matches!(action, BudgetAction::Read | BudgetAction::ReadRedemption | BudgetAction::Alerts);
    match actor.role {
        Role::Admin => Ok(Reach::All),
        Role::Staff if staff => Ok(Reach::All),
        Role::Service if service && actor.scopes.contains("giftcard:provision") => Ok(Reach::All),
        // An agency opens clients and a client opens campaigns; apart from them only admins open
        // accounts.
        Role::Agency if within => opens(action, BudgetKind::Client),
        Role::Client if within => opens(action, BudgetKind::Campaign),
        Role::Staff | Role::Service | Role::Agency | Role::Client | Role::Customer | Role::System => {
            Err(Denial::Forbidden)
        }
    }
}

fn opens(action: BudgetAction, allowed: BudgetKind) -> Result<Reach, Denial> {
    let other = matches!(action, BudgetAction::Open(kind) if kind != allowed);
    if other { Err(Denial::Forbidden) } else { Ok(Reach::Own) }
}

/// Returns the account that an agency or client acts for; None if its token is for another kind of
/// account.
fn own(actor: &Actor) -> Option<&AccountId> {
    let kind = match actor.role {
        Role::Agency => BudgetKind::Agency,
        Role::Client => BudgetKind::Client,
        Role::Customer | Role::Staff | Role::Admin | Role::Service | Role::System => return None,
    };
    actor.account.as_ref().filter(|account| account.kind() == kind)
}

/// Returns true if the actor may see purchase costs and profit.
pub fn sees_costs(actor: &Actor) -> bool {
    actor.role == Role::Admin
}
