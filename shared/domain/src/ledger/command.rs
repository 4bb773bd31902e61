//! What an operation is: what it must see, what makes it happen once, and its decision.
//!
//! **Invariant:** a decision looks only at the command, the loaded state and the context; it gives all writes
//! of the operation, to be committed together, or a rejection that leaves no trace.
//! **Invariant:** every decision starts from the account as the clock has made it (due entries first).

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{AccountRef, HoldId};
use crate::ledger::account::{Account, AccountStatus};
use crate::ledger::decision::{Conditional, Decided, Decision, NoDecision, Outcome, Write};
use crate::ledger::due::post_due;
use crate::ledger::entry::{After, Entry, EntryType};
use crate::ledger::hold::HoldView;
use crate::ledger::lot::Lot;
use crate::ledger::posting::{Draft, LoadedAccount, MAX_DUE, Posting};
use crate::money::{Amount, Money};
use crate::rejection::Rejection;
use crate::text::{FreeText, Metadata};

/// What an area loads for its decisions, strongly consistent.
pub trait State: Sized + Send + Sync {
    /// Names the items to load.
    type Needs: Send + Sync;

    /// The accounts that are decided on, the one that the cause's entry belongs to first.
    fn accounts(needs: &Self::Needs) -> Vec<AccountRef>;

    /// Those accounts as they were loaded, in the same order; `None`: there is none.
    fn loaded(&self) -> Vec<Option<&LoadedAccount>>;

    /// Tells how many candidates for a unique name have been found taken.
    fn set_names_taken(&mut self, _: u32) {}

    /// The version of the account acted on; zero if there is none.
    fn version(&self) -> u64 {
        self.loaded().into_iter().next().flatten().map_or(0, |loaded| loaded.account.version)
    }
}

/// The cause of a command and what it asks for: what makes it happen once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseKey {
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

impl CauseKey {
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

/// An operation.
pub trait Command: Send + Sync {
    /// What it must see.
    type State: State;
    /// What it leaves to answer from.
    type Outcome: Outcome;
    /// What it writes.
    type Write: Conditional;

    /// What must be loaded.
    fn needs(&self) -> <Self::State as State>::Needs;
    /// What makes it happen once; `None` where another item guards it, or repeating is harmless by nature.
    fn key(&self, state: &Self::State) -> Option<CauseKey>;
    /// The decision.
    fn decide(&self, state: &Self::State, context: &Context) -> Decided<Self::Outcome, Self::Write>;
}

/// Starts a decision on an account: posts what is due. More than one transaction carries is written down first.
pub fn begin(loaded: &LoadedAccount, context: &Context) -> Result<Posting, NoDecision> {
    let posting = Posting::open(loaded, context.now, MAX_DUE)?;
    if posting.more_due() { Err(NoDecision::SettleFirst(posting.into_writes())) } else { Ok(posting) }
}

/// Ends a decision: what the own entry made due at once is posted too, then all is written.
pub fn finish<W: Conditional>(mut posting: Posting, entry: Entry, more: Vec<W>) -> Decided<Entry, W> {
    post_due(&mut posting, MAX_DUE)?;
    let mut writes: Vec<W> = posting.into_writes().into_iter().map(W::from).collect();
    writes.extend(more);
    Ok(Decision::Commit { outcome: entry, writes })
}

/// Writes down what has fallen due, and nothing else.
pub fn settle(loaded: &LoadedAccount, context: &Context) -> Decided<Account, Write> {
    let posting = begin(loaded, context)?;
    let scheduled_check = {
        let mut account = posting.account.clone();
        account.schedule_check(posting.now);
        account.next_check_at == posting.account.next_check_at
    };
    let outcome = posting.account.clone();
    if posting.is_untouched() && scheduled_check {
        return Ok(Decision::Already(outcome));
    }
    Ok(Decision::Commit { outcome, writes: posting.into_writes() })
}

/// The amount in the account's unit.
pub fn exact(amount: Amount, account: &Account) -> Result<Money, Rejection> {
    amount.with_digits(account.unit.digits()).ok_or(Rejection::TooPrecise { unit: account.unit })
}

/// Refuses to take value out of an account that is frozen or suspended.
pub fn may_spend(account: &Account) -> Result<(), Rejection> {
    match account.status {
        AccountStatus::Active => Ok(()),
        AccountStatus::Frozen => Err(Rejection::AccountFrozen(account.id.customer().clone())),
        AccountStatus::Suspended => Err(Rejection::AccountSuspended(account.id.customer().clone())),
    }
}

/// Refuses to put new credit into an account that is suspended.
pub fn may_receive(account: &Account) -> Result<(), Rejection> {
    match account.status {
        AccountStatus::Active | AccountStatus::Frozen => Ok(()),
        AccountStatus::Suspended => Err(Rejection::AccountSuspended(account.id.customer().clone())),
    }
}

/// What a debit burns, or that there is too little.
pub fn burn(account: &Account, amount: Money) -> Result<Vec<Lot>, Rejection> {
    account.lots.burn(amount).ok_or_else(|| Rejection::InsufficientFunds {
        available: account.available(),
        required: amount,
        unit: account.unit,
    })
}

/// An entry that this request causes.
pub fn draft(
    key: CauseKey,
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
        after: After::default(),
    }
}
