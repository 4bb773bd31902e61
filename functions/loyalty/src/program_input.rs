//! The values of which a change of the program consists.
//!
//! **Invariant:** amounts are read exactly, and checked against the program's currency once it is known.

use crate::input::{PointsInput, RuleNumber, Sent, object};
use domain::currency::Currency;
use domain::ids::LineId;
use domain::loyalty::numbers::{EarningRate, ExchangeRate, Multiplier, Percent, Points, Rounding, Share};
use domain::loyalty::program::{
    EarnOn, Expiry, LoyaltyTier, ProductRule, RedemptionRules, Stacking, TierName,
};
use domain::loyalty::purchase::Products;
use domain::money::Amount;
use domain::parse::ParseError;
use domain::time::Date;
use edge::fields::Fields;
use edge::input::{Input, List, NonBlankText, NumberInput, Text};
use edge::json::{self, RawJson};
use edge::schema;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

edge::whole_numbers! {
    /// A version on which a change builds.
    pub(crate) Version(u32): 1 to 1_000_000, "";
    /// Days after which points can be spent.
    pub(crate) PendingDays(u32): 0 to 90, "";
    /// Days for points that come back after their date.
    pub(crate) GraceDays(u32): 0 to 3650, "";
    /// Dates for which a tier is held that is no longer reached.
    pub(crate) DowngradeDays(u32): 0 to 365, "";
    /// Days for which points can be spent.
    pub(crate) RollingDays(u32): 1 to 3650, "";
    /// Years after which points expire.
    pub(crate) Years(u32): 1 to 10, "";
    /// Days for which credit can be spent.
    pub(crate) RewardDays(u32): 1 to 36_500, "";
    /// Points of an earning rate.
    pub(crate) RatePoints(u32): 1 to 1_000_000, "";
}

impl Input for Sent<EarningRateInput> {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        let rate = object(raw, |fields| {
            let points = fields.required("points", NumberInput::<RatePoints>::read).ok();
            let per = fields.required("per", Amount::read).ok();
            Some(EarningRateInput { points: points?.0.0, per: per? })
        })?;
        Ok(Self(rate))
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {"points": NumberInput::<RatePoints>::schema(), "per": Amount::schema()},
            "required": ["points", "per"],
            "additionalProperties": false,
        })
    }
}

/// An earning rate, before its amount is known to fit the program's currency.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EarningRateInput {
    points: u32,
    per: Amount,
}

impl EarningRateInput {
    pub(crate) fn in_currency(self, currency: Currency) -> Option<EarningRate> {
        EarningRate::try_new(self.points, self.per.in_currency(currency)?).ok()
    }
}

fn word<T: Copy>(
    all: &'static [T],
    as_str: fn(T) -> &'static str,
) -> impl Fn(RawJson<'_>) -> Result<T, ParseError> {
    json::of(move |text: &str| {
        all.iter()
            .copied()
            .find(|value| as_str(*value) == text)
            .ok_or(ParseError("is not one of the words allowed here"))
    })
}

macro_rules! word_inputs {
    ($($type:ident;)*) => {
        $(impl Input for Sent<$type> {
            fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
                word(&$type::ALL, $type::as_str)(raw).map(Sent)
            }

            fn schema() -> Value {
                schema::words($type::ALL.map($type::as_str))
            }
        })*
    };
}

word_inputs! { Rounding; EarnOn; Stacking; }

/// Ids of products, or categories: at most 200.
pub(crate) type Ids = List<Sent<LineId>, 0, 200>;

pub(crate) fn ids(list: Option<Ids>) -> BTreeSet<String> {
    list.map(|ids| ids.0).unwrap_or_default().into_iter().map(|id| id.0.to_string()).collect()
}

impl Input for Sent<ProductRule> {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        object(raw, |fields| {
            let id = fields.required("id", <Sent<LineId> as Input>::read).ok();
            let products = fields.optional("product_ids", Ids::read);
            let categories = fields.optional("categories", Ids::read);
            let multiplier = fields.required("multiplier", RuleNumber::<Multiplier>::read).ok();
            let products = Products { product_ids: ids(products), categories: ids(categories) };
            Some(Self(ProductRule { id: id?.0.to_string(), products, multiplier: multiplier?.0 }))
        })
    }

    fn schema() -> Value {
        let named =
            |list: &str| json!({"required": [list], "properties": {list: {"type": "array", "minItems": 1}}});
        json!({
            "type": "object",
            "properties": {
                "id": <Sent<LineId> as Input>::schema(),
                "product_ids": schema::or_null(Ids::schema()),
                "categories": schema::or_null(Ids::schema()),
                "multiplier": RuleNumber::<Multiplier>::schema(),
            },
            "required": ["id", "multiplier"],
            "additionalProperties": false,
            "anyOf": [named("product_ids"), named("categories")],
        })
    }
}

impl Input for Sent<Expiry> {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        object(raw, |fields| {
            let policy = fields.required("policy", word(&["off", "rolling", "fixed"], |word| word)).ok()?;
            let expiry = match policy {
                "rolling" => {
                    let days = fields.required("days", NumberInput::<RollingDays>::read).ok();
                    Expiry::Rolling { days: days?.0.0 }
                }
                "fixed" => {
                    let month_day = fields.required("month_day", json::of(month_day)).ok();
                    let years = fields.required("years", NumberInput::<Years>::read).ok();
                    let (month, day) = month_day?;
                    Expiry::Fixed { month, day, years: years?.0.0 }
                }
                _ => Expiry::Off,
            };
            Some(Self(expiry))
        })
    }

    fn schema() -> Value {
        let variant = |policy: &str, properties: Value, required: &[&str]| {
            let properties = schema::with(properties, json!({"policy": {"const": policy}}));
            json!({
                "type": "object", "properties": properties, "required": required, "additionalProperties": false,
            })
        };
        let month_day = json!({"type": "string", "pattern": MONTH_DAY});
        json!({"oneOf": [
            variant("off", json!({}), &["policy"]),
            variant("rolling", json!({"days": NumberInput::<RollingDays>::schema()}), &["policy", "days"]),
            variant("fixed", json!({"month_day": month_day, "years": NumberInput::<Years>::schema()}), &["policy", "month_day", "years"]),
        ]})
    }
}

/// The pattern of the days of a leap year.
const MONTH_DAY: &str = concat!(
    "^(02-(0[1-9]|[12][0-9])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|",
    "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01]))$"
);

/// Parses a day of the year: `12-31`.
fn month_day(text: &str) -> Result<(u32, u32), ParseError> {
    const SHAPE: ParseError = ParseError("must be a day of the year such as 12-31");
    let is_plain = text.len() == 5
        && text.bytes().enumerate().all(|(at, b)| if at == 2 { b == b'-' } else { b.is_ascii_digit() });
    let (month, day) = text.split_once('-').filter(|_| is_plain).ok_or(SHAPE)?;
    let (month, day) = (month.parse().map_err(|_| SHAPE)?, day.parse().map_err(|_| SHAPE)?);
    // 2028 has every day.
    Date::from_ymd_opt(2028, month, day).map(|_| (month, day)).ok_or(SHAPE)
}

impl Input for Sent<RedemptionRules> {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        object(raw, |fields| {
            let min_points = fields.optional("min_points", PointsInput::read);
            let coupons = fields.optional("coupons", word(&["allow", "deny"], |word| word));
            let earn = fields.optional("earn_with_coupons", bool::read);
            let back = fields.optional("points_back", word(&["proportional", "never"], |word| word));
            Some(Self(RedemptionRules {
                min_points: min_points.map_or(Points::of(1), |points| points.0),
                coupons_allowed: coupons.is_none_or(|coupons| coupons == "allow"),
                earn_with_coupons: earn.unwrap_or(true),
                points_back: back.is_none_or(|back| back == "proportional"),
            }))
        })
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "min_points": schema::or_null(PointsInput::schema()),
                "coupons": schema::or_null(schema::words(["allow", "deny"])),
                "earn_with_coupons": schema::or_null(json!({"type": "boolean"})),
                "points_back": schema::or_null(schema::words(["proportional", "never"])),
            },
            "additionalProperties": false,
        })
    }
}

/// A tier, before its amounts are known to fit the program's currency.
#[derive(Clone, Debug)]
pub(crate) struct TierInput {
    tier: LoyaltyTier,
    spend_12m: Option<Amount>,
    rate: Option<EarningRateInput>,
}

impl TierInput {
    pub(crate) fn in_currency(self, currency: Currency) -> Option<LoyaltyTier> {
        let spend_12m = match self.spend_12m {
            Some(spend) => Some(spend.in_currency(currency)?),
            None => None,
        };
        let rate = match self.rate {
            Some(rate) => Some(rate.in_currency(currency)?),
            None => None,
        };
        Some(LoyaltyTier { spend_12m, rate, ..self.tier })
    }
}

impl Input for TierInput {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        object(raw, |fields| {
            let name = fields.required("name", <Sent<TierName> as Input>::read).ok();
            let spend_12m = fields.optional("spend_12m", Amount::read);
            let lifetime = fields.optional("lifetime_points", PointsInput::read);
            let multiplier = fields.required("multiplier", RuleNumber::<Multiplier>::read).ok();
            let rate = fields.optional("rate", <Sent<EarningRateInput> as Input>::read);
            let most = fields.required("max_points_per_booking", PointsInput::read).ok();
            let share = fields.required("max_share", RuleNumber::<Share>::read).ok();
            let benefits = fields.optional("benefits", List::<NonBlankText, 0, 20>::read);
            let benefits = benefits.map(|benefits| benefits.0).unwrap_or_default();
            let tier = LoyaltyTier {
                name: name?.0,
                spend_12m: None,
                lifetime_points: lifetime.map(|points| points.0),
                multiplier: multiplier?.0,
                rate: None,
                max_points_per_booking: most?.0,
                max_share: share?.0,
                benefits: benefits.into_iter().map(|benefit| benefit.0.as_str().to_owned()).collect(),
            };
            Some(Self { tier, spend_12m, rate: rate.map(|rate| rate.0) })
        })
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "name": <Sent<TierName> as Input>::schema(),
                "spend_12m": schema::or_null(Amount::schema()),
                "lifetime_points": schema::or_null(PointsInput::schema()),
                "multiplier": RuleNumber::<Multiplier>::schema(),
                "rate": schema::or_null(<Sent<EarningRateInput> as Input>::schema()),
                "max_points_per_booking": PointsInput::schema(),
                "max_share": RuleNumber::<Share>::schema(),
                "benefits": schema::or_null(List::<NonBlankText, 0, 20>::schema()),
            },
            "required": ["name", "multiplier", "max_points_per_booking", "max_share"],
            "additionalProperties": false,
        })
    }
}

/// The reward for delivery, before its amount is known to fit the program's currency.
#[derive(Clone, Debug)]
pub(crate) struct RewardInput {
    pub(crate) percent: Percent,
    pub(crate) expiry_days: u32,
    pub(crate) max_amount: Option<Amount>,
}

impl Input for RewardInput {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        object(raw, |fields: &mut Fields<'_>| {
            let percent = fields.required("percent", RuleNumber::<Percent>::read).ok();
            let days = fields.optional("expiry_days", NumberInput::<RewardDays>::read);
            let max_amount = fields.optional("max_amount", Amount::read);
            let expiry_days = days.map_or(365, |days| days.0.0);
            Some(Self { percent: percent?.0, expiry_days, max_amount })
        })
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "percent": RuleNumber::<Percent>::schema(),
                "expiry_days": schema::or_null(NumberInput::<RewardDays>::schema()),
                "max_amount": schema::or_null(Amount::schema()),
            },
            "required": ["percent"],
            "additionalProperties": false,
        })
    }
}

/// Rates of other currencies.
#[derive(Clone, Debug)]
pub(crate) struct Rates(pub(crate) BTreeMap<String, ExchangeRate>);

impl Input for Rates {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        let rate = |(code, rate): (String, RawJson<'_>)| {
            Currency::parse(&code)?;
            Ok((code, RuleNumber::<ExchangeRate>::read(rate)?.0))
        };
        json::members(raw)?.into_iter().map(rate).collect::<Result<_, _>>().map(Self)
    }

    fn schema() -> Value {
        json!({
            "type": "object",
            "propertyNames": <Currency as Text>::schema(),
            "additionalProperties": RuleNumber::<ExchangeRate>::schema(),
        })
    }
}
