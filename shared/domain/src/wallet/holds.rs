//! Setting value aside, spending it later, giving it back.
//!
//! **Invariant:** a hold takes its value out of its lots when placed: its burn date is the hold's, and a
//! capture succeeds even if the lots' dates have passed meanwhile.
//! **Invariant:** of a capture, a release and a time-out that meet, exactly one takes the remainder.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{CustomerId, HoldId, OrderId, TransactionId};
use crate::ledger::command::{
    Begun, CaptureOf, Command, Key, Needs, State, begin, burn, draft, exact, finish, may_spend,
};
use crate::ledger::decision::{Decided, Decision, Write};
use crate::ledger::entry::{After, EntryType};
use crate::ledger::hold::{Hold, HoldStatus, HoldView, MAX_OPEN_HOLDS};
use crate::ledger::lot::split;
use crate::ledger::order::Order;
use crate::ledger::posting::Posting;
use crate::money::Amount;
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::wallet::debit::payment_fingerprint;
use crate::wallet::order_payment::{Naming, payable, written};

/// Place a hold.
#[derive(Clone, Debug)]
pub struct PlaceHold {
    /// On whose wallet.
    pub customer: CustomerId,
    /// How much.
    pub amount: Amount,
    /// Why, in words.
    pub reason: Option<FreeText>,
    /// The order it is for.
    pub order_id: Option<OrderId>,
    /// How long it lasts by itself.
    pub ttl_seconds: u32,
    /// Why.
    pub cause: Cause,
}

impl Command for PlaceHold {
    fn needs(&self) -> Needs {
        Needs { order: self.order_id.clone(), ..Needs::wallet(&self.customer) }
    }

    fn key(&self, _: &State) -> Option<Key> {
        let fingerprint = Fingerprint::of(&[
            ("op", Some("hold".to_owned())),
            ("amount", Some(self.amount.to_string())),
            ("reason", self.reason.as_ref().map(|r| r.as_str().to_owned())),
            ("order", self.order_id.as_ref().map(ToString::to_string)),
            ("ttl", Some(self.ttl_seconds.to_string())),
        ]);
        Some(Key::new(self.cause.clone(), fingerprint))
    }

    fn decide(&self, state: &State, context: &Context) -> Decided {
        let mut posting = match begin(state.party.as_ref(), &self.customer, context)? {
            Begun::Ready(posting) => posting,
            Begun::SettleFirst(writes) => return Ok(Decision::SettleFirst(writes)),
        };
        let account = &posting.account;
        let amount = exact(self.amount, account)?;
        let named = self.order_id.as_ref().map(|order| {
            let (customer, currency) = (&self.customer, account.currency);
            payable(
                state.order.as_ref(),
                &Naming {
                    order,
                    customer,
                    currency,
                    amount,
                    actor: &context.actor,
                    now: posting.now,
                    request: &context.request,
                },
            )
        });
        if let Some(Err(rejection @ (Rejection::OrderNotFound | Rejection::CurrencyMismatch))) = named {
            return Err(rejection);
        }
        may_spend(account)?;
        if account.holds.len() >= MAX_OPEN_HOLDS {
            return Err(Rejection::TooManyHolds);
        }
        let order = named.transpose()?;
        let lots = burn(account, amount)?;
        let key = self.key(state).ok_or(Rejection::Inconsistent("a hold has no cause"))?;
        let id = HoldId::mint(&self.customer, &key.cause);
        let overflow = Rejection::Inconsistent("a hold would end past the year 9999");
        let view = HoldView {
            amount,
            captured: crate::money::Money::ZERO,
            released: crate::money::Money::ZERO,
            status: HoldStatus::Open,
            order_id: self.order_id.clone(),
            expires_at: posting.now.plus_seconds(self.ttl_seconds).ok_or(overflow)?,
            transactions: vec![TransactionId::of(&self.customer, posting.next_seq(), &key.cause)],
        };
        let mut entry = draft(key, EntryType::Hold, lots.clone(), self.reason.as_ref(), context);
        entry.hold_id = Some(id.clone());
        entry.order_id = self.order_id.clone();
        entry.after = After { hold: Some(view.clone()), ..After::default() };
        let entry = posting.post(entry)?;
        let (side, reason, created_at) = (context.actor.role, self.reason.clone(), posting.now);
        posting.keep_hold(Hold { id, view, side, reason, created_at, lots, seq: 0 }, 0);
        // An order that this hold makes known is registered with it; one that is known stays as it is.
        let order = order.filter(|order| order.version == 0).map(|order| written(order, entry.seq));
        finish(posting, entry, order.into_iter().collect())
    }
}

/// Capture a hold, in part or whole.
#[derive(Clone, Debug)]
pub struct CaptureHold {
    /// Which.
    pub hold: HoldId,
    /// How much; all that remains if not said.
    pub amount: Option<Amount>,
    /// Whether the rest goes back.
    pub is_final: bool,
    /// The caller's key made this cause; without one, a hold for an order has the order as its cause.
    pub cause: Cause,
}

impl Command for CaptureHold {
    fn needs(&self) -> Needs {
        Needs { hold: Some(self.hold.clone()), ..Needs::wallet(self.hold.customer()) }
    }

    fn key(&self, state: &State) -> Option<Key> {
        let order = state.hold.as_ref().and_then(|hold| hold.view.order_id.as_ref());
        if let (Some(order), false) = (order, self.cause.is_keyed()) {
            // Without an amount it is all that remains; once captured, a capture that took all answers.
            let remains = state.hold.as_ref().map(|hold| hold.view.remaining().to_string());
            let amount = self.amount.map(|a| a.to_string());
            let capture = Some(CaptureOf { hold: self.hold.clone(), whole: amount.is_none() });
            let fingerprint = payment_fingerprint(&amount.or(remains).unwrap_or_default());
            return Some(Key { capture, ..Key::new(Cause::order_payment(order), fingerprint) });
        }
        let fingerprint = Fingerprint::of(&[
            ("op", Some("capture".to_owned())),
            ("hold", Some(self.hold.to_string())),
            ("amount", self.amount.map(|amount| amount.to_string())),
            ("final", Some(self.is_final.to_string())),
        ]);
        Some(Key::new(self.cause.clone(), fingerprint))
    }

    fn decide(&self, state: &State, context: &Context) -> Decided {
        let mut posting = match begin(state.party.as_ref(), self.hold.customer(), context)? {
            Begun::Ready(posting) => posting,
            Begun::SettleFirst(writes) => return Ok(Decision::SettleFirst(writes)),
        };
        let mut hold = closable(&posting, state, &self.hold, context)?;
        let was = hold.seq;
        let remaining = hold.view.remaining();
        let amount = self.amount.map_or(Ok(remaining), |amount| exact(amount, &posting.account))?;
        if amount > remaining {
            return Err(Rejection::CaptureExceedsHold);
        }
        let (captured, _) = split(&hold.lots, amount);
        let mut order = match &hold.view.order_id {
            Some(order) => {
                let (customer, currency) = (self.hold.customer(), posting.account.currency);
                let (actor, now) = (&context.actor, posting.now);
                let naming =
                    Naming { order, customer, currency, amount, actor, now, request: &context.request };
                Some(payable(state.order.as_ref(), &naming)?)
            }
            None => None,
        };
        if let Some(order) = &mut order {
            order.pay(&captured, amount)?;
        }
        let key = self.key(state).ok_or(Rejection::Inconsistent("a capture has no cause"))?;
        let overflow = Rejection::Inconsistent("the sums of a hold overflow");
        hold.capture(amount).ok_or(overflow.clone())?;
        let customer = self.hold.customer();
        let transaction = TransactionId::of(customer, posting.next_seq(), &key.cause);
        if let Some(order) = &mut order {
            order.note(transaction.clone());
        }
        hold.view.note(transaction);
        let rest = if self.is_final { hold.lots.clone() } else { vec![] };
        let release = Cause::counterpart("capture-rest", hold.id.as_str(), &key.cause);
        if !rest.is_empty() {
            hold.release(HoldStatus::Captured).ok_or(overflow)?;
            hold.view.note(TransactionId::of(customer, posting.next_seq() + 1, &release));
        }
        let mut entry = draft(key, EntryType::Capture, captured, hold.reason.as_ref(), context);
        entry.hold_id = Some(hold.id.clone());
        entry.order_id = hold.view.order_id.clone();
        entry.after = After {
            hold: Some(hold.view.clone()),
            order: order.as_ref().map(Order::view),
            ..After::default()
        };
        let entry = posting.post(entry)?;
        if !rest.is_empty() {
            post_rest(&mut posting, &hold, (release, rest), context)?;
        }
        posting.keep_hold(hold, was);
        finish(posting, entry.clone(), order.map(|order| written(order, entry.seq)).into_iter().collect())
    }
}

/// Release a hold: all that remains goes back to its lots.
#[derive(Clone, Debug)]
pub struct ReleaseHold {
    /// Which.
    pub hold: HoldId,
    /// Why.
    pub cause: Cause,
}

impl Command for ReleaseHold {
    fn needs(&self) -> Needs {
        Needs { hold: Some(self.hold.clone()), ..Needs::wallet(self.hold.customer()) }
    }

    fn key(&self, _: &State) -> Option<Key> {
        let fingerprint =
            Fingerprint::of(&[("op", Some("release".to_owned())), ("hold", Some(self.hold.to_string()))]);
        Some(Key::new(self.cause.clone(), fingerprint))
    }

    fn decide(&self, state: &State, context: &Context) -> Decided {
        let mut posting = match begin(state.party.as_ref(), self.hold.customer(), context)? {
            Begun::Ready(posting) => posting,
            Begun::SettleFirst(writes) => return Ok(Decision::SettleFirst(writes)),
        };
        let mut hold = closable(&posting, state, &self.hold, context)?;
        let was = hold.seq;
        let key = self.key(state).ok_or(Rejection::Inconsistent("a release has no cause"))?;
        let lots = hold.lots.clone();
        hold.release(HoldStatus::Released).ok_or(Rejection::Inconsistent("the sums of a hold overflow"))?;
        let transaction = TransactionId::of(self.hold.customer(), posting.next_seq(), &key.cause);
        hold.view.note(transaction);
        let mut entry = draft(key, EntryType::Release, lots, hold.reason.as_ref(), context);
        entry.hold_id = Some(hold.id.clone());
        entry.order_id = hold.view.order_id.clone();
        entry.after = After { hold: Some(hold.view.clone()), ..After::default() };
        let entry = posting.post(entry)?;
        posting.keep_hold(hold, was);
        finish(posting, entry, Vec::<Write>::new())
    }
}

/// The hold, if the caller may close it and the clock has not.
fn closable(posting: &Posting, state: &State, id: &HoldId, context: &Context) -> Result<Hold, Rejection> {
    let known = posting.hold(id).or(state.hold.as_ref()).filter(|hold| hold.id == *id);
    let hold = known.cloned().ok_or(Rejection::HoldNotFound)?;
    if !hold.may_close(&context.actor) {
        return Err(Rejection::NotYourHold);
    }
    match hold.view.status {
        HoldStatus::Open => Ok(hold),
        HoldStatus::Captured | HoldStatus::Released => Err(Rejection::HoldClosed),
        HoldStatus::Expired => Err(Rejection::HoldExpired),
    }
}

/// What a final capture leaves goes back to its lots.
fn post_rest(
    posting: &mut Posting,
    hold: &Hold,
    (cause, lots): (Cause, Vec<crate::ledger::lot::Lot>),
    context: &Context,
) -> Result<(), Rejection> {
    let key = Key::new(cause, Fingerprint::stored(""));
    let mut rest = draft(key, EntryType::Release, lots, hold.reason.as_ref(), context);
    rest.fingerprint = None;
    rest.hold_id = Some(hold.id.clone());
    rest.order_id = hold.view.order_id.clone();
    rest.after = After { hold: Some(hold.view.clone()), ..After::default() };
    posting.post(rest).map(|_| ())
}
