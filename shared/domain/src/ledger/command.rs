//! An operation: the state that it needs, the key that makes it happen once, and its decision.
//!
//! **Invariant:** a decision depends only on the command, the loaded state and the context. It
//! returns all writes of the operation, to be committed together, or a rejection that leaves no
//! trace.
//! **Invariant:** every decision starts from the account after what has fallen due is posted.

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
use crate::ledger::points::PointsMove;
use crate::ledger::posting::{Draft, LoadedAccount, MAX_DUE, Posting};
use crate::money::{Amount, Money};
use crate::rejection::Rejection;
use crate::text::{FreeText, Metadata};

/// What an area loads for its decisions, with strongly consistent reads.
pub trait State: Sized + Send + Sync {
    /// Names the items to load.
    type Needs: Send + Sync;

    /// Returns the accounts that are decided on; the first contains the entry of the cause.
    fn accounts(needs: &Self::Needs) -> Vec<AccountRef>;

    /// Returns those accounts as they were loaded, in the same order; `None` for an account that
    /// does not exist.
    fn loaded(&self) -> Vec<Option<&LoadedAccount>>;

    /// Sets how many candidates for a unique name have been found taken.
    fn set_names_taken(&mut self, _: u32) {}

    /// Returns the version of the first account; zero if it does not exist.
    fn version(&self) -> u64 {
        self.loaded().into_iter().next().flatten().map_or(0, |loaded| loaded.account.version)
    }
}

/// What makes a command happen once: its cause and the fingerprint of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CauseKey {
    /// Why value moves.
    pub cause: Cause,
    /// The fingerprint of the request.
    pub fingerprint: Fingerprint,
    /// Set for a capture that pays an order: it is only answered by a capture of the same hold.
    pub capture: Option<CaptureOf>,
    /// Why another request with the same natural cause is rejected.
    pub otherwise: Rejection,
}

/// Identifies the capture that a request makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureOf {
    /// The hold.
    pub hold: HoldId,
    /// True if the request names no amount and captures all that remains.
    pub whole: bool,
}

impl CauseKey {
    /// Creates a key that is answered only by the same request.
    pub fn new(cause: Cause, fingerprint: Fingerprint) -> Self {
        Self { cause, fingerprint, capture: None, otherwise: Rejection::OrderAlreadyPaid }
    }

    /// Returns the key with another reason to reject other requests with its natural cause.
    #[must_use]
    pub fn otherwise(self, otherwise: Rejection) -> Self {
        Self { otherwise, ..self }
    }

    /// Checks that an entry found under this cause answers this request.
    pub fn answers(&self, entry: &Entry) -> Result<(), Rejection> {
        if let Some(CaptureOf { hold, whole }) = &self.capture {
            let took_all = |hold: &HoldView| hold.remaining().is_zero() && hold.released.is_zero();
            let same = match whole {
                true => entry.after.hold.as_ref().is_some_and(took_all),
                false => entry.fingerprint.as_ref() == Some(&self.fingerprint),
            };
            let answers = same && entry.kind == EntryType::Capture && entry.hold_id.as_ref() == Some(hold);
            return if answers { Ok(()) } else { Err(self.otherwise.clone()) };
        }
        match &entry.fingerprint {
            Some(found) if *found == self.fingerprint => Ok(()),
            Some(_) | None if self.cause.is_keyed() => Err(Rejection::KeyReused),
            Some(_) | None => Err(self.otherwise.clone()),
        }
    }
}

/// An operation.
pub trait Command: Send + Sync {
    /// The state that it needs.
    type State: State;
    /// What its response is rendered from.
    type Outcome: Outcome;
    /// What it writes.
    type Write: Conditional;

    /// Returns what must be loaded.
    fn needs(&self) -> <Self::State as State>::Needs;
    /// Returns what makes it happen once; `None` if another item guards it, or if repeating it is
    /// harmless.
    fn key(&self, state: &Self::State) -> Option<CauseKey>;
    /// Returns true if a rejection precedes the answer to a repetition, because it is about what the request names and
    /// not about what it does. Such a rejection must follow from strongly consistent reads that later writes do not change.
    fn precedes_replay(&self, _: &Rejection) -> bool {
        false
    }
    /// Makes the decision.
    fn decide(&self, state: &Self::State, context: &Context) -> Decided<Self::Outcome, Self::Write>;
}

/// Starts a decision on an account by posting what is due. If that is more than one transaction can
/// carry, it is written first.
pub fn begin(loaded: &LoadedAccount, context: &Context) -> Result<Posting, NoDecision> {
    let posting = Posting::open(loaded, context.now, MAX_DUE)?;
    if posting.more_due() { Err(NoDecision::SettleFirst(posting.into_writes())) } else { Ok(posting) }
}

/// Ends a decision: also posts what became due by the operation's own entry, and returns all
/// writes.
pub fn finish<W: Conditional>(mut posting: Posting, entry: Entry, more: Vec<W>) -> Decided<Entry, W> {
    post_due(&mut posting, MAX_DUE)?;
    let mut writes: Vec<W> = posting.into_writes().into_iter().map(W::from).collect();
    writes.extend(more);
    Ok(Decision::Commit { outcome: entry, writes })
}

/// Writes what has fallen due, and nothing else.
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

/// Returns the amount in the account's unit, or a rejection if it has too many decimal places.
pub fn exact(amount: Amount, account: &Account) -> Result<Money, Rejection> {
    amount.with_digits(account.unit.digits()).ok_or(Rejection::TooPrecise { unit: account.unit })
}

/// Rejects spending from an account that is frozen or suspended.
pub fn may_spend(account: &Account) -> Result<(), Rejection> {
    match account.status {
        AccountStatus::Active => Ok(()),
        AccountStatus::Frozen => Err(Rejection::AccountFrozen(account.id.customer().clone())),
        AccountStatus::Suspended => Err(Rejection::AccountSuspended(account.id.customer().clone())),
    }
}

/// Rejects new credit for an account that is suspended.
pub fn may_receive(account: &Account) -> Result<(), Rejection> {
    match account.status {
        AccountStatus::Active | AccountStatus::Frozen => Ok(()),
        AccountStatus::Suspended => Err(Rejection::AccountSuspended(account.id.customer().clone())),
    }
}

/// Returns the lots that a debit burns, or a rejection if there is too little credit.
pub fn burn(account: &Account, amount: Money) -> Result<Vec<Lot>, Rejection> {
    account.lots.burn(amount).ok_or_else(|| Rejection::InsufficientFunds {
        available: account.available(),
        required: amount,
        unit: account.unit,
    })
}

/// Drafts an entry that this request causes.
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
        points: PointsMove::default(),
    }
}
