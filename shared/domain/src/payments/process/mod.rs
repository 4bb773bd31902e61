//! Processes gateway reports: decides the outcome of each, and of the money that it is about.
//!
//! **Invariant:** a report takes effect once, however often and in whatever order it and equivalent
//! reports arrive; its outcome is written in the same transaction as its effect.
//! **Invariant:** nothing is credited but a captured payment of exactly the amount and currency of
//! its intent.
//! **Invariant:** every report that is read gets an outcome; none is refused.

mod capture;
mod clawback;
mod reversal;

use crate::alert::{Alert, AlertListing};
use crate::context::Context;
use crate::ids::{EventId, GatewayKey, TopUpId, TransactionId};
use crate::ledger::command::{CauseKey, Command};
use crate::ledger::decision::{Decided, Decision};
use crate::payments::gateway_report::{GatewayReport, PaymentFact};
use crate::payments::state::{Listing, PaymentNeeds, PaymentState, PaymentWrite, ReportOutcome, put_ref};
use crate::payments::topup::TopUp;
use crate::payments::webhook_event::{
    EventStatus, GatewayRef, MAX_WAITING, RefTarget, WebhookEvent, reasons,
};
use crate::time::Timestamp;

/// Processes a report.
#[derive(Clone, Debug)]
pub struct ProcessReport {
    /// Endpoint and the gateway's id of the event.
    pub id: EventId,
    /// Gateway's word for the type of the event.
    pub kind: String,
    /// Sealed body; stored only with a new report.
    pub body: Vec<u8>,
    /// What it says; None if a required field of its type cannot be read.
    pub report: Option<GatewayReport>,
    /// Top-up that the report names, or that a gateway reference in it leads to.
    pub topup: Option<TopUpId>,
    /// If true, the report is stored only if it is neither processed nor ignored. Used for answers
    /// that we requested from a gateway.
    pub record_only_failures: bool,
    /// True if the report cannot be applied, and would not be if it were decided again: it is
    /// quarantined without a look at what it is about.
    pub is_refused: bool,
}

/// Outcome of a report, before it is written.
pub(super) struct Verdict {
    status: EventStatus,
    detail: Option<&'static str>,
    /// Gateway reference under which it waits.
    waiting_on: Option<GatewayKey>,
    transactions: Vec<TransactionId>,
    /// Writes that apply its effect.
    writes: Vec<PaymentWrite>,
    /// Reports that waited for it.
    follow: Vec<EventId>,
    /// Quarantined reports that it resolves, with their new status and reason.
    ends: Vec<(WebhookEvent, EventStatus, &'static str)>,
    /// Writes to commit before deciding again: the whole effect exceeds one transaction.
    commit_first: Option<Vec<PaymentWrite>>,
    /// The report is about this top-up, not the loaded one.
    other_topup: Option<TopUpId>,
}

impl Verdict {
    fn new(status: EventStatus, detail: Option<&'static str>) -> Self {
        Self {
            status,
            detail,
            waiting_on: None,
            transactions: vec![],
            writes: vec![],
            follow: vec![],
            ends: vec![],
            commit_first: None,
            other_topup: None,
        }
    }

    fn processed(transactions: Vec<TransactionId>) -> Self {
        Self { transactions, ..Self::new(EventStatus::Processed, None) }
    }

    fn ignored(detail: &'static str) -> Self {
        Self::new(EventStatus::Ignored, Some(detail))
    }

    fn quarantined(detail: &'static str) -> Self {
        Self::new(EventStatus::Quarantined, Some(detail))
    }

    fn other_topup(topup: TopUpId) -> Self {
        Self { other_topup: Some(topup), ..Self::ignored(reasons::NO_MONEY) }
    }

    fn commit_first(writes: Vec<PaymentWrite>) -> Self {
        Self { commit_first: Some(writes), ..Self::ignored(reasons::NO_MONEY) }
    }
}

impl Command for ProcessReport {
    type State = PaymentState;
    type Outcome = ReportOutcome;
    type Write = PaymentWrite;

    fn needs(&self) -> PaymentNeeds {
        if self.is_refused {
            return PaymentNeeds { event: Some(self.id.clone()), ..PaymentNeeds::default() };
        }
        let mut refs = self.report.as_ref().map(GatewayReport::keys).unwrap_or_default();
        refs.extend(self.topup.as_ref().map(GatewayKey::topup));
        let reversal = self.report.as_ref().and_then(reversal::reversal_of).map(|report| report.id);
        PaymentNeeds {
            customer: self.topup.as_ref().map(|topup| topup.customer().clone()),
            topup: self.topup.clone(),
            refs,
            event: Some(self.id.clone()),
            reversal,
            unpaid: None,
        }
    }

    /// None: the report's own key, the payment's gateway reference and the versions of top-up and
    /// wallet suffice.
    fn key(&self, _: &PaymentState) -> Option<CauseKey> {
        None
    }

    fn decide(&self, state: &PaymentState, context: &Context) -> Decided<ReportOutcome, PaymentWrite> {
        if let Some(known) = state.event.as_ref().filter(|known| known.status.is_final()) {
            return Ok(Decision::Already(ReportOutcome::Kept(Box::new(known.clone()), vec![])));
        }
        if self.is_refused {
            return Ok(self.conclude(Verdict::quarantined(reasons::NOT_POSSIBLE), state, context));
        }
        let verdict = match &self.report {
            None => Verdict::new(EventStatus::Failed, Some(reasons::UNREADABLE)),
            Some(report) => match &report.fact {
                PaymentFact::Nothing => Verdict::ignored(reasons::NO_MONEY),
                PaymentFact::Failed => self.failed(state),
                PaymentFact::Captured { .. } => capture::captured(self, report, state, context)?,
                PaymentFact::Reversed { .. } | PaymentFact::Refund { .. } => {
                    reversal::reversed(self, report, state, context)?
                }
            },
        };
        if let Some(topup) = verdict.other_topup {
            return Ok(Decision::Already(ReportOutcome::OtherTopUp(topup)));
        }
        match verdict.commit_first {
            Some(writes) => Ok(Decision::Partly(writes)),
            None => Ok(self.conclude(verdict, state, context)),
        }
    }
}

impl ProcessReport {
    /// Handles a failed payment: marks the top-up as failed, unless a payment has succeeded.
    fn failed(&self, state: &PaymentState) -> Verdict {
        let Some(topup) = state.topup.clone() else {
            return match &self.topup {
                Some(named) => self.park(state, &GatewayKey::topup(named), reasons::NO_TOPUP),
                None => match resolve_ref(self, state) {
                    Some(topup) => Verdict::other_topup(topup),
                    None => Verdict::ignored(reasons::NO_MONEY),
                },
            };
        };
        let mut verdict = Verdict::processed(vec![]);
        if !topup.failed && topup.credited.is_none() {
            verdict.writes.push(changed(topup, |topup| topup.failed = true));
        }
        verdict
    }

    /// Parks the report under a gateway reference until what it lacks arrives. If it waits too
    /// long, it is quarantined and an alert is raised.
    fn park(&self, state: &PaymentState, waiting_on: &GatewayKey, why: &'static str) -> Verdict {
        self.wait(state, waiting_on, Verdict::new(EventStatus::Parked, Some(why)))
    }

    /// Records the report under a gateway reference, so that it is processed when that leads to
    /// something.
    fn wait(&self, state: &PaymentState, waiting_on: &GatewayKey, verdict: Verdict) -> Verdict {
        let gateway_ref = state.refs.get(waiting_on);
        let mut events = gateway_ref.map(GatewayRef::waiting).unwrap_or_default();
        let mut verdict = Verdict { waiting_on: Some(waiting_on.clone()), ..verdict };
        let leads_somewhere =
            gateway_ref.is_some_and(|gateway_ref| !matches!(gateway_ref.to, RefTarget::Waiting(_)));
        if events.contains(&self.id) || leads_somewhere {
            return verdict;
        }
        if events.len() >= MAX_WAITING {
            return Verdict::quarantined(reasons::TOO_MANY);
        }
        events.push(self.id.clone());
        verdict.writes.push(put_ref(gateway_ref, waiting_on, RefTarget::Waiting(events)));
        verdict
    }

    /// Writes the outcome of the report together with its effect.
    fn conclude(
        &self,
        verdict: Verdict,
        state: &PaymentState,
        context: &Context,
    ) -> Decision<ReportOutcome, PaymentWrite> {
        let now = context.now;
        let was = state.event.clone();
        let mut verdict = verdict;
        let is_waiting = was.as_ref().map_or(now, |was| was.received_at);
        if verdict.status == EventStatus::Parked && overdue(is_waiting, now) {
            verdict.status = EventStatus::Quarantined;
            verdict.detail = Some(reasons::WAITED);
        }
        let unfinished = !verdict.status.is_final();
        if let Some(was) = was.as_ref().filter(|was| {
            (was.status, was.detail, &was.waiting_on) == (verdict.status, verdict.detail, &verdict.waiting_on)
                && verdict.writes.is_empty()
        }) {
            return Decision::Already(ReportOutcome::Kept(Box::new(was.clone()), vec![]));
        }
        let mut event = WebhookEvent {
            id: self.id.clone(),
            kind: self.kind.clone(),
            status: verdict.status,
            detail: verdict.detail,
            report: self.report.clone(),
            topup: match &state.topup {
                Some(topup) => Some(topup.id.clone()),
                None => was.as_ref().filter(|_| self.is_refused).and_then(|was| was.topup.clone()),
            },
            transactions: verdict.transactions,
            waiting_on: verdict.waiting_on,
            received_at: was.as_ref().map_or(now, |was| was.received_at),
            updated_at: now,
            alerted_at: alerted(was.as_ref(), verdict.status, now),
            next_check_at: None,
            request: context.request.clone(),
            version: was.as_ref().map_or(1, |was| was.version + 1),
        };
        event.next_check_at = event.next_check(now);
        let mut writes = verdict.writes;
        if !self.record_only_failures || unfinished || was.is_some() {
            name_at_topup(&mut writes, &event, state.topup.as_ref());
            writes.extend(moved(was.as_ref(), &event, self.body.clone(), now));
        }
        for (ended, status, detail) in verdict.ends {
            let after = WebhookEvent {
                status,
                detail: Some(detail),
                waiting_on: None,
                next_check_at: None,
                updated_at: now,
                alerted_at: None,
                version: ended.version + 1,
                ..ended.clone()
            };
            writes.extend(moved(Some(&ended), &after, vec![], now));
        }
        let outcome = ReportOutcome::Kept(Box::new(event), verdict.follow);
        if writes.is_empty() {
            return Decision::Already(outcome);
        }
        Decision::Commit { outcome, writes }
    }
}

/// Returns when the alert was raised; an open alert keeps its time.
fn alerted(was: Option<&WebhookEvent>, status: EventStatus, now: Timestamp) -> Option<Timestamp> {
    status.needs_attention().then(|| was.and_then(|was| was.alerted_at).unwrap_or(now))
}

fn overdue(since: Timestamp, now: Timestamp) -> bool {
    since.plus_seconds(crate::payments::webhook_event::WAIT_SECONDS).is_some_and(|until| now >= until)
}

/// Names the report at the top-up if it changes the top-up or needs an operator's attention.
fn name_at_topup(writes: &mut Vec<PaymentWrite>, event: &WebhookEvent, topup: Option<&TopUp>) {
    let changed = writes
        .iter_mut()
        .find_map(|write| if let PaymentWrite::TopUp { topup, .. } = write { Some(topup) } else { None });
    match (changed, topup) {
        (Some(changed), _) => changed.record_event(&event.id),
        (None, Some(topup)) if event.status.needs_attention() && !topup.events.contains(&event.id) => {
            writes.push(self::changed(topup.clone(), |topup| topup.record_event(&event.id)));
        }
        (None, Some(_) | None) => {}
    }
}

/// Returns the writes of a changed report: the report, its place in the lists, its alert.
fn moved(
    was: Option<&WebhookEvent>,
    event: &WebhookEvent,
    body: Vec<u8>,
    now: Timestamp,
) -> Vec<PaymentWrite> {
    let version = was.map_or(0, |was| was.version);
    let mut writes = vec![PaymentWrite::Event { event: event.clone(), body, was: version }];
    let place = |event: &WebhookEvent| Listing::Event {
        id: event.id.clone(),
        status: event.status,
        at: event.received_at,
    };
    if was.map(|was| was.status) != Some(event.status) {
        writes.extend(was.map(|was| PaymentWrite::Unlist(place(was))));
        writes.push(PaymentWrite::List(place(event)));
    }
    let before = was.filter(|was| was.status.needs_attention());
    let listed = |alert: &Alert, open| {
        Listing::Alert(AlertListing { id: alert.id.clone(), open, at: alert.opened_at })
    };
    if event.status.needs_attention() {
        let alert = Alert::for_event(event);
        writes.push(PaymentWrite::Alert(alert.clone()));
        if before.is_none() {
            writes.push(PaymentWrite::List(listed(&alert, true)));
        }
    } else if let Some(was) = before {
        let alert = Alert { closed_at: Some(now), updated_at: now, ..Alert::for_event(was) };
        writes.push(PaymentWrite::Unlist(listed(&alert, true)));
        writes.push(PaymentWrite::List(listed(&alert, false)));
        writes.push(PaymentWrite::Alert(alert));
    }
    writes
}

/// Returns the top-up that a gateway reference in the report leads to.
fn resolve_ref(command: &ProcessReport, state: &PaymentState) -> Option<TopUpId> {
    let keys = command.report.as_ref().map(GatewayReport::keys).unwrap_or_default();
    keys.iter().filter_map(|key| state.refs.get(key)).find_map(|gateway_ref| match &gateway_ref.to {
        RefTarget::TopUp(topup) => Some(topup.clone()),
        RefTarget::Waiting(_) | RefTarget::UnmatchedPayment(_) => None,
    })
}

/// Returns the write of a changed top-up.
fn changed(mut topup: TopUp, change: impl FnOnce(&mut TopUp)) -> PaymentWrite {
    let was = topup.version;
    change(&mut topup);
    topup.version += 1;
    PaymentWrite::TopUp { topup, was }
}
