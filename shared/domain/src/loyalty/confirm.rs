//! A redemption ends: its points are taken, because the rest was paid, or released.
//!
//! **Invariant:** a redemption is confirmed once and released once; of two that conflict, one takes the points.
//! **Invariant:** a payment that succeeded after all takes a lock that timed out, or that its owner released, at its
//! old value; what is missing is owed.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{BookingId, HoldId, PaymentId, PurchaseId, RequestId};
use crate::ledger::command::{CauseKey, Command, draft};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::ledger::entry::{After, EntryType};
use crate::ledger::hold::{Hold, HoldStatus};
use crate::ledger::hold_moves::{self, Capture};
use crate::ledger::lot::split;
use crate::ledger::owed::OwedChange;
use crate::loyalty::causes::late_debt;
use crate::loyalty::lock::{OVERFLOW, Redeemed, newest};
use crate::loyalty::member::{Member, Setting, TierEvent};
use crate::loyalty::numbers::Points;
use crate::loyalty::state::{LoyaltyNeeds, LoyaltyState, LoyaltyWrite};
use crate::loyalty::take_back::{Occasion, settle};
use crate::money::Money;
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::text::FreeText;

/// Takes points that were locked, because the rest was paid.
#[derive(Clone, Debug)]
pub struct ConfirmRedemption {
    /// The redemption.
    pub token: HoldId,
    /// The booking that it is for, by which the purchase is loaded.
    pub booking_id: BookingId,
    /// The points that are taken; all if left out. The rest goes back.
    pub points: Option<Points>,
    /// The payment of the rest.
    pub payment_id: Option<PaymentId>,
    /// True if a lock is taken that has timed out, or that its owner has released.
    pub late: bool,
}

impl ConfirmRedemption {
    fn purchase(&self) -> PurchaseId {
        PurchaseId::Booking(self.booking_id.clone())
    }

    /// Takes points from what is available; the rest is owed.
    fn take_late(
        &self,
        member: &mut Member,
        mut hold: Hold,
        key: CauseKey,
        points: Money,
        context: &Context,
    ) -> Result<Redeemed, Rejection> {
        let was = hold.seq;
        let today = member.posting.today();
        let alive = member.posting.account.lots.alive(today);
        let (lots, owed) = split(&alive, points);
        hold.paid.clone_from(&lots);
        (hold.view.captured, hold.view.released) = (points, hold.view.amount.saturating_sub(points));
        hold.view.status = HoldStatus::Captured;
        let lock = hold.view.lock.as_mut().ok_or(OVERFLOW)?;
        (lock.late, lock.owed) = (true, owed);
        let worth = lock.worth();
        hold.view.note(member.posting.next_transaction(&key.cause));
        let mut entry = draft(key, EntryType::Burn, lots, hold.reason.as_ref(), context);
        entry.points.worth = Some(worth);
        entry.points.booking_id = Some(self.booking_id.clone());
        entry.points.payment_id.clone_from(&self.payment_id);
        entry.points.redemption = Some(hold.id.clone());
        if !owed.is_zero() {
            let debt = member.posting.account.owed.debt_for(late_debt(&self.purchase()));
            entry.points.owed = Some(OwedChange { raised: owed, ..OwedChange::of(debt, context.now) });
        }
        entry.after = After { hold: Some(hold.view.clone()), ..After::default() };
        let (entry, _) = member.post(entry, TierEvent::None)?;
        member.posting.keep_hold(hold, was);
        Redeemed::of_entry(entry).ok_or(OVERFLOW)
    }

    /// Returns the hold, if it may be taken; true if it is taken although it is closed.
    fn takable(&self, hold: &Hold) -> Result<bool, Rejection> {
        let revocable = hold.view.lock.as_ref().is_some_and(|lock| lock.revocable);
        match hold.view.status {
            HoldStatus::Open => Ok(false),
            HoldStatus::Expired if self.late => Ok(true),
            HoldStatus::Released if self.late && revocable => Ok(true),
            HoldStatus::Expired => Err(Rejection::Loyalty(LoyaltyRejection::RedemptionExpired)),
            HoldStatus::Captured | HoldStatus::Released => {
                Err(Rejection::Loyalty(LoyaltyRejection::RedemptionClosed))
            }
        }
    }
}

impl Command for ConfirmRedemption {
    type State = LoyaltyState;
    type Outcome = Redeemed;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds {
            purchases: vec![self.purchase()],
            lock: Some(self.token.clone()),
            ..LoyaltyNeeds::points(self.token.customer())
        }
    }

    fn key(&self, state: &LoyaltyState) -> Option<CauseKey> {
        let all = state.locks.get(&self.token).map(|hold| hold.view.amount);
        let points = self.points.map(Points::money).or(all).unwrap_or_default();
        let fingerprint = Fingerprint::of(&[("points", Some(points.to_string()))]);
        let key = CauseKey::new(Cause::confirmation(&self.token), fingerprint);
        Some(key.otherwise(Rejection::Loyalty(LoyaltyRejection::RedemptionClosed)))
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<Redeemed, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let user = self.token.customer().clone();
        let mut member = Member::begin(state.points.as_ref(), &user, &setting)?;
        let known = member.posting.hold(&self.token).or_else(|| state.locks.get(&self.token));
        let hold =
            known.filter(|hold| hold.view.lock.is_some()).cloned().ok_or(Rejection::RedemptionNotFound)?;
        let record = state.purchases.get(&self.purchase()).cloned();
        let mut record = record.ok_or(Rejection::Inconsistent("a redemption has no booking"))?;
        let points = self.points.map_or(hold.view.amount, Points::money);
        if points > hold.view.amount {
            return Err(Rejection::Loyalty(LoyaltyRejection::ConfirmExceedsRedemption).into());
        }
        let lock = hold.view.lock.as_ref().ok_or(OVERFLOW)?;
        let charge_after = lock.charge.saturating_sub(lock.worth().of(hold.view.amount));
        let is_late = self.takable(&hold)?;
        let key = self.key(state).ok_or(OVERFLOW)?;
        if let Some(other) =
            newest(&member, state, Some(&record)).filter(|other| other.id != self.token).cloned()
        {
            match other.view.status {
                HoldStatus::Captured => {
                    return Err(Rejection::Loyalty(LoyaltyRejection::BookingHasRedemption).into());
                }
                HoldStatus::Open => {
                    let cause = Cause::counterpart("superseded", other.id.as_str(), &key.cause);
                    let key = CauseKey::new(cause, Fingerprint::stored(""));
                    hold_moves::release(&mut member.posting, key, other, &setting.context)?;
                }
                HoldStatus::Released | HoldStatus::Expired => {}
            }
        }
        let outcome = if is_late {
            self.take_late(&mut member, hold, key, points, &setting.context)?
        } else {
            let payment_id = self.payment_id.clone();
            let capture = Capture { key, hold, amount: points, is_final: true, order: None, payment_id };
            let entry = hold_moves::capture(&mut member.posting, capture, &setting.context)?;
            Redeemed::of_entry(entry).ok_or(OVERFLOW)?
        };
        let was = record.version;
        record.redemption = Some(self.token.clone());
        record.charge_after = Some(charge_after);
        record.version = was + 1;
        // Points that pay for what is refunded already come back at once.
        if record.refunds.count() {
            settle(&mut member, &mut record, state, &setting, Some(Occasion::default()))?;
        }
        member.finish(outcome, vec![LoyaltyWrite::Purchase { record: Box::new(record), was, earns: false }])
    }
}

/// Releases locked points.
#[derive(Clone, Debug)]
pub struct ReleaseRedemption {
    /// The redemption.
    pub token: HoldId,
    /// The reason given by the caller.
    pub reason: Option<FreeText>,
    /// True if the owner, or a failed payment, releases it: a payment that succeeds after all still takes it.
    pub is_revocable: bool,
}

impl Command for ReleaseRedemption {
    type State = LoyaltyState;
    type Outcome = Redeemed;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds { lock: Some(self.token.clone()), ..LoyaltyNeeds::points(self.token.customer()) }
    }

    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        let key = CauseKey::new(Cause::redemption_release(&self.token), Fingerprint::of(&[]));
        Some(key.otherwise(Rejection::Loyalty(LoyaltyRejection::RedemptionClosed)))
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<Redeemed, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let user = self.token.customer().clone();
        let mut member = Member::begin(state.points.as_ref(), &user, &setting)?;
        let known = member.posting.hold(&self.token).or_else(|| state.locks.get(&self.token));
        let mut hold =
            known.filter(|hold| hold.view.lock.is_some()).cloned().ok_or(Rejection::RedemptionNotFound)?;
        match hold.view.status {
            HoldStatus::Captured => return Err(Rejection::Loyalty(LoyaltyRejection::RedemptionClosed).into()),
            // A compensation never fails.
            HoldStatus::Released | HoldStatus::Expired => {
                let outcome = Redeemed::by(&hold, &RequestId::new(""));
                if member.posting.hold(&self.token).is_none() {
                    return Ok(Decision::Already(outcome));
                }
                // A time-out is written before it is answered: a machine whose clock is behind confirms it no more.
                return member.finish(outcome, vec![]);
            }
            HoldStatus::Open => {}
        }
        if let (Some(lock), true) = (hold.view.lock.as_mut(), self.is_revocable) {
            lock.revocable = true;
        }
        hold.reason = self.reason.clone().or(hold.reason);
        let key = self.key(state).ok_or(OVERFLOW)?;
        let entry = hold_moves::release(&mut member.posting, key, hold, &setting.context)?;
        let outcome = Redeemed::of_entry(entry).ok_or(OVERFLOW)?;
        member.finish(outcome, vec![])
    }
}
