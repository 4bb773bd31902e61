//! What falls due by time: lots whose date has passed, pending points whose date has come, and holds that have timed
//! out.
//!
//! **Invariant:** whether credit counts is decided by the clock at the time of reading or writing,
//! never by whether a job has run; the job only records, once, what is already true.
//! **Invariant:** due entries are posted in due order and dated at the instant they fell due, so
//! the history is the same whichever process writes it, and whenever.

use crate::cause::Cause;
use crate::ids::HoldId;
use crate::ledger::entry::{After, EntryType};
use crate::ledger::hold::HoldStatus;
use crate::ledger::lot::Lot;
use crate::ledger::points::PendingLot;
use crate::ledger::posting::{Draft, LoadedAccount, Posting};
use crate::money::Money;
use crate::rejection::Rejection;
use crate::time::Timestamp;

impl LoadedAccount {
    /// Returns the state at `now`, in which everything that has fallen due is posted.
    pub fn settled(&self, now: Timestamp) -> Result<Posting, Rejection> {
        Posting::open(self, now, usize::MAX)
    }
}

impl Posting {
    /// Starts from a loaded account and posts what has fallen due, up to `limit` entries.
    pub fn open(loaded: &LoadedAccount, now: Timestamp, limit: usize) -> Result<Self, Rejection> {
        let mut posting = Self::from_loaded(loaded, now, limit);
        // Credit from an earlier entry pays debts as of that entry, if they were too many for its
        // transaction.
        posting.collect(posting.account.updated_at)?;
        post_due(&mut posting, limit)?;
        Ok(posting)
    }
}

enum Due {
    Lot(Lot),
    Pending(PendingLot),
    Hold(HoldId),
}

/// Posts what is due at the posting's instant, earliest first, up to `limit` entries.
pub fn post_due(posting: &mut Posting, limit: usize) -> Result<(), Rejection> {
    for _ in 0..limit {
        // Credit that pays debts must not expire before it has: another transaction pays those that are left.
        if posting.has_paid_most() {
            break;
        }
        match next(posting) {
            Some((at, Due::Lot(lot))) => expire(posting, lot, at)?,
            Some((at, Due::Pending(pending))) => activate(posting, pending, at)?,
            Some((at, Due::Hold(id))) => time_out(posting, &id, at)?,
            None => break,
        }
    }
    Ok(())
}

/// Returns what is due first; at the same instant, a lot before pending points, and those before a hold.
fn next(posting: &Posting) -> Option<(Timestamp, Due)> {
    let account = &posting.account;
    let lot = account
        .lots
        .first()
        .and_then(|lot| Some((Timestamp::end_of(lot.expires_on?), 0, Due::Lot(lot.clone()))));
    let pending = account.points.as_ref().and_then(|points| points.pending.first());
    let pending =
        pending.map(|first| (Timestamp::start_of(first.available_on), 1, Due::Pending(first.clone())));
    let hold = account.holds.iter().map(|(id, hold)| (hold.due, id)).min();
    let hold = hold.map(|(due, id)| (due, 2, Due::Hold(id.clone())));
    let first = lot.into_iter().chain(pending).chain(hold).min_by_key(|(at, order, _)| (*at, *order));
    first.filter(|(at, _, _)| *at <= posting.now).map(|(at, _, due)| (at, due))
}

fn activate(posting: &mut Posting, pending: PendingLot, at: Timestamp) -> Result<(), Rejection> {
    let cause = Cause::activation(pending.available_on, posting.next_seq());
    let lot = pending.lot.clone();
    let mut draft = Draft::without_request(cause, EntryType::Activation, vec![lot]);
    draft.expires_on = pending.lot.expires_on;
    draft.points.available_on = Some(pending.available_on);
    draft.points.pending = vec![pending];
    posting.post_at(draft, at).map(|_| ())
}

fn expire(posting: &mut Posting, lot: Lot, at: Timestamp) -> Result<(), Rejection> {
    let date = lot.expires_on.ok_or(Rejection::Inconsistent("a lot without a date is due"))?;
    let cause = Cause::expiry(date, lot.class, posting.next_seq());
    let source = lot.source;
    let mut draft = Draft::without_request(cause, EntryType::Expiry, vec![lot]);
    draft.source = Some(source);
    draft.expires_on = Some(date);
    posting.post_at(draft, at).map(|_| ())
}

fn time_out(posting: &mut Posting, id: &HoldId, at: Timestamp) -> Result<(), Rejection> {
    const MISSING: Rejection = Rejection::Inconsistent("a hold that is due is not stored");
    let (mut hold, was) = posting.take_hold(id).ok_or(MISSING)?;
    let open = posting.account.holds.get(id).map(|open| open.amount);
    let lots = Money::checked_sum(hold.lots.iter().map(|lot| lot.amount));
    if hold.view.status != HoldStatus::Open || lots != open {
        // It was read at another moment than the account, or is damaged.
        return Err(Rejection::Inconsistent("a hold that is due does not match its account"));
    }
    let cause = Cause::hold_timeout(id);
    let lots = hold.lots.clone();
    hold.release(HoldStatus::Expired).ok_or(MISSING)?;
    let transaction = posting.next_transaction(&cause);
    hold.view.note(transaction);
    let mut draft = Draft::without_request(cause, EntryType::Release, lots);
    draft.hold_id = Some(id.clone());
    draft.order_id = hold.view.order_id.clone();
    draft.points = hold.moved();
    draft.after = After { hold: Some(hold.view.clone()), ..After::default() };
    posting.post_at(draft, at)?;
    posting.keep_hold(hold, was);
    Ok(())
}
