//! Reports about a purchase: refunds, refunds that failed, and the cancellation of a booking.
//!
//! **Invariant:** a report counts once; what comes again in the same way is answered as the first time.
//! **Invariant:** more than was charged is never refunded.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{CustomerId, PurchaseId, RefundId, RequestId};
use crate::ledger::command::{CauseKey, Command, draft};
use crate::ledger::decision::{Decided, Decision, Outcome};
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::hold::HoldStatus;
use crate::ledger::hold_moves;
use crate::ledger::lot::{CreditSource, Lot, LotClass};
use crate::loyalty::figures::REFUND_IN_POINTS;
use crate::loyalty::member::{Member, Setting, TierEvent};
use crate::loyalty::numbers::Points;
use crate::loyalty::record::{PurchaseRecord, PurchaseStep};
use crate::loyalty::refunds::{MAX_REFUNDS, RefundReport, Refunds};
use crate::loyalty::state::{LoyaltyNeeds, LoyaltyState, LoyaltyWrite};
use crate::loyalty::take_back::{Occasion, settle};
use crate::money::Money;
use crate::rejection::{LoyaltyRejection, Rejection};
use crate::text::FreeText;
use crate::time::Timestamp;

/// What is reported.
#[derive(Clone, Debug)]
pub enum Reported {
    /// A refund.
    Refund(RefundId, RefundReport),
    /// A refund that has failed, so that it counts for nothing.
    Failed(RefundId),
    /// The booking was cancelled; this much of its amount was kept.
    Cancelled(Money),
}

/// A report about a purchase of a customer.
#[derive(Clone, Debug)]
pub struct ReportPurchase {
    /// Whose purchase it is.
    pub user: CustomerId,
    /// The purchase.
    pub id: PurchaseId,
    /// What is reported.
    pub what: Reported,
    /// The reason given by the caller.
    pub reason: Option<FreeText>,
    /// True for an event: what exceeds the purchase is counted up to it, and a refund of a purchase that has earned
    /// nothing yet is kept for it.
    pub is_event: bool,
}

/// A purchase after a report.
#[derive(Clone, Debug)]
pub struct AfterReport {
    /// The purchase.
    pub record: PurchaseRecord,
    /// The number of the change that the report made.
    pub step: u32,
    /// The entries that it wrote; `None` if it was reported before.
    pub entries: Option<Vec<Entry>>,
    /// True if the reports together exceed what was charged, or what points paid.
    pub exceeds: bool,
    /// The invocation that reported it.
    request: Option<RequestId>,
}

impl Outcome for AfterReport {
    fn request(&self) -> Option<&RequestId> {
        self.request.as_ref()
    }
}

impl Reported {
    /// Returns the report without what counts for points only, as it is stored for an order.
    #[must_use]
    pub fn of_order(self) -> Self {
        match self {
            Self::Refund(id, report) => Self::Refund(
                id,
                RefundReport { lines: vec![], points_back: None, points_instead: None, ..report },
            ),
            other @ (Self::Failed(_) | Self::Cancelled(_)) => other,
        }
    }

    /// Returns true if the same was reported before.
    pub fn is_known(&self, refunds: &Refunds) -> Result<bool, Rejection> {
        match self {
            Self::Refund(id, report) => match refunds.by_id.get(id.as_str()) {
                None => Ok(false),
                Some(known) if known.content() == *report => Ok(true),
                // It failed before it was reported.
                Some(known) if known.has_failed && known.content() == RefundReport::default() => Ok(false),
                Some(_) => Err(Rejection::Loyalty(LoyaltyRejection::RefundExists)),
            },
            Self::Failed(id) => Ok(refunds.by_id.get(id.as_str()).is_some_and(|known| known.has_failed)),
            Self::Cancelled(kept) => match refunds.amount_kept {
                None => Ok(false),
                Some(known) if known == *kept => Ok(true),
                Some(_) => Err(Rejection::Loyalty(LoyaltyRejection::BookingCancelled)),
            },
        }
    }

    /// Adds the report to what is known.
    pub(crate) fn add_to(&self, refunds: &mut Refunds) -> Result<Occasion, Rejection> {
        let by_id = &mut refunds.by_id;
        let is_full = |len: usize, known: bool| !known && len >= MAX_REFUNDS;
        Ok(match self {
            Self::Refund(id, report) => {
                let known = by_id.get(id.as_str());
                if is_full(by_id.len(), known.is_some()) {
                    return Err(Rejection::Loyalty(LoyaltyRejection::TooManyRefunds));
                }
                let has_failed = known.is_some_and(|known| known.has_failed);
                by_id.insert(id.to_string(), RefundReport { has_failed, ..report.clone() });
                let amount = if report.amount.is_zero() { report.refunded_total } else { report.amount };
                Occasion { refund_id: Some(id.clone()), amount: Some(amount), reason: None }
            }
            Self::Failed(id) => {
                if is_full(by_id.len(), by_id.contains_key(id.as_str())) {
                    return Err(Rejection::Loyalty(LoyaltyRejection::TooManyRefunds));
                }
                by_id.entry(id.to_string()).or_default().has_failed = true;
                Occasion { refund_id: Some(id.clone()), amount: None, reason: None }
            }
            Self::Cancelled(kept) => {
                refunds.amount_kept = Some(*kept);
                Occasion::default()
            }
        })
    }
}

impl ReportPurchase {
    /// Returns the change that the same report made, if it was made before.
    fn before(&self, record: &PurchaseRecord) -> Result<Option<u32>, Rejection> {
        let of = |refund: &RefundId, failed: bool| {
            let has = |step: &PurchaseStep| {
                step.refund_id.as_ref() == Some(refund) && step.amount.is_none() == failed
            };
            let at = record.steps.iter().position(has).unwrap_or(0);
            u32::try_from(at).unwrap_or(0)
        };
        if !self.what.is_known(&record.refunds)? {
            return Ok(None);
        }
        Ok(match &self.what {
            Reported::Refund(id, _) => Some(of(id, false)),
            Reported::Failed(id) => Some(of(id, true)),
            // A cancellation that was kept for the booking is answered as a change of its own.
            Reported::Cancelled(_) => record.cancelled_at.or(self.is_event.then_some(0)),
        })
    }

    /// Returns true if the reports together exceed what was charged in money, or the points that paid.
    fn exceeds(&self, record: &PurchaseRecord, confirmed: Points) -> bool {
        let amount = record.amount();
        match &self.what {
            Reported::Refund(_, report) => {
                let named = report.points_back.unwrap_or_default();
                record.refunds.reported() > amount || named > confirmed.saturating_sub(record.back())
            }
            Reported::Failed(_) => false,
            Reported::Cancelled(kept) => *kept > amount,
        }
    }

    /// Keeps a refund for when the purchase earns, or its points are taken.
    fn keep(&self, mut record: PurchaseRecord, now: Timestamp) -> Decided<AfterReport, LoyaltyWrite> {
        let was = record.version;
        self.what.add_to(&mut record.refunds)?;
        record.expect(now);
        record.version = was + 1;
        let outcome = AfterReport {
            record: record.clone(),
            step: 0,
            entries: Some(vec![]),
            exceeds: false,
            request: None,
        };
        let writes = vec![LoyaltyWrite::Purchase { record: Box::new(record), was, earns: false }];
        Ok(Decision::Commit { outcome, writes })
    }

    /// Releases the open redemption of a booking that is cancelled.
    fn release(
        member: &mut Member,
        state: &LoyaltyState,
        record: &PurchaseRecord,
        context: &Context,
    ) -> Result<Option<Entry>, Rejection> {
        let Some(token) = record.redemption.as_ref() else { return Ok(None) };
        let known = member.posting.hold(token).or_else(|| state.locks.get(token)).cloned();
        let Some(hold) = known.filter(|hold| hold.view.status == HoldStatus::Open) else { return Ok(None) };
        let cause = Cause::redemption_release(token);
        let key = CauseKey::new(cause, Fingerprint::stored(""));
        hold_moves::release(&mut member.posting, key, hold, context).map(Some)
    }

    /// Gives points in place of money.
    fn give_instead(
        &self,
        member: &mut Member,
        record: &PurchaseRecord,
        context: &Context,
    ) -> Result<Option<Entry>, Rejection> {
        let Reported::Refund(id, RefundReport { points_instead: Some(points), .. }) = &self.what else {
            return Ok(None);
        };
        let today = member.posting.today();
        let rules = &member.program()?.rules;
        let expires_on = rules.expiry.expires_on(today, 0);
        let lot = Lot {
            expires_on,
            class: LotClass::Promotional,
            source: CreditSource::Promotion,
            amount: points.money(),
        };
        let cause = Cause::purchase_step(&record.id, record.next_step(), "instead");
        let key = CauseKey::new(cause, Fingerprint::stored(""));
        let reason = FreeText::parse(REFUND_IN_POINTS)
            .map_err(|_| Rejection::Inconsistent("a reason is not valid"))?;
        let mut entry = draft(key, EntryType::AdjustIn, vec![lot], Some(&reason), context);
        (entry.fingerprint, entry.expires_on) = (None, expires_on);
        (entry.points.booking_id, entry.points.payment_id) =
            (record.booking_id.clone(), record.payment_id.clone());
        (entry.points.refund_id, entry.points.step) = (Some(id.clone()), Some(record.next_step()));
        member.post(entry, TierEvent::None).map(|(entry, _)| Some(entry))
    }
}

impl Command for ReportPurchase {
    type State = LoyaltyState;
    type Outcome = AfterReport;
    type Write = LoyaltyWrite;

    fn needs(&self) -> LoyaltyNeeds {
        let movements = match &self.what {
            Reported::Refund(_, report) => !report.lines.is_empty(),
            Reported::Failed(_) => true,
            Reported::Cancelled(_) => false,
        };
        LoyaltyNeeds { purchases: vec![self.id.clone()], movements, ..LoyaltyNeeds::points(&self.user) }
    }

    fn key(&self, _: &LoyaltyState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &LoyaltyState, context: &Context) -> Decided<AfterReport, LoyaltyWrite> {
        let setting = Setting::of(state, context)?;
        let mut record = state
            .purchases
            .get(&self.id)
            .cloned()
            .ok_or(Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound))?;
        if record.user.as_ref() != Some(&self.user) {
            return Err(Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound).into());
        }
        if let Some(step) = self.before(&record)? {
            // An event may come again because its alert was not raised the first time.
            let exceeds =
                matches!(self.what, Reported::Refund(..)) && record.refunds.reported() > record.amount();
            return Ok(Decision::Already(AfterReport {
                record,
                step,
                entries: None,
                exceeds,
                request: Some(RequestId::new("")),
            }));
        }
        let mut member = Member::begin(state.points.as_ref(), &self.user, &setting)?;
        let was = record.version;
        let hold = record
            .redemption
            .as_ref()
            .and_then(|token| member.posting.hold(token).or_else(|| state.locks.get(token)));
        let confirmed =
            hold.map_or(Points::ZERO, |hold| Points::of_money(hold.view.captured).unwrap_or_default());
        if matches!(self.what, Reported::Refund(..)) && record.booked.is_none() && confirmed.is_zero() {
            if self.is_event {
                return self.keep(record, setting.context.now);
            }
            return Err(Rejection::Loyalty(LoyaltyRejection::PurchaseNotFound).into());
        }
        let occasion = Occasion { reason: self.reason.clone(), ..self.what.add_to(&mut record.refunds)? };
        if matches!(self.what, Reported::Cancelled(_)) {
            record.cancelled_at = Some(record.next_step());
        }
        let exceeds = self.exceeds(&record, confirmed);
        if exceeds && !self.is_event {
            return Err(Rejection::RefundExceedsPayment.into());
        }
        let mut first = Vec::new();
        if matches!(self.what, Reported::Cancelled(_)) {
            first.extend(Self::release(&mut member, state, &record, &setting.context)?);
        }
        let instead = self.give_instead(&mut member, &record, &setting.context)?;
        let step = record.next_step();
        let mut entries = settle(&mut member, &mut record, state, &setting, Some(occasion))?;
        first.extend(instead);
        if let Some(step) = record.steps.last_mut() {
            let more = first.iter().map(|entry| (entry.cause.to_string(), entry.seq));
            step.entries.splice(0..0, more);
        }
        entries.splice(0..0, first);
        record.version = was + 1;
        let request = Some(context.request.clone());
        let after = AfterReport { record: record.clone(), step, entries: Some(entries), exceeds, request };
        let purchase = LoyaltyWrite::Purchase { record: Box::new(record), was, earns: false };
        if member.posting.is_untouched() && !member.has_changes() {
            // No points have moved: the account need not be written.
            return Ok(Decision::Commit { outcome: after, writes: vec![purchase] });
        }
        member.finish(after, vec![purchase])
    }
}
