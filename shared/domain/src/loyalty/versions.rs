//! Versions of the program: changing the rules, now or from a later instant on.
//!
//! **Invariant:** no change reaches back: what was in force before an instant is the same for ever, whatever is changed
//! at it.
//! **Invariant:** a version's number is never given twice; one that is withdrawn keeps its number.

use crate::actor::PerformedBy;
use crate::currency::Currency;
use crate::loyalty::numbers::{EarningRate, ExchangeRate, PointValue, Points, Rounding};
use crate::loyalty::program::{
    DeliveryReward, EarnOn, Expiry, LoyaltyTiers, ProductRule, Program, ProgramRules, RedemptionRules,
    Stacking, TierName, in_force,
};
use crate::loyalty::purchase::LineKind;
use crate::parse::ParseError;
use crate::time::{Date, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Time before which a scheduled version can be withdrawn, so that no process has begun to follow it.
const WITHDRAWAL_SECONDS: u32 = 300;

/// A year that has every day.
const LEAP_YEAR: i32 = 2028;

/// A version of the program, and who made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramVersion {
    /// The version.
    pub program: Program,
    /// When it was made; `None` for the defaults.
    pub made: Option<(Timestamp, PerformedBy)>,
    /// Whether it was withdrawn before it began.
    pub is_withdrawn: bool,
}

/// A change of the program: fields that are named replace the ones before, whole.
#[derive(Clone, Debug, Default)]
pub struct ProgramChange {
    /// The version that the change builds on.
    pub builds_on: u32,
    /// From when it holds; now, if left out.
    pub valid_from: Option<Timestamp>,
    /// See [`ProgramRules`], as all that follow.
    pub point_value: Option<PointValue>,
    /// Points for money.
    pub rate: Option<EarningRate>,
    /// How points are rounded.
    pub rounding: Option<Rounding>,
    /// Which events earn.
    pub earn_on: Option<EarnOn>,
    /// Lines that earn nothing.
    pub excluded_kinds: Option<BTreeSet<LineKind>>,
    /// Multipliers of products.
    pub product_rules: Option<Vec<ProductRule>>,
    /// How campaigns combine.
    pub campaign_stacking: Option<Stacking>,
    /// The most points of a purchase; `Some(None)` for no limit.
    pub max_points_per_purchase: Option<Option<Points>>,
    /// The most points of a day; `Some(None)` for no limit.
    pub max_points_per_day: Option<Option<Points>>,
    /// Days after which points can be spent.
    pub pending_days: Option<u32>,
    /// Until when points can be spent.
    pub expiry: Option<Expiry>,
    /// Days for points that come back after their date.
    pub refund_grace_days: Option<u32>,
    /// How points pay.
    pub redemption: Option<RedemptionRules>,
    /// The tiers.
    pub tiers: Option<LoyaltyTiers>,
    /// Dates for which a tier is held that is no longer reached.
    pub downgrade_grace_days: Option<u32>,
    /// Credit for delivered orders.
    pub delivery_reward: Option<DeliveryReward>,
    /// Rates of other currencies.
    pub fx: Option<BTreeMap<String, ExchangeRate>>,
}

/// Why a change of the rules is refused; nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// The change builds on another version than the latest, or begins before one that is scheduled, or the version
    /// has begun.
    #[error("the rules have another latest version, or one that is scheduled")]
    VersionConflict,
    /// There is no such campaign.
    #[error("there is no such campaign")]
    NotFound,
    /// As many campaigns as there may be have not ended.
    #[error("too many campaigns have not ended")]
    TooManyOpen,
    /// A field is not valid.
    #[error("{0} {1}")]
    Invalid(&'static str, ParseError),
}

impl ProgramRules {
    /// Replaces the fields that a change names.
    fn with(mut self, change: ProgramChange) -> Self {
        fn replace<T>(field: &mut T, named: Option<T>) {
            if let Some(value) = named {
                *field = value;
            }
        }
        replace(&mut self.point_value, change.point_value);
        replace(&mut self.rate, change.rate);
        replace(&mut self.rounding, change.rounding);
        replace(&mut self.earn_on, change.earn_on);
        replace(&mut self.excluded_kinds, change.excluded_kinds);
        replace(&mut self.product_rules, change.product_rules);
        replace(&mut self.campaign_stacking, change.campaign_stacking);
        replace(&mut self.max_points_per_purchase, change.max_points_per_purchase);
        replace(&mut self.max_points_per_day, change.max_points_per_day);
        replace(&mut self.pending_days, change.pending_days);
        replace(&mut self.expiry, change.expiry);
        replace(&mut self.refund_grace_days, change.refund_grace_days);
        replace(&mut self.redemption, change.redemption);
        replace(&mut self.tiers, change.tiers);
        replace(&mut self.downgrade_grace_days, change.downgrade_grace_days);
        replace(&mut self.delivery_reward, change.delivery_reward);
        replace(&mut self.fx, change.fx);
        self
    }

    /// Checks the limits of the fields, also of those that depend on each other.
    fn check(&self) -> Result<(), RulesError> {
        let limit = |field, is_within: bool, why| {
            if is_within { Ok(()) } else { Err(RulesError::Invalid(field, ParseError(why))) }
        };
        limit("pending_days", self.pending_days <= 90, "must be 0 to 90")?;
        match self.expiry {
            Expiry::Off => {}
            Expiry::Rolling { days } => {
                let is_within = days > self.pending_days && days <= 3_650;
                limit("expiry", is_within, "must have more days than pending_days, and at most 3650")?;
            }
            Expiry::Fixed { month, day, years } => {
                let is_day = Date::from_ymd_opt(LEAP_YEAR, month, day).is_some();
                limit(
                    "expiry",
                    is_day && (1..=10).contains(&years),
                    "must be a day of the year, 1 to 10 years on",
                )?;
            }
        }
        limit("refund_grace_days", self.refund_grace_days <= 3_650, "must be 0 to 3650")?;
        limit("downgrade_grace_days", self.downgrade_grace_days <= 365, "must be 0 to 365")?;
        let reward_days = self.delivery_reward.expiry_days;
        limit("delivery_reward", (1..=36_500).contains(&reward_days), "must have 1 to 36500 expiry_days")?;
        limit("product_rules", self.product_rules.len() <= 100, "must be at most 100 rules")?;
        let ids: BTreeSet<&str> = self.product_rules.iter().map(|rule| rule.id.as_str()).collect();
        limit("product_rules", ids.len() == self.product_rules.len(), "must have different ids")?;
        let names = |rule: &ProductRule| !rule.products.is_empty();
        limit("product_rules", self.product_rules.iter().all(names), "must each name products or categories")
    }
}

/// All versions of the program, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramHistory {
    versions: Vec<ProgramVersion>,
    /// Those that are not withdrawn.
    standing: Vec<Program>,
}

impl ProgramHistory {
    /// Returns the history of a program that was never changed: the contract's defaults.
    pub fn standard(currency: Currency) -> Result<Self, ParseError> {
        let rules = ProgramRules::standard()?;
        let program = Program { version: 1, valid_from: Timestamp::start_of(Date::MIN), currency, rules };
        Ok(Self::default().and(ProgramVersion { program, made: None, is_withdrawn: false }))
    }

    fn default() -> Self {
        Self { versions: vec![], standing: vec![] }
    }

    /// Returns the history with another version, or with one of that number withdrawn.
    pub fn and(mut self, version: ProgramVersion) -> Self {
        self.versions.retain(|known| known.program.version != version.program.version);
        self.versions.push(version);
        self.versions.sort_by_key(|version| version.program.version);
        let standing = self.versions.iter().filter(|version| !version.is_withdrawn);
        self.standing = standing.map(|version| version.program.clone()).collect();
        self
    }

    /// Returns all versions, also those that were withdrawn, oldest first.
    pub fn all(&self) -> &[ProgramVersion] {
        &self.versions
    }

    /// Returns the versions that hold at some time, oldest first.
    pub fn standing(&self) -> &[Program] {
        &self.standing
    }

    /// Returns the version in force at an instant.
    pub fn in_force(&self, at: Timestamp) -> Option<&Program> {
        in_force(&self.standing, at)
    }

    /// Returns true if the version in force, or the last one that is scheduled, has all these tiers.
    pub fn knows_tiers(&self, names: &BTreeSet<TierName>, now: Timestamp) -> bool {
        let known = self.in_force(now).into_iter().chain(self.standing.last());
        let known: BTreeSet<&TierName> =
            known.flat_map(|program| program.rules.tiers.all()).map(|tier| &tier.name).collect();
        names.iter().all(|name| known.contains(name))
    }

    /// Returns the version that a change makes.
    pub fn change(
        &self,
        change: ProgramChange,
        now: Timestamp,
        by: PerformedBy,
    ) -> Result<ProgramVersion, RulesError> {
        let latest = self.standing.last().ok_or(RulesError::VersionConflict)?;
        let (builds_on, valid_from) = (change.builds_on, change.valid_from.unwrap_or(now));
        if valid_from < now {
            return Err(RulesError::Invalid("valid_from", ParseError("must not be in the past")));
        }
        let rules = latest.rules.clone().with(change);
        rules.check()?;
        if builds_on != latest.version || valid_from < latest.valid_from {
            return Err(RulesError::VersionConflict);
        }
        let highest = self.versions.last().map_or(0, |version| version.program.version);
        let program = Program { version: highest + 1, valid_from, currency: latest.currency, rules };
        Ok(ProgramVersion { program, made: Some((now, by)), is_withdrawn: false })
    }

    /// Returns a version as withdrawn, which is possible until five minutes before it begins.
    pub fn withdraw(&self, number: u32, now: Timestamp) -> Result<ProgramVersion, RulesError> {
        let version = self.versions.iter().find(|version| version.program.version == number);
        let is_far_off =
            |from: Timestamp| now.plus_seconds(WITHDRAWAL_SECONDS).is_some_and(|soon| from > soon);
        let version =
            version.filter(|version| !version.is_withdrawn && is_far_off(version.program.valid_from));
        let version = version.ok_or(RulesError::VersionConflict)?;
        Ok(ProgramVersion { is_withdrawn: true, ..version.clone() })
    }
}
