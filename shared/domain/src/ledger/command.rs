//! One pure decision for each operation on a wallet.
//!
//! **Invariant:** a decision looks only at the command, the loaded state and the context; it gives all writes
//! of the operation, to be committed together, or a rejection that leaves no trace.
//! **Invariant:** every decision starts from the wallet as the clock has made it (due entries first).

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{CustomerId, EventId, Handle, HoldId, OrderId, ReversalId, TopUpId};
use crate::ledger::account::{Account, Status};
use crate::ledger::decision::{Decided, Decision, Outcome, Write};
use crate::ledger::due;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::hold::{Hold, HoldView};
use crate::ledger::lot::Lot;
use crate::ledger::order::Order;
use crate::ledger::posting::{Draft, MAX_DUE, Party, Posting};
use crate::money::{Amount, Money};
use crate::payments::topup::TopUp;
use crate::payments::webhook_event::{Event, Lead};
use crate::rejection::Rejection;
use crate::text::{FreeText, Metadata};
use std::collections::BTreeMap;

/// The items that a command must see.
#[derive(Clone, Debug, Default)]
pub struct Needs {
    /// The wallet acted on, if one is.
    pub customer: Option<CustomerId>,
    /// The wallet on the other side.
    pub counterparty: Option<CustomerId>,
    /// The hold acted on; the order it names is needed with it.
    pub hold: Option<HoldId>,
    /// The order named.
    pub order: Option<OrderId>,
    /// The top-up acted on.
    pub topup: Option<TopUpId>,
    /// What is known under these gateways' ids; a quarantined report that one leads to is needed with it.
    pub leads: Vec<Handle>,
    /// The report as it is kept.
    pub event: Option<EventId>,
    /// The refund or dispute: if the top-up has been credited, its movements and the expiries of its credit.
    pub reversal: Option<ReversalId>,
}

impl Needs {
    /// A wallet alone.
    pub fn wallet(customer: &CustomerId) -> Self {
        Self { customer: Some(customer.clone()), ..Self::default() }
    }
}

/// What was loaded, strongly consistent.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// The wallet acted on.
    pub party: Option<Party>,
    /// The wallet on the other side.
    pub counterparty: Option<Party>,
    /// The hold acted on.
    pub hold: Option<Hold>,
    /// The order named, by the command or by the hold.
    pub order: Option<Order>,
    /// The top-up acted on.
    pub topup: Option<TopUp>,
    /// What is known under gateways' ids.
    pub leads: BTreeMap<Handle, Lead>,
    /// The report as it is kept.
    pub event: Option<Event>,
    /// Quarantined reports that leads lead to.
    pub quarantined: BTreeMap<EventId, Event>,
    /// The movements of the refund or dispute, oldest first.
    pub moved: Vec<Entry>,
    /// The expiries of the date and class of the top-up's credit.
    pub expired: Vec<Entry>,
    /// How many candidates for a referral code were found taken.
    pub codes_taken: u32,
}

/// The cause of a command and what it asks for: what makes it happen once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Why value is to move.
    pub cause: Cause,
    /// What is asked for.
    pub fingerprint: Fingerprint,
    /// A capture is only answered by a capture of the same hold.
    pub capture: Option<CaptureOf>,
}

/// Which capture a request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureOf {
    /// Of which hold.
    pub hold: HoldId,
    /// All that remains, without saying how much.
    pub whole: bool,
}

impl Key {
    /// A key that only the same request answers to.
    pub fn new(cause: Cause, fingerprint: Fingerprint) -> Self {
        Self { cause, fingerprint, capture: None }
    }

    /// Tells whether an entry found under this cause answers this request.
    pub fn answers(&self, entry: &Entry) -> Result<(), Rejection> {
        if let Some(CaptureOf { hold, whole }) = &self.capture {
            let took_all = |hold: &HoldView| hold.remaining().is_zero() && hold.released.is_zero();
            let same = match whole {
                true => entry.after.hold.as_ref().is_some_and(took_all),
                false => entry.fingerprint.as_ref() == Some(&self.fingerprint),
            };
            let answers = same && entry.kind == EntryType::Capture && entry.hold_id.as_ref() == Some(hold);
            return if answers { Ok(()) } else { Err(Rejection::OrderAlreadyPaid) };
        }
        match &entry.fingerprint {
            Some(found) if *found == self.fingerprint => Ok(()),
            Some(_) | None if self.cause.is_keyed() => Err(Rejection::KeyReused),
            Some(_) | None => Err(Rejection::OrderAlreadyPaid),
        }
    }
}

/// An operation on a wallet.
pub trait Command: Send + Sync {
    /// What must be loaded.
    fn needs(&self) -> Needs;
    /// What makes it happen once; `None` where repeating is harmless by nature.
    fn key(&self, state: &State) -> Option<Key>;
    /// The decision.
    fn decide(&self, state: &State, context: &Context) -> Decided;
}

/// Writes down what has fallen due, and nothing else.
#[derive(Clone, Debug)]
pub struct Settle {
    /// Whose wallet.
    pub customer: CustomerId,
}

impl Command for Settle {
    fn needs(&self) -> Needs {
        Needs::wallet(&self.customer)
    }

    fn key(&self, _: &State) -> Option<Key> {
        None
    }

    fn decide(&self, state: &State, context: &Context) -> Decided {
        let posting = match begin(state.party.as_ref(), &self.customer, context)? {
            Begun::Ready(posting) => posting,
            Begun::SettleFirst(writes) => return Ok(Decision::SettleFirst(writes)),
        };
        let appointed = {
            let mut account = posting.account.clone();
            account.appoint(posting.now);
            account.visit == posting.account.visit
        };
        if posting.is_untouched() && appointed {
            return Ok(Decision::Already(Outcome::Account(Box::new(posting.account))));
        }
        let outcome = Outcome::Account(Box::new(posting.account.clone()));
        Ok(Decision::Commit { outcome, writes: posting.into_writes() })
    }
}

/// A wallet ready for the operation's own entry, or the writes that must come before.
#[allow(clippy::large_enum_variant)] // lives for one match
pub(crate) enum Begun {
    /// What was due is posted.
    Ready(Posting),
    /// More was due than one transaction carries.
    SettleFirst(Vec<Write>),
}

/// Starts a decision on a wallet: posts what is due.
pub(crate) fn begin(
    party: Option<&Party>,
    customer: &CustomerId,
    context: &Context,
) -> Result<Begun, Rejection> {
    let party = party.ok_or_else(|| Rejection::WalletNotFound(customer.clone()))?;
    let posting = Posting::open(party, context.now, MAX_DUE)?;
    Ok(if posting.more_due() { Begun::SettleFirst(posting.into_writes()) } else { Begun::Ready(posting) })
}

/// Ends a decision: what the own entry made due at once is posted too, then all is written.
pub(crate) fn finish(mut posting: Posting, entry: Entry, more: Vec<Write>) -> Decided {
    due::post_due(&mut posting, MAX_DUE)?;
    let mut writes = posting.into_writes();
    writes.extend(more);
    Ok(Decision::Commit { outcome: Outcome::Entry(Box::new(entry)), writes })
}

/// The amount in the wallet's currency.
pub(crate) fn exact(amount: Amount, account: &Account) -> Result<Money, Rejection> {
    amount.in_currency(account.currency).ok_or(Rejection::TooPrecise { currency: account.currency })
}

/// Refuses to take value out of a wallet that is frozen or suspended.
pub(crate) fn may_spend(account: &Account) -> Result<(), Rejection> {
    match account.status {
        Status::Active => Ok(()),
        Status::Frozen => Err(Rejection::AccountFrozen(account.customer.clone())),
        Status::Suspended => Err(Rejection::AccountSuspended(account.customer.clone())),
    }
}

/// Refuses to put new credit into a wallet that is suspended.
pub(crate) fn may_receive(account: &Account) -> Result<(), Rejection> {
    match account.status {
        Status::Active | Status::Frozen => Ok(()),
        Status::Suspended => Err(Rejection::AccountSuspended(account.customer.clone())),
    }
}

/// What a debit burns, or that there is too little.
pub(crate) fn burn(account: &Account, amount: Money) -> Result<Vec<Lot>, Rejection> {
    account.lots.burn(amount).ok_or_else(|| Rejection::InsufficientFunds {
        available: account.available(),
        required: amount,
        currency: account.currency,
    })
}

/// An entry that this request causes.
pub(crate) fn draft(
    key: Key,
    kind: EntryType,
    lots: Vec<Lot>,
    reason: Option<&FreeText>,
    context: &Context,
) -> Draft {
    Draft {
        cause: key.cause,
        kind,
        lots,
        by: context.actor.signature(),
        request: Some(context.request.clone()),
        fingerprint: Some(key.fingerprint),
        reason: reason.cloned(),
        source: None,
        order_id: None,
        hold_id: None,
        expires_on: None,
        metadata: Metadata::default(),
        after: crate::ledger::entry::After::default(),
    }
}
