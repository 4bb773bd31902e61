//! Spending from a wallet, with or without an order.
//!
//! **Invariant:** a debit burns the whole amount, earliest date first, or nothing.

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
use crate::wallet::order_payment::{OrderPayment, order_write, payable, refund_if_cancelled};
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite, begin};

keyed_request! {
    /// Deducts credit from a wallet.
    #[derive(Clone, Debug)]
    pub struct DeductCredits ("deduct-credits") {
        /// The owner of the wallet.
        pub customer: CustomerId => _,
        /// More than zero, in the wallet's currency.
        pub amount: Amount => "amount",
        /// Shown in the wallet's history.
        pub reason: Option<FreeText> => "reason",
        /// The order to pay.
        pub order_id: Option<OrderId> => "order",
        /// The idempotency cause. Without an idempotency key, a payment of an order has the order
        /// as its cause instead.
        pub cause: Cause => _,
    }
}

keyed_request! {
    /// An order's payment that has no idempotency key; its fingerprint is the amount alone, because
    /// the account is part of the key.
    pub(crate) struct NaturalPayment ("order-payment") {
        /// The shortest exact text of the amount.
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
            reports: state.reports,
        };
        let order = self.order_id.as_ref().map(|id| payable(state.order.as_ref(), &naming(id)));
        // An unknown order takes precedence over a frozen wallet; an order that is already paid
        // does not.
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
        refund_if_cancelled(&mut posting, &mut order, &entry, context)?;
        let order = order_write(order, posting.account.seq);
        finish(posting, entry, vec![order])
    }
}
