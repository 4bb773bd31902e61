//! What decisions about wallets see and write.
//!
//! **Invariant:** a wallet is opened with its referral code, in one transaction.

use crate::context::Context;
use crate::ids::{AccountRef, CustomerId, HoldId, OrderId, ReferralCode, RequestId};
use crate::ledger::command;
use crate::ledger::decision::{Conditional, FailedCondition, NoDecision, Outcome, Write as LedgerWrite};
use crate::ledger::entry::Entry;
use crate::ledger::hold::Hold;
use crate::ledger::order::Order;
use crate::ledger::posting::{LoadedAccount, Posting};
use crate::rejection::Rejection;
use crate::time::Timestamp;
use crate::wallet::profile::{LoadedWallet, Wallet};

/// The items that a command must see.
#[derive(Clone, Debug)]
pub struct WalletNeeds {
    /// Whose wallet is acted on.
    pub customer: CustomerId,
    /// Whose wallet is on the other side.
    pub counterparty: Option<CustomerId>,
    /// The hold acted on; the order it names is needed with it.
    pub hold: Option<HoldId>,
    /// The order named.
    pub order: Option<OrderId>,
}

impl WalletNeeds {
    /// A wallet alone.
    pub fn wallet(customer: &CustomerId) -> Self {
        Self { customer: customer.clone(), counterparty: None, hold: None, order: None }
    }
}

/// What was loaded.
#[derive(Clone, Debug, Default)]
pub struct WalletState {
    /// The wallet acted on.
    pub wallet: Option<LoadedWallet>,
    /// The wallet on the other side, if one was named.
    pub counterparty: Option<LoadedWallet>,
    /// The hold acted on.
    pub hold: Option<Hold>,
    /// The order named, by the command or by the hold.
    pub order: Option<Order>,
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

/// One item to write, with its condition.
#[derive(Clone, Debug)]
pub enum WalletWrite {
    /// Of the wallet's account.
    Ledger(LedgerWrite),
    /// A new wallet; the customer must have none.
    Open(Wallet),
    /// A referral code; nobody may have it.
    ReferralCode {
        /// The code.
        code: ReferralCode,
        /// Whose it is.
        customer: CustomerId,
    },
    /// An order that nobody has registered; its id must be free.
    OpenOrder(Order),
    /// A changed order; it must still have version `was`.
    Order {
        /// The order after the decision.
        order: Order,
        /// Its version before.
        was: u64,
    },
    /// A place in the list of a customer's registered orders; written with the order.
    ListOrder {
        /// Whose.
        customer: CustomerId,
        /// Which.
        order: OrderId,
        /// Since when.
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

/// Starts a decision on a wallet: posts what is due.
pub(crate) fn begin(
    wallet: Option<&LoadedWallet>,
    customer: &CustomerId,
    context: &Context,
) -> Result<Posting, NoDecision> {
    let wallet = wallet.ok_or_else(|| Rejection::WalletNotFound(customer.clone()))?;
    command::begin(&wallet.loaded, context)
}
