//! Freezing, suspending and unfreezing a wallet.
//!
//! **Invariant:** a change of status moves no value and is recorded with caller, time and reason;
//! requesting the current status, or freezing a suspended wallet, changes nothing.

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

/// Sets the status of a wallet.
#[derive(Clone, Debug)]
pub struct SetStatus {
    /// The owner of the wallet.
    pub customer: CustomerId,
    /// The new status.
    pub status: AccountStatus,
    /// Recorded with the change.
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
        // Freezing a suspended wallet would allow credit again, so the stricter status stays.
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
