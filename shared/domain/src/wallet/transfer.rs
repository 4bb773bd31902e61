//! Transfers of credit from one customer's wallet to another's.
//!
//! **Invariant:** what leaves one wallet arrives in the other in the same transaction, lot by lot, with the
//! same dates.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::CustomerId;
use crate::ledger::account::Account;
use crate::ledger::command::{CauseKey, Command, burn, draft, exact, finish, may_receive, may_spend};
use crate::ledger::decision::{Decided, NoDecision};
use crate::ledger::entry::{After, Counterpart, Entry, EntryType};
use crate::ledger::posting::{MAX_DUE, Posting};
use crate::money::Amount;
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::time::Timestamp;
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite, begin};

keyed_request! {
    /// Transfers credit to another wallet.
    #[derive(Clone, Debug)]
    pub struct TransferCredits ("transfer") {
        /// The sender.
        pub from: CustomerId => _,
        /// The recipient; a transfer to the sender is rejected when it is decided.
        pub to: CustomerId => "to",
        /// More than zero, in the currency of both wallets.
        pub amount: Amount => "amount",
        /// Shown in both wallets' histories.
        pub reason: Option<FreeText> => "reason",
        /// The idempotency cause, in the sender's wallet.
        pub cause: Cause => _,
    }
}

impl TransferCredits {
    /// Starts a posting for the recipient. Only staff learn why it cannot receive: to an owner, a
    /// recipient that is suspended or has another currency is one that does not exist.
    fn recipient(
        &self,
        state: &WalletState,
        sender: &Account,
        context: &Context,
    ) -> Result<Posting, NoDecision> {
        let recipient = begin(state.counterparty.as_ref(), &self.to, context)?;
        let same_unit = sender.unit == recipient.account.unit;
        let receives =
            if same_unit { may_receive(&recipient.account) } else { Err(Rejection::CurrencyMismatch) };
        match receives {
            Ok(()) => Ok(recipient),
            Err(rejection) if context.actor.is_staff() => Err(rejection.into()),
            Err(_) => Err(Rejection::WalletNotFound(self.to.clone()).into()),
        }
    }
}

impl Command for TransferCredits {
    type State = WalletState;
    type Outcome = Entry;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        let counterparty = Some(&self.to).filter(|to| **to != self.from).cloned();
        WalletNeeds { counterparty, ..WalletNeeds::wallet(&self.from) }
    }

    fn key(&self, _: &WalletState) -> Option<CauseKey> {
        Some(CauseKey::new(self.cause.clone(), self.fingerprint()))
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<Entry, WalletWrite> {
        // Both sides use one instant, so that a lot cannot leave before its expiry and arrive after
        // it.
        let wallets = [&state.wallet, &state.counterparty].into_iter().flatten();
        let now = wallets.map(|wallet| wallet.loaded.account.updated_at).fold(context.now, Timestamp::max);
        let context = &Context { now, ..context.clone() };
        let mut sender = begin(state.wallet.as_ref(), &self.from, context)?;
        let amount = exact(self.amount, &sender.account)?;
        may_spend(&sender.account)?;
        let lots = burn(&sender.account, amount)?;
        if self.from == self.to {
            return Err(Rejection::SelfTransfer.into());
        }
        let mut recipient = self.recipient(state, &sender.account, context)?;
        // Both sides share one transaction, so due entries are included only if they are few.
        for posting in [&sender, &recipient] {
            if posting.entries.len() > MAX_DUE / 2 {
                return Err(NoDecision::SettleFirst(posting.clone().into_writes()));
            }
        }
        let key = self.key(state).ok_or(Rejection::Inconsistent("a transfer has no cause"))?;
        let cause = Cause::transfer(&sender.next_transaction(&key.cause));
        let mut arrival =
            draft(key.clone(), EntryType::TransferIn, lots.clone(), self.reason.as_ref(), context);
        arrival.cause = cause.clone();
        arrival.fingerprint = None;
        let arrived = recipient.post(arrival)?;
        let mut departure = draft(key, EntryType::TransferOut, lots, self.reason.as_ref(), context);
        departure.after = After {
            counterpart: Some(Counterpart {
                account: recipient.account.id.clone(),
                seq: arrived.seq,
                cause,
                balance_after: arrived.balance_after,
            }),
            ..After::default()
        };
        let departed = sender.post(departure)?;
        let arrival = recipient.into_writes().into_iter().map(WalletWrite::from);
        finish(sender, departed, arrival.collect())
    }
}
