//! Spending from a wallet, for an order or not.
//!
//! **Invariant:** a debit burns whole what it is asked for, soonest date first, or nothing.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::{CustomerId, OrderId};
use crate::ledger::command::{CauseKey, Command, burn, draft, exact, finish, may_spend};
use crate::ledger::decision::Decided;
use crate::ledger::entry::{After, Entry, EntryType};
use crate::money::Amount;
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::wallet::order_payment::{OrderPayment, order_write, payable};
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite, begin};

keyed_request! {
    /// Deduct credits.
    #[derive(Clone, Debug)]
    pub struct DeductCredits ("deduct-credits") {
        /// From whose wallet.
        pub customer: CustomerId => _,
        /// How much.
        pub amount: Amount => "amount",
        /// Why, in words.
        pub reason: Option<FreeText> => "reason",
        /// The order it pays.
        pub order_id: Option<OrderId> => "order",
        /// The caller's key made this cause; without one and with an order, the order itself is the cause.
        pub cause: Cause => _,
    }
}

keyed_request! {
    /// *The* payment of an order: it is known by its amount alone, and the party is the account.
    pub(crate) struct NaturalPayment ("order-payment") {
        /// How much.
        pub(crate) amount: String => "amount",
    }
}

impl Command for DeductCredits {
    type State = WalletState;
    type Outcome = Entry;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds { order: self.order_id.clone(), ..WalletNeeds::wallet(&self.customer) }
    }

    fn key(&self, _: &WalletState) -> Option<CauseKey> {
        if let (Some(order), false) = (&self.order_id, self.cause.is_keyed()) {
            let fingerprint = NaturalPayment { amount: self.amount.to_string() }.fingerprint();
            return Some(CauseKey::new(Cause::order_payment(order), fingerprint));
        }
        Some(CauseKey::new(self.cause.clone(), self.fingerprint()))
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<Entry, WalletWrite> {
        let mut posting = begin(state.wallet.as_ref(), &self.customer, context)?;
        let account = &posting.account;
        let amount = exact(self.amount, account)?;
        let currency = account.currency()?;
        let naming = |order| OrderPayment {
            order,
            customer: &self.customer,
            currency,
            amount,
            actor: &context.actor,
            now: posting.now,
            request: &context.request,
        };
        let order = self.order_id.as_ref().map(|id| payable(state.order.as_ref(), &naming(id)));
        // An order that is unknown is said before a frozen wallet, one that is paid after it.
        if let Some(Err(rejection @ (Rejection::OrderNotFound | Rejection::CurrencyMismatch))) = order {
            return Err(rejection.into());
        }
        may_spend(account)?;
        let order = order.transpose()?;
        let lots = burn(account, amount)?;
        let key = self.key(state).ok_or(Rejection::Inconsistent("a debit has no cause"))?;
        let mut debit = draft(key, EntryType::Debit, lots.clone(), self.reason.as_ref(), context);
        debit.order_id = self.order_id.clone();
        let Some(mut order) = order else {
            let entry = posting.post(debit)?;
            return finish(posting, entry, vec![]);
        };
        order.pay(&lots, amount)?;
        order.note(posting.next_transaction(&debit.cause));
        debit.after = After { order: Some(order.view()), ..After::default() };
        let entry = posting.post(debit)?;
        let order = order_write(order, entry.seq);
        finish(posting, entry, vec![order])
    }
}
