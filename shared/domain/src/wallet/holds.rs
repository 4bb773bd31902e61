//! Holds on a wallet, with or without an order.
//!
//! **Invariant:** an order named by a hold is registered with the hold if it was not before, and the
//! hold pays it only when captured.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::keyed_request;
use crate::ids::{CustomerId, HoldId, OrderId};
use crate::ledger::command::{CaptureOf, CauseKey, Command, burn, exact, finish, may_spend};
use crate::ledger::decision::Decided;
use crate::ledger::entry::Entry;
use crate::ledger::hold::MAX_OPEN_HOLDS;
use crate::ledger::hold_moves::{self, Capture, NewHold, captured_lots};
use crate::ledger::order::Order;
use crate::money::Amount;
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::wallet::debit::NaturalPayment;
use crate::wallet::order_payment::{OrderPayment, order_write, payable, refund_if_cancelled};
use crate::wallet::state::{WalletNeeds, WalletState, WalletWrite, begin};

keyed_request! {
    /// Places a hold.
    #[derive(Clone, Debug)]
    pub struct PlaceHold ("hold") {
        /// The owner of the wallet.
        pub customer: CustomerId => _,
        /// More than zero, in the wallet's currency.
        pub amount: Amount => "amount",
        /// Shown in the wallet's history.
        pub reason: Option<FreeText> => "reason",
        /// The order that the hold is for.
        pub order_id: Option<OrderId> => "order",
        /// The time until the hold times out, in seconds.
        pub ttl_seconds: u32 => "ttl",
        /// The idempotency cause.
        pub cause: Cause => _,
    }
}

impl Command for PlaceHold {
    type State = WalletState;
    type Outcome = Entry;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds { order: self.order_id.clone(), ..WalletNeeds::wallet(&self.customer) }
    }

    fn key(&self, _: &WalletState) -> Option<CauseKey> {
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
        let named = self.order_id.as_ref().map(|id| payable(state.order.as_ref(), &naming(id)));
        if let Some(Err(rejection @ (Rejection::OrderNotFound | Rejection::CurrencyMismatch))) = named {
            return Err(rejection.into());
        }
        may_spend(account)?;
        if account.holds.len() >= MAX_OPEN_HOLDS {
            return Err(Rejection::TooManyHolds.into());
        }
        let order = named.transpose()?;
        let lots = burn(account, amount)?;
        let key = self.key(state).ok_or(Rejection::Inconsistent("a hold has no cause"))?;
        let (reason, order_id) = (self.reason.clone(), self.order_id.clone());
        let ttl_seconds = self.ttl_seconds;
        let new = NewHold { key, lots, amount, reason, order_id, ttl_seconds, lock: None };
        let entry = hold_moves::place(&mut posting, new, context)?;
        // An order that was not stored before is registered with the hold; a stored order is not
        // changed.
        let order = order.filter(|order| order.version == 0).map(|order| order_write(order, entry.seq));
        finish(posting, entry, order.into_iter().collect())
    }
}

keyed_request! {
    /// Captures all or part of a hold.
    #[derive(Clone, Debug)]
    pub struct CaptureHold ("capture") {
        /// The hold to capture.
        pub hold: HoldId => "hold",
        /// In the wallet's currency; `None` captures all that remains.
        pub amount: Option<Amount> => "amount",
        /// True if the rest is released.
        pub is_final: bool => "final",
        /// The idempotency cause. Without an idempotency key, a hold for an order has the order as
        /// its cause instead.
        pub cause: Cause => _,
    }
}

impl Command for CaptureHold {
    type State = WalletState;
    type Outcome = Entry;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds { hold: Some(self.hold.clone()), ..WalletNeeds::wallet(self.hold.customer()) }
    }

    fn key(&self, state: &WalletState) -> Option<CauseKey> {
        let order = state.hold.as_ref().and_then(|hold| hold.view.order_id.as_ref());
        if let (Some(order), false) = (order, self.cause.is_keyed()) {
            // Without an amount, the capture takes all that remains; its repetition is answered by a
            // capture that took everything.
            let remains = state.hold.as_ref().map(|hold| hold.view.remaining().to_string());
            let amount = self.amount.map(|a| a.to_string());
            let capture = Some(CaptureOf { hold: self.hold.clone(), whole: amount.is_none() });
            let fingerprint = NaturalPayment { amount: amount.or(remains).unwrap_or_default() }.fingerprint();
            return Some(CauseKey { capture, ..CauseKey::new(Cause::order_payment(order), fingerprint) });
        }
        Some(CauseKey::new(self.cause.clone(), self.fingerprint()))
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<Entry, WalletWrite> {
        let customer = self.hold.customer();
        let mut posting = begin(state.wallet.as_ref(), customer, context)?;
        let hold = hold_moves::closable(&posting, state.hold.as_ref(), &self.hold, context)?;
        let remaining = hold.view.remaining();
        let amount = self.amount.map_or(Ok(remaining), |amount| exact(amount, &posting.account))?;
        if amount > remaining {
            return Err(Rejection::CaptureExceedsHold.into());
        }
        let key = self.key(state).ok_or(Rejection::Inconsistent("a capture has no cause"))?;
        let mut order = match &hold.view.order_id {
            Some(order) => {
                let (currency, now) = (posting.account.currency()?, posting.now);
                let (actor, request) = (&context.actor, &context.request);
                let reports = state.reports;
                let naming = OrderPayment { order, customer, currency, amount, actor, now, request, reports };
                Some(payable(state.order.as_ref(), &naming)?)
            }
            None => None,
        };
        if let Some(order) = &mut order {
            order.pay(&captured_lots(&hold, amount), amount)?;
            order.note(posting.next_transaction(&key.cause));
        }
        let view = order.as_ref().map(Order::view);
        let capture = Capture { key, hold, amount, is_final: self.is_final, order: view, payment_id: None };
        let entry = hold_moves::capture(&mut posting, capture, context)?;
        if let Some(order) = &mut order {
            refund_if_cancelled(&mut posting, order, &entry, context)?;
        }
        let order = order.map(|order| order_write(order, posting.account.seq));
        finish(posting, entry, order.into_iter().collect())
    }
}

keyed_request! {
    /// Releases a hold: all that remains returns to its lots.
    #[derive(Clone, Debug)]
    pub struct ReleaseHold ("release") {
        /// The hold to release.
        pub hold: HoldId => "hold",
        /// The idempotency cause.
        pub cause: Cause => _,
    }
}

impl Command for ReleaseHold {
    type State = WalletState;
    type Outcome = Entry;
    type Write = WalletWrite;

    fn needs(&self) -> WalletNeeds {
        WalletNeeds { hold: Some(self.hold.clone()), ..WalletNeeds::wallet(self.hold.customer()) }
    }

    fn key(&self, _: &WalletState) -> Option<CauseKey> {
        Some(CauseKey::new(self.cause.clone(), self.fingerprint()))
    }

    fn decide(&self, state: &WalletState, context: &Context) -> Decided<Entry, WalletWrite> {
        let mut posting = begin(state.wallet.as_ref(), self.hold.customer(), context)?;
        let hold = hold_moves::closable(&posting, state.hold.as_ref(), &self.hold, context)?;
        let key = self.key(state).ok_or(Rejection::Inconsistent("a release has no cause"))?;
        let entry = hold_moves::release(&mut posting, key, hold, context)?;
        finish(posting, entry, vec![])
    }
}
