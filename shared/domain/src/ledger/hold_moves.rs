//! The movements of a hold in any account: placing, capturing and releasing.
//!
//! **Invariant:** a hold takes its value out of the lots when it is placed. From then on only the
//! hold's own time-out counts, and a capture succeeds even if the lots' dates have passed
//! meanwhile.
//! **Invariant:** of a capture, a release and a time-out that conflict, exactly one takes the
//! remainder.

use crate::cause::Cause;
use crate::context::Context;
use crate::fingerprint::Fingerprint;
use crate::ids::{HoldId, OrderId, PaymentId};
use crate::ledger::command::{CauseKey, draft};
use crate::ledger::entry::{After, Entry, EntryType};
use crate::ledger::hold::{Hold, HoldStatus, HoldView};
use crate::ledger::lot::{Lot, split};
use crate::ledger::order::OrderView;
use crate::ledger::points::LockTerms;
use crate::ledger::posting::Posting;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::text::FreeText;

const OVERFLOW: Rejection = Rejection::Inconsistent("the sums of a hold overflow");

/// A hold to place.
#[derive(Clone, Debug)]
pub struct NewHold {
    /// What makes it happen once.
    pub key: CauseKey,
    /// The lots that it takes; they sum to `amount`.
    pub lots: Vec<Lot>,
    /// In the account's unit.
    pub amount: Money,
    /// The reason given by the caller.
    pub reason: Option<FreeText>,
    /// The order it is for.
    pub order_id: Option<OrderId>,
    /// The time until it times out, in seconds.
    pub ttl_seconds: u32,
    /// What a lock of points is for; `None` in wallets.
    pub lock: Option<Box<LockTerms>>,
}

/// Places a hold and returns its entry.
pub fn place(posting: &mut Posting, new: NewHold, context: &Context) -> Result<Entry, Rejection> {
    let NewHold { key, lots, amount, reason, order_id, ttl_seconds, lock } = new;
    let id = HoldId::mint(&posting.account.id, &key.cause);
    let too_late = Rejection::Inconsistent("a hold would time out after the year 9999");
    let view = HoldView {
        amount,
        captured: Money::ZERO,
        released: Money::ZERO,
        status: HoldStatus::Open,
        order_id: order_id.clone(),
        expires_at: posting.now.plus_seconds(ttl_seconds).ok_or(too_late)?,
        transactions: vec![posting.next_transaction(&key.cause)],
        lock,
    };
    let (side, created_at) = (context.actor.role, posting.now);
    let hold = Hold { id: id.clone(), view, side, reason, created_at, lots, paid: vec![], seq: 0 };
    let mut entry = draft(key, EntryType::Hold, hold.lots.clone(), hold.reason.as_ref(), context);
    entry.hold_id = Some(id);
    entry.order_id = order_id;
    entry.points = hold.moved();
    entry.after = After { hold: Some(hold.view.clone()), ..After::default() };
    let entry = posting.post(entry)?;
    posting.keep_hold(hold, 0);
    Ok(entry)
}

/// Returns the hold, if the caller may close it and it is open.
pub fn closable(
    posting: &Posting,
    loaded: Option<&Hold>,
    id: &HoldId,
    context: &Context,
) -> Result<Hold, Rejection> {
    let known = posting.hold(id).or(loaded).filter(|hold| hold.id == *id);
    let hold = known.cloned().ok_or(Rejection::HoldNotFound)?;
    if !hold.may_close(&context.actor) {
        return Err(Rejection::NotYourHold);
    }
    match hold.view.status {
        HoldStatus::Open => Ok(hold),
        HoldStatus::Captured | HoldStatus::Released => Err(Rejection::HoldClosed),
        HoldStatus::Expired => Err(Rejection::HoldExpired),
    }
}

/// A capture of all or part of an open hold.
#[derive(Clone, Debug)]
pub struct Capture {
    /// What makes it happen once.
    pub key: CauseKey,
    /// The hold before the capture.
    pub hold: Hold,
    /// At most what remains.
    pub amount: Money,
    /// True if the rest is released.
    pub is_final: bool,
    /// The order that it pays, after the payment.
    pub order: Option<OrderView>,
    /// The payment of the rest, if it is of points.
    pub payment_id: Option<PaymentId>,
}

/// Returns the lots that a capture of this amount spends.
pub fn captured_lots(hold: &Hold, amount: Money) -> Vec<Lot> {
    split(&hold.lots, amount).0
}

/// Captures a hold and returns the CAPTURE entry.
pub fn capture(posting: &mut Posting, capture: Capture, context: &Context) -> Result<Entry, Rejection> {
    let Capture { key, mut hold, amount, is_final, order, payment_id } = capture;
    if amount > hold.view.remaining() {
        return Err(Rejection::CaptureExceedsHold);
    }
    let was = hold.seq;
    let captured = captured_lots(&hold, amount);
    hold.capture(amount).ok_or(OVERFLOW)?;
    hold.view.note(posting.next_transaction(&key.cause));
    let rest = if is_final { hold.lots.clone() } else { vec![] };
    let release = Cause::counterpart("capture-rest", hold.id.as_str(), &key.cause);
    if !rest.is_empty() {
        hold.release(HoldStatus::Captured).ok_or(OVERFLOW)?;
        hold.view.note(posting.transaction_after_next(&release));
    }
    let kind = if hold.view.lock.is_some() { EntryType::Burn } else { EntryType::Capture };
    let mut entry = draft(key, kind, captured, hold.reason.as_ref(), context);
    entry.hold_id = Some(hold.id.clone());
    entry.order_id = hold.view.order_id.clone();
    entry.points = hold.moved();
    entry.points.payment_id = payment_id;
    entry.after = After { hold: Some(hold.view.clone()), order, ..After::default() };
    let entry = posting.post(entry)?;
    if !rest.is_empty() {
        let key = CauseKey::new(release, Fingerprint::stored(""));
        let mut back = draft(key, EntryType::Release, rest, hold.reason.as_ref(), context);
        back.fingerprint = None;
        back.points = hold.moved();
        back.hold_id = Some(hold.id.clone());
        back.order_id = hold.view.order_id.clone();
        back.after = After { hold: Some(hold.view.clone()), ..After::default() };
        posting.post(back)?;
    }
    posting.keep_hold(hold, was);
    Ok(entry)
}

/// Releases an open hold: all that remains returns to its lots.
pub fn release(
    posting: &mut Posting,
    key: CauseKey,
    mut hold: Hold,
    context: &Context,
) -> Result<Entry, Rejection> {
    let was = hold.seq;
    let lots = hold.lots.clone();
    hold.release(HoldStatus::Released).ok_or(OVERFLOW)?;
    hold.view.note(posting.next_transaction(&key.cause));
    let mut entry = draft(key, EntryType::Release, lots, hold.reason.as_ref(), context);
    entry.hold_id = Some(hold.id.clone());
    entry.order_id = hold.view.order_id.clone();
    entry.points = hold.moved();
    entry.after = After { hold: Some(hold.view.clone()), ..After::default() };
    let entry = posting.post(entry)?;
    posting.keep_hold(hold, was);
    Ok(entry)
}
