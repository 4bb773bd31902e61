//! Refunds of a purchase: what all reports about it together leave of it.
//!
//! **Invariant:** the result is a function of the set of reports: neither their number nor their order matters, and
//! one that comes again changes nothing.

use crate::loyalty::exact::{self, Exact};
use crate::loyalty::numbers::{Points, Rounding};
use crate::loyalty::purchase::Purchase;
use crate::money::Money;
use num_traits::{One, Zero};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The most refunds of a purchase.
pub const MAX_REFUNDS: usize = 100;

/// The report of one refund.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundReport {
    /// The amount of it; zero if it only states a total, or points that came back.
    pub amount: Money,
    /// The total of all refunds, as of this report.
    pub refunded_total: Money,
    /// Parts of the amount that come off a line, by its id.
    pub lines: Vec<(String, Money)>,
    /// Points that it gave back, if it said so.
    pub points_back: Option<Points>,
    /// Points given in place of its money.
    #[serde(default)]
    pub points_instead: Option<Points>,
    /// Whether it failed, so that it counts for nothing.
    pub has_failed: bool,
}

impl RefundReport {
    /// Returns the report without the part that says whether the refund has failed.
    pub(crate) fn content(&self) -> Self {
        Self { has_failed: false, ..self.clone() }
    }

    /// Adds what was reported of the same refund by another id of the purchase: it has failed if either says so.
    pub(crate) fn join(&mut self, other: &Self) {
        let content = if self.content() == Self::default() { other.content() } else { self.content() };
        *self = Self { has_failed: self.has_failed || other.has_failed, ..content };
    }
}

/// All that is known of refunds of a purchase.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunds {
    /// By the refund's id.
    pub by_id: BTreeMap<String, RefundReport>,
    /// What was kept by the seller, if the booking was cancelled.
    pub amount_kept: Option<Money>,
}

impl Refunds {
    /// Returns true if a report counts: there is a refund that has not failed, or a cancellation.
    pub(crate) fn count(&self) -> bool {
        self.amount_kept.is_some() || self.standing().next().is_some()
    }

    fn standing(&self) -> impl Iterator<Item = &RefundReport> {
        self.by_id.values().filter(|report| !report.has_failed)
    }

    /// Returns the total of all refunds, however much was charged.
    pub fn reported(&self) -> Money {
        let sum = self.standing().map(|report| report.amount).sum::<Money>();
        let total = self.standing().map(|report| report.refunded_total).max().unwrap_or(Money::ZERO);
        sum.max(total)
    }

    /// Returns how much of an amount is refunded.
    pub fn refunded(&self, amount: Money) -> Money {
        let cancelled = self.amount_kept.map_or(Money::ZERO, |kept| amount.saturating_sub(kept));
        self.reported().max(cancelled).min(amount)
    }

    /// Returns what is left of each line. Amounts that name a line come off it first; what names none, or exceeds its
    /// line, comes off what is left of all lines in proportion.
    pub fn left_of(&self, purchase: &Purchase) -> Vec<Exact> {
        let mut named: BTreeMap<&str, Money> = BTreeMap::new();
        for (line, amount) in self.standing().flat_map(|report| &report.lines) {
            let sum = named.entry(line).or_default();
            *sum = [*sum, *amount].into_iter().sum();
        }
        let left = purchase.lines().iter().map(|line| {
            let off = line.line_id.as_deref().and_then(|id| named.get(id)).copied().unwrap_or_default();
            line.amount.saturating_sub(off)
        });
        let left: Vec<Exact> = left.map(exact::money).collect();
        let whole = left.iter().sum::<Exact>();
        let stays = exact::money(purchase.amount.saturating_sub(self.refunded(purchase.amount)));
        let share = if whole.is_zero() { Exact::zero() } else { (stays / whole).min(Exact::one()) };
        left.into_iter().map(|line| line * &share).collect()
    }

    /// Returns how many of the points that paid come back in all: those that reports name, and of the amounts that
    /// name none a part in proportion, unless the rules say `never`. `amount` is that of the purchase.
    pub fn points_back(&self, confirmed: Points, amount: Money, in_proportion: bool) -> Points {
        let named = self.standing().filter_map(|report| report.points_back);
        let named = named.fold(Points::ZERO, Points::saturating_add);
        let with_points = || self.standing().filter(|report| report.points_back.is_some());
        let sum = with_points().map(|report| report.amount).sum::<Money>();
        let with_points =
            with_points().map(|report| report.refunded_total).max().unwrap_or_default().max(sum);
        let without = exact::money(self.refunded(amount).saturating_sub(with_points));
        let share = match (amount.is_zero(), self.amount_kept) {
            // Points paid for all of it.
            (true, Some(_)) => Exact::one(),
            (true, None) => Exact::zero(),
            (false, _) => without / exact::money(amount),
        };
        let in_part = Rounding::Floor.points(&(confirmed.exact() * share));
        let in_part = if in_proportion { in_part } else { Points::ZERO };
        named.saturating_add(in_part).min(confirmed)
    }
}
