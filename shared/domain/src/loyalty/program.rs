//! The loyalty program: how points are earned, spent and lost, and which tiers there are.
//!
//! **Invariant:** a version of the program never changes, and holds from its `valid_from` until the next one's.
//! **Invariant:** the lowest tier has no threshold, every other has one or both, and each rises strictly.

use crate::currency::Currency;
use crate::loyalty::numbers::{
    EarningRate, ExchangeRate, Multiplier, Percent, PointValue, Points, Rounding, Share,
};
use crate::loyalty::purchase::{LineKind, Products};
use crate::money::Money;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use crate::time::{Date, Timestamp, plus_days};
use chrono::Datelike;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A tier's name: 1 to 32 of `A–Z 0–9 _`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TierName(String);

impl TierName {
    /// Parses a name.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let is_plain = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        if (1..=32).contains(&text.len()) && text.bytes().all(is_plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ParseError("must be 1 to 32 characters of A-Z 0-9 _"))
        }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A tier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoyaltyTier {
    /// Its name.
    pub name: TierName,
    /// The spend of twelve months that reaches it.
    pub spend_12m: Option<Money>,
    /// The lifetime points that reach it.
    pub lifetime_points: Option<Points>,
    /// What points are multiplied by.
    pub multiplier: Multiplier,
    /// A rate of its own.
    pub rate: Option<EarningRate>,
    /// The most points that pay for a booking.
    pub max_points_per_booking: Points,
    /// The largest part of a charge that points pay.
    pub max_share: Share,
    /// Benefits shown to the customer.
    pub benefits: Vec<String>,
}

/// The tiers, lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoyaltyTiers(Vec<LoyaltyTier>);

impl LoyaltyTiers {
    /// Checks and wraps 1 to 10 tiers.
    pub fn try_new(tiers: Vec<LoyaltyTier>) -> Result<Self, ParseError> {
        if !(1..=10).contains(&tiers.len()) {
            return Err(ParseError("must be 1 to 10 tiers"));
        }
        if tiers.iter().map(|tier| &tier.name).collect::<BTreeSet<_>>().len() != tiers.len() {
            return Err(ParseError("must have different names"));
        }
        let has_threshold = |tier: &LoyaltyTier| tier.spend_12m.is_some() || tier.lifetime_points.is_some();
        if tiers.iter().enumerate().any(|(at, tier)| has_threshold(tier) != (at > 0)) {
            return Err(ParseError("must have thresholds for all tiers but the first"));
        }
        let spends: Vec<Money> = tiers.iter().filter_map(|tier| tier.spend_12m).collect();
        let points: Vec<Points> = tiers.iter().filter_map(|tier| tier.lifetime_points).collect();
        if !spends.is_sorted_by(|a, b| a < b) || !points.is_sorted_by(|a, b| a < b) {
            return Err(ParseError("must have thresholds that rise strictly"));
        }
        if spends.first().is_some_and(|spend| spend.is_zero()) || points.first().is_some_and(|p| p.is_zero())
        {
            return Err(ParseError("must have thresholds above zero"));
        }
        Ok(Self(tiers))
    }

    /// Returns the tiers, lowest first.
    pub fn all(&self) -> &[LoyaltyTier] {
        &self.0
    }

    /// Returns the tier of this name.
    pub fn named(&self, name: &TierName) -> Option<&LoyaltyTier> {
        self.0.iter().find(|tier| tier.name == *name)
    }

    /// Returns the position of a tier, the lowest at 0.
    pub fn rank(&self, name: &TierName) -> Option<usize> {
        self.0.iter().position(|tier| tier.name == *name)
    }

    /// Returns the highest tier that this spend or these points reach.
    pub fn reached(&self, spend_12m: Money, lifetime: Points) -> Option<&LoyaltyTier> {
        let is_reached = |tier: &&LoyaltyTier| {
            let by_spend = tier.spend_12m.is_some_and(|needed| spend_12m >= needed);
            let by_points = tier.lifetime_points.is_some_and(|needed| lifetime >= needed);
            by_spend || by_points
        };
        self.0.iter().rev().find(is_reached).or(self.0.first())
    }
}

/// A multiplier for some products.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductRule {
    /// Its id.
    pub id: String,
    /// The products.
    pub products: Products,
    /// What their points are multiplied by; 0 earns nothing.
    pub multiplier: Multiplier,
}

/// Which events earn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EarnOn {
    /// The first of booking and payment.
    First,
    /// The booking.
    Booking,
    /// Each payment, for itself.
    Payment,
}

impl EarnOn {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::First, Self::Booking, Self::Payment];

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Booking => "booking",
            Self::Payment => "payment",
        }
    }
}

/// How campaigns that apply to one line combine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stacking {
    /// The highest multiplier holds.
    Best,
    /// Σ (multiplier − 1) + 1, at most 100.
    Add,
}

impl Stacking {
    /// Every value.
    pub const ALL: [Self; 2] = [Self::Best, Self::Add];

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Add => "add",
        }
    }
}

/// Until when points can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Expiry {
    /// For good.
    Off,
    /// This many days from the date booked.
    Rolling {
        /// The days.
        days: u32,
    },
    /// A day of the year, some years on.
    Fixed {
        /// The month, 1 to 12.
        month: u32,
        /// The day; 29 February is the 28th in other years.
        day: u32,
        /// The years, 1 to 10.
        years: u32,
    },
}

impl Expiry {
    /// Returns the last date on which points that were booked on a date can be spent. A fixed date is not before the
    /// points become available.
    pub fn expires_on(self, booked: Date, pending_days: u32) -> Option<Date> {
        match self {
            Self::Off => None,
            Self::Rolling { days } => plus_days(booked, days),
            Self::Fixed { month, day, years } => {
                let year = booked.year().checked_add(i32::try_from(years).ok()?)?;
                let available = plus_days(booked, pending_days)?;
                let first = day_of_year(year, month, day)?;
                if first < available { day_of_year(year + 1, month, day) } else { Some(first) }
            }
        }
    }
}

/// Returns a day of a year; 29 February is the 28th in years that have none.
fn day_of_year(year: i32, month: u32, day: u32) -> Option<Date> {
    let is_leap_day = (month, day) == (2, 29);
    Date::from_ymd_opt(year, month, day).or_else(|| Date::from_ymd_opt(year, 2, 28).filter(|_| is_leap_day))
}

/// How points pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedemptionRules {
    /// The fewest points of a redemption.
    pub min_points: Points,
    /// Whether points may pay together with a coupon.
    pub coupons_allowed: bool,
    /// Whether a purchase with a coupon earns.
    pub earn_with_coupons: bool,
    /// Whether points that paid come back in proportion to refunds.
    pub points_back: bool,
}

/// Wallet credit for a delivered order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryReward {
    /// Part of the order's total; zero for none.
    pub percent: Percent,
    /// Days for which the credit can be spent.
    pub expiry_days: u32,
    /// The most of one order.
    pub max_amount: Option<Money>,
}

/// The fields of a version of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRules {
    /// Money for one point when spent.
    pub point_value: PointValue,
    /// Points for money, unless the tier has a rate of its own.
    pub rate: EarningRate,
    /// How the points of a purchase are rounded.
    pub rounding: Rounding,
    /// Which events earn.
    pub earn_on: EarnOn,
    /// Lines that neither earn nor count as spend.
    pub excluded_kinds: BTreeSet<LineKind>,
    /// Multipliers of products; the first that names a line holds.
    pub product_rules: Vec<ProductRule>,
    /// How campaigns combine.
    pub campaign_stacking: Stacking,
    /// The most points of a purchase.
    pub max_points_per_purchase: Option<Points>,
    /// The most points booked on a UTC date.
    pub max_points_per_day: Option<Points>,
    /// Days after which points can be spent.
    pub pending_days: u32,
    /// Until when points can be spent.
    pub expiry: Expiry,
    /// Days for which points that come back after their date can be spent.
    pub refund_grace_days: u32,
    /// How points pay.
    pub redemption: RedemptionRules,
    /// The tiers.
    pub tiers: LoyaltyTiers,
    /// Dates for which a tier is held that is no longer reached.
    pub downgrade_grace_days: u32,
    /// Credit for delivered orders.
    pub delivery_reward: DeliveryReward,
    /// Money of the program's currency for one unit of another, by its code.
    pub fx: BTreeMap<String, ExchangeRate>,
}

/// A version of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its number, from 1.
    pub version: u32,
    /// From when it holds.
    pub valid_from: Timestamp,
    /// The currency of all its amounts, which never changes.
    pub currency: Currency,
    /// Its fields.
    pub rules: ProgramRules,
}

impl ProgramRules {
    /// Returns the contract's defaults.
    pub fn standard() -> Result<Self, ParseError> {
        let amount = |units: i64| Money::try_new(units.into());
        let tier = |name: &str, spend: Option<i64>, multiplier: &str, most: u64, share: &str| {
            Ok(LoyaltyTier {
                name: TierName::parse(name)?,
                spend_12m: spend.map(amount).transpose()?,
                lifetime_points: None,
                multiplier: Multiplier::parse(multiplier)?,
                rate: None,
                max_points_per_booking: Points::of(most),
                max_share: Share::parse(share)?,
                benefits: vec![],
            })
        };
        Ok(Self {
            point_value: PointValue::ONE,
            rate: EarningRate::try_new(1, amount(100)?)?,
            rounding: Rounding::Floor,
            earn_on: EarnOn::First,
            excluded_kinds: [LineKind::Shipping, LineKind::Tax, LineKind::Fee, LineKind::GiftCard].into(),
            product_rules: vec![],
            campaign_stacking: Stacking::Best,
            max_points_per_purchase: None,
            max_points_per_day: None,
            pending_days: 0,
            expiry: Expiry::Off,
            refund_grace_days: 30,
            redemption: RedemptionRules {
                min_points: Points::of(1),
                coupons_allowed: true,
                earn_with_coupons: true,
                points_back: true,
            },
            tiers: LoyaltyTiers::try_new(vec![
                tier("BRONZE", None, "1", 1_000, "0.20")?,
                tier("SILVER", Some(50_000), "1.25", 2_500, "0.30")?,
                tier("GOLD", Some(200_000), "1.5", 5_000, "0.50")?,
            ])?,
            downgrade_grace_days: 30,
            delivery_reward: DeliveryReward {
                percent: Percent::parse("5")?,
                expiry_days: 365,
                max_amount: None,
            },
            fx: BTreeMap::new(),
        })
    }
}

/// Returns the version in force at an instant: the last that has begun, or the first.
pub fn in_force(versions: &[Program], at: Timestamp) -> Option<&Program> {
    versions.iter().rev().find(|version| version.valid_from <= at).or(versions.first())
}

serde_by_text! { TierName: |name| name.as_str().to_owned(), TierName::parse; }
