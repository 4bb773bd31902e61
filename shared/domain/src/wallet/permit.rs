//! Who may do what with wallets, orders and payments.
//!
//! **Invariant:** what is not granted here is refused; a customer reaches their own wallet alone.

use crate::actor::{Actor, Role};
use crate::ids::CustomerId;
use crate::permit::{Action, Denial, Reach};

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
        // The contract names no scope for reading an order.
        Role::Service => {
            action == WalletAction::ReadOrder || scope.is_some_and(|scope| actor.scopes.contains(scope))
        }
        Role::Customer if owner => return Ok(Reach::Own),
        Role::Customer | Role::Agency | Role::Client | Role::System => false,
    };
    if all { Ok(Reach::All) } else { Err(Denial::Forbidden) }
}
