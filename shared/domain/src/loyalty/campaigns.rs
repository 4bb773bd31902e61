//! Campaigns: more points, or points that are worth more, for a time.
//!
//! **Invariant:** a version of a campaign never changes; a change is a new version, from then on.

use crate::loyalty::numbers::{Multiplier, PointValue, Points};
use crate::loyalty::program::TierName;
use crate::loyalty::purchase::Products;
use crate::money::Money;
use crate::parse::ParseError;
use crate::time::{Period, Timestamp};
use std::collections::BTreeSet;

/// A version of a campaign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Campaign {
    /// The campaign's id: `cmp_…`.
    pub id: String,
    /// The version, from 1.
    pub version: u32,
    /// What points are multiplied by.
    pub multiplier: Option<Multiplier>,
    /// Points for a purchase in addition.
    pub bonus_points: Option<Points>,
    /// Money for one point when spent.
    pub point_value: Option<PointValue>,
    /// When it holds.
    pub period: Period,
    /// The tiers that it is for; all if none is named.
    pub tiers: BTreeSet<TierName>,
    /// The products that it is for; all if none is named.
    pub products: Products,
    /// The least eligible amount of a purchase, in the program's currency.
    pub min_amount: Money,
    /// The most points that its multiplier adds to a purchase.
    pub max_points_per_purchase: Option<Points>,
    /// Whether it has been stopped.
    pub is_stopped: bool,
}

impl Campaign {
    /// Returns an error unless the campaign gives something, and something that it can give.
    pub fn check(&self) -> Result<(), ParseError> {
        if self.multiplier.is_some_and(|multiplier| multiplier <= Multiplier::ONE) {
            return Err(ParseError("must be above 1"));
        }
        if self.multiplier.is_none() && self.bonus_points.is_none() && self.point_value.is_none() {
            return Err(ParseError("must have a multiplier, bonus_points or a point_value"));
        }
        if self.point_value.is_some() && !self.products.is_empty() {
            return Err(ParseError("must not name products or categories together with a point_value"));
        }
        Ok(())
    }

    /// Returns true if the campaign holds at an instant.
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        !self.is_stopped && self.period.from <= at && at < self.period.until
    }

    /// Returns true if the campaign is for customers of this tier.
    pub fn is_for(&self, tier: &TierName) -> bool {
        self.tiers.is_empty() || self.tiers.contains(tier)
    }
}
