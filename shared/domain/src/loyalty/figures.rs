//! The figures of points by day, for the report of all customers' points.
//!
//! **Invariant:** the figures of a day are the sums of its entries alone, so they can be added in any order, and
//! opening + earned + adjusted + refunded + given for refunds − redeemed − reversed − expired = closing.

use crate::ledger::entry::{Entry, EntryType};
use crate::money::Money;
use crate::time::Date;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// The reason of points that are given in place of a refund's money.
pub const REFUND_IN_POINTS: &str = "refund_in_points";

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Earned by purchases.
    Earned,
    /// Added less removed by hand, and transferred.
    Adjusted,
    /// Given in place of refunds' money.
    GivenForRefunds,
    /// Given back to the customers who had paid with them.
    Refunded,
    /// Spent.
    Redeemed,
    /// Taken back, with what was collected later of what was owed.
    Reversed,
    /// Expired.
    Expired,
    /// The change of what is pending.
    Pending,
    /// The change of what is held.
    Held,
    /// The change of what is owed.
    Owed,
}

impl Figure {
    /// Every figure.
    pub const ALL: [Self; 10] = [
        Self::Earned,
        Self::Adjusted,
        Self::GivenForRefunds,
        Self::Refunded,
        Self::Redeemed,
        Self::Reversed,
        Self::Expired,
        Self::Pending,
        Self::Held,
        Self::Owed,
    ];

    /// Returns the stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Earned => "earned",
            Self::Adjusted => "adjusted",
            Self::GivenForRefunds => "given_for_refunds",
            Self::Refunded => "refunded",
            Self::Redeemed => "redeemed",
            Self::Reversed => "reversed",
            Self::Expired => "expired",
            Self::Pending => "pending",
            Self::Held => "held",
            Self::Owed => "owed",
        }
    }
}

/// Points and their value as booked; both may be below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// The points.
    pub points: Decimal,
    /// Their value when they were booked, in the program's currency.
    pub value: Decimal,
}

impl Sum {
    /// Returns the sum of both.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let points = self.points.saturating_add(other.points);
        Self { points, value: self.value.saturating_add(other.value) }
    }

    /// Returns the first less the second.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        self.plus(Self { points: -other.points, value: -other.value })
    }

    fn is_zero(self) -> bool {
        self.points.is_zero() && self.value.is_zero()
    }
}

/// The figures of a day, or of several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PointsFigures {
    sums: BTreeMap<Figure, Sum>,
    /// What purchases earned to which a campaign applied, by campaign.
    pub campaigns: BTreeMap<String, Sum>,
}

impl PointsFigures {
    /// Returns a figure.
    pub fn of(&self, figure: Figure) -> Sum {
        self.sums.get(&figure).copied().unwrap_or_default()
    }

    /// Adds to a figure.
    pub fn add(&mut self, figure: Figure, sum: Sum) {
        let total = self.of(figure).plus(sum);
        self.sums.insert(figure, total);
        self.sums.retain(|_, sum| !sum.is_zero());
    }

    /// Adds points to a figure that is valued when it is shown: what is pending, held and owed.
    fn add_points(&mut self, figure: Figure, points: Decimal) {
        self.add(figure, Sum { points, value: Decimal::ZERO });
    }

    /// Adds to what a campaign's purchases earned.
    pub fn add_campaign(&mut self, campaign: &str, sum: Sum) {
        let total = self.campaigns.entry(campaign.to_owned()).or_default();
        *total = total.plus(sum);
        self.campaigns.retain(|_, sum| !sum.is_zero());
    }

    /// Adds other figures.
    pub fn add_all(&mut self, other: &Self) {
        for (figure, sum) in &other.sums {
            self.add(*figure, *sum);
        }
        for (campaign, sum) in &other.campaigns {
            self.add_campaign(campaign, *sum);
        }
    }

    /// Returns true if there is nothing in them.
    pub fn is_empty(&self) -> bool {
        self.sums.is_empty() && self.campaigns.is_empty()
    }

    /// Returns by how much the points of all customers have changed, available and pending ones.
    pub fn change(&self) -> Sum {
        let of = |figure| self.of(figure);
        let added = of(Figure::Earned)
            .plus(of(Figure::Adjusted))
            .plus(of(Figure::GivenForRefunds))
            .plus(of(Figure::Refunded));
        added.minus(of(Figure::Redeemed)).minus(of(Figure::Reversed)).minus(of(Figure::Expired))
    }

    /// Adds an entry of points; `pending_before` is what was pending before it.
    pub fn add_entry(&mut self, entry: &Entry, pending_before: Money) {
        let Some(moved) = entry.points.as_deref() else { return };
        let worth = |points: Money| Sum {
            points: points.value(),
            value: moved.worth.map_or(Decimal::ZERO, |worth| worth.of(points).value()),
        };
        let (sum, zero, amount) = (worth(entry.amount), Sum::default(), entry.amount.value());
        let has_hold = entry.hold_id.is_some();
        match entry.kind {
            EntryType::Earn => {
                self.add(Figure::Earned, sum);
                for (campaign, _) in moved.rules.iter().flat_map(|rules| &rules.campaigns) {
                    self.add_campaign(campaign, sum);
                }
            }
            EntryType::AdjustIn => {
                // What a refund gives back of its reversal raises lifetime points.
                let is_given = moved.refund_id.is_some()
                    && moved.lifetime.is_zero()
                    && entry.reason.as_ref().is_some_and(|reason| reason.as_str() == REFUND_IN_POINTS);
                self.add(if is_given { Figure::GivenForRefunds } else { Figure::Adjusted }, sum);
            }
            EntryType::TransferIn => self.add(Figure::Adjusted, sum),
            EntryType::AdjustOut | EntryType::TransferOut => self.add(Figure::Adjusted, zero.minus(sum)),
            EntryType::Refund => self.add(Figure::Refunded, sum),
            EntryType::Burn => {
                self.add(Figure::Redeemed, sum);
                if has_hold {
                    self.add_points(Figure::Held, -amount);
                }
            }
            EntryType::Reversal => self.add(Figure::Reversed, sum),
            EntryType::OwedCollected => {
                self.add(Figure::Reversed, sum);
                self.add_points(Figure::Owed, -amount);
            }
            EntryType::Expiry => self.add(Figure::Expired, sum),
            EntryType::Hold => self.add_points(Figure::Held, amount),
            EntryType::Release => self.add_points(Figure::Held, -amount),
            EntryType::Activation
            | EntryType::Credit
            | EntryType::Debit
            | EntryType::Capture
            | EntryType::Clawback
            | EntryType::Adjustment => {}
        }
        let pending = moved.pending_after.value().saturating_sub(pending_before.value());
        self.add_points(Figure::Pending, pending);
        if let Some(owed) = &moved.owed {
            self.add_points(Figure::Owed, owed.raised.value().saturating_sub(owed.cancelled.value()));
        }
    }
}

/// Adds entries to the figures of their days, in the order of their numbers; returns what is pending after them.
pub fn by_day(entries: &[Entry], pending_before: Money, days: &mut BTreeMap<Date, PointsFigures>) -> Money {
    let mut pending = pending_before;
    for entry in entries {
        days.entry(entry.at.date()).or_default().add_entry(entry, pending);
        pending = entry.points.as_deref().map_or(pending, |moved| moved.pending_after);
    }
    pending
}
