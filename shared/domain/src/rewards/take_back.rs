//! Takes credit that was given away back from a wallet, and gives it back.
//!
//! **Invariant:** what is taken, what had expired and what is owed from then on sum to the credit.

use crate::actor::PerformedBy;
use crate::cause::Cause;
use crate::context::Context;
use crate::ids::{OrderId, RequestId};
use crate::ledger::entry::{Entry, EntryType};
use crate::ledger::lot::{Lot, split};
use crate::ledger::owed::{Forgiven, OwedChange, Reversed};
use crate::ledger::posting::{Draft, Posting};
use crate::ledger::reversals::taken_for;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::text::FreeText;

const OVERFLOW: Rejection = Rejection::Inconsistent("the sums of a reversal overflow");

/// Why a credit is taken back, and by whom.
pub(super) struct Why<'a> {
    /// Who has caused it.
    pub(super) by: PerformedBy,
    /// The invocation; `None` if it only follows from another one.
    pub(super) request: Option<&'a RequestId>,
    /// The reason given by the caller.
    pub(super) reason: Option<&'a FreeText>,
}

/// A credit of which something is taken back.
pub(super) struct Taking<'a> {
    /// The lot that it gave.
    pub(super) own: Lot,
    /// The order that it belongs to.
    pub(super) order: Option<OrderId>,
    /// What it is taken back for.
    pub(super) reversed: Reversed,
    /// The number of the last movement of that reversal.
    pub(super) number: u32,
    /// What has expired with the date of the lot.
    pub(super) expired: &'a [Entry],
}

impl<'a> Taking<'a> {
    /// Returns the taking back of a credit of which nothing was taken before.
    pub(super) fn of(credit: &Entry, expired: &'a [Entry], reversed: &Reversed) -> Result<Self, Rejection> {
        let own = credit.lots.first().cloned().ok_or(Rejection::Inconsistent("a credit without a lot"))?;
        let (order, reversed) = (credit.order_id.clone(), reversed.clone());
        Ok(Self { own, order, reversed, number: 0, expired })
    }

    fn post(
        &mut self,
        posting: &mut Posting,
        (kind, lots): (EntryType, Vec<Lot>),
        Why { by, request, reason }: &Why<'_>,
    ) -> Result<(), Rejection> {
        self.number += 1;
        let mut draft = Draft::without_request(Cause::reversal(&self.reversed, self.number), kind, lots);
        draft.by = by.clone();
        draft.request = request.cloned();
        (draft.source, draft.order_id) = (Some(self.own.source), self.order.clone());
        draft.reason = reason.cloned();
        draft.after.reversal = Some(self.reversed.clone());
        posting.post(draft).map(|_| ())
    }
}

/// Takes this much of a credit back: from its own lot, then from others; what had expired is not owed, the rest is.
pub(super) fn take_back(
    posting: &mut Posting,
    taking: &mut Taking<'_>,
    amount: Money,
    why: &Why<'_>,
) -> Result<(), Rejection> {
    let today = posting.today();
    let own = (taking.own.expires_on, taking.own.class);
    let order = posting.account.lots.alive_own_first(today, own);
    let (taken, missing) = split(&order, amount);
    if !taken.is_empty() {
        taking.post(posting, (EntryType::Clawback, taken), why)?;
    }
    if missing.is_zero() {
        return Ok(());
    }
    let forgiven = match taking.own.expires_on {
        Some(date) => {
            let all = taking.expired.iter().map(|entry| entry.amount);
            let all = Money::checked_sum(all).ok_or(OVERFLOW)?;
            let class = taking.own.class;
            let amount = all.saturating_sub(posting.account.owed.forgiven_of(date, class)).min(missing);
            Some(Forgiven { date, class, amount }).filter(|forgiven| !forgiven.amount.is_zero())
        }
        None => None,
    };
    let raised = missing.saturating_sub(forgiven.map_or(Money::ZERO, |forgiven| forgiven.amount));
    let debt = posting.account.owed.debt_for(taking.reversed.clone());
    let change = OwedChange::of(debt, posting.now);
    posting.owe(OwedChange { raised, forgiven, ..change })
}

/// Gives this much back of what was taken: what is still owed is cancelled first, then the lots come back, last taken
/// first. What had expired stays so. `moved` are the entries of the reversal before.
pub(super) fn give_back(
    posting: &mut Posting,
    taking: &mut Taking<'_>,
    amount: Money,
    (moved, context): (&[Entry], &Context),
    why: &Why<'_>,
) -> Result<(), Rejection> {
    if amount.is_zero() {
        return Ok(());
    }
    let cancelled = posting.account.owed.of(&taking.reversed).min(amount);
    if !cancelled.is_zero() {
        let change = OwedChange::of(taking.reversed.clone(), posting.now);
        posting.owe(OwedChange { cancelled, ..change })?;
    }
    let taken = taken_for(moved.iter().chain(&posting.entries), &taking.reversed);
    let (back, missing) = split(&taken, amount.saturating_sub(cancelled));
    if let Some(date) = taking.own.expires_on.filter(|_| !missing.is_zero()) {
        let restored = Some(Forgiven { date, class: taking.own.class, amount: missing });
        let change = OwedChange::of(taking.reversed.clone(), posting.now);
        posting.owe(OwedChange { restored, ..change })?;
    }
    if back.is_empty() {
        return Ok(());
    }
    let today = posting.today();
    let graced = context.policy.refund_expiry(today);
    let lots = back.into_iter().map(|lot| lot.returned(today, graced)).collect();
    taking.post(posting, (EntryType::Adjustment, lots), why)
}
