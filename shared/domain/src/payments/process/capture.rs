//! Captured payments: credited if they match the intent of their top-up, otherwise quarantined.
//!
//! **Invariant:** one credit for each payment and for each top-up: the payment's gateway reference,
//! the top-up and the entry's cause each allow one, in the same transaction.

use super::{ProcessReport, Verdict, resolve_ref};
use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::ids::{Gateway, GatewayId, GatewayKey};
use crate::ledger::decision::NoDecision;
use crate::ledger::entry::{After, EntryType};
use crate::ledger::lot::{CreditSource, Lot};
use crate::ledger::points::PointsMove;
use crate::ledger::posting::{Draft, Posting};
use crate::money::Money;
use crate::payments::gateway_report::{GatewayReport, PaymentFact};
use crate::payments::state::{Listing, PaymentState, PaymentWrite, begin, put_ref};
use crate::payments::topup::{Credited, TopUp};
use crate::payments::webhook_event::{EventStatus, RefTarget, UnmatchedPayment, reasons};
use crate::rejection::Rejection;
use crate::text::Metadata;
use std::collections::BTreeMap;

/// Decides the outcome of a captured payment.
pub(super) fn captured(
    command: &ProcessReport,
    report: &GatewayReport,
    state: &PaymentState,
    context: &Context,
) -> Result<Verdict, NoDecision> {
    let PaymentFact::Captured { amount, currency } = report.fact else {
        return Err(Rejection::Inconsistent("the report is not a capture").into());
    };
    let Some(payment) = &report.payment else {
        return Ok(Verdict::new(EventStatus::Failed, Some(reasons::UNREADABLE)));
    };
    let unmatched = |why| quarantine(command, report, state, amount, currency, why);
    let Some(named) = &command.topup else {
        return Ok(match resolve_ref(command, state) {
            Some(topup) => Verdict::other_topup(topup),
            None => unmatched(reasons::NOT_OURS),
        });
    };
    let Some(topup) = &state.topup else {
        return Ok(command.park(state, &GatewayKey::topup(named), reasons::NO_TOPUP));
    };
    if let Some(credited) = &topup.credited {
        let same = credited.payment == *payment && topup.gateway == report.gateway;
        return Ok(if same {
            again(command, report, topup, state)
        } else {
            unmatched(reasons::SECOND_PAYMENT)
        });
    }
    // An order that is not stored yet will be stored soon, or is not ours; until then, its payment
    // waits.
    if let (None, Some(order)) = (&topup.placed, &report.order) {
        return Ok(command.park(state, &GatewayKey::order(report.gateway, order), reasons::NO_ORDER));
    }
    match mismatch(topup, report, amount, currency, state) {
        Some(why) => Ok(unmatched(why)),
        None => credit(command, report, topup, payment, state, context),
    }
}

/// Returns why the payment does not match the intent; None if it does.
fn mismatch(
    topup: &TopUp,
    report: &GatewayReport,
    amount: Money,
    currency: Currency,
    state: &PaymentState,
) -> Option<&'static str> {
    if topup.gateway != report.gateway {
        return Some(reasons::OTHER_GATEWAY);
    }
    let placed = topup.placed.as_ref().map(|placed| &placed.order);
    // Razorpay's notes can be set in the browser: only the order proves that a payment belongs to
    // the top-up. At the other gateways only we can set the name, and a report need not repeat the
    // order.
    let needs_order = report.gateway == Gateway::Razorpay || report.order.is_some();
    if needs_order && (report.order.is_none() || report.order.as_ref() != placed) {
        return Some(reasons::OTHER_ORDER);
    }
    // A gateway fee that the customer paid on top is not credited.
    let less_fee = report.customer_fee.and_then(|fee| amount.checked_sub(fee));
    if currency != topup.currency || (amount != topup.amount && less_fee != Some(topup.amount)) {
        return Some(reasons::OTHER_AMOUNT);
    }
    let gateway_ref = report.payment_key().and_then(|key| state.refs.get(&key));
    match gateway_ref.map(|gateway_ref| &gateway_ref.to) {
        Some(RefTarget::TopUp(other)) if *other != topup.id => return Some(reasons::OTHER_TOPUP),
        Some(RefTarget::UnmatchedPayment(unmatched)) if !unmatched.gone().is_zero() => {
            return Some(reasons::REFUNDED_ALREADY);
        }
        Some(RefTarget::TopUp(_) | RefTarget::UnmatchedPayment(_) | RefTarget::Waiting(_)) | None => {}
    }
    let account = state.account.as_ref().map(|loaded| &loaded.account);
    let fits = account.is_some_and(|account| account.unit == topup.currency);
    (!fits).then_some(reasons::NO_WALLET)
}

/// Handles another report of the credited payment. A charge that was not known yet gets a gateway
/// reference.
fn again(command: &ProcessReport, report: &GatewayReport, topup: &TopUp, state: &PaymentState) -> Verdict {
    let Some(credited) = &topup.credited else { return Verdict::processed(vec![]) };
    let mut verdict = Verdict::processed(vec![credited.transaction.clone()]);
    if let (Some(charge), None) = (&report.charge, &credited.charge) {
        let to = RefTarget::TopUp(topup.id.clone());
        gateway_ref(command, &GatewayKey::of(report.gateway, charge), &to, state, &mut verdict);
        let credited = Credited { charge: Some(charge.clone()), ..credited.clone() };
        verdict.writes.push(super::changed(topup.clone(), |topup| topup.credited = Some(credited)));
    }
    verdict
}

fn credit(
    command: &ProcessReport,
    report: &GatewayReport,
    topup: &TopUp,
    payment: &GatewayId,
    state: &PaymentState,
    context: &Context,
) -> Result<Verdict, NoDecision> {
    let mut posting = begin(state, topup.id.customer(), context)?;
    let (today, balance) = (posting.today(), posting.account.balance());
    let expires_on = context.policy.default_expiry(balance, today);
    let lot = Lot {
        expires_on,
        class: CreditSource::Topup.class(),
        source: CreditSource::Topup,
        amount: topup.amount,
    };
    let class = lot.class;
    let entry = posting.post(Draft {
        cause: Cause::topup(report.gateway, payment),
        kind: EntryType::Credit,
        lots: vec![lot],
        by: context.actor.signature(),
        request: Some(context.request.clone()),
        fingerprint: None,
        reason: None,
        source: Some(CreditSource::Topup),
        order_id: None,
        hold_id: None,
        expires_on,
        metadata: note(topup, report, payment),
        after: After::default(),
        points: PointsMove::default(),
    })?;
    let transaction = entry.id();
    let was = topup.version;
    let mut topup = topup.clone();
    topup.credited = Some(Credited {
        payment: payment.clone(),
        charge: report.charge.clone(),
        method: report.method.clone(),
        expires_on,
        class,
        transaction: transaction.clone(),
        at: entry.at,
    });
    topup.note([transaction.clone()]);
    topup.next_check_at = None;
    topup.seq = entry.seq;
    topup.wallet_version = posting.next_version();
    topup.version += 1;
    let mut verdict = Verdict::processed(vec![transaction]);
    let to = RefTarget::TopUp(topup.id.clone());
    for id in [Some(payment), report.charge.as_ref()].into_iter().flatten() {
        gateway_ref(command, &GatewayKey::of(report.gateway, id), &to, state, &mut verdict);
    }
    verdict.writes.extend(settled_writes(posting)?);
    if command.record_only_failures {
        let polled = Listing::Polled { gateway: report.gateway, id: topup.id.clone(), at: entry.at };
        verdict.writes.push(PaymentWrite::List(polled));
    }
    verdict.writes.push(PaymentWrite::TopUp { topup, was });
    Ok(verdict)
}

/// Returns the writes of the posting, including what the credit made due at once.
pub(super) fn settled_writes(mut posting: Posting) -> Result<Vec<PaymentWrite>, Rejection> {
    crate::ledger::due::post_due(&mut posting, crate::ledger::posting::MAX_DUE)?;
    Ok(posting.into_writes().into_iter().map(PaymentWrite::from).collect())
}

/// Returns the entry's metadata about the payment.
fn note(topup: &TopUp, report: &GatewayReport, payment: &GatewayId) -> Metadata {
    let mut pairs = BTreeMap::from([
        ("topup_id".to_owned(), topup.id.to_string()),
        ("gateway".to_owned(), report.gateway.as_str().to_owned()),
        ("gateway_payment_id".to_owned(), payment.to_string()),
    ]);
    if let Some(method) = &report.method {
        pairs.insert("method".to_owned(), method.clone());
    }
    if let Some(fee) = report.customer_fee {
        pairs.insert("customer_fee".to_owned(), topup.currency.format(fee));
    }
    Metadata::try_new(pairs).unwrap_or_default()
}

/// Changes what a gateway reference leads to. The reports that waited there are processed next; a
/// report that was quarantined there is processed if this one is.
fn gateway_ref(
    command: &ProcessReport,
    key: &GatewayKey,
    to: &RefTarget,
    state: &PaymentState,
    verdict: &mut Verdict,
) {
    let known = state.refs.get(key);
    if known.is_some_and(|known| known.to == *to) {
        return;
    }
    if let Some(known) = known {
        verdict.follow.extend(known.waiting());
        if let RefTarget::UnmatchedPayment(unmatched) = &known.to {
            let other = state.quarantined.get(&unmatched.event).filter(|event| event.id != command.id);
            if let (Some(event), EventStatus::Processed) = (other, verdict.status) {
                let mut event = event.clone();
                event.transactions.clone_from(&verdict.transactions);
                verdict.ends.push((event, EventStatus::Processed, reasons::CREDITED_SINCE));
            }
        }
    }
    verdict.writes.push(put_ref(known, key, to.clone()));
}

/// Quarantines a payment: no wallet is credited until an operator has checked it. The payment is
/// recorded as unmatched, so that its refund ends the quarantine.
fn quarantine(
    command: &ProcessReport,
    report: &GatewayReport,
    state: &PaymentState,
    amount: Money,
    currency: Currency,
    why: &'static str,
) -> Verdict {
    let mut verdict = Verdict::quarantined(why);
    let Some(key) = report.payment_key() else { return verdict };
    match state.refs.get(&key).map(|gateway_ref| &gateway_ref.to) {
        Some(RefTarget::UnmatchedPayment(unmatched)) if unmatched.event != command.id => {
            return Verdict::ignored(reasons::SAME_AS_ANOTHER);
        }
        // Credited for another top-up, or already quarantined with this report.
        Some(RefTarget::UnmatchedPayment(_) | RefTarget::TopUp(_)) => return verdict,
        Some(RefTarget::Waiting(_)) | None => {}
    }
    let unmatched =
        UnmatchedPayment { event: command.id.clone(), amount, currency, reversed: BTreeMap::new() };
    gateway_ref(command, &key, &RefTarget::UnmatchedPayment(unmatched), state, &mut verdict);
    verdict
}
