//! Parses campaigns, and changes of them.
//!
//! **Invariant:** a field that a change does not name stays as it was.

use crate::input::{AmountOrZero, PointsInput, RuleNumber, Sent};
use crate::program_input::{Ids, Version, ids};
use crate::wire::{Instant, MORE_DIGITS};
use domain::loyalty::campaigns::CampaignTerms;
use domain::loyalty::numbers::{Multiplier, PointValue};
use domain::loyalty::program::TierName;
use domain::loyalty::purchase::Products;
use domain::money::Money;
use domain::text::FreeText;
use domain::time::{Period, Timestamp};
use edge::input::{List, NonBlankText, NumberInput};
use edge::request::Clearable;
use edge::{ApiRequest, App, Problem, request, schema};
use serde_json::{Value, json};
use std::collections::BTreeSet;

request! {
    /// A new campaign.
    pub(crate) struct CreateCampaignRequest {
        /// What it is called.
        name: NonBlankText,
        /// What it is.
        description: Option<FreeText>,
        /// What points are multiplied by; above 1.
        multiplier: Option<RuleNumber<Multiplier>>,
        /// Points for a purchase in addition.
        bonus_points: Option<PointsInput>,
        /// Money for one point when spent.
        point_value: Option<RuleNumber<PointValue>>,
        /// From when it holds; defaults to now.
        valid_from: Option<Instant>,
        /// Until when it holds.
        valid_until: Instant,
        /// The tiers that it is for; defaults to all.
        tiers: Option<List<Sent<TierName>, 0, 10>>,
        /// The products that it is for.
        product_ids: Option<Ids>,
        /// The categories that it is for.
        categories: Option<Ids>,
        /// The least eligible amount of a purchase; defaults to 0.
        min_amount: Option<AmountOrZero>,
        /// The most points that its multiplier adds to a purchase.
        max_points_per_purchase: Option<PointsInput>,
    }
    rules [multiplies(), values_any_product(), schema::any_sent(&["multiplier", "bonus_points", "point_value"])]
}

/// The rule that a multiplier is above 1.
fn multiplies() -> Value {
    let text = r"^(1\.([1-9][0-9]?|0[1-9])|([2-9]|[1-9][0-9])(\.[0-9]{1,2})?|100(\.0{1,2})?)$";
    json!({"properties": {"multiplier": {"anyOf": [
        schema::absent(),
        {"type": "number", "exclusiveMinimum": 1},
        schema::pattern(text),
    ]}}})
}

/// The rule that points are worth more whatever they pay for.
fn values_any_product() -> Value {
    let none = json!({"anyOf": [schema::absent(), {"type": "array", "maxItems": 0}]});
    json!({"anyOf": [
        {"properties": {"point_value": schema::absent()}},
        {"properties": {"product_ids": none, "categories": none}},
    ]})
}

request! {
    /// Changes of a campaign; omitted fields stay as they are.
    pub(crate) struct ChangeCampaignRequest {
        /// The version that the change builds on: the latest.
        version: NumberInput<Version>,
        /// What it is called.
        name: Option<NonBlankText>,
        /// What it is.
        description: Clearable<FreeText>,
        /// What points are multiplied by; above 1.
        multiplier: Clearable<RuleNumber<Multiplier>>,
        /// Points for a purchase in addition.
        bonus_points: Clearable<PointsInput>,
        /// Money for one point when spent.
        point_value: Clearable<RuleNumber<PointValue>>,
        /// From when it holds.
        valid_from: Option<Instant>,
        /// Until when it holds.
        valid_until: Option<Instant>,
        /// The tiers that it is for.
        tiers: Option<List<Sent<TierName>, 0, 10>>,
        /// The products that it is for.
        product_ids: Option<Ids>,
        /// The categories that it is for.
        categories: Option<Ids>,
        /// The least eligible amount of a purchase.
        min_amount: Option<AmountOrZero>,
        /// The most points that its multiplier adds to a purchase.
        max_points_per_purchase: Clearable<PointsInput>,
    }
    rules [multiplies(), values_any_product()]
}

fn names(tiers: List<Sent<TierName>, 0, 10>) -> BTreeSet<TierName> {
    tiers.0.into_iter().map(|name| name.0).collect()
}

fn least(amount: Option<AmountOrZero>, app: &App) -> Result<Option<Money>, Problem> {
    let exact = |amount: AmountOrZero| {
        amount.in_currency(app.policy.currency()).ok_or_else(|| Problem::field("/min_amount", MORE_DIGITS))
    };
    amount.map(exact).transpose()
}

pub(crate) fn create_campaign(
    request: &ApiRequest,
    app: &App,
    now: Timestamp,
) -> Result<CampaignTerms, Problem> {
    let sent = CreateCampaignRequest::read(request.fields()?)?;
    Ok(CampaignTerms {
        name: sent.name.0,
        description: sent.description,
        multiplier: sent.multiplier.map(|multiplier| multiplier.0),
        bonus_points: sent.bonus_points.map(|points| points.0),
        point_value: sent.point_value.map(|value| value.0),
        period: Period { from: sent.valid_from.map_or(now, |at| at.0), until: sent.valid_until.0 },
        tiers: sent.tiers.map(names).unwrap_or_default(),
        products: Products { product_ids: ids(sent.product_ids), categories: ids(sent.categories) },
        min_amount: least(sent.min_amount, app)?.unwrap_or_default(),
        max_points_per_purchase: sent.max_points_per_purchase.map(|most| most.0),
    })
}

/// A change of a campaign.
pub(crate) struct CampaignChange {
    pub(crate) builds_on: u32,
    sent: ChangeCampaignRequest,
    min_amount: Option<Money>,
}

pub(crate) fn change_campaign(request: &ApiRequest, app: &App) -> Result<CampaignChange, Problem> {
    let sent = ChangeCampaignRequest::read(request.some_fields()?)?;
    request.key()?;
    let min_amount = least(sent.min_amount, app)?;
    Ok(CampaignChange { builds_on: sent.version.0.0, sent, min_amount })
}

impl CampaignChange {
    /// Returns the terms after the change.
    pub(crate) fn terms(&self, before: &CampaignTerms) -> CampaignTerms {
        fn replaced<T, U>(sent: &Clearable<T>, before: Option<U>, of: impl Fn(&T) -> U) -> Option<U> {
            match &sent.0 {
                Some(value) => value.as_ref().map(of),
                None => before,
            }
        }
        let sent = &self.sent;
        let (before, products) = (before.clone(), before.products.clone());
        CampaignTerms {
            name: sent.name.as_ref().map_or(before.name, |name| name.0.clone()),
            description: replaced(&sent.description, before.description, Clone::clone),
            multiplier: replaced(&sent.multiplier, before.multiplier, |value| value.0),
            bonus_points: replaced(&sent.bonus_points, before.bonus_points, |points| points.0),
            point_value: replaced(&sent.point_value, before.point_value, |value| value.0),
            period: Period {
                from: sent.valid_from.map_or(before.period.from, |at| at.0),
                until: sent.valid_until.map_or(before.period.until, |at| at.0),
            },
            tiers: sent.tiers.clone().map_or(before.tiers, names),
            products: Products {
                product_ids: sent.product_ids.clone().map_or(products.product_ids, |list| ids(Some(list))),
                categories: sent.categories.clone().map_or(products.categories, |list| ids(Some(list))),
            },
            min_amount: self.min_amount.unwrap_or(before.min_amount),
            max_points_per_purchase: replaced(
                &sent.max_points_per_purchase,
                before.max_points_per_purchase,
                |most| most.0,
            ),
        }
    }
}
