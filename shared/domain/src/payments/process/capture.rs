//! A captured payment: credited if it is the one that its intent asked for, quarantined if not.
//!
//! **Invariant:** one credit for each payment and for each top-up: the payment's lead, the top-up and the entry's
//! cause each allow one, in the same transaction.

use super::{TakeReport, Verdict, leading};
use crate::cause::Cause;
use crate::context::Context;
use crate::currency::Currency;
use crate::ids::{Gateway, GatewayId, Handle};
use crate::ledger::decision::NoDecision;
use crate::ledger::entry::{After, EntryType};
use crate::ledger::lot::{Lot, Source};
use crate::ledger::posting::{Draft, Posting};
use crate::money::Money;
use crate::payments::gateway_report::{Fact, Told};
use crate::payments::initiate::{led, waiting};
use crate::payments::state::{State, Write, begin};
use crate::payments::topup::{Credited, TopUp};
use crate::payments::webhook_event::{EventStatus, LeadTo, Stray, reasons};
use crate::rejection::Rejection;
use crate::text::Metadata;
use std::collections::BTreeMap;

/// What becomes of a captured payment.
pub(super) fn captured(
    command: &TakeReport,
    told: &Told,
    state: &State,
    context: &Context,
) -> Result<Verdict, NoDecision> {
    let Fact::Captured { amount, currency } = told.fact else {
        return Err(Rejection::Inconsistent("a capture without an amount").into());
    };
    let Some(payment) = &told.payment else {
        return Ok(Verdict::new(EventStatus::Failed, Some(reasons::UNREADABLE)));
    };
    let stray = |why| quarantine(command, told, state, (amount, currency), why);
    let Some(named) = &command.topup else {
        return Ok(match leading(command, state) {
            Some(topup) => Verdict::elsewhere(topup),
            None => stray(reasons::NOT_OURS),
        });
    };
    let Some(topup) = &state.topup else {
        return Ok(command.park(state, &Handle::topup(named), reasons::NO_TOPUP));
    };
    if let Some(credited) = &topup.credited {
        let same = credited.payment == *payment && topup.gateway == told.gateway;
        return Ok(if same { again(command, told, topup, state) } else { stray(reasons::SECOND_PAYMENT) });
    }
    // An order that is not stored yet is about to be, or was never ours: until then, its payment waits.
    if let (None, Some(order)) = (&topup.placed, &told.order) {
        return Ok(command.park(state, &Handle::order(told.gateway, order), reasons::NO_ORDER));
    }
    match mismatch(topup, told, (amount, currency), state) {
        Some(why) => Ok(stray(why)),
        None => credit(command, told, (topup, payment), state, context),
    }
}

/// Why the payment is not the one that the intent asked for.
fn mismatch(
    topup: &TopUp,
    told: &Told,
    (amount, currency): (Money, Currency),
    state: &State,
) -> Option<&'static str> {
    if topup.gateway != told.gateway {
        return Some(reasons::OTHER_GATEWAY);
    }
    let placed = topup.placed.as_ref().map(|placed| &placed.order);
    // Razorpay's notes are the browser's to set: only the order tells that a payment is the top-up's. Elsewhere the
    // name is ours alone to set, and a report need not repeat the order.
    let needs_order = told.gateway == Gateway::Razorpay || told.order.is_some();
    if needs_order && (told.order.is_none() || told.order.as_ref() != placed) {
        return Some(reasons::OTHER_ORDER);
    }
    // What the customer has paid on top for the gateway's fee is not ours to credit.
    let less_fee = told.customer_fee.and_then(|fee| amount.checked_sub(fee));
    if currency != topup.currency || (amount != topup.amount && less_fee != Some(topup.amount)) {
        return Some(reasons::OTHER_AMOUNT);
    }
    let lead = told.paid_by().and_then(|handle| state.leads.get(&handle));
    match lead.map(|lead| &lead.to) {
        Some(LeadTo::TopUp(other)) if *other != topup.id => return Some(reasons::OTHER_TOPUP),
        Some(LeadTo::Stray(stray)) if !stray.gone().is_zero() => return Some(reasons::REFUNDED_ALREADY),
        Some(LeadTo::TopUp(_) | LeadTo::Stray(_) | LeadTo::Waiting(_)) | None => {}
    }
    let account = state.account.as_ref().map(|loaded| &loaded.account);
    let fits = account.is_some_and(|account| account.unit == topup.currency);
    (!fits).then_some(reasons::NO_WALLET)
}

/// The payment that was credited, told again; a charge that was not known yet leads to it from now on.
fn again(command: &TakeReport, told: &Told, topup: &TopUp, state: &State) -> Verdict {
    let Some(credited) = &topup.credited else { return Verdict::processed(vec![]) };
    let mut verdict = Verdict::processed(vec![credited.transaction.clone()]);
    if let (Some(charge), None) = (&told.charge, &credited.charge) {
        let to = LeadTo::TopUp(topup.id.clone());
        lead(command, &Handle::of(told.gateway, charge), &to, state, &mut verdict);
        let credited = Credited { charge: Some(charge.clone()), ..credited.clone() };
        verdict.writes.push(super::changed(topup.clone(), |topup| topup.credited = Some(credited)));
    }
    verdict
}

fn credit(
    command: &TakeReport,
    told: &Told,
    (topup, payment): (&TopUp, &GatewayId),
    state: &State,
    context: &Context,
) -> Result<Verdict, NoDecision> {
    let mut posting = begin(state, topup.id.customer(), context)?;
    let (today, balance) = (posting.today(), posting.account.balance());
    let expires_on = context.policy.default_expiry(balance, today);
    let lot = Lot { expires_on, class: Source::Topup.class(), source: Source::Topup, amount: topup.amount };
    let class = lot.class;
    let entry = posting.post(Draft {
        cause: Cause::topup(told.gateway, payment),
        kind: EntryType::Credit,
        lots: vec![lot],
        by: context.actor.signature(),
        request: Some(context.request.clone()),
        fingerprint: None,
        reason: None,
        source: Some(Source::Topup),
        order_id: None,
        hold_id: None,
        expires_on,
        metadata: note(topup, told, payment),
        after: After::default(),
    })?;
    let transaction = entry.id();
    let was = topup.version;
    let mut topup = topup.clone();
    topup.credited = Some(Credited {
        payment: payment.clone(),
        charge: told.charge.clone(),
        method: told.method.clone(),
        expires_on,
        class,
        transaction: transaction.clone(),
        at: entry.at,
    });
    topup.note([transaction.clone()]);
    topup.visit = None;
    topup.seq = entry.seq;
    topup.wallet_version = posting.next_version();
    topup.version += 1;
    let mut verdict = Verdict::processed(vec![transaction]);
    let to = LeadTo::TopUp(topup.id.clone());
    for id in [Some(payment), told.charge.as_ref()].into_iter().flatten() {
        lead(command, &Handle::of(told.gateway, id), &to, state, &mut verdict);
    }
    verdict.writes.extend(written(posting)?);
    verdict.writes.push(Write::TopUp { topup, was });
    Ok(verdict)
}

/// What the posting leaves, what the credit made due at once included.
pub(super) fn written(mut posting: Posting) -> Result<Vec<Write>, Rejection> {
    crate::ledger::due::post_due(&mut posting, crate::ledger::posting::MAX_DUE)?;
    Ok(posting.into_writes().into_iter().map(Write::from).collect())
}

/// What the movement says about the payment.
fn note(topup: &TopUp, told: &Told, payment: &GatewayId) -> Metadata {
    let mut pairs = BTreeMap::from([
        ("topup_id".to_owned(), topup.id.to_string()),
        ("gateway".to_owned(), told.gateway.as_str().to_owned()),
        ("gateway_payment_id".to_owned(), payment.to_string()),
    ]);
    if let Some(method) = &told.method {
        pairs.insert("method".to_owned(), method.clone());
    }
    if let Some(fee) = told.customer_fee {
        pairs.insert("customer_fee".to_owned(), topup.currency.format(fee));
    }
    Metadata::try_new(pairs).unwrap_or_default()
}

/// A handle leads elsewhere from now on: what waited there follows; what was quarantined there has been answered.
fn lead(command: &TakeReport, handle: &Handle, to: &LeadTo, state: &State, verdict: &mut Verdict) {
    let known = state.leads.get(handle);
    if known.is_some_and(|known| known.to == *to) {
        return;
    }
    if let Some(known) = known {
        verdict.follow.extend(waiting(known));
        if let LeadTo::Stray(stray) = &known.to {
            let other = state.quarantined.get(&stray.event).filter(|event| event.id != command.id);
            if let (Some(event), EventStatus::Processed) = (other, verdict.status) {
                let mut event = event.clone();
                event.transactions.clone_from(&verdict.transactions);
                verdict.ends.push((event, EventStatus::Processed, reasons::CREDITED_SINCE));
            }
        }
    }
    verdict.writes.push(led(known, handle, to.clone()));
}

/// Money that is nobody's credit until someone has looked; its payment is remembered, so that its refund ends it.
fn quarantine(
    command: &TakeReport,
    told: &Told,
    state: &State,
    (amount, currency): (Money, Currency),
    why: &'static str,
) -> Verdict {
    let mut verdict = Verdict::quarantined(why);
    let Some(handle) = told.paid_by() else { return verdict };
    match state.leads.get(&handle).map(|lead| &lead.to) {
        Some(LeadTo::Stray(stray)) if stray.event != command.id => {
            return Verdict::ignored(reasons::SAME_AS_ANOTHER);
        }
        // Credited for another top-up, or quarantined as this report already.
        Some(LeadTo::Stray(_) | LeadTo::TopUp(_)) => return verdict,
        Some(LeadTo::Waiting(_)) | None => {}
    }
    let stray = Stray { event: command.id.clone(), amount, currency, reversed: BTreeMap::new() };
    lead(command, &handle, &LeadTo::Stray(stray), state, &mut verdict);
    verdict
}
