//! The API views of the program, its tiers and its campaigns.
//!
//! **Invariant:** a number of the rules is shown exactly as it is kept.

use domain::currency::Currency;
use domain::loyalty::campaigns::Campaign;
use domain::loyalty::numbers::{EarningRate, Points};
use domain::loyalty::program::{Expiry, LoyaltyTier};
use domain::loyalty::purchase::LineKind;
use domain::loyalty::versions::ProgramVersion;
use domain::text::FreeText;
use domain::time::Timestamp;
use edge::json::Number;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Points for money.
#[derive(Serialize, ToSchema)]
pub struct RateView {
    points: u32,
    per: Number,
}

fn rate(rate: EarningRate, currency: Currency) -> RateView {
    RateView { points: rate.points(), per: Number::money(rate.per(), currency) }
}

/// A multiplier of products.
#[derive(Serialize, ToSchema)]
pub struct ProductRuleView {
    id: String,
    product_ids: Vec<String>,
    categories: Vec<String>,
    multiplier: Number,
}

/// Until when points can be spent.
#[derive(Serialize, ToSchema)]
pub struct ExpiryView {
    /// off, rolling or fixed
    #[schema(examples("off"))]
    policy: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    month_day: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    years: Option<u32>,
}

fn expiry(expiry: Expiry) -> ExpiryView {
    let off = ExpiryView { policy: "off", days: None, month_day: None, years: None };
    match expiry {
        Expiry::Off => off,
        Expiry::Rolling { days } => ExpiryView { policy: "rolling", days: Some(days), ..off },
        Expiry::Fixed { month, day, years } => {
            let month_day = Some(format!("{month:02}-{day:02}"));
            ExpiryView { policy: "fixed", month_day, years: Some(years), ..off }
        }
    }
}

/// How points pay.
#[derive(Serialize, ToSchema)]
pub struct RedemptionRulesView {
    min_points: u64,
    /// allow or deny
    #[schema(examples("allow"))]
    coupons: &'static str,
    earn_with_coupons: bool,
    /// proportional or never
    #[schema(examples("proportional"))]
    points_back: &'static str,
}

/// A tier of the program.
#[derive(Serialize, ToSchema)]
pub struct ProgramTier {
    name: String,
    /// Spend of twelve months that reaches it.
    spend_12m: Option<Number>,
    /// Lifetime points that reach it.
    lifetime_points: Option<u64>,
    multiplier: Number,
    rate: Option<RateView>,
    max_points_per_booking: u64,
    max_share: Number,
    benefits: Vec<String>,
}

pub(crate) fn tier(tier: &LoyaltyTier, currency: Currency) -> ProgramTier {
    ProgramTier {
        name: tier.name.as_str().to_owned(),
        spend_12m: tier.spend_12m.map(|spend| Number::money(spend, currency)),
        lifetime_points: tier.lifetime_points.map(Points::get),
        multiplier: Number::exact(tier.multiplier.value()),
        rate: tier.rate.map(|of| rate(of, currency)),
        max_points_per_booking: tier.max_points_per_booking.get(),
        max_share: Number::exact(tier.max_share.value()),
        benefits: tier.benefits.clone(),
    }
}

/// Wallet credit for delivered orders.
#[derive(Serialize, ToSchema)]
pub struct DeliveryRule {
    percent: Number,
    expiry_days: u32,
    max_amount: Option<Number>,
}

/// A version of the program.
#[derive(Serialize, ToSchema)]
pub struct LoyaltyProgram {
    version: u32,
    #[schema(format = DateTime)]
    valid_from: String,
    /// null: the defaults.
    #[schema(format = DateTime)]
    created_at: Option<String>,
    created_by: Option<String>,
    #[schema(examples("INR"))]
    currency: &'static str,
    point_value: Number,
    rate: RateView,
    #[schema(examples("floor"))]
    rounding: &'static str,
    #[schema(examples("first"))]
    earn_on: &'static str,
    excluded_kinds: Vec<&'static str>,
    product_rules: Vec<ProductRuleView>,
    #[schema(examples("best"))]
    campaign_stacking: &'static str,
    max_points_per_purchase: Option<u64>,
    max_points_per_day: Option<u64>,
    pending_days: u32,
    expiry: ExpiryView,
    refund_grace_days: u32,
    redemption: RedemptionRulesView,
    tiers: Vec<ProgramTier>,
    downgrade_grace_days: u32,
    delivery_reward: DeliveryRule,
    fx: BTreeMap<String, Number>,
}

pub(crate) fn program(version: &ProgramVersion) -> LoyaltyProgram {
    let (program, rules) = (&version.program, &version.program.rules);
    let currency = program.currency;
    let rule = |rule: &domain::loyalty::program::ProductRule| ProductRuleView {
        id: rule.id.clone(),
        product_ids: rule.products.product_ids.iter().cloned().collect(),
        categories: rule.products.categories.iter().cloned().collect(),
        multiplier: Number::exact(rule.multiplier.value()),
    };
    let redemption = rules.redemption;
    let fx = rules.fx.iter().map(|(code, rate)| (code.clone(), Number::exact(rate.value())));
    LoyaltyProgram {
        version: program.version,
        valid_from: program.valid_from.to_string(),
        created_at: version.made.as_ref().map(|(at, _)| at.to_string()),
        created_by: version.made.as_ref().map(|(_, by)| by.sub.clone()),
        currency: currency.code(),
        point_value: Number::exact(rules.point_value.value()),
        rate: rate(rules.rate, currency),
        rounding: rules.rounding.as_str(),
        earn_on: rules.earn_on.as_str(),
        excluded_kinds: rules.excluded_kinds.iter().copied().map(LineKind::as_str).collect(),
        product_rules: rules.product_rules.iter().map(rule).collect(),
        campaign_stacking: rules.campaign_stacking.as_str(),
        max_points_per_purchase: rules.max_points_per_purchase.map(Points::get),
        max_points_per_day: rules.max_points_per_day.map(Points::get),
        pending_days: rules.pending_days,
        expiry: expiry(rules.expiry),
        refund_grace_days: rules.refund_grace_days,
        redemption: RedemptionRulesView {
            min_points: redemption.min_points.get(),
            coupons: if redemption.coupons_allowed { "allow" } else { "deny" },
            earn_with_coupons: redemption.earn_with_coupons,
            points_back: if redemption.points_back { "proportional" } else { "never" },
        },
        tiers: rules.tiers.all().iter().map(|of| tier(of, currency)).collect(),
        downgrade_grace_days: rules.downgrade_grace_days,
        delivery_reward: DeliveryRule {
            percent: Number::exact(rules.delivery_reward.percent.value()),
            expiry_days: rules.delivery_reward.expiry_days,
            max_amount: rules.delivery_reward.max_amount.map(|most| Number::money(most, currency)),
        },
        fx: fx.collect(),
    }
}

/// All versions of the program, oldest first.
#[derive(Serialize, ToSchema)]
pub struct ProgramVersions {
    pub(crate) versions: Vec<LoyaltyProgram>,
}

/// The tiers, and what is exclusive to each.
#[derive(Serialize, ToSchema)]
pub struct LoyaltyTiersView {
    pub(crate) tiers: Vec<TierWithOffers>,
}

/// A tier with the campaigns that are exclusive to it.
#[derive(Serialize, ToSchema)]
pub struct TierWithOffers {
    #[serde(flatten)]
    pub(crate) tier: ProgramTier,
    /// Ids of campaigns in force that are for this tier and not for all.
    pub(crate) exclusive_campaigns: Vec<String>,
    /// Ids of vouchers for sale that are for this tier and not for all.
    pub(crate) exclusive_vouchers: Vec<String>,
}

/// A campaign of the loyalty program.
#[derive(Serialize, ToSchema)]
pub struct LoyaltyCampaign {
    pub(crate) campaign_id: String,
    version: u32,
    name: String,
    description: Option<String>,
    multiplier: Option<Number>,
    bonus_points: Option<u64>,
    point_value: Option<Number>,
    #[schema(format = DateTime)]
    valid_from: String,
    #[schema(format = DateTime)]
    valid_until: String,
    tiers: Vec<String>,
    product_ids: Vec<String>,
    categories: Vec<String>,
    min_amount: Number,
    max_points_per_purchase: Option<u64>,
    /// scheduled, active, ended or stopped
    #[schema(examples("active"))]
    status: &'static str,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    updated_at: String,
    created_by: String,
}

pub(crate) fn campaign(
    campaign: &Campaign,
    created_at: Timestamp,
    now: Timestamp,
    currency: Currency,
) -> LoyaltyCampaign {
    let terms = &campaign.terms;
    LoyaltyCampaign {
        campaign_id: campaign.id.to_string(),
        version: campaign.version,
        name: terms.name.as_str().to_owned(),
        description: terms.description.as_ref().map(FreeText::as_str).map(str::to_owned),
        multiplier: terms.multiplier.map(|multiplier| Number::exact(multiplier.value())),
        bonus_points: terms.bonus_points.map(Points::get),
        point_value: terms.point_value.map(|value| Number::exact(value.value())),
        valid_from: terms.period.from.to_string(),
        valid_until: terms.period.until.to_string(),
        tiers: terms.tiers.iter().map(|name| name.as_str().to_owned()).collect(),
        product_ids: terms.products.product_ids.iter().cloned().collect(),
        categories: terms.products.categories.iter().cloned().collect(),
        min_amount: Number::money(terms.min_amount, currency),
        max_points_per_purchase: terms.max_points_per_purchase.map(Points::get),
        status: campaign.status(now).as_str(),
        created_at: created_at.to_string(),
        updated_at: campaign.since.to_string(),
        created_by: campaign.by.sub.clone(),
    }
}

/// Campaigns, newest first.
#[derive(Serialize, ToSchema)]
pub struct LoyaltyCampaigns {
    pub(crate) campaigns: Vec<LoyaltyCampaign>,
    pub(crate) total: Option<u64>,
    pub(crate) limit: u16,
    pub(crate) skip: u16,
    pub(crate) next_cursor: Option<String>,
}

/// All versions of a campaign, oldest first.
#[derive(Serialize, ToSchema)]
pub struct CampaignVersions {
    pub(crate) versions: Vec<LoyaltyCampaign>,
}
