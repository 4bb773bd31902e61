//! Refunds and disputes of a payment, as far as a gateway has reported them.
//!
//! Most gateways report each refund by its own id. Stripe reports how much of a charge has been refunded in all
//! (`charge.refunded`), and apart from that each refund, which may fail or be cancelled days later (`refund.failed`,
//! `refund.updated`, `charge.refund.updated`). Then the charge says less than before, so the largest sum that it ever said is not
//! what it has refunded: what each report counts, and when, is kept.
//!
//! **Invariant:** what a reversal amounts to is a function of the set of its reports, whatever their order and number.

use crate::currency::Currency;
use crate::ids::{GatewayId, ReversalId};
use crate::money::Money;
use crate::payments::gateway_report::ReversalState;
use crate::time::Timestamp;
use std::collections::BTreeMap;

/// How many refunds of a payment are kept apart by their own ids.
pub const MAX_REFUNDS: usize = 100;

/// What a report says of a refund or dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversalReport {
    /// Which.
    pub id: ReversalId,
    /// How far it has come.
    pub step: ReversalStep,
    /// How much of the payment; in all, unless the step is about one refund.
    pub amount: Money,
    /// In which currency.
    pub currency: Currency,
    /// When the gateway says that it was so.
    pub at: Option<Timestamp>,
}

/// How far a refund or dispute has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReversalStep {
    /// All of it.
    Whole(ReversalState),
    /// One refund of a payment that also reports sums.
    Refund {
        /// Its own id.
        refund: GatewayId,
        /// It has failed or was cancelled.
        failed: bool,
    },
}

/// One refund of a payment that also reports sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SingleRefund {
    /// How much.
    pub amount: Money,
    /// When it had failed at the latest; the end of time, if a report does not say when.
    pub failed_at: Option<Timestamp>,
}

/// A refund or dispute of the payment, as far as it has been reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reversal {
    /// The most that was reported as taken in all.
    pub taken: Option<Money>,
    /// The most that was reported as lost.
    pub lost: Option<Money>,
    /// It has come to nothing, whatever else is reported, before or after; how much that was about.
    pub returned: Option<Money>,
    /// Refunds that were reported by their own ids.
    pub refunds: BTreeMap<GatewayId, SingleRefund>,
    /// Since when it has been reported as taken.
    pub first_at: Option<Timestamp>,
    /// What was reported as taken in all, by when; only sums that no later one exceeds.
    pub sums: BTreeMap<Timestamp, Money>,
    /// How much of the credit goes to it: taken back, owed, or expired before it could be.
    pub allotted: Money,
    /// How much of that had expired, and is not owed.
    pub forgiven: Money,
    /// How many movements it has caused, those of collection aside.
    pub steps: u32,
}

impl Reversal {
    /// What it amounts to by what has been reported, in any order.
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

    /// All that had ever been refunded when this sum was reported: with what had failed by then, and so is no part of it.
    fn with_failed_before(&self, at: Timestamp, sum: Money) -> Money {
        let earlier =
            |failed_at: Timestamp| failed_at < at && self.first_at.is_some_and(|first| first <= failed_at);
        let failed = self.failed().filter(|(failed_at, _)| earlier(*failed_at)).map(|(_, amount)| amount);
        failed.chain([sum]).sum()
    }

    /// True if a report can be kept.
    pub fn has_room_for(&self, report: &ReversalReport) -> bool {
        match &report.step {
            ReversalStep::Whole(_) => true,
            ReversalStep::Refund { refund, .. } => {
                self.refunds.len() < MAX_REFUNDS || self.refunds.contains_key(refund)
            }
        }
    }

    /// Takes another report of it.
    pub fn report(&mut self, report: &ReversalReport) {
        let amount = report.amount;
        match &report.step {
            ReversalStep::Whole(ReversalState::Taken) => {
                self.taken = self.taken.max(Some(amount));
                if let Some(at) = report.at {
                    self.record_sum(at, amount);
                }
            }
            ReversalStep::Whole(ReversalState::Lost) => self.lost = self.lost.max(Some(amount)),
            ReversalStep::Whole(ReversalState::Returned) => self.returned = self.returned.max(Some(amount)),
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

/// The id under which a payment keeps a reversal. A Stripe payment has one charge, whose refunds are kept together: a report that
/// names its payment instead is about the same.
pub fn known_as(reversals: &BTreeMap<ReversalId, Reversal>, reported: &ReversalId) -> ReversalId {
    const OF_CHARGE: &str = "refund:stripe:";
    let same = |id: &&ReversalId| id.as_str().starts_with(OF_CHARGE);
    let known = reversals.keys().find(same).filter(|_| reported.as_str().starts_with(OF_CHARGE));
    known.unwrap_or(reported).clone()
}

/// What each refund and dispute comes to by what has been reported, in any order.
///
/// PayPal takes a dispute's money by reversals that do not name the dispute: those that were won give back of
/// what reversals took, and those that were lost count only beyond what reversals took.
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
