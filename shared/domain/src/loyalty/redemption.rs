//! How many points may pay for a charge, and what they are worth.
//!
//! **Invariant:** points pay at most their tier's share of a charge, and never more than the charge; a redemption
//! takes the fewest points of its value.

use crate::currency::Currency;
use crate::loyalty::campaigns::Campaign;
use crate::loyalty::exact::{self, Exact};
use crate::loyalty::numbers::{PointValue, Points, Rounding};
use crate::loyalty::program::{LoyaltyTier, Program};
use crate::money::Money;
use crate::time::Timestamp;
use num_traits::One;
use rust_decimal::Decimal;

/// What limits the points of a redemption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// What is available.
    Balance,
    /// The fewest points of a redemption.
    MinPoints,
    /// The most points of a booking.
    MaxPointsPerBooking,
    /// The largest part of a charge.
    MaxShare,
    /// The charge.
    Charge,
    /// Points do not pay together with coupons.
    Coupons,
    /// The account is frozen.
    Frozen,
}

impl Limit {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::MinPoints => "min_points",
            Self::MaxPointsPerBooking => "max_points_per_booking",
            Self::MaxShare => "max_share",
            Self::Charge => "charge",
            Self::Coupons => "coupons",
            Self::Frozen => "frozen",
        }
    }
}

/// A charge that points may pay a part of.
#[derive(Clone, Copy, Debug)]
pub struct Charge<'a> {
    /// The program in force.
    pub program: &'a Program,
    /// The tier that is held.
    pub tier: &'a LoyaltyTier,
    /// What one point is worth; see [`point_value`].
    pub point_value: PointValue,
    /// The charge, in the program's currency.
    pub amount: Money,
}

/// Returns the highest point value of the program and of the campaigns in force for this tier and charge, with the
/// campaign that gives it.
pub fn point_value<'a>(
    program: &Program,
    campaigns: &'a [Campaign],
    tier: &LoyaltyTier,
    charge: Money,
    at: Timestamp,
) -> (PointValue, Option<&'a Campaign>) {
    let is_meant = |campaign: &&Campaign| {
        campaign.is_in_force(at) && campaign.is_for(&tier.name) && campaign.terms.min_amount <= charge
    };
    let of_program = (program.rules.point_value, None);
    campaigns.iter().filter(is_meant).fold(of_program, |best, campaign| match campaign.terms.point_value {
        Some(value) if value > best.0 => (value, Some(campaign)),
        Some(_) | None => best,
    })
}

impl Charge<'_> {
    fn currency(&self) -> Currency {
        self.program.currency
    }

    fn minor_unit(&self) -> Money {
        Money::try_new(Decimal::new(1, self.currency().digits())).unwrap_or(Money::ZERO)
    }

    /// Returns the fewest points that are worth one minor unit.
    pub fn step(&self) -> Points {
        self.point_value.fewest(self.minor_unit())
    }

    /// Returns what points are worth.
    pub fn value(&self, points: Points) -> Money {
        points.value(self.point_value, self.currency())
    }

    /// Returns the most that points may pay by the tier's share.
    pub fn share(&self) -> Money {
        let share = exact::money(self.amount) * self.tier.max_share.exact();
        exact::money_floor(&share, self.currency().digits()).unwrap_or(Money::ZERO)
    }

    /// Returns the most points that are worth no more than a value.
    fn worth_at_most(&self, value: Money) -> Points {
        let above = exact::money(value) + exact::money(self.minor_unit());
        let first_above = Rounding::Ceil.points(&(above / self.point_value.exact()));
        Rounding::Floor.points(&(first_above.exact() - Exact::one()))
    }

    /// Returns the most points that may be redeemed and what limits them: all limits that are as low as the lowest.
    pub fn most(&self, available: Points) -> (Points, Vec<Limit>) {
        let limits = [
            (Limit::Balance, available),
            (Limit::MaxPointsPerBooking, self.tier.max_points_per_booking),
            (Limit::MaxShare, self.worth_at_most(self.share())),
            (Limit::Charge, self.worth_at_most(self.amount)),
        ];
        let most = limits.iter().map(|(_, points)| *points).min().unwrap_or(Points::ZERO);
        let mut by: Vec<Limit> =
            limits.into_iter().filter(|(_, points)| *points == most).map(|(limit, _)| limit).collect();
        let fewest = self.point_value.fewest(self.value(most));
        if fewest < self.program.rules.redemption.min_points || self.value(fewest).is_zero() {
            by.push(Limit::MinPoints);
            by.sort();
            return (Points::ZERO, by);
        }
        (fewest, by)
    }

    /// Checks points that somebody wants to redeem. Returns the fewest of the same value, or which limit they
    /// break, with the points that it allows.
    pub fn check(&self, points: Points) -> Result<Points, (Limit, Points)> {
        let value = self.value(points);
        let (share, charge) = (self.share(), self.amount);
        if value > share || value > charge {
            let (limit, most) =
                if share < charge { (Limit::MaxShare, share) } else { (Limit::Charge, charge) };
            return Err((limit, self.point_value.fewest(self.value(self.worth_at_most(most)))));
        }
        if points > self.tier.max_points_per_booking {
            return Err((Limit::MaxPointsPerBooking, self.tier.max_points_per_booking));
        }
        let fewest = self.point_value.fewest(value);
        let least = self.program.rules.redemption.min_points;
        if fewest < least || value.is_zero() {
            return Err((Limit::MinPoints, self.least(least)));
        }
        Ok(fewest)
    }

    /// Returns the fewest points, not below a minimum, that are the fewest of their value.
    fn least(&self, minimum: Points) -> Points {
        let value = self.value(minimum);
        let fewest = self.point_value.fewest(value);
        if fewest >= minimum && !value.is_zero() {
            return fewest;
        }
        let next = exact::money(value) + exact::money(self.minor_unit());
        Rounding::Ceil.points(&(next / self.point_value.exact()))
    }
}
