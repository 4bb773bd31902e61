//! Points moved by hand: added, removed, or transferred to another customer.
//!
//! **Invariant:** points that are added by hand have no effect on tiers unless the caller says so.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::{fingerprint_by_word, keyed_request};
use crate::ids::{AccountRef, CustomerId, PaymentRef, ReversalId};
use crate::ledger::account::AccountStatus;
use crate::ledger::command::{CauseKey, Command, draft};
use crate::ledger::decision::{Decided, Decision, NoDecision};
use crate::ledger::entry::{Counterpart, Entry, EntryType};
use crate::ledger::lot::{CreditSource, Lot, LotClass, split};
use crate::ledger::owed::{OwedChange, Reversed};
use crate::loyalty::member::{Member, Setting, TierEvent};
use crate::loyalty::numbers::Points;
use crate::loyalty::state::{LoyaltyNeeds, LoyaltyState, LoyaltyWrite, Moved};
use crate::loyalty::tiers::Reason;
use crate::money::Money;
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::text::{FreeText, Metadata};
use crate::time::{Date, Timestamp, plus_days};

/// Whether points are added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Added.
    In,
    /// Removed.
    Out,
}

impl Direction {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

fingerprint_by_word!(Direction);

keyed_request! {
    /// Adds or removes points.
    #[derive(Clone, Debug)]
    pub struct AdjustPoints ("adjust") {
        /// The customer.
        pub user: CustomerId => _,
        /// Whether they are added or removed.
        pub direction: Direction => "direction",
        /// How many.
        pub points: Points => "points",
        /// Why.
        pub reason: FreeText => "reason",
        /// The last date on which added points can be spent; the program's if neither this nor days are given.
        pub expires_on: Option<String> => "expires_on",
        /// The days for which added points can be spent.
        pub expiry_days: Option<u32> => "expiry_days",
        /// Whether added points count for tiers.
        pub qualifying: bool => "qualifying",
        /// Whether what cannot be removed is owed.
        pub owe: bool => "owe",
        /// The pairs supplied by the caller.
        pub metadata: Metadata => "metadata",
        /// What makes it happen once.
        pub cause: Cause => _,
    }
}

/// Returns the rejection of a movement for which there are too few points.
pub(crate) fn too_few(member: &Member, required: Money) -> Result<Rejection, Rejection> {
    let program = member.program()?;
    let (available, currency) = (member.posting.account.available(), program.currency);
    let value = |points: Money| {
        Points::of_money(points).unwrap_or_default().value(program.rules.point_value, currency)
    };
    let values = [value(available), value(required)];
    Ok(Rejection::Loyalty(LoyaltyRejection::InsufficientPoints { available, required, values, currency }))
}

/// Rejects a movement of points out of a frozen account.
fn may_leave(member: &Member) -> Result<(), Rejection> {
    let account = &member.posting.account;
    match account.status {
        AccountStatus::Active => Ok(()),
        AccountStatus::Frozen | AccountStatus::Suspended => {
            Err(Rejection::AccountFrozen(account.id.customer().clone()))
        }
    }
}

impl AdjustPoints {
    fn key(&self) -> CauseKey {
        CauseKey::new(self.cause.clone(), self.fingerprint())
    }

    fn expiry(&self, member: &Member) -> Result<Option<Date>, Rejection> {
        let today = member.posting.today();
        if let Some(text) = &self.expires_on {
            let date = crate::time::parse_date(text).ok().filter(|date| *date > today);
            return date.map(Some).ok_or(Rejection::ExpiryNotInFuture);
        }
        match self.expiry_days {
            Some(days) => plus_days(today, days).map(Some).ok_or(Rejection::ExpiryNotInFuture),
            None => Ok(member.program()?.rules.expiry.expires_on(today, 0)),
        }
    }

    fn add(&self, member: &mut Member, context: &Context) -> Result<Entry, NoDecision> {
        let (expires_on, amount) = (self.expiry(member)?, self.points.money());
        let lot = Lot { expires_on, class: LotClass::Promotional, source: CreditSource::Promotion, amount };
        let mut entry = draft(self.key(), EntryType::AdjustIn, vec![lot], Some(&self.reason), context);
        (entry.metadata, entry.expires_on) = (self.metadata.clone(), expires_on);
        if self.qualifying {
            entry.points.lifetime = amount;
        }
        Ok(member.post(entry, TierEvent::Raised(Reason::Adjustment))?.0)
    }

    fn remove(&self, member: &mut Member, context: &Context) -> Result<Entry, NoDecision> {
        may_leave(member)?;
        let today = member.posting.today();
        let alive = member.posting.account.lots.alive(today);
        let (lots, owed) = split(&alive, self.points.money());
        if !owed.is_zero() && !self.owe {
            return Err(too_few(member, self.points.money())?.into());
        }
        let mut entry = draft(self.key(), EntryType::AdjustOut, lots, Some(&self.reason), context);
        entry.metadata = self.metadata.clone();
        if !owed.is_zero() {
            let own = Reversed {
                id: ReversalId::stored("adjustment"),
                payment: PaymentRef::stored(self.cause.as_str()),
            };
            let debt = member.posting.account.owed.debt_for(own);
            entry.points.owed = Some(OwedChange { raised: owed, ..OwedChange::of(debt, context.now) });
        }
        Ok(member.post(entry, TierEvent::None)?.0)
    }
}

impl Command for AdjustPoints {
    type State = LoyaltyState;
    type Outcome = Moved;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds::points(&self.user)
    }

    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        Some(self.key())
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<Moved, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let mut member = Member::begin(state.points.as_ref(), &self.user, &setting)?;
        let entry = match self.direction {
            Direction::In => self.add(&mut member, &setting.context)?,
            Direction::Out => self.remove(&mut member, &setting.context)?,
        };
        member.finish(Moved { entry, record: None }, vec![])
    }
}

keyed_request! {
    /// Moves points to another customer; lots keep their dates, and tiers are not touched.
    #[derive(Clone, Debug)]
    pub struct TransferPoints ("transfer-points") {
        /// Who gives them.
        pub from: CustomerId => _,
        /// Who receives them.
        pub to: CustomerId => "to",
        /// How many.
        pub points: Points => "points",
        /// Why.
        pub reason: FreeText => "reason",
        /// What makes it happen once.
        pub cause: Cause => _,
    }
}

impl Command for TransferPoints {
    type State = LoyaltyState;
    type Outcome = Moved;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds { other: Some(self.to.clone()), ..LoyaltyNeeds::points(&self.from) }
    }

    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        Some(CauseKey::new(self.cause.clone(), self.fingerprint()))
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<Moved, LoyaltyWrite> {
        if self.from == self.to {
            return Err(Rejection::SelfTransfer.into());
        }
        let mut setting = Setting::of(state, context)?;
        // Both sides use one instant, so that a lot cannot leave before its expiry and arrive after it.
        let both = [&state.points, &state.other].into_iter().flatten();
        setting.context.now =
            both.map(|points| points.loaded.account.updated_at).fold(setting.context.now, Timestamp::max);
        let mut from = Member::begin(state.points.as_ref(), &self.from, &setting)?;
        let mut to = Member::begin(state.other.as_ref(), &self.to, &setting)?;
        may_leave(&from)?;
        let Some(lots) = from.posting.account.lots.burn(self.points.money()) else {
            return Err(too_few(&from, self.points.money())?.into());
        };
        let key = CauseKey::new(self.cause.clone(), self.fingerprint());
        let arrival = Cause::transfer(&from.posting.next_transaction(&self.cause));
        let mut entry = draft(key, EntryType::TransferIn, lots.clone(), Some(&self.reason), &setting.context);
        (entry.cause, entry.fingerprint) = (arrival.clone(), None);
        let (arrived, _) = to.post(entry, TierEvent::None)?;
        let key = CauseKey::new(self.cause.clone(), self.fingerprint());
        let mut entry = draft(key, EntryType::TransferOut, lots, Some(&self.reason), &setting.context);
        entry.after.counterpart = Some(Counterpart {
            account: AccountRef::points(&self.to),
            seq: arrived.seq,
            cause: arrival,
            balance_after: arrived.balance_after,
        });
        let (entry, _) = from.post(entry, TierEvent::None)?;
        let mut writes = from.into_writes()?;
        writes.extend(to.into_writes()?);
        Ok(Decision::Commit { outcome: Moved { entry, record: None }, writes })
    }
}
