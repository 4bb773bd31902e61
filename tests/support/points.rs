//! A points account built from the ledger's own parts, as an area beside wallets would be; it exists only for
//! the property tests.
//!
//! **Invariant:** lots, holds, expiry, entries and the audit are not implemented here; this module only
//! decides what to request from the ledger.

use crate::memory::{Apply, InMemory, Memory};
use domain::cause::Cause;
use domain::context::Context;
use domain::currency::Currency;
use domain::fingerprint::Fingerprint;
use domain::ids::{AccountRef, BookingId, CustomerId, HoldId};
use domain::ledger::account::{Account, AccountStatus, NewAccount, Opening, StatusChange};
use domain::ledger::command::{
    self, CauseKey, Command, begin, burn, draft, exact, finish, may_receive, may_spend, settle,
};
use domain::ledger::decision::{
    Conditional, Decided, Decision, FailedCondition, NoDecision, Write as LedgerWrite,
};
use domain::ledger::entry::{Entry, EntryType};
use domain::ledger::hold::{Hold, MAX_OPEN_HOLDS};
use domain::ledger::hold_moves::{self, Capture, NewHold};
use domain::ledger::lot::{CreditSource, Lot};
use domain::ledger::points::LockTerms;
use domain::ledger::posting::{LoadedAccount, Posting};
use domain::money::{Amount, Money};
use domain::rejection::Rejection;
use domain::text::FreeText;
use domain::time::{Date, Timestamp, plus_days};
use domain::unit::Unit;

/// The customer whose points account is loaded, and the lock that is acted on.
pub struct Needs {
    customer: CustomerId,
    lock: Option<HoldId>,
}

/// The loaded items.
pub struct State {
    account: Option<LoadedAccount>,
    lock: Option<Hold>,
}

/// One item to write.
#[derive(Clone, Debug)]
pub enum Write {
    Ledger(Box<LedgerWrite>),
    Open(Box<Account>),
}

impl command::State for State {
    type Needs = Needs;

    fn accounts(needs: &Needs) -> Vec<AccountRef> {
        vec![AccountRef::points(&needs.customer)]
    }

    fn loaded(&self) -> Vec<Option<&LoadedAccount>> {
        vec![self.account.as_ref()]
    }
}

impl InMemory for State {
    fn read(memory: &Memory, needs: &Needs) -> Self {
        let lock = needs.lock.as_ref().and_then(|id| memory.holds.get(id)).cloned();
        Self { account: memory.loaded(&AccountRef::points(&needs.customer)), lock }
    }
}

impl From<LedgerWrite> for Write {
    fn from(write: LedgerWrite) -> Self {
        Self::Ledger(Box::new(write))
    }
}

impl Conditional for Write {
    fn failed(&self) -> FailedCondition {
        match self {
            Self::Ledger(write) => write.failed(),
            Self::Open(_) => FailedCondition::Opened,
        }
    }

    fn entry(&self) -> Option<&Entry> {
        if let Self::Ledger(write) = self { write.entry() } else { None }
    }
}

impl Apply for Write {
    fn may_apply(&self, memory: &Memory) -> bool {
        match self {
            Self::Ledger(write) => write.may_apply(memory),
            Self::Open(account) => !memory.accounts.contains_key(&account.id),
        }
    }

    fn apply(self, memory: &mut Memory) {
        match self {
            Self::Ledger(write) => write.apply(memory),
            Self::Open(account) => {
                memory.accounts.insert(account.id.clone(), *account);
            }
        }
    }
}

/// An operation on points.
#[derive(Clone, Debug)]
pub enum Move {
    Grant { source: CreditSource, days: u32, points: Amount },
    Burn { points: Amount },
    Lock { points: Amount, ttl_seconds: u32 },
    Confirm { lock: HoldId, points: Option<Amount>, is_final: bool },
    Release { lock: HoldId },
}

/// A command that moves points.
#[derive(Clone, Debug)]
pub struct MovePoints {
    pub customer: CustomerId,
    pub what: Move,
    pub cause: Cause,
}

fn started(state: &State, customer: &CustomerId, context: &Context) -> Result<Posting, NoDecision> {
    let account = state.account.as_ref();
    begin(account.ok_or_else(|| Rejection::WalletNotFound(customer.clone()))?, context)
}

fn lock_terms() -> LockTerms {
    LockTerms {
        booking_id: BookingId::parse("booking_1").unwrap(),
        currency: Currency::parse("INR").unwrap(),
        point_value: 1.into(),
        charge: Money::ZERO,
        coupon_discount: Money::ZERO,
        campaign_id: None,
        program_version: 1,
        returned: Money::ZERO,
        owed: Money::ZERO,
        late: false,
        created_at: Timestamp::start_of(Date::MIN),
        revocable: false,
    }
}

impl MovePoints {
    fn lock(&self) -> Option<&HoldId> {
        match &self.what {
            Move::Confirm { lock, .. } | Move::Release { lock } => Some(lock),
            Move::Grant { .. } | Move::Burn { .. } | Move::Lock { .. } => None,
        }
    }

    fn post(&self, posting: &mut Posting, state: &State, context: &Context) -> Result<Entry, NoDecision> {
        let key = self.key(state).unwrap();
        let account = &posting.account;
        Ok(match &self.what {
            Move::Grant { source, days, points } => {
                let (amount, expires_on) = (exact(*points, account)?, plus_days(posting.today(), *days));
                if *source == CreditSource::Topup {
                    return Err(Rejection::SourceReserved.into());
                }
                may_receive(account)?;
                let lot = Lot { expires_on, class: source.class(), source: *source, amount };
                let mut credit = draft(key, EntryType::Earn, vec![lot], None, context);
                credit.source = Some(*source);
                posting.post(credit)?
            }
            Move::Burn { points } => {
                let amount = exact(*points, account)?;
                may_spend(account)?;
                let lots = burn(account, amount)?;
                posting.post(draft(key, EntryType::Burn, lots, None, context))?
            }
            Move::Lock { points, ttl_seconds } => {
                let amount = exact(*points, account)?;
                may_spend(account)?;
                if account.holds.len() >= MAX_OPEN_HOLDS {
                    return Err(Rejection::TooManyHolds.into());
                }
                let (lots, ttl_seconds) = (burn(account, amount)?, *ttl_seconds);
                let (reason, order_id, lock) = (None, None, Some(Box::new(lock_terms())));
                let new = NewHold { key, lots, amount, reason, order_id, ttl_seconds, lock };
                hold_moves::place(posting, new, context)?
            }
            Move::Confirm { lock, points, is_final } => {
                let hold = hold_moves::closable(posting, state.lock.as_ref(), lock, context)?;
                let remaining = hold.view.remaining();
                let amount = points.map_or(Ok(remaining), |points| exact(points, account))?;
                let capture =
                    Capture { key, hold, amount, is_final: *is_final, order: None, payment_id: None };
                hold_moves::capture(posting, capture, context)?
            }
            Move::Release { lock } => {
                let hold = hold_moves::closable(posting, state.lock.as_ref(), lock, context)?;
                hold_moves::release(posting, key, hold, context)?
            }
        })
    }
}

impl Command for MovePoints {
    type State = State;
    type Outcome = Entry;
    type Write = Write;

    fn needs(&self) -> Needs {
        Needs { customer: self.customer.clone(), lock: self.lock().cloned() }
    }

    fn key(&self, _: &State) -> Option<CauseKey> {
        let fingerprint = Fingerprint::of(&[("op", Some(format!("{:?}", self.what)))]);
        Some(CauseKey::new(self.cause.clone(), fingerprint))
    }

    fn decide(&self, state: &State, context: &Context) -> Decided<Entry, Write> {
        let mut posting = started(state, &self.customer, context)?;
        let entry = self.post(&mut posting, state, context)?;
        finish(posting, entry, vec![])
    }
}

/// A command that opens a points account.
pub struct OpenPoints {
    pub customer: CustomerId,
    pub cause: Cause,
}

impl Command for OpenPoints {
    type State = State;
    type Outcome = Account;
    type Write = Write;

    fn needs(&self) -> Needs {
        Needs { customer: self.customer.clone(), lock: None }
    }

    fn key(&self, _: &State) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &State, context: &Context) -> Decided<Account, Write> {
        if state.account.is_some() {
            return Err(Rejection::WalletExists.into());
        }
        let opening = Opening {
            cause: self.cause.clone(),
            fingerprint: Fingerprint::of(&[]),
            request: context.request.clone(),
            initial: Money::ZERO,
            by: context.actor.signature(),
        };
        let (id, unit) = (AccountRef::points(&self.customer), Unit::Points);
        let mut account = Account::open(NewAccount { id, unit, opening, at: context.now });
        account.version = 1;
        Ok(Decision::Commit { outcome: account.clone(), writes: vec![Write::Open(Box::new(account))] })
    }
}

/// A command that sets the status of a points account.
pub struct SetPointsStatus {
    pub customer: CustomerId,
    pub status: AccountStatus,
}

impl Command for SetPointsStatus {
    type State = State;
    type Outcome = Account;
    type Write = Write;

    fn needs(&self) -> Needs {
        Needs { customer: self.customer.clone(), lock: None }
    }

    fn key(&self, _: &State) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &State, context: &Context) -> Decided<Account, Write> {
        let mut posting = started(state, &self.customer, context)?;
        let from = posting.account.status;
        if from == self.status || (from, self.status) == (AccountStatus::Suspended, AccountStatus::Frozen) {
            return Ok(Decision::Already(posting.account));
        }
        let (to, at) = (self.status, posting.now);
        posting.account.status = to;
        posting.account.updated_at = at;
        let reason = FreeText::parse("because").unwrap();
        let change = StatusChange { from, to, reason, by: context.actor.signature(), at };
        let (outcome, version) = (posting.account.clone(), posting.next_version());
        let record = LedgerWrite::StatusRecord { account: outcome.id.clone(), version, change };
        let writes = posting.into_writes().into_iter().chain([record]).map(Write::from).collect();
        Ok(Decision::Commit { outcome, writes })
    }
}

/// A command that settles what is due.
pub struct SettlePoints {
    pub customer: CustomerId,
}

impl Command for SettlePoints {
    type State = State;
    type Outcome = Account;
    type Write = Write;

    fn needs(&self) -> Needs {
        Needs { customer: self.customer.clone(), lock: None }
    }

    fn key(&self, _: &State) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &State, context: &Context) -> Decided<Account, Write> {
        let account = state.account.as_ref();
        let account = account.ok_or_else(|| Rejection::WalletNotFound(self.customer.clone()))?;
        Ok(settle(account, context)?.map(|account| account))
    }
}
