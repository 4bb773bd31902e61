//! Permissions for wallets, orders and payments.
//!
//! **Invariant:** what is not granted here is refused; a customer reaches only their own wallet.

use crate::actor::{Actor, Role};
use crate::ids::CustomerId;
use crate::permit::{Action, Denial, Reach};

/// The actions on a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WalletAction {
    /// Open a wallet.
    Create,
    /// Read the wallet, its history, statistics, expiry, tier and referral code.
    Read,
    /// Read only its balance.
    ReadBalance,
    /// Add credit.
    Credit,
    /// Spend from it.
    Debit,
    /// Refund what an order was paid with.
    Refund,
    /// Place, read, capture or release a hold.
    Hold,
    /// Transfer credit to another wallet.
    Transfer,
    /// Freeze, suspend or unfreeze it.
    SetStatus,
    /// Register an order.
    RegisterOrder,
    /// Pay an order from it.
    PayOrder,
    /// Read one of the customer's orders.
    ReadOrder,
    /// Start or verify a top-up.
    TopUp,
    /// Read what gateways have reported, and have it processed again; not limited to one wallet.
    Reports,
}

impl Action for WalletAction {
    type Resource = CustomerId;

    fn reach(self, actor: &Actor) -> Result<Reach, Denial> {
        reach(actor, self)
    }

    fn permit_own(self, actor: &Actor, customer: &CustomerId) -> Result<(), Denial> {
        if actor.owns(customer) { Ok(()) } else { Err(Denial::Unknown) }
    }
}

fn reach(actor: &Actor, action: WalletAction) -> Result<Reach, Denial> {
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
        // The contract defines no scope for reading an order, so every service may.
        Role::Service => {
            action == WalletAction::ReadOrder || scope.is_some_and(|scope| actor.scopes.contains(scope))
        }
        Role::Customer if owner => return Ok(Reach::Own),
        Role::Customer | Role::Agency | Role::Client | Role::System => false,
    };
    if all { Ok(Reach::All) } else { Err(Denial::Forbidden) }
}
