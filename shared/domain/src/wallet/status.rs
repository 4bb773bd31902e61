//! Freezing, suspending and lifting both.
//!
//! **Invariant:** a change of status moves no value; it is recorded with who, when and why, and asking for
//! the status that a wallet has already, or for a weaker stop than it has, changes nothing.

use crate::context::Context;
use crate::ids::CustomerId;
use crate::ledger::account::{Status, StatusChange};
use crate::ledger::command::{Begun, Command, Key, Needs, State, begin};
use crate::ledger::decision::{Decided, Decision, Outcome, Write};
use crate::text::FreeText;

/// Set the status of a wallet.
#[derive(Clone, Debug)]
pub struct SetStatus {
    /// Whose wallet.
    pub customer: CustomerId,
    /// To what.
    pub status: Status,
    /// Why.
    pub reason: FreeText,
}

impl Command for SetStatus {
    fn needs(&self) -> Needs {
        Needs::wallet(&self.customer)
    }

    fn key(&self, _: &State) -> Option<Key> {
        None
    }

    fn decide(&self, state: &State, context: &Context) -> Decided {
        let mut posting = match begin(state.party.as_ref(), &self.customer, context)? {
            Begun::Ready(posting) => posting,
            Begun::SettleFirst(writes) => return Ok(Decision::SettleFirst(writes)),
        };
        let from = posting.account.status;
        // To freeze what is suspended would let credit in again: the stricter status stays.
        let weaker = from == Status::Suspended && self.status == Status::Frozen;
        if from == self.status || weaker {
            return Ok(Decision::Already(Outcome::Account(Box::new(posting.account))));
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
        let mut writes = posting.into_writes();
        writes.push(Write::StatusRecord { customer: self.customer.clone(), version, change });
        Ok(Decision::Commit { outcome: Outcome::Account(Box::new(account)), writes })
    }
}
