//! Refunds of orders to the wallet that paid.
//!
//! **Invariant:** the refunds of an order never exceed what the wallet paid for it; value returns
//! to the lots that paid, last burned first, and its date is extended at most once.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::{CustomerId, OrderId};
use crate::ledger::command::{CauseKey, Command, draft, exact, finish};
use crate::ledger::decision::Decided;
use crate::ledger::entry::{After, Entry, EntryType};
use crate::ledger::lot::{CreditSource, Lot};
use crate::money::Amount;
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::wallet::order_payment::order_write;
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite, begin};

keyed_request! {
    /// Refunds an order to the wallet that paid for it.
    #[derive(Clone, Debug)]
    pub struct RefundOrder ("refund") {
        /// The owner of the wallet.
        pub customer: CustomerId => _,
        /// More than zero, in the wallet's currency; at most what can still be refunded of the
        /// order.
        pub amount: Amount => "amount",
        /// The order to refund.
        pub order_id: OrderId => "order",
        /// Shown in the wallet's history.
        pub reason: Option<FreeText> => "reason",
        /// The idempotency cause.
        pub cause: Cause => _,
    }
}

impl Command for RefundOrder {
    type State = WalletState;
    type Outcome = Entry;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds { order: Some(self.order_id.clone()), ..WalletNeeds::wallet(&self.customer) }
    }

    fn key(&self, _: &WalletState) -> Option<CauseKey> {
        Some(CauseKey::new(self.cause.clone(), self.fingerprint()))
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<Entry, WalletWrite> {
        let mut posting = begin(state.wallet.as_ref(), &self.customer, context)?;
        let amount = exact(self.amount, &posting.account)?;
        let order = state.order.as_ref().filter(|order| order.customer == self.customer);
        let mut order = order.cloned().ok_or(Rejection::OrderNotFound)?;
        if posting.account.unit != order.currency {
            return Err(Rejection::CurrencyMismatch.into());
        }
        let today = posting.today();
        let grace = context.policy.refund_expiry(today);
        let lots = order.refund(amount)?.into_iter().map(|lot| lot.returned(today, grace));
        let lots: Vec<Lot> = lots.collect();
        let expires_on = lots.iter().filter_map(|lot| lot.expires_on).min();
        let key = self.key(state).ok_or(Rejection::Inconsistent("a refund has no cause"))?;
        let mut refund = draft(key, EntryType::Refund, lots, self.reason.as_ref(), context);
        refund.source = Some(CreditSource::Refund);
        refund.order_id = Some(self.order_id.clone());
        refund.expires_on = expires_on;
        order.note(posting.next_transaction(&refund.cause));
        refund.after = After { order: Some(order.view()), ..After::default() };
        let entry = posting.post(refund)?;
        let order = order_write(order, entry.seq);
        finish(posting, entry, vec![order])
    }
}
