//! What decisions about wallets read and write.
//!
//! **Invariant:** a wallet and its referral code are created in one transaction.

use crate::context::Context;
use crate::ids::{AccountRef, CustomerId, HoldId, OrderId, ReferralCode, RequestId};
use crate::ledger::command;
use crate::ledger::decision::{Conditional, FailedCondition, NoDecision, Outcome, Write as LedgerWrite};
use crate::ledger::entry::Entry;
use crate::ledger::hold::Hold;
use crate::ledger::order::{Order, OrderReports};
use crate::ledger::posting::{LoadedAccount, Posting};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::wallet::profile::{LoadedWallet, Wallet};

/// The items that a command needs.
#[derive(Clone, Debug)]
pub struct WalletNeeds {
    /// The owner of the wallet that is changed.
    pub customer: CustomerId,
    /// The owner of the receiving wallet of a transfer.
    pub counterparty: Option<CustomerId>,
    /// The hold to close; the order that it names is loaded with it.
    pub hold: Option<HoldId>,
    /// The order named by the command.
    pub order: Option<OrderId>,
}

impl WalletNeeds {
    /// Returns the needs of a command that uses one wallet only.
    pub fn wallet(customer: &CustomerId) -> Self {
        Self { customer: customer.clone(), counterparty: None, hold: None, order: None }
    }
}

/// What was loaded.
#[derive(Clone, Debug, Default)]
pub struct WalletState {
    /// The wallet that is changed; `None` if it does not exist.
    pub wallet: Option<LoadedWallet>,
    /// The receiving wallet of a transfer, if it exists.
    pub counterparty: Option<LoadedWallet>,
    /// The hold to close, if it exists.
    pub hold: Option<Hold>,
    /// The order named by the command or by the hold, if it exists.
    pub order: Option<Order>,
    /// What was reported of an order that does not exist.
    pub reports: Option<OrderReports>,
    /// How many candidates for a referral code were found taken.
    pub codes_taken: u32,
}

impl command::State for WalletState {
    type Needs = WalletNeeds;

    fn accounts(needs: &WalletNeeds) -> Vec<AccountRef> {
        std::iter::once(&needs.customer).chain(&needs.counterparty).map(AccountRef::wallet).collect()
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        [&self.wallet, &self.counterparty].map(|wallet| wallet.as_ref().map(|wallet| &wallet.loaded)).into()
    }

    fn set_names_taken(&mut self, count: u32) {
        self.codes_taken = count;
    }
}

/// A write of one item, with its condition.
#[derive(Clone, Debug)]
pub enum WalletWrite {
    /// A write of the wallet's account.
    Ledger(LedgerWrite),
    /// A new wallet; the customer must not have one.
    Open(Box<Wallet>),
    /// A new referral code; it must not be taken.
    ReferralCode {
        /// The code.
        code: ReferralCode,
        /// The customer to whom it belongs.
        customer: CustomerId,
    },
    /// A new order; no order with its id may exist.
    OpenOrder(Order),
    /// A changed order; its stored version must still be `was`.
    Order {
        /// The order after the decision.
        order: Order,
        /// Its version before.
        was: u64,
    },
    /// A place in the list of a customer's registered orders; written together with the order.
    ListOrder {
        /// The customer.
        customer: CustomerId,
        /// The order.
        order: OrderId,
        /// When it was registered.
        at: Timestamp,
    },
}

impl From<LedgerWrite> for WalletWrite {
    fn from(write: LedgerWrite) -> Self {
        Self::Ledger(write)
    }
}

impl Conditional for WalletWrite {
    fn failed(&self) -> FailedCondition {
        match self {
            Self::Ledger(write) => write.failed(),
            Self::Open(_) => FailedCondition::Opened,
            Self::ReferralCode { .. } => FailedCondition::NameTaken,
            Self::OpenOrder(_) | Self::Order { .. } | Self::ListOrder { .. } => FailedCondition::Stale,
        }
    }

    fn entry(&self) -> Option<&Entry> {
        if let Self::Ledger(write) = self { write.entry() } else { None }
    }
}

impl Outcome for Order {
    fn request(&self) -> Option<&RequestId> {
        Some(&self.request)
    }
}

/// Starts a decision on a wallet by posting what is due.
pub(crate) fn begin(
    wallet: Option<&LoadedWallet>,
    customer: &CustomerId,
    context: &Context,
) -> Result<Posting, NoDecision> {
    let wallet = wallet.ok_or_else(|| Rejection::WalletNotFound(customer.clone()))?;
    command::begin(&wallet.loaded, context)
}
