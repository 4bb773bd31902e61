//! Writing what has fallen due in a wallet.
//!
//! **Invariant:** nothing is written except what has fallen due by time.

use crate::context::Context;
use crate::ids::CustomerId;
use crate::ledger::command::{CauseKey, Command, settle};
use crate::ledger::decision::Decided;
use crate::rejection::Rejection;
use crate::wallet::profile::Wallet;
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite};

/// Writes what has fallen due in a wallet.
#[derive(Clone, Debug)]
pub struct Settle {
    /// The owner of the wallet.
    pub customer: CustomerId,
}

impl Command for Settle {
    type State = WalletState;
    type Outcome = Wallet;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds::wallet(&self.customer)
    }

    fn key(&self, _: &WalletState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<Wallet, WalletWrite> {
        let found = state.wallet.as_ref();
        let wallet = found.ok_or_else(|| Rejection::WalletNotFound(self.customer.clone()))?;
        let settled = settle(&wallet.loaded, context)?;
        Ok(settled.map(|account| Wallet { account, profile: wallet.profile.clone() }))
    }
}
