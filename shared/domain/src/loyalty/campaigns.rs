//! Campaigns: more points, or points that are worth more, for a time.
//!
//! **Invariant:** a version of a campaign never changes; a change is a new version, from then on, so what held before
//! stays.

use crate::actor::PerformedBy;
use crate::ids::LoyaltyCampaignId;
use crate::loyalty::numbers::{Multiplier, PointValue, Points};
use crate::loyalty::program::TierName;
use crate::loyalty::purchase::Products;
use crate::loyalty::versions::RulesError;
use crate::money::Money;
use crate::parse::ParseError;
use crate::text::FreeText;
use crate::time::{Period, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The most campaigns that have not ended.
pub const MAX_OPEN: usize = 100;

/// What a campaign gives, and to whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CampaignTerms {
    /// What it is called.
    pub name: FreeText,
    /// What it is.
    pub description: Option<FreeText>,
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
}

/// A version of a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Campaign {
    /// The campaign's id.
    pub id: LoyaltyCampaignId,
    /// The version, from 1.
    pub version: u32,
    /// When this version was made; it holds from then until the next one was made.
    pub since: Timestamp,
    /// Who made it.
    pub by: PerformedBy,
    /// What it gives.
    pub terms: CampaignTerms,
    /// Whether it has been stopped.
    pub is_stopped: bool,
}

/// Where a campaign is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CampaignStatus {
    /// It has not begun.
    Scheduled,
    /// It holds.
    Active,
    /// Its time is over.
    Ended,
    /// It was stopped.
    Stopped,
}

impl CampaignStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Scheduled, Self::Active, Self::Ended, Self::Stopped];

    /// Parses the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let named = Self::ALL.into_iter().find(|status| status.as_str() == text);
        named.ok_or(ParseError("must be one of scheduled, active, ended, stopped"))
    }

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Active => "active",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
        }
    }
}

impl CampaignTerms {
    /// Returns an error unless the terms give something, and something that they can give.
    fn check(&self, now: Timestamp) -> Result<(), RulesError> {
        let refuse = |field, why| Err(RulesError::Invalid(field, ParseError(why)));
        if self.multiplier.is_some_and(|multiplier| multiplier <= Multiplier::ONE) {
            return refuse("multiplier", "must be above 1");
        }
        if self.multiplier.is_none() && self.bonus_points.is_none() && self.point_value.is_none() {
            return refuse("multiplier", "is required without bonus_points and point_value");
        }
        if self.point_value.is_some() && !self.products.is_empty() {
            return refuse("point_value", "must not be sent with product_ids or categories");
        }
        if self.period.until <= self.period.from || self.period.until <= now {
            return refuse("valid_until", "must be after valid_from, and in the future");
        }
        Ok(())
    }
}

impl Campaign {
    /// Returns the first version of a campaign.
    pub fn create(
        id: LoyaltyCampaignId,
        terms: CampaignTerms,
        now: Timestamp,
        by: PerformedBy,
    ) -> Result<Self, RulesError> {
        terms.check(now)?;
        Ok(Self { id, version: 1, since: now, by, terms, is_stopped: false })
    }

    /// Returns the version that follows the latest one, which a change must name.
    pub fn change(
        &self,
        builds_on: u32,
        terms: CampaignTerms,
        now: Timestamp,
        by: PerformedBy,
    ) -> Result<Self, RulesError> {
        terms.check(now)?;
        if builds_on != self.version {
            return Err(RulesError::VersionConflict);
        }
        Ok(Self { version: self.version + 1, since: now.max(self.since), by, terms, ..self.clone() })
    }

    /// Returns the version in which the campaign is stopped; `None` if it is already.
    pub fn stop(&self, now: Timestamp, by: PerformedBy) -> Option<Self> {
        let stopped = Self { version: self.version + 1, since: now.max(self.since), by, ..self.clone() };
        (!self.is_stopped).then_some(Self { is_stopped: true, ..stopped })
    }

    /// Returns where this version is in its life.
    pub fn status(&self, at: Timestamp) -> CampaignStatus {
        if self.is_stopped {
            CampaignStatus::Stopped
        } else if at < self.terms.period.from {
            CampaignStatus::Scheduled
        } else if at < self.terms.period.until {
            CampaignStatus::Active
        } else {
            CampaignStatus::Ended
        }
    }

    /// Returns true if this version holds at an instant, unless a later version does.
    pub fn is_in_force(&self, at: Timestamp) -> bool {
        self.since <= at && self.status(at) == CampaignStatus::Active
    }

    /// Returns true if the campaign is for customers of this tier.
    pub fn is_for(&self, tier: &TierName) -> bool {
        self.terms.tiers.is_empty() || self.terms.tiers.contains(tier)
    }
}

/// Returns the version of a campaign that holds at an instant, if it is in force then; of versions, oldest first.
pub fn in_force(versions: &[Campaign], at: Timestamp) -> Option<&Campaign> {
    versions.iter().rev().find(|version| version.since <= at).filter(|version| version.is_in_force(at))
}
