//! Who may do what to a wallet, as one pure function.
//!
//! **Invariant:** what is not granted here is refused; a caller who may do such things, but not to this
//! wallet, learns only that there is no such wallet.

use crate::actor::{Actor, Role};
use crate::ids::CustomerId;

/// What can be done to a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open it.
    Create,
    /// Read the wallet, its history, statistics, expiry, tier and referral code.
    Read,
    /// Read its balance alone.
    ReadBalance,
    /// Put credit in.
    Credit,
    /// Spend from it.
    Debit,
    /// Give back what an order took.
    Refund,
    /// Place, read, capture or release a hold.
    Hold,
    /// Move value to another wallet.
    Transfer,
    /// Freeze, suspend or unfreeze.
    SetStatus,
}

/// Why a caller may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The role or scope is too small for the action, whatever the wallet.
    Forbidden,
    /// The caller may not know whether the wallet exists.
    Unknown,
}

/// Permits, or says why not.
pub fn permit(actor: &Actor, action: Action, customer: &CustomerId) -> Result<(), Denial> {
    let owner = match action {
        Action::Read | Action::ReadBalance | Action::Debit | Action::Hold | Action::Transfer => true,
        Action::Create | Action::Credit | Action::Refund | Action::SetStatus => false,
    };
    let staff = owner;
    let scope = match action {
        Action::Create => Some("wallet:create"),
        Action::ReadBalance => Some("wallet:read"),
        Action::Credit => Some("wallet:credit"),
        Action::Debit => Some("wallet:debit"),
        Action::Refund => Some("wallet:refund"),
        Action::Hold => Some("wallet:hold"),
        Action::Read | Action::Transfer | Action::SetStatus => None,
    };
    let granted = match actor.role {
        Role::Admin => true,
        Role::Staff => staff,
        Role::Service => scope.is_some_and(|scope| actor.scopes.contains(scope)),
        Role::Customer if owner && !actor.owns(customer) => return Err(Denial::Unknown),
        Role::Customer => owner,
        Role::Agency | Role::Client | Role::System => false,
    };
    if granted { Ok(()) } else { Err(Denial::Forbidden) }
}
