//! Who may do what, as one pure function.
//!
//! **Invariant:** what is not granted here is refused; a caller who may do such things, but not to this
//! wallet, learns only that there is no such wallet.

use crate::actor::{Actor, Denial, Role};
use crate::ids::CustomerId;

/// What can be done to a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletAction {
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
    /// Make an order known.
    RegisterOrder,
    /// Pay an order from it.
    PayOrder,
    /// Read one of the customer's orders.
    ReadOrder,
    /// Start or finish paying in through a gateway.
    TopUp,
    /// Read what gateways have reported, and have it looked at again; this is not about one wallet.
    Reports,
}

/// How far a caller's role and scopes reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// To every wallet.
    All,
    /// To the caller's own.
    Own,
}

/// How far the caller may go with an action, whatever the wallet.
pub fn reach(actor: &Actor, action: WalletAction) -> Result<Reach, Denial> {
    let owner = match action {
        WalletAction::Read
        | WalletAction::ReadBalance
        | WalletAction::Debit
        | WalletAction::Hold
        | WalletAction::Transfer
        | WalletAction::PayOrder
        | WalletAction::ReadOrder
        | WalletAction::TopUp => true,
        WalletAction::Create
        | WalletAction::Credit
        | WalletAction::Refund
        | WalletAction::SetStatus
        | WalletAction::RegisterOrder
        | WalletAction::Reports => false,
    };
    let staff = owner && !matches!(action, WalletAction::PayOrder | WalletAction::TopUp);
    let scope = match action {
        WalletAction::Create => Some("wallet:create"),
        WalletAction::ReadBalance => Some("wallet:read"),
        WalletAction::Credit => Some("wallet:credit"),
        WalletAction::Debit | WalletAction::PayOrder => Some("wallet:debit"),
        WalletAction::Refund => Some("wallet:refund"),
        WalletAction::Hold => Some("wallet:hold"),
        WalletAction::TopUp => Some("wallet:topup"),
        WalletAction::RegisterOrder => Some("order:write"),
        WalletAction::Read
        | WalletAction::Transfer
        | WalletAction::SetStatus
        | WalletAction::ReadOrder
        | WalletAction::Reports => None,
    };
    let all = match actor.role {
        Role::Admin => true,
        Role::Staff => staff,
        // The contract names no scope for reading an order.
        Role::Service => {
            action == WalletAction::ReadOrder || scope.is_some_and(|scope| actor.scopes.contains(scope))
        }
        Role::Customer if owner => return Ok(Reach::Own),
        Role::Customer | Role::Agency | Role::Client | Role::System => false,
    };
    if all { Ok(Reach::All) } else { Err(Denial::Forbidden) }
}

/// Permits, or says why not.
pub fn permit(actor: &Actor, action: WalletAction, customer: &CustomerId) -> Result<(), Denial> {
    match reach(actor, action)? {
        Reach::Own if !actor.owns(customer) => Err(Denial::Unknown),
        Reach::Own | Reach::All => Ok(()),
    }
}
