//! Takes back what a refunded part of a purchase had earned, gives back the points that had paid for it, and undoes
//! both as far as refunds turn out smaller.
//!
//! **Invariant:** of a purchase, points − kept = taken + owed + forgiven, at every change of it.
//! **Invariant:** points are taken from the purchase's own pending points, then its own lot, then, less what of that
//! lot had expired, from other lots, soonest date first; the rest is owed.

use crate::cause::Cause;
use crate::context::Context;
use crate::ids::{PaymentRef, RefundId};
use crate::ledger::entry::{After, Entry, EntryType};
use crate::ledger::hold::{Hold, HoldStatus};
use crate::ledger::lot::{CreditSource, Lot, LotClass, split};
use crate::ledger::owed::{Forgiven, OwedChange, Reversed};
use crate::ledger::points::{PendingLot, PointsMove, SpendMove};
use crate::ledger::posting::Draft;
use crate::loyalty::causes::{debtor, late_debt};
use crate::loyalty::earning::{Basis, Kept, kept};
use crate::loyalty::member::{Member, Setting, TierEvent};
use crate::loyalty::numbers::Points;
use crate::loyalty::record::{Booked, PurchaseRecord, PurchaseStep, RedemptionSeen};
use crate::loyalty::rules::Rules;
use crate::loyalty::state::LoyaltyState;
use crate::loyalty::taken::{Taken, split_taken, without};
use crate::loyalty::tiers::Reason;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::text::FreeText;
use crate::time::{Date, plus_days};

const OVERFLOW: Rejection = Rejection::Inconsistent("the sums of a purchase overflow");

/// What a report of a refund says beside its amounts.
#[derive(Clone, Debug, Default)]
pub struct Occasion {
    /// The refund.
    pub refund_id: Option<RefundId>,
    /// Its amount.
    pub amount: Option<Money>,
    /// The reason given by the caller.
    pub reason: Option<FreeText>,
}

/// Returns what a purchase keeps of its points and spend, by all that is known of its refunds.
pub fn keeps(record: &PurchaseRecord, booked: &Booked, rules: &Rules) -> Result<Kept, Rejection> {
    let program = rules.program(booked.program_version)?;
    let tier = program.rules.tiers.all().iter().find(|tier| tier.name.as_str() == booked.tier);
    let campaigns = rules.campaigns_used(&booked.rules_used())?;
    let tier =
        tier.ok_or(Rejection::Inconsistent("a purchase names a tier that its program does not know"))?;
    let basis = Basis { program, tier, campaigns: &campaigns, day_left: booked.day_left };
    kept(&basis, &booked.purchase, &record.left()).map_err(|_| OVERFLOW)
}

/// A change of a purchase in the middle of a decision.
struct Change<'a> {
    member: &'a mut Member,
    record: &'a mut PurchaseRecord,
    state: &'a LoyaltyState,
    context: &'a Context,
    occasion: Occasion,
    step: PurchaseStep,
    entries: Vec<Entry>,
}

/// Brings points, spend and redemption of a purchase to what its reports say, and records the change. Returns the
/// entries.
pub fn settle(
    member: &mut Member,
    record: &mut PurchaseRecord,
    state: &LoyaltyState,
    setting: &Setting,
    occasion: Option<Occasion>,
) -> Result<Vec<Entry>, Rejection> {
    let now = member.posting.now;
    let keeps = match &record.booked {
        Some(booked) => keeps(record, booked, &setting.rules)?,
        None => Kept { points: Points::ZERO, spend: Money::ZERO },
    };
    let step = PurchaseStep {
        refunded: record.refunds.refunded(record.amount()),
        kept: keeps.points,
        spend: keeps.spend,
        at: Some(now),
        ..PurchaseStep::default()
    };
    let occasion = occasion.unwrap_or_default();
    let context = &setting.context;
    let mut change = Change { member, record, state, context, occasion, step, entries: vec![] };
    change.give_back_redeemed()?;
    let (was, before) = (change.record.kept(), change.record.spend());
    let booked = change.record.booked.clone();
    if let Some(booked) = booked {
        if keeps.points < was || keeps.spend < before {
            let spend = before.saturating_sub(keeps.spend);
            change.reverse(&booked, was.saturating_sub(keeps.points), spend)?;
        }
        if keeps.points > was || keeps.spend > before {
            let spend = keeps.spend.saturating_sub(before);
            change.restore(&booked, keeps.points.saturating_sub(was), spend)?;
        }
    }
    let Change { record, mut step, occasion, entries, .. } = change;
    step.entries = entries.iter().map(|entry| (entry.cause.to_string(), entry.seq)).collect();
    (step.refund_id, step.amount) = (occasion.refund_id, occasion.amount);
    record.steps.push(step);
    Ok(entries)
}

fn signed(points: Money) -> Result<i64, Rejection> {
    points.value().try_into().map_err(|_| OVERFLOW)
}

impl Change<'_> {
    fn number(&self) -> u32 {
        self.record.next_step()
    }

    fn draft(&self, what: &str, kind: EntryType, lots: Vec<Lot>) -> Draft {
        let cause = Cause::purchase_step(&self.record.id, self.number(), what);
        let mut draft = Draft::without_request(cause, kind, lots);
        draft.by = self.context.actor.signature();
        draft.request = Some(self.context.request.clone());
        draft.reason = self.occasion.reason.clone();
        draft.points = PointsMove {
            booking_id: self.record.booking_id.clone(),
            payment_id: self.record.payment_id.clone(),
            refund_id: self.occasion.refund_id.clone(),
            step: Some(self.number()),
            ..PointsMove::default()
        };
        draft
    }

    fn post(&mut self, draft: Draft, event: TierEvent) -> Result<(), Rejection> {
        let (entry, tiers) = self.member.post(draft, event)?;
        self.step.tiers.extend(tiers);
        self.entries.push(entry);
        Ok(())
    }

    /// Gives back points that paid a part of the booking that is refunded.
    fn give_back_redeemed(&mut self) -> Result<(), Rejection> {
        let Some(token) = self.record.redemption.clone() else { return Ok(()) };
        let known = self.member.posting.hold(&token).or_else(|| self.state.locks.get(&token));
        let Some(mut hold) = known.cloned() else { return Ok(()) };
        let (Some(lock), HoldStatus::Captured) = (hold.view.lock.clone(), hold.view.status) else {
            self.step.redemption = RedemptionSeen::of(&hold);
            return Ok(());
        };
        let confirmed = Points::of_money(hold.view.captured).unwrap_or_default();
        let program = self.member.rules.program(lock.program_version)?;
        let in_proportion = program.rules.redemption.points_back;
        let total = self.record.refunds.points_back(confirmed, self.record.amount(), in_proportion);
        let back = total.saturating_sub(Points::of_money(lock.returned).unwrap_or_default());
        if !back.is_zero() {
            self.return_to_lots(&mut hold, back)?;
            self.step.back = back;
            self.step.back_value = lock.worth().of(back.money());
        }
        self.step.redemption = RedemptionSeen::of(&hold);
        Ok(())
    }

    /// Returns how the debt of a late confirmation changes if these points come back: what is still owed is cancelled
    /// first.
    fn late_debt_after(&self, back: Points) -> Option<OwedChange> {
        let own = late_debt(&self.record.id);
        let debts = self.member.posting.account.owed.debts();
        let debt = debts.iter().find(|debt| debt.reversal == own.id && debt.payment == own.payment)?;
        let cancelled = debt.amount.min(back.money());
        Some(OwedChange { cancelled, ..OwedChange::of(own, self.context.now) })
    }

    /// Gives confirmed points back: cancels what is owed for them, then returns them to their lots.
    fn return_to_lots(&mut self, hold: &mut Hold, back: Points) -> Result<(), Rejection> {
        let was = hold.seq;
        let owed = self.late_debt_after(back);
        let cancelled = owed.as_ref().map_or(Money::ZERO, |change| change.cancelled);
        let newest_first: Vec<Lot> = hold.paid.iter().rev().cloned().collect();
        let wanted = back.money().saturating_sub(cancelled);
        let (mut lots, collected) = split(&newest_first, wanted);
        let mut left = crate::ledger::lot::without_front(&newest_first, wanted.saturating_sub(collected));
        left.reverse();
        hold.paid = left;
        let today = self.member.posting.today();
        let rules = &self.member.program()?.rules;
        let graced = plus_days(today, rules.refund_grace_days);
        if !collected.is_zero() {
            // What was owed has been collected from later points.
            let expires_on = rules.expiry.expires_on(today, 0);
            let (class, source) = (LotClass::Refund, CreditSource::Refund);
            lots.push(Lot { expires_on, class, source, amount: collected });
        }
        let lots: Vec<Lot> = lots.into_iter().map(|lot| lot.returned(today, graced)).collect();
        let lock = hold.view.lock.as_mut().ok_or(OVERFLOW)?;
        lock.returned = lock.returned.checked_add(back.money()).ok_or(OVERFLOW)?;
        let worth = lock.worth();
        let mut draft = self.draft("back", EntryType::Refund, lots);
        draft.points.owed = owed;
        hold.view.note(self.member.posting.next_transaction(&draft.cause));
        draft.points.worth = Some(worth);
        draft.points.redemption = Some(hold.id.clone());
        draft.after = After { hold: Some(hold.view.clone()), ..After::default() };
        self.post(draft, TierEvent::None)?;
        self.member.posting.keep_hold(hold.clone(), was);
        Ok(())
    }

    fn owed_by(&self, refund_id: &str) -> Reversed {
        Reversed { id: debtor(&self.record.id), payment: PaymentRef::stored(refund_id) }
    }

    fn this_debt(&self) -> Reversed {
        let refund = self.occasion.refund_id.as_ref().map_or("cancelled", RefundId::as_str);
        self.member.posting.account.owed.debt_for(self.owed_by(refund))
    }

    /// Takes points and spend of the purchase back.
    fn reverse(&mut self, booked: &Booked, points: Points, spend: Money) -> Result<(), Rejection> {
        let today = self.member.posting.today();
        let wanted = points.money();
        let part = self.member.part()?;
        let mut own_pending: Vec<&PendingLot> =
            part.pending.iter().filter(|pending| is_own_pending(pending, booked, today)).collect();
        own_pending.sort_by_key(|pending| pending.lot.expires_on != booked.expires_on);
        let mut missing = wanted;
        let mut pending = Vec::new();
        for lot in own_pending {
            let taken = lot.lot.amount.min(missing);
            missing = missing.saturating_sub(taken);
            if !taken.is_zero() {
                pending.push(PendingLot { available_on: lot.available_on, lot: lot.lot.with_amount(taken) });
            }
        }
        let alive = self.member.posting.account.lots.alive(today);
        // Where lots have merged, it is in the first one of earned points on or after its date.
        let own = alive.iter().position(|lot| lot.class == LotClass::Paid && is_from(lot, booked.expires_on));
        let own = own.filter(|_| booked.expires_on.is_none_or(|date| date >= today));
        let own_lot: Vec<Lot> = own.and_then(|at| alive.get(at)).cloned().into_iter().collect();
        let (mut lots, rest) = split(&own_lot, missing);
        let forgiven = self.forgivable(booked)?.min(rest);
        let rest = rest.saturating_sub(forgiven);
        let others: Vec<Lot> =
            alive.iter().enumerate().filter(|(at, _)| Some(*at) != own).map(|(_, lot)| lot.clone()).collect();
        let (more, owed) = split(&others, rest);
        lots.extend(more);
        let mut draft = self.draft("reversal", EntryType::Reversal, lots);
        draft.points.pending = pending;
        draft.points.lifetime = wanted;
        if !spend.is_zero() {
            draft.points.spend = Some(SpendMove { amount: spend, on: booked.purchase.occurred_at.date() });
        }
        if !owed.is_zero() || !forgiven.is_zero() {
            let debt = self.this_debt();
            let date = booked.expires_on.filter(|_| !forgiven.is_zero());
            let forgiven = date.map(|date| Forgiven { date, class: LotClass::Paid, amount: forgiven });
            draft.points.owed =
                Some(OwedChange { raised: owed, forgiven, ..OwedChange::of(debt, self.context.now) });
        }
        self.step.reversed = signed(wanted)?;
        (self.step.owed, self.step.forgiven) = (signed(owed)?, signed(forgiven)?);
        self.post(draft, TierEvent::Refunded(booked.seq))
    }

    /// Returns how many points of the purchase's lot have expired and were not forgiven yet.
    fn forgivable(&self, booked: &Booked) -> Result<Money, Rejection> {
        let Some(date) = booked.expires_on else { return Ok(Money::ZERO) };
        let prefix = Cause::of_expiry(date, LotClass::Paid);
        let just_now =
            self.member.posting.entries.iter().filter(|entry| entry.cause.as_str().starts_with(&prefix));
        let expired = self.state.expired.iter().chain(just_now).map(|entry| entry.amount);
        let expired = Money::checked_sum(expired).ok_or(OVERFLOW)?;
        Ok(expired.saturating_sub(self.member.posting.account.owed.forgiven_of(date, LotClass::Paid)))
    }

    /// Gives points and spend of the purchase back: cancels what is owed for it first, then returns what was taken to
    /// its lots, last taken first. What had expired stays so.
    fn restore(&mut self, booked: &Booked, points: Points, spend: Money) -> Result<(), Rejection> {
        let mut left = points.money();
        let own = self.this_debt();
        let mine = debtor(&self.record.id);
        let debts = self.member.posting.account.owed.debts().iter().rev();
        let (first, others): (Vec<_>, Vec<_>) =
            debts.filter(|debt| debt.reversal == mine).cloned().partition(|debt| debt.payment == own.payment);
        for (at, debt) in first.into_iter().chain(others).enumerate() {
            let cancelled = debt.amount.min(left);
            if cancelled.is_zero() {
                break;
            }
            left = left.saturating_sub(cancelled);
            let mut draft = self.draft(&format!("cancelled{at}"), EntryType::AdjustIn, vec![]);
            let debt = Reversed { id: debt.reversal, payment: debt.payment };
            draft.points.lifetime = cancelled;
            draft.points.owed = Some(OwedChange { cancelled, ..OwedChange::of(debt, self.context.now) });
            self.step.owed -= signed(cancelled)?;
            self.post(draft, TierEvent::Raised(Reason::Adjustment))?;
        }
        let (back, missing) = split_taken(&self.taken(), left);
        let today = self.member.posting.today();
        let graced = plus_days(today, self.member.program()?.rules.refund_grace_days);
        let (pending, lots): (Vec<Taken>, Vec<Taken>) =
            back.into_iter().partition(|taken| taken.available_on.is_some_and(|date| date > today));
        let lots = lots.into_iter().map(|taken| taken.lot.returned(today, graced)).collect();
        let mut draft = self.draft("restored", EntryType::AdjustIn, lots);
        let pending = pending
            .into_iter()
            .filter_map(|taken| Some(PendingLot { available_on: taken.available_on?, lot: taken.lot }));
        draft.points.pending = pending.collect();
        draft.points.lifetime = left;
        if !spend.is_zero() {
            draft.points.spend = Some(SpendMove { amount: spend, on: booked.purchase.occurred_at.date() });
        }
        if let Some(date) = booked.expires_on.filter(|_| !missing.is_zero()) {
            let restored = Some(Forgiven { date, class: LotClass::Paid, amount: missing });
            draft.points.owed = Some(OwedChange { restored, ..OwedChange::of(own, self.context.now) });
            self.step.forgiven -= signed(missing)?;
        }
        self.step.reversed = -signed(points.money())?;
        if left.is_zero() && spend.is_zero() {
            return Ok(());
        }
        self.post(draft, TierEvent::Raised(Reason::Adjustment))
    }

    /// Returns what was taken for the purchase and has not been given back, last taken first. Points given in place of
    /// money give nothing back, and do not raise lifetime points.
    fn taken(&self) -> Vec<Taken> {
        let prefix = Cause::of_purchase(&self.record.id);
        let posted = &self.member.posting.entries;
        let just_now = posted.iter().filter(|entry| entry.cause.as_str().starts_with(&prefix));
        let gives_back = |entry: &Entry| {
            let lifetime = entry.points.as_ref().map(|points| points.lifetime);
            entry.kind == EntryType::AdjustIn && lifetime.is_some_and(|lifetime| !lifetime.is_zero())
        };
        let mut taken: Vec<Taken> = Vec::new();
        for entry in self.state.movements.iter().chain(just_now) {
            if matches!(entry.kind, EntryType::Reversal | EntryType::OwedCollected) {
                let pending = entry.points.iter().flat_map(|points| &points.pending);
                taken.extend(pending.map(|pending| Taken {
                    available_on: Some(pending.available_on),
                    lot: pending.lot.clone(),
                }));
                taken.extend(entry.lots.iter().map(|lot| Taken { available_on: None, lot: lot.clone() }));
            } else if gives_back(entry) {
                taken.reverse();
                taken = without(&taken, entry.amount);
                taken.reverse();
            }
        }
        taken.reverse();
        taken
    }
}

/// Returns true if pending points are those of the purchase; where lots have merged, they are in one of earned points
/// with its dates or better ones.
fn is_own_pending(pending: &PendingLot, booked: &Booked, today: Date) -> bool {
    booked.available_on > today
        && pending.lot.class == LotClass::Paid
        && pending.lot.source == CreditSource::Purchase
        && pending.available_on <= booked.available_on
        && is_from(&pending.lot, booked.expires_on)
        && (pending.available_on == booked.available_on || pending.lot.expires_on != booked.expires_on)
}

/// Returns true if a lot can be spent at least as long as this date.
fn is_from(lot: &Lot, date: Option<Date>) -> bool {
    match (lot.expires_on, date) {
        (None, _) => true,
        (Some(lot), Some(date)) => lot >= date,
        (Some(_), None) => false,
    }
}
