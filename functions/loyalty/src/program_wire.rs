//! Parses changes of the program.
//!
//! **Invariant:** objects and lists of a change replace those before as a whole.

use crate::input::{PointsInput, RuleNumber, Sent};
use crate::program_input::{
    DowngradeDays, EarningRateInput, GraceDays, PendingDays, Rates, RewardInput, TierInput, Version,
};
use crate::wire::{Instant, MORE_DIGITS};
use domain::loyalty::numbers::{PointValue, Rounding};
use domain::loyalty::program::{
    DeliveryReward, EarnOn, Expiry, LoyaltyTiers, ProductRule, RedemptionRules, Stacking,
};
use domain::loyalty::purchase::LineKind;
use domain::loyalty::versions::ProgramChange;
use edge::input::{List, NumberInput};
use edge::request::Clearable;
use edge::{ApiRequest, App, Problem, request};

request! {
    /// A change of the program; omitted fields stay as they are, objects and lists are replaced whole.
    pub(crate) struct ChangeProgramRequest {
        /// The version that the change builds on: the latest.
        version: NumberInput<Version>,
        /// From when it holds; defaults to now.
        valid_from: Option<Instant>,
        /// Money for one point when spent.
        point_value: Option<RuleNumber<PointValue>>,
        /// Points for money.
        rate: Option<Sent<EarningRateInput>>,
        /// floor, nearest or ceil
        rounding: Option<Sent<Rounding>>,
        /// first, booking or payment
        earn_on: Option<Sent<EarnOn>>,
        /// Kinds of lines that neither earn nor count as spend.
        excluded_kinds: Option<List<Sent<LineKind>, 0, 6>>,
        /// Multipliers of products; the first that matches a line holds.
        product_rules: Option<List<Sent<ProductRule>, 0, 100>>,
        /// best or add
        campaign_stacking: Option<Sent<Stacking>>,
        /// The most points of a purchase; null for no limit.
        max_points_per_purchase: Clearable<PointsInput>,
        /// The most points of a UTC date; null for no limit.
        max_points_per_day: Clearable<PointsInput>,
        /// Days after which points can be spent.
        pending_days: Option<NumberInput<PendingDays>>,
        /// Until when points can be spent.
        expiry: Option<Sent<Expiry>>,
        /// Days for points that come back after their date.
        refund_grace_days: Option<NumberInput<GraceDays>>,
        /// How points pay.
        redemption: Option<Sent<RedemptionRules>>,
        /// The tiers, lowest first.
        tiers: Option<List<TierInput, 1, 10>>,
        /// Dates for which a tier is held that is no longer reached.
        downgrade_grace_days: Option<NumberInput<DowngradeDays>>,
        /// Wallet credit for delivered orders.
        delivery_reward: Option<RewardInput>,
        /// Money of the program's currency for one unit of another.
        fx: Option<Rates>,
    }
}

pub(crate) fn change_program(request: &ApiRequest, app: &App) -> Result<ProgramChange, Problem> {
    let sent = ChangeProgramRequest::read(request.some_fields()?)?;
    request.key()?;
    let currency = app.policy.currency();
    let too_precise = |name: &str| Problem::field(format!("/{name}"), MORE_DIGITS);
    let rate = sent.rate.map(|rate| rate.0.in_currency(currency).ok_or_else(|| too_precise("rate")));
    let tiers = sent.tiers.map(|tiers| {
        let tiers = tiers.0.into_iter().map(|tier| tier.in_currency(currency)).collect::<Option<Vec<_>>>();
        let tiers = tiers.ok_or_else(|| too_precise("tiers"))?;
        LoyaltyTiers::try_new(tiers).map_err(|error| Problem::field("/tiers", error.0))
    });
    let reward = sent.delivery_reward.map(|reward| {
        let most = reward.max_amount.map(|amount| amount.in_currency(currency));
        let max_amount = most.map(|most| most.ok_or_else(|| too_precise("delivery_reward"))).transpose()?;
        Ok::<_, Problem>(DeliveryReward {
            percent: reward.percent,
            expiry_days: reward.expiry_days,
            max_amount,
        })
    });
    Ok(ProgramChange {
        builds_on: sent.version.0.0,
        valid_from: sent.valid_from.map(|at| at.0),
        point_value: sent.point_value.map(|value| value.0),
        rate: rate.transpose()?,
        rounding: sent.rounding.map(|rounding| rounding.0),
        earn_on: sent.earn_on.map(|earn_on| earn_on.0),
        excluded_kinds: sent.excluded_kinds.map(|kinds| kinds.0.into_iter().map(|kind| kind.0).collect()),
        product_rules: sent.product_rules.map(|rules| rules.0.into_iter().map(|rule| rule.0).collect()),
        campaign_stacking: sent.campaign_stacking.map(|stacking| stacking.0),
        max_points_per_purchase: sent.max_points_per_purchase.0.map(|most| most.map(|most| most.0)),
        max_points_per_day: sent.max_points_per_day.0.map(|most| most.map(|most| most.0)),
        pending_days: sent.pending_days.map(|days| days.0.0),
        expiry: sent.expiry.map(|expiry| expiry.0),
        refund_grace_days: sent.refund_grace_days.map(|days| days.0.0),
        redemption: sent.redemption.map(|redemption| redemption.0),
        tiers: tiers.transpose()?,
        downgrade_grace_days: sent.downgrade_grace_days.map(|days| days.0.0),
        delivery_reward: reward.transpose()?,
        fx: sent.fx.map(|fx| fx.0),
    })
}
