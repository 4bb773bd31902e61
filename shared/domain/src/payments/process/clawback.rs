//! Takes from a wallet what a gateway has taken back, and returns it if the reversal is undone.
//!
//! **Invariant:** the effective amount of a refund or dispute is allotted to it in full: taken from
//! lots (the credit's own lot first), owed, or expired before it could be taken. The sum over all
//! reversals of a payment is at most its credit.
//! **Invariant:** an amount that is no longer allotted first cancels what is owed, then returns to
//! the lots that it was taken from, last taken first.

use super::capture::settled_writes;
use super::{Verdict, reasons};
use crate::cause::Cause;
use crate::context::Context;
use crate::ids::{PaymentRef, ReversalId};
use crate::ledger::decision::NoDecision;
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::{CreditSource, Lot, split};
use crate::ledger::owed::{Forgiven, OwedChange, Reversed};
use crate::ledger::posting::{Draft, Posting};
use crate::ledger::reversals::taken_for;
use crate::money::Money;
use crate::payments::reversal::{ReversalReport, canonical_id};
use crate::payments::state::{PaymentState, PaymentWrite, begin};
use crate::payments::topup::{AllotmentChange, Credited, MAX_REVERSALS, TopUp};
use crate::rejection::Rejection;
use std::cmp::Ordering;

const OVERFLOW: Rejection = Rejection::Inconsistent("the sums of a reversal overflow");

/// Maximum number of refunds and disputes that change in one transaction.
const MAX_SHIFTS: usize = 10;

/// Applies a report to the credit that it is about.
pub(super) fn apply(
    topup: &TopUp,
    reported: &ReversalReport,
    state: &PaymentState,
    context: &Context,
) -> Result<Verdict, NoDecision> {
    let id = canonical_id(&topup.reversals, &reported.id);
    if reported.currency != topup.currency {
        return Ok(Verdict::quarantined(reasons::OTHER_AMOUNT));
    }
    let room = match topup.reversals.get(&id) {
        Some(known) => known.has_room_for(reported),
        None => topup.reversals.len() < MAX_REVERSALS,
    };
    if !room {
        return Ok(Verdict::quarantined(reasons::TOO_MANY));
    }
    let posting = begin(state, topup.id.customer(), context)?;
    // What is due is written first, so that this transaction has room for the changes of all reversals.
    if !posting.entries.is_empty() {
        return Err(NoDecision::SettleFirst(posting.into_writes()));
    }
    let was = topup.version;
    let mut topup = topup.clone();
    topup.reversals.entry(id).or_default().report(reported);
    let credited = topup.credited.clone().ok_or(Rejection::Inconsistent("a reversal without a credit"))?;
    let mut reversal_posting = ReversalPosting { posting, topup, credited, state, context };
    let shifts = reversal_posting.topup.allot(MAX_SHIFTS);
    let more = shifts.len() == MAX_SHIFTS;
    for shift in shifts {
        let done = match shift.to.cmp(&shift.from) {
            Ordering::Less => reversal_posting.restore(&shift),
            Ordering::Equal | Ordering::Greater => reversal_posting.take(&shift),
        };
        match done {
            Ok(()) => {}
            Err(NotPosted::TooMany) => return Ok(Verdict::quarantined(reasons::TOO_MANY)),
            Err(NotPosted::Rejected(rejection)) => return Err(rejection.into()),
        }
    }
    let ReversalPosting { posting, mut topup, .. } = reversal_posting;
    let payment = PaymentRef::topup(&topup.id);
    let mine = posting
        .entries
        .iter()
        .filter(|entry| entry.after.reversal.as_ref().is_some_and(|reversed| reversed.payment == payment));
    let mut verdict = Verdict::processed(mine.map(Entry::id).collect());
    let moved = !posting.is_untouched() || posting.has_owed();
    if moved {
        topup.seq = posting.account.seq;
        topup.wallet_version = posting.next_version();
    }
    topup.note(verdict.transactions.iter().cloned());
    topup.version += 1;
    if moved {
        verdict.writes.extend(settled_writes(posting)?);
    }
    verdict.writes.push(PaymentWrite::TopUp { topup, was });
    // The rest is decided again from the same report, once this is written.
    Ok(if more { Verdict::commit_first(verdict.writes) } else { verdict })
}

/// Why a report cannot be applied now.
enum NotPosted {
    /// The wallet has too many open debts.
    TooMany,
    /// The state is inconsistent.
    Rejected(Rejection),
}

impl From<Rejection> for NotPosted {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Changes of what is owed.
#[derive(Clone, Copy, Default)]
struct OwedDelta {
    raised: Money,
    cancelled: Money,
    forgiven: Option<Forgiven>,
    restored: Option<Forgiven>,
}

struct ReversalPosting<'a> {
    posting: Posting,
    topup: TopUp,
    credited: Credited,
    state: &'a PaymentState,
    context: &'a Context,
}

impl ReversalPosting<'_> {
    fn reversed(&self, id: &ReversalId) -> Reversed {
        Reversed { id: id.clone(), payment: PaymentRef::topup(&self.topup.id) }
    }

    /// Takes more for a reversal: from the credit's own lot, then from others. What is missing is
    /// owed, except for what had expired.
    fn take(&mut self, shift: &AllotmentChange) -> Result<(), NotPosted> {
        let wanted = shift.to.saturating_sub(shift.from);
        // Lots that have expired since cannot be taken; their expiry is posted next.
        let today = self.posting.today();
        let own = (self.credited.expires_on, self.credited.class);
        let order = self.posting.account.lots.alive_own_first(today, own);
        let (taken, missing) = split(&order, wanted);
        if !taken.is_empty() {
            self.post(&shift.id, EntryType::Clawback, taken)?;
        }
        if missing.is_zero() {
            return Ok(());
        }
        let forgiven = self.forgivable()?.min(missing);
        let owed = missing.saturating_sub(forgiven);
        if !owed.is_zero() && !self.posting.account.owed.has_room_for(&self.reversed(&shift.id)) {
            return Err(NotPosted::TooMany);
        }
        if let Some(reversal) = self.topup.reversals.get_mut(&shift.id) {
            reversal.forgiven = reversal.forgiven.checked_add(forgiven).ok_or(OVERFLOW)?;
        }
        let (class, date) = (self.credited.class, self.credited.expires_on);
        let forgiven =
            date.filter(|_| !forgiven.is_zero()).map(|date| Forgiven { date, class, amount: forgiven });
        self.owe(&shift.id, OwedDelta { raised: owed, forgiven, ..OwedDelta::default() })
    }

    /// Returns how much credit of this date and class has expired and has not been forgiven yet.
    fn forgivable(&self) -> Result<Money, Rejection> {
        let Some(date) = self.credited.expires_on else { return Ok(Money::ZERO) };
        let class = self.credited.class;
        let expired = self.state.expired.iter().map(|entry| entry.amount);
        let expired = Money::checked_sum(expired).ok_or(OVERFLOW)?;
        Ok(expired.saturating_sub(self.posting.account.owed.forgiven_of(date, class)))
    }

    /// Restores credit: cancels what is owed first, then returns to their lots the amounts that were taken.
    fn restore(&mut self, shift: &AllotmentChange) -> Result<(), NotPosted> {
        let lowered = shift.from.saturating_sub(shift.to);
        let cancelled = self.posting.account.owed.of(&self.reversed(&shift.id)).min(lowered);
        if !cancelled.is_zero() {
            self.owe(&shift.id, OwedDelta { cancelled, ..OwedDelta::default() })?;
        }
        // Includes the entries of this posting: what an earlier step of it returned may have been
        // collected for this reversal.
        let taken =
            taken_for(self.state.moved.iter().chain(&self.posting.entries), &self.reversed(&shift.id));
        let (back, missing) = split(&taken, lowered.saturating_sub(cancelled));
        // What is still missing had expired: no lot is restored for it.
        if let Some(reversal) = self.topup.reversals.get_mut(&shift.id) {
            reversal.forgiven = reversal
                .forgiven
                .checked_sub(missing)
                .ok_or(Rejection::Inconsistent("a reversal would return more than was taken"))?;
        }
        let (class, date) = (self.credited.class, self.credited.expires_on);
        if let Some(date) = date.filter(|_| !missing.is_zero()) {
            let restored = Some(Forgiven { date, class, amount: missing });
            self.owe(&shift.id, OwedDelta { restored, ..OwedDelta::default() })?;
        }
        if back.is_empty() {
            return Ok(());
        }
        let today = self.posting.today();
        let graced = self.context.policy.refund_expiry(today);
        let lots = back.into_iter().map(|lot| lot.returned(today, graced)).collect();
        self.post(&shift.id, EntryType::Adjustment, lots)
    }

    fn post(&mut self, id: &ReversalId, kind: EntryType, lots: Vec<Lot>) -> Result<(), NotPosted> {
        let reversed = self.reversed(id);
        let reversal = self.topup.reversals.get_mut(id).ok_or(OVERFLOW)?;
        reversal.steps += 1;
        let mut draft = Draft::without_request(Cause::reversal(&reversed, reversal.steps), kind, lots);
        draft.by = self.context.actor.signature();
        draft.request = Some(self.context.request.clone());
        draft.source = Some(CreditSource::Topup);
        draft.after.reversal = Some(reversed);
        self.posting.post(draft)?;
        Ok(())
    }

    fn owe(&mut self, id: &ReversalId, owing: OwedDelta) -> Result<(), NotPosted> {
        let OwedDelta { raised, cancelled, forgiven, restored } = owing;
        let debt = Reversed { id: id.clone(), payment: PaymentRef::topup(&self.topup.id) };
        let unchanged = OwedChange::of(debt, self.posting.now);
        let change = OwedChange { raised, cancelled, forgiven, restored, ..unchanged };
        Ok(self.posting.owe(change)?)
    }
}
