//! Who may do what with budgets and gift cards.
//!
//! **Invariant:** an agency or client reaches its own account and what is below it; who reaches none reads nothing.

use super::BudgetAccount;
use crate::actor::{Actor, Role};
use crate::ids::budget::{AccountId, BudgetKind};
use crate::permit::{Action, Denial, Reach};

/// What can be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetAction {
    /// Open an account of this kind below the account.
    Open(BudgetKind),
    /// Read it, what is below it, and its movements.
    Read,
    /// Change it.
    Change,
    /// Move credit from it to a child, or back to it from one.
    Allocate,
    /// Say which brands an agency may use.
    GrantBrands,
    /// Register redemption codes of it.
    Register,
    /// Have a card issued on its credit.
    Provision,
    /// Read a redemption of it.
    ReadRedemption,
    /// See the card of a redemption of it.
    Reveal,
    /// Brands, pools, cards, inventory and profit; not about one account.
    Catalogue,
    /// Alerts; not about one account.
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
            // An agency opens clients, a client campaigns, each below itself.
            Self::Open(kind) if account.id != *own || kind.parent() != Some(account.kind()) => {
                Err(Denial::Forbidden)
            }
            Self::Open(_)
            | Self::Read
            | Self::Change
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
        | BudgetAction::Allocate
        | BudgetAction::Register
        | BudgetAction::Provision
        | BudgetAction::ReadRedemption
        | BudgetAction::Reveal => true,
        BudgetAction::GrantBrands | BudgetAction::Catalogue | BudgetAction::Alerts => false,
    };
    let service =
        matches!(action, BudgetAction::Provision | BudgetAction::ReadRedemption | BudgetAction::Reveal);
    let staff = matches!(action, BudgetAction::Read | BudgetAction::ReadRedemption | BudgetAction::Alerts);
    match actor.role {
        Role::Admin => Ok(Reach::All),
        Role::Staff if staff => Ok(Reach::All),
        Role::Service if service && actor.scopes.contains("giftcard:provision") => Ok(Reach::All),
        // An agency opens clients, a client campaigns; nobody else but admins opens anything.
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

/// The account that an agency or client acts for; a token for another kind of account acts for none.
fn own(actor: &Actor) -> Option<&AccountId> {
    let kind = match actor.role {
        Role::Agency => BudgetKind::Agency,
        Role::Client => BudgetKind::Client,
        Role::Customer | Role::Staff | Role::Admin | Role::Service | Role::System => return None,
    };
    actor.account.as_ref().filter(|account| account.kind() == kind)
}

/// True if the caller may see what cards cost, and what is earned.
pub fn sees_costs(actor: &Actor) -> bool {
    actor.role == Role::Admin
}
