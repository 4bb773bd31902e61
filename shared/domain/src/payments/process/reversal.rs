//! Refunds and disputes, of a credited payment, an unmatched payment, or a payment not known yet.
//!
//! **Invariant:** a refund or dispute is allotted to the credit of its own payment and no other.

use super::{ProcessReport, Verdict, clawback, resolve_ref};
use crate::context::Context;
use crate::ids::GatewayKey;
use crate::ledger::decision::NoDecision;
use crate::payments::gateway_report::{GatewayReport, PaymentFact};
use crate::payments::reversal::{ReversalReport, ReversalStep, canonical_id};
use crate::payments::state::{PaymentState, put_ref};
use crate::payments::topup::TopUp;
use crate::payments::webhook_event::{EventStatus, RefTarget, UnmatchedPayment, reasons};
use crate::rejection::Rejection;

/// Returns what a report says about a refund or dispute; None if it is about neither.
pub(super) fn reversal_of(report: &GatewayReport) -> Option<ReversalReport> {
    let (id, step, amount, currency) = match &report.fact {
        PaymentFact::Reversed { id, phase, amount, currency } => {
            (id, ReversalStep::Total(*phase), *amount, *currency)
        }
        PaymentFact::Refund { of, refund, failed, amount, currency } => {
            (of, ReversalStep::Refund { refund: refund.clone(), failed: *failed }, *amount, *currency)
        }
        PaymentFact::Captured { .. } | PaymentFact::Failed | PaymentFact::Nothing => return None,
    };
    Some(ReversalReport { id: id.clone(), step, amount, currency, at: report.at })
}

/// Decides the outcome of a refund or dispute.
pub(super) fn reversed(
    command: &ProcessReport,
    report: &GatewayReport,
    state: &PaymentState,
    context: &Context,
) -> Result<Verdict, NoDecision> {
    let reported = reversal_of(report).ok_or(Rejection::Inconsistent("the report is not a reversal"))?;
    let key = report.payment_key().or_else(|| report.keys().into_iter().next());
    let gateway_ref = key.as_ref().and_then(|key| state.refs.get(key));
    if let (Some(key), Some(RefTarget::UnmatchedPayment(unmatched))) =
        (&key, gateway_ref.map(|gateway_ref| &gateway_ref.to))
    {
        return Ok(of_unmatched(command, state, key, unmatched, &reported));
    }
    let Some(named) = &command.topup else {
        return Ok(match (resolve_ref(command, state), key) {
            (Some(topup), _) => Verdict::other_topup(topup),
            // An alert is raised; but if its payment turns out to be ours, it still takes effect.
            (None, Some(key)) => command.wait(state, &key, Verdict::quarantined(reasons::NOT_OURS)),
            (None, None) => Verdict::quarantined(reasons::NOT_OURS),
        });
    };
    let Some(topup) = &state.topup else {
        return Ok(command.park(state, &GatewayKey::topup(named), reasons::NO_TOPUP));
    };
    match (is_of(topup, report), key) {
        (true, _) => clawback::apply(topup, &reported, state, context),
        (false, Some(key)) => Ok(command.park(state, &key, reasons::NO_CAPTURE)),
        (false, None) => Ok(Verdict::quarantined(reasons::NOT_OURS)),
    }
}

/// Returns true if the report is about the payment that the top-up was credited for.
fn is_of(topup: &TopUp, report: &GatewayReport) -> bool {
    let Some(credited) = &topup.credited else { return false };
    if topup.gateway != report.gateway {
        return false;
    }
    match (&report.payment, &report.charge) {
        (Some(payment), _) => *payment == credited.payment,
        (None, Some(charge)) => credited.charge.as_ref() == Some(charge),
        (None, None) => true,
    }
}

/// Handles a reversal of an unmatched payment. When all of it has been returned, the quarantine
/// ends; no credit is changed.
fn of_unmatched(
    command: &ProcessReport,
    state: &PaymentState,
    key: &GatewayKey,
    unmatched: &UnmatchedPayment,
    reported: &ReversalReport,
) -> Verdict {
    let mut verdict = Verdict { detail: Some(reasons::OF_QUARANTINED), ..Verdict::processed(vec![]) };
    if reported.currency != unmatched.currency {
        return Verdict::quarantined(reasons::OTHER_AMOUNT);
    }
    let mut unmatched = unmatched.clone();
    let before = unmatched.gone();
    let id = canonical_id(&unmatched.reversed, &reported.id);
    let reversal = unmatched.reversed.entry(id).or_default();
    if !reversal.has_room_for(reported) {
        return Verdict::quarantined(reasons::TOO_MANY);
    }
    reversal.report(reported);
    let gone = unmatched.gone();
    if gone == unmatched.amount
        && let Some(event) = state.quarantined.get(&unmatched.event)
        && event.status == EventStatus::Quarantined
        && event.id != command.id
    {
        verdict.ends.push((event.clone(), EventStatus::Ignored, reasons::PAID_BACK));
    }
    // A replay is quarantined again. The report takes the place of the quarantined report that had
    // been resolved.
    let came_back_before = state.event.as_ref().is_some_and(|event| event.detail == Some(reasons::CAME_BACK));
    if gone < unmatched.amount && (before == unmatched.amount || came_back_before) {
        verdict = Verdict::quarantined(reasons::CAME_BACK);
        unmatched.event = command.id.clone();
    }
    verdict.writes.push(put_ref(state.refs.get(key), key, RefTarget::UnmatchedPayment(unmatched)));
    verdict
}
