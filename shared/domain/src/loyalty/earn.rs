//! A purchase earns points.
//!
//! **Invariant:** a purchase earns once, whichever of its ids it comes by, and for one customer.
//! **Invariant:** what was reported of it before, it counts for too: refunds and a cancellation that came first are
//! taken off in the same transaction.

use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::ids::{BookingId, CustomerId, PaymentId, PurchaseId};
use crate::ledger::command::{CauseKey, Command, draft};
use crate::ledger::decision::Decided;
use crate::ledger::entry::EntryType;
use crate::ledger::lot::{CreditSource, Lot, LotClass};
use crate::ledger::points::{PendingLot, PointsMove, RulesUsed, SpendMove};
use crate::loyalty::earning::{Basis, EarnError, Earned, earn};
use crate::loyalty::identity::{Identified, identify};
use crate::loyalty::join::JoinPayment;
use crate::loyalty::member::{Member, Setting, TierEvent};
use crate::loyalty::numbers::Points;
use crate::loyalty::park::book_kept;
use crate::loyalty::program::{LoyaltyTier, Program};
use crate::loyalty::purchase::{Line, Purchase};
use crate::loyalty::record::{Booked, PurchaseRecord, PurchaseStep, RedemptionSeen};
use crate::loyalty::rules::{Rules, quote};
use crate::loyalty::state::{LoyaltyNeeds, LoyaltyState, LoyaltyWrite, Moved};
use crate::loyalty::tiers::Reason;
use crate::money::{Amount, Money};
use crate::parse::ParseError;
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::text::{FreeText, Metadata};
use crate::time::{Date, Timestamp, plus_days};

/// How far a purchase may lie in the future, by a clock that is ahead: five minutes.
const AHEAD_SECONDS: u32 = 300;

/// How far a purchase may lie in the past: 400 days.
const MAX_AGE_MINUTES: u32 = 400 * 24 * 60;

/// A purchase as a caller reports it, before its amounts are known to fit its currency.
#[derive(Clone, Debug)]
pub struct PurchaseReport {
    /// What was charged in money.
    pub amount: Amount,
    /// Its currency.
    pub currency: Currency,
    /// Its lines, with their amounts.
    pub lines: Vec<Line>,
    /// What a coupon has taken off.
    pub coupon_discount: Money,
    /// When it happened; now if left out.
    pub occurred_at: Option<Timestamp>,
}

impl PurchaseReport {
    /// Returns the purchase at an instant; a purchase up to five minutes ahead happens now.
    pub fn at(&self, now: Timestamp, may_come: bool) -> Result<Purchase, Rejection> {
        let currency = self.currency;
        let occurred_at = self.occurred_at.unwrap_or(now);
        let soon = now.plus_seconds(AHEAD_SECONDS).unwrap_or(now);
        if (occurred_at > soon && !may_come) || occurred_at < now.minus_minutes(MAX_AGE_MINUTES) {
            return Err(Rejection::Loyalty(LoyaltyRejection::OccurredOutOfRange));
        }
        let occurred_at = if may_come { occurred_at } else { occurred_at.min(now) };
        let amount =
            self.amount.in_currency(currency).ok_or(Rejection::TooPrecise { unit: currency.into() })?;
        let lines = self.lines.clone();
        Purchase::try_new(amount, currency, lines, self.coupon_discount, occurred_at)
            .map_err(|ParseError(why)| Rejection::Loyalty(LoyaltyRejection::InvalidLines(why)))
    }
}

/// What a purchase would earn, and by which rules.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// The program in force when it happened.
    pub program: &'a Program,
    /// The tier by which it is judged.
    pub tier: &'a LoyaltyTier,
    /// What the day's limit leaves.
    pub day_left: Option<Points>,
    /// What it earns.
    pub earned: Earned,
    /// The opaque text that names what this depends on.
    pub quote: String,
    /// The date on which the points become available.
    pub available_on: Date,
    /// The last date on which they can be spent.
    pub expires_on: Option<Date>,
}

/// Judges a purchase by a tier. It is booked at `now`, on whose date some points were earned before.
pub fn judge<'a>(
    rules: &'a Rules,
    purchase: &Purchase,
    tier: &'a LoyaltyTier,
    (now, earned_today): (Timestamp, Points),
) -> Result<Judged<'a>, Rejection> {
    let (program, booked) = (rules.program_for(purchase, now)?, now.date());
    let campaigns = rules.campaigns_at(purchase.occurred_at);
    let day_left = program.rules.max_points_per_day.map(|most| most.saturating_sub(earned_today));
    let basis = Basis { program, tier, campaigns: &campaigns, day_left };
    let earned = earn(&basis, purchase).map_err(|error| match error {
        EarnError::NoRate => Rejection::CurrencyMismatch,
        EarnError::TooLarge => Rejection::Loyalty(LoyaltyRejection::TooManyPoints),
    })?;
    let pending_days = program.rules.pending_days;
    Ok(Judged {
        program,
        tier,
        day_left,
        quote: quote(&tier.name, program, &earned.campaigns),
        available_on: plus_days(booked, pending_days).unwrap_or(Date::MAX),
        expires_on: program.rules.expiry.expires_on(booked, pending_days),
        earned,
    })
}

impl Member {
    /// Judges a purchase by the tier that is held.
    pub fn judge<'a>(&self, rules: &'a Rules, purchase: &Purchase) -> Result<Judged<'a>, Rejection> {
        let program = rules.program_for(purchase, self.posting.now)?;
        let name = self.ask(|standing, facts| standing.tier_under(program, facts, self.posting.now));
        let tiers = &program.rules.tiers;
        let tier = name.as_ref().and_then(|name| tiers.named(name)).or(tiers.all().first());
        let tier = tier.ok_or(Rejection::Inconsistent("a program has no tiers"))?;
        let today = self.posting.today();
        let earned_today = Points::of_money(self.part()?.earned_on(today)).unwrap_or_default();
        judge(rules, purchase, tier, (self.posting.now, earned_today))
    }
}

/// A purchase that is to earn.
#[derive(Clone, Debug)]
pub struct EarnPoints {
    /// The customer.
    pub user: CustomerId,
    /// The booking, by which the purchase is known if it is named.
    pub booking_id: Option<BookingId>,
    /// The payment.
    pub payment_id: Option<PaymentId>,
    /// What was bought.
    pub report: PurchaseReport,
    /// The quote that must still hold.
    pub quote: Option<String>,
    /// The description given by the caller.
    pub description: Option<FreeText>,
    /// The pairs supplied by the caller.
    pub metadata: Metadata,
    /// True for an event, of which a booking that was cancelled before is booked and taken back.
    pub is_event: bool,
}

impl EarnPoints {
    /// Returns the ids under which the purchase may be stored, the one by which it is known first.
    fn ids(&self) -> Vec<PurchaseId> {
        let booking = self.booking_id.clone().map(PurchaseId::Booking);
        booking.into_iter().chain(self.payment_id.clone().map(PurchaseId::Payment)).collect()
    }

    /// Returns the command that makes both ids lead to a purchase that has earned before.
    pub fn join(&self) -> Option<JoinPayment> {
        let (booking_id, payment_id) = (self.booking_id.clone()?, self.payment_id.clone()?);
        Some(JoinPayment { user: self.user.clone(), booking_id, payment_id })
    }

    /// Returns the purchase as stored under its ids, and the ids that are to lead to it.
    fn record(&self, state: &LoyaltyState) -> Result<(PurchaseRecord, Vec<LoyaltyWrite>), Rejection> {
        let Identified { mut record, aliases, .. } = identify(&self.ids(), &state.purchases)?;
        let named = self.payment_id.clone();
        let known = record.payment_id.take();
        record.payment_id = if record.booked.is_some() { known.or(named) } else { named.or(known) };
        Ok((record, aliases))
    }
}

impl Command for EarnPoints {
    type State = LoyaltyState;
    type Outcome = Moved;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        LoyaltyNeeds { purchases: self.ids(), ..LoyaltyNeeds::points(&self.user) }
    }

    fn key(&self, state: &LoyaltyState) -> Option<CauseKey> {
        let (record, _) = self.record(state).ok()?;
        let cause = Cause::earning(&record.id);
        let amount = self.report.amount.to_string();
        let currency = self.report.currency.to_string();
        let fingerprint = Fingerprint::of(&[("amount", Some(amount)), ("currency", Some(currency))]);
        Some(
            CauseKey::new(cause, fingerprint).otherwise(Rejection::Loyalty(LoyaltyRejection::PurchaseExists)),
        )
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<Moved, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let now = setting.context.now;
        let purchase = self.report.at(now, false)?;
        let (mut record, aliases) = self.record(state)?;
        if record.booked.is_some() || record.user.as_ref().is_some_and(|user| *user != self.user) {
            return Err(Rejection::Loyalty(LoyaltyRejection::PurchaseExists).into());
        }
        if record.is_cancelled() && !self.is_event {
            return Err(Rejection::Loyalty(LoyaltyRejection::BookingCancelled).into());
        }
        let mut member = Member::begin(state.points.as_ref(), &self.user, &setting)?;
        let judged = member.judge(&setting.rules, &purchase)?;
        if self.quote.as_ref().is_some_and(|quote| *quote != judged.quote) {
            return Err(Rejection::Loyalty(LoyaltyRejection::RulesChanged).into());
        }
        let key = self.key(state).ok_or(Rejection::Loyalty(LoyaltyRejection::PurchaseExists))?;
        let was = record.version;
        record.user = Some(self.user.clone());
        let (booked, moved) = self.booked(&member, purchase, &judged)?;
        let redemption = record.redemption.as_ref().and_then(|token| state.locks.get(token));
        let mut entry = draft(key, EntryType::Earn, moved.lots, None, &setting.context);
        (entry.points, entry.metadata, entry.expires_on) =
            (moved.points, self.metadata.clone(), judged.expires_on);
        entry.points.booking_id = record.booking_id.clone();
        entry.points.payment_id = record.payment_id.clone();
        let (entry, tiers) = member.post(entry, TierEvent::Raised(Reason::Upgrade))?;
        record.steps.push(PurchaseStep {
            kept: booked.points,
            spend: booked.eligible,
            entries: vec![(entry.cause.to_string(), entry.seq)],
            redemption: redemption.and_then(RedemptionSeen::of),
            at: Some(entry.at),
            tiers,
            ..PurchaseStep::default()
        });
        record.booked = Some(booked);
        record.version = was + 1;
        // Refunds and a cancellation that came before the purchase.
        book_kept(&mut member, &mut record, state, &setting)?;
        let moved = Moved { entry, record: Some(Box::new(record.clone())) };
        let mut writes = vec![LoyaltyWrite::Purchase { record: Box::new(record), was, earns: true }];
        writes.extend(aliases);
        member.finish(moved, writes)
    }
}

/// The lots of an earning, and what it changes beyond them.
struct Earning {
    lots: Vec<Lot>,
    points: PointsMove,
}

impl EarnPoints {
    fn booked(
        &self,
        member: &Member,
        purchase: Purchase,
        judged: &Judged<'_>,
    ) -> Result<(Booked, Earning), Rejection> {
        let earned = &judged.earned;
        let today = member.posting.today();
        let lot = Lot {
            expires_on: judged.expires_on,
            class: LotClass::Paid,
            source: CreditSource::Purchase,
            amount: earned.points.money(),
        };
        let is_pending = judged.available_on > today;
        let lots: Vec<Lot> = if earned.points.is_zero() { vec![] } else { vec![lot] };
        let pending = lots.iter().filter(|_| is_pending).cloned();
        let available_on = judged.available_on;
        let campaigns: Vec<(String, u32)> =
            earned.campaigns.iter().map(|used| (used.id.to_string(), used.version)).collect();
        let tier = judged.tier.name.as_str().to_owned();
        let points = PointsMove {
            pending: pending.map(|lot| PendingLot { available_on, lot }).collect(),
            available_on: Some(available_on),
            spend: Some(SpendMove { amount: earned.eligible, on: purchase.occurred_at.date() }),
            lifetime: earned.points.money(),
            description: self.description.clone(),
            rules: Some(RulesUsed {
                program_version: judged.program.version,
                tier: tier.clone(),
                campaigns: campaigns.clone(),
            }),
            step: Some(0),
            ..PointsMove::default()
        };
        let booked = Booked {
            purchase,
            points: earned.points,
            eligible: earned.eligible,
            raw: crate::loyalty::exact::six_digits(&earned.raw),
            point_value: member.program()?.rules.point_value,
            program_version: judged.program.version,
            tier,
            campaigns,
            day_left: judged.day_left,
            available_on,
            expires_on: judged.expires_on,
            at: member.posting.now,
            seq: member.posting.next_seq(),
            explanation: earned.steps.clone(),
        };
        Ok((booked, Earning { lots: if is_pending { vec![] } else { lots }, points }))
    }
}
