//! Freezing, suspending and lifting both.
//!
//! **Invariant:** a change of status moves no value; it is recorded with who, when and why, and asking for
//! the status that a wallet has already, or for a weaker stop than it has, changes nothing.

use crate::context::Context;
use crate::ids::CustomerId;
use crate::ledger;
use crate::ledger::account::{AccountStatus, StatusChange};
use crate::ledger::command::{CauseKey, Command};
use crate::ledger::decision::{Decided, Decision};
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::wallet::profile::Wallet;
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite, begin};

/// Set the status of a wallet.
#[derive(Clone, Debug)]
pub struct SetStatus {
    /// Whose wallet.
    pub customer: CustomerId,
    /// To what.
    pub status: AccountStatus,
    /// Why.
    pub reason: FreeText,
}

impl Command for SetStatus {
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
        let mut posting = begin(state.wallet.as_ref(), &self.customer, context)?;
        let profile = state.wallet.as_ref().map(|wallet| wallet.profile.clone());
        let profile = profile.ok_or_else(|| Rejection::WalletNotFound(self.customer.clone()))?;
        let from = posting.account.status;
        // To freeze what is suspended would let credit in again: the stricter status stays.
        let weaker = from == AccountStatus::Suspended && self.status == AccountStatus::Frozen;
        if from == self.status || weaker {
            return Ok(Decision::Already(Wallet { account: posting.account, profile }));
        }
        let at = posting.now;
        posting.account.status = self.status;
        posting.account.updated_at = at;
        let account = posting.account.clone();
        let change = StatusChange {
            from,
            to: self.status,
            reason: self.reason.clone(),
            by: context.actor.signature(),
            at,
        };
        let version = account.version + 1;
        let record = ledger::decision::Write::StatusRecord { account: account.id.clone(), version, change };
        let writes = posting.into_writes().into_iter().chain([record]).map(WalletWrite::from).collect();
        Ok(Decision::Commit { outcome: Wallet { account, profile }, writes })
    }
}
