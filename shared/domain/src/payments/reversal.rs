//! Refunds and disputes of a payment, as far as a gateway has reported them.
//!
//! Most gateways report each refund by its own id. Stripe reports the refunded total of a charge
//! (`charge.refunded`) and, separately, each refund, which may fail or be cancelled days later
//! (`refund.failed`, `refund.updated`, `charge.refund.updated`). The total then decreases, so the
//! largest total ever reported is not what was refunded. Therefore every reported amount is kept
//! with its time.
//!
//! **Invariant:** the effective amount of a reversal is a function of the set of its reports,
//! whatever their order and number.

use crate::currency::Currency;
use crate::ids::{GatewayId, ReversalId};
use crate::money::Money;
use crate::payments::gateway_report::ReversalState;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// Maximum number of single refunds of a payment that are kept by their own ids.
pub const MAX_REFUNDS: usize = 100;

/// What a report says about a refund or dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversalReport {
    /// Refund or dispute that the report is about.
    pub id: ReversalId,
    /// State that it reached.
    pub step: ReversalStep,
    /// Amount of the payment: of one refund if the step is about one, otherwise the total.
    pub amount: Money,
    /// Currency of the amount.
    pub currency: Currency,
    /// Time of the event, as the gateway reports it.
    pub at: Option<Timestamp>,
}

/// State of a refund or dispute, or of one refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversalStep {
    /// State of the whole refund or dispute.
    Total(ReversalState),
    /// One refund of a payment whose gateway also reports totals.
    Refund {
        /// Gateway's id of this refund.
        refund: GatewayId,
        /// True if the refund failed or was cancelled.
        failed: bool,
    },
}

/// One refund of a payment whose gateway also reports totals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SingleRefund {
    /// Largest amount reported for it.
    pub amount: Money,
    /// Earliest time at which it was reported as failed; [`Timestamp::LAST`] if the reports contain
    /// no time.
    pub failed_at: Option<Timestamp>,
}

/// A refund or dispute of a payment, as far as it has been reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reversal {
    /// Largest total reported as taken.
    pub taken: Option<Money>,
    /// Largest amount reported as lost.
    pub lost: Option<Money>,
    /// Largest amount reported as returned. If present, the reversal has no effect, whatever else
    /// is reported before or after.
    pub returned: Option<Money>,
    /// Refunds that were reported by their own ids; at most 100.
    pub refunds: BTreeMap<GatewayId, SingleRefund>,
    /// Earliest time at which it was reported as taken.
    pub first_at: Option<Timestamp>,
    /// Totals reported as taken, by time; only those that no later total reaches or exceeds.
    pub sums: BTreeMap<Timestamp, Money>,
    /// Part of the credit that is allotted to it: taken back, owed, or expired before it could be
    /// taken.
    pub allotted: Money,
    /// Part of the allotted amount that had expired and is not owed.
    pub forgiven: Money,
    /// Number of entries that it caused, except those that collect owed amounts.
    pub steps: u32,
}

impl Reversal {
    /// Returns its effective amount, according to all reports in any order.
    pub fn effective_amount(&self) -> Money {
        if self.returned.is_some() {
            return Money::ZERO;
        }
        let taken = self.taken.or(self.lost).unwrap_or(Money::ZERO);
        let failed: Money = self.failed().map(|(_, amount)| amount).sum();
        let named: Money = self.refunds.values().map(|refund| refund.amount).sum();
        let ever = self.sums.iter().map(|(at, sum)| self.with_failed_before(*at, *sum)).max();
        taken.max(named).max(ever.unwrap_or(Money::ZERO)).saturating_sub(failed)
    }

    fn failed(&self) -> impl Iterator<Item = (Timestamp, Money)> {
        self.refunds.values().filter_map(|refund| Some((refund.failed_at?, refund.amount)))
    }

    /// Returns all that had ever been refunded when this total was reported: the total, plus
    /// refunds that had failed before and so are not part of it.
    fn with_failed_before(&self, at: Timestamp, sum: Money) -> Money {
        let earlier =
            |failed_at: Timestamp| failed_at < at && self.first_at.is_some_and(|first| first <= failed_at);
        let failed = self.failed().filter(|(failed_at, _)| earlier(*failed_at)).map(|(_, amount)| amount);
        failed.chain([sum]).sum()
    }

    /// Returns true if there is room for a report.
    pub fn has_room_for(&self, report: &ReversalReport) -> bool {
        match &report.step {
            ReversalStep::Total(_) => true,
            ReversalStep::Refund { refund, .. } => {
                self.refunds.len() < MAX_REFUNDS || self.refunds.contains_key(refund)
            }
        }
    }

    /// Adds a report.
    pub fn report(&mut self, report: &ReversalReport) {
        let amount = report.amount;
        match &report.step {
            ReversalStep::Total(ReversalState::Taken) => {
                self.taken = self.taken.max(Some(amount));
                if let Some(at) = report.at {
                    self.record_sum(at, amount);
                }
            }
            ReversalStep::Total(ReversalState::Lost) => self.lost = self.lost.max(Some(amount)),
            ReversalStep::Total(ReversalState::Returned) => self.returned = self.returned.max(Some(amount)),
            ReversalStep::Refund { refund, failed } => {
                let known =
                    self.refunds.entry(refund.clone()).or_insert(SingleRefund { amount, failed_at: None });
                known.amount = known.amount.max(amount);
                if *failed {
                    let at = report.at.unwrap_or(Timestamp::LAST);
                    known.failed_at = Some(known.failed_at.map_or(at, |before| before.min(at)));
                }
            }
        }
    }

    fn record_sum(&mut self, at: Timestamp, sum: Money) {
        self.first_at = Some(self.first_at.map_or(at, |first| first.min(at)));
        let exceeded = |(later, more): (&Timestamp, &Money)| *later >= at && *more >= sum;
        if self.sums.iter().any(exceeded) {
            return;
        }
        self.sums.retain(|earlier, less| *earlier > at || *less > sum);
        self.sums.insert(at, sum);
    }
}

/// Returns the id under which a payment keeps a reversal. A Stripe payment has one charge, whose
/// refunds are kept together: a report that names the payment instead is about the same refunds.
pub fn canonical_id(reversals: &BTreeMap<ReversalId, Reversal>, reported: &ReversalId) -> ReversalId {
    const OF_CHARGE: &str = "refund:stripe:";
    let same = |id: &&ReversalId| id.as_str().starts_with(OF_CHARGE);
    let known = reversals.keys().find(same).filter(|_| reported.as_str().starts_with(OF_CHARGE));
    known.unwrap_or(reported).clone()
}

/// Returns the effective amount of each refund and dispute, according to all reports in any order.
///
/// PayPal withdraws a dispute's money by reversals that do not name the dispute. A dispute that was
/// won returns part of what those reversals took; a dispute that was lost counts only beyond what
/// they took.
pub fn effective_amounts(reversals: &BTreeMap<ReversalId, Reversal>) -> BTreeMap<ReversalId, Money> {
    let mut all: BTreeMap<ReversalId, Money> =
        reversals.iter().map(|(id, reversal)| (id.clone(), reversal.effective_amount())).collect();
    let won =
        reversals.iter().filter(|(id, _)| id.is_dispute()).filter_map(|(_, reversal)| reversal.returned);
    let mut won: Money = won.sum();
    let mut unnamed = Money::ZERO;
    for (_, amount) in all.iter_mut().filter(|(id, _)| id.is_unnamed()) {
        let back = won.min(*amount);
        won = won.saturating_sub(back);
        *amount = amount.saturating_sub(back);
        unnamed = [unnamed, *amount].into_iter().sum();
    }
    let lost = |reversal: &Reversal| reversal.taken.is_none();
    for (id, amount) in all.iter_mut().filter(|(id, _)| id.is_dispute()) {
        if reversals.get(id).is_some_and(lost) {
            let counted = unnamed.min(*amount);
            unnamed = unnamed.saturating_sub(counted);
            *amount = amount.saturating_sub(counted);
        }
    }
    all
}
