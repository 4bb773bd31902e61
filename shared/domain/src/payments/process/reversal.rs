//! A refund or dispute: of a credited payment, of a quarantined one, or of one that is not known yet.
//!
//! **Invariant:** a refund or dispute touches the credit of its own payment and no other.

use super::{TakeReport, Verdict, clawback, leading};
use crate::context::Context;
use crate::ids::Handle;
use crate::ledger::decision::NoDecision;
use crate::payments::gateway_report::{Fact, Told};
use crate::payments::initiate::led;
use crate::payments::reversal::{ReversalReport, ReversalStep, known_as};
use crate::payments::state::State;
use crate::payments::topup::TopUp;
use crate::payments::webhook_event::{EventStatus, LeadTo, Stray, reasons};
use crate::rejection::Rejection;

/// What a report says of a refund or dispute, if that is what it is about.
pub(super) fn reported(told: &Told) -> Option<ReversalReport> {
    let (id, step, amount, currency) = match &told.fact {
        Fact::Reversed { id, phase, amount, currency } => {
            (id, ReversalStep::Whole(*phase), *amount, *currency)
        }
        Fact::Refund { of, refund, failed, amount, currency } => {
            (of, ReversalStep::Refund { refund: refund.clone(), failed: *failed }, *amount, *currency)
        }
        Fact::Captured { .. } | Fact::Failed | Fact::Nothing => return None,
    };
    Some(ReversalReport { id: id.clone(), step, amount, currency, at: told.at })
}

/// What becomes of a refund or dispute.
pub(super) fn reversed(
    command: &TakeReport,
    told: &Told,
    state: &State,
    context: &Context,
) -> Result<Verdict, NoDecision> {
    let report = reported(told).ok_or(Rejection::Inconsistent("a reversal without an id"))?;
    let handle = told.paid_by().or_else(|| told.handles().into_iter().next());
    let lead = handle.as_ref().and_then(|handle| state.leads.get(handle));
    if let (Some(handle), Some(LeadTo::Stray(stray))) = (&handle, lead.map(|lead| &lead.to)) {
        return Ok(of_stray(command, state, (handle, stray), &report));
    }
    let Some(named) = &command.topup else {
        return Ok(match (leading(command, state), handle) {
            (Some(topup), _) => Verdict::elsewhere(topup),
            // Someone is told; but should its payment turn out to be ours, it has its effect all the same.
            (None, Some(handle)) => command.wait(state, &handle, Verdict::quarantined(reasons::NOT_OURS)),
            (None, None) => Verdict::quarantined(reasons::NOT_OURS),
        });
    };
    let Some(topup) = &state.topup else {
        return Ok(command.park(state, &Handle::topup(named), reasons::NO_TOPUP));
    };
    match (is_of(topup, told), handle) {
        (true, _) => clawback::apply(topup, &report, state, context),
        (false, Some(handle)) => Ok(command.park(state, &handle, reasons::NO_CAPTURE)),
        (false, None) => Ok(Verdict::quarantined(reasons::NOT_OURS)),
    }
}

/// True if the report is about the payment that the top-up was credited for.
fn is_of(topup: &TopUp, told: &Told) -> bool {
    let Some(credited) = &topup.credited else { return false };
    if topup.gateway != told.gateway {
        return false;
    }
    match (&told.payment, &told.charge) {
        (Some(payment), _) => *payment == credited.payment,
        (None, Some(charge)) => credited.charge.as_ref() == Some(charge),
        (None, None) => true,
    }
}

/// Of a quarantined payment: when all of it has gone back, the quarantine is over; no credit is touched.
fn of_stray(
    command: &TakeReport,
    state: &State,
    (handle, stray): (&Handle, &Stray),
    report: &ReversalReport,
) -> Verdict {
    let mut verdict = Verdict { detail: Some(reasons::OF_QUARANTINED), ..Verdict::processed(vec![]) };
    if report.currency != stray.currency {
        return Verdict::quarantined(reasons::OTHER_AMOUNT);
    }
    let mut stray = stray.clone();
    let before = stray.gone();
    let id = known_as(&stray.reversed, &report.id);
    let reversal = stray.reversed.entry(id).or_default();
    if !reversal.has_room_for(report) {
        return Verdict::quarantined(reasons::TOO_MANY);
    }
    reversal.report(report);
    let gone = stray.gone();
    if gone == stray.amount
        && let Some(event) = state.quarantined.get(&stray.event)
        && event.status == EventStatus::Quarantined
        && event.id != command.id
    {
        verdict.ends.push((event.clone(), EventStatus::Ignored, reasons::PAID_BACK));
    }
    // Told again, it is still so; the report takes the place of the one that had been ended.
    let told_so = state.event.as_ref().is_some_and(|event| event.detail == Some(reasons::CAME_BACK));
    if gone < stray.amount && (before == stray.amount || told_so) {
        verdict = Verdict::quarantined(reasons::CAME_BACK);
        stray.event = command.id.clone();
    }
    verdict.writes.push(led(state.leads.get(handle), handle, LeadTo::Stray(stray)));
    verdict
}
