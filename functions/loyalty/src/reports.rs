//! The report of all customers' points by day, month or campaign.
//!
//! **Invariant:** the closing of a row is its opening and what it counts, and the opening of the next.

use axum::extract::State;
use axum::response::Response;
use domain::currency::Currency;
use domain::loyalty::figures::{Figure, PointsFigures, Sum};
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::rules::Rules;
use domain::parse::ParseError;
use domain::time::{Date, Timestamp, parse_date, plus_days};
use edge::input::Text;
use edge::json::Number;
use edge::{ApiRequest, App, Problem, reply, schema};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The most days of a report.
const MAX_DAYS: i64 = 1_100;

/// A date of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Day(Date);

impl Text for Day {
    fn parse(text: &str) -> Result<Self, ParseError> {
        parse_date(text).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string", "format": "date"})
    }
}

/// What a row is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum GroupBy {
    #[default]
    Day,
    Month,
    Campaign,
}

impl Text for GroupBy {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "day" => Ok(Self::Day),
            "month" => Ok(Self::Month),
            "campaign" => Ok(Self::Campaign),
            _ => Err(ParseError("must be one of day, month, campaign")),
        }
    }

    fn schema() -> Value {
        schema::words(["day", "month", "campaign"])
    }
}

edge::query! {
    /// The period of a report.
    pub(crate) struct ReportQuery {
        /// First date; defaults to the first of the month of `to`.
        from: Day,
        /// Last date; defaults to today.
        to: Day,
        /// day, month or campaign; defaults to day.
        group_by: GroupBy,
    }
}

/// A row of the report. Figures are in points and, as `_value`, in money as they were booked.
#[derive(Default, Serialize, ToSchema)]
pub struct PointsRow {
    /// Null unless grouped by day.
    #[schema(format = Date)]
    day: Option<String>,
    /// Null unless grouped by month.
    #[schema(examples("2026-01"))]
    month: Option<String>,
    /// Null unless grouped by campaign.
    campaign_id: Option<String>,
    /// Available, held and pending points before; null for a campaign, as all figures but `earned`.
    opening: Option<i64>,
    opening_value: Option<Number>,
    /// Of a campaign: the points of purchases to which it applied.
    earned: i64,
    earned_value: Option<Number>,
    /// Added less removed by hand.
    adjusted: Option<i64>,
    adjusted_value: Option<Number>,
    /// Given in place of refunds' money.
    given_for_refunds: Option<i64>,
    given_for_refunds_value: Option<Number>,
    /// Given back to the customers who had paid with them.
    refunded: Option<i64>,
    refunded_value: Option<Number>,
    redeemed: Option<i64>,
    redeemed_value: Option<Number>,
    /// Taken back from purchases that were refunded, and what was collected of it later.
    reversed: Option<i64>,
    reversed_value: Option<Number>,
    expired: Option<i64>,
    expired_value: Option<Number>,
    /// Available, held and pending points after.
    closing: Option<i64>,
    closing_value: Option<Number>,
    /// Of the closing, what cannot be spent yet.
    pending: Option<i64>,
    pending_value: Option<Number>,
    /// Of the closing, what is locked.
    held: Option<i64>,
    held_value: Option<Number>,
    owed: Option<i64>,
    owed_value: Option<Number>,
}

/// The report of all customers' points.
#[derive(Serialize, ToSchema)]
pub struct PointsReport {
    rows: Vec<PointsRow>,
    currency: &'static str,
    /// What the points at the end of the period are worth at the point value of now.
    closing_value_now: Number,
    /// `closing_value_now` less the value as booked.
    revaluation: Number,
    /// The last date that is complete; null if no night has passed.
    #[schema(format = Date)]
    as_of: Option<String>,
}

fn points(sum: Sum) -> Option<i64> {
    sum.points.to_i64()
}

/// The points of all customers at the end of a period.
#[derive(Clone, Copy, Default)]
struct Standing {
    total: Sum,
    pending: Sum,
    held: Sum,
    owed: Sum,
}

impl Standing {
    fn add(&mut self, figures: &PointsFigures) {
        self.total = self.total.plus(figures.change());
        self.pending = self.pending.plus(figures.of(Figure::Pending));
        self.held = self.held.plus(figures.of(Figure::Held));
        self.owed = self.owed.plus(figures.of(Figure::Owed));
    }

    /// Returns the row of a period that ends with this, and began with `before`. What is pending, held and owed is valued
    /// at the point value of its end.
    fn row(&self, before: Sum, figures: &PointsFigures, each: Decimal, currency: Currency) -> PointsRow {
        let at_end = |sum: Sum| {
            let value = sum.points.saturating_mul(each).trunc_with_scale(currency.digits());
            Some(Number::difference(value, currency))
        };
        let value = |sum: Sum| Some(Number::difference(sum.value, currency));
        let of = |figure: Figure| (points(figures.of(figure)), value(figures.of(figure)));
        let (earned, earned_value) = of(Figure::Earned);
        let (adjusted, adjusted_value) = of(Figure::Adjusted);
        let (given_for_refunds, given_for_refunds_value) = of(Figure::GivenForRefunds);
        let (refunded, refunded_value) = of(Figure::Refunded);
        let (redeemed, redeemed_value) = of(Figure::Redeemed);
        let (reversed, reversed_value) = of(Figure::Reversed);
        let (expired, expired_value) = of(Figure::Expired);
        PointsRow {
            opening: points(before),
            opening_value: value(before),
            earned: earned.unwrap_or(i64::MAX),
            earned_value,
            adjusted,
            adjusted_value,
            given_for_refunds,
            given_for_refunds_value,
            refunded,
            refunded_value,
            redeemed,
            redeemed_value,
            reversed,
            reversed_value,
            expired,
            expired_value,
            closing: points(self.total),
            closing_value: value(self.total),
            pending: points(self.pending),
            pending_value: at_end(self.pending),
            held: points(self.held),
            held_value: at_end(self.held),
            owed: points(self.owed),
            owed_value: at_end(self.owed),
            ..PointsRow::default()
        }
    }
}

/// Returns the dates of the period, or why it is refused.
fn period(query: &ReportQuery, today: Date) -> Result<(Date, Date), Problem> {
    use chrono::Datelike;
    let to = query.to.map_or(today, |day| day.0);
    let from = query.from.map_or(to.with_day(1).unwrap_or(to), |day| day.0);
    let days = (to - from).num_days();
    if days < 0 {
        return Err(Problem::field("/from", "must not be after to"));
    }
    if days > MAX_DAYS {
        return Err(Problem::field("/from", "must be at most 1100 days before to"));
    }
    Ok((from, to.min(today)))
}

/// Reports all customers' points: earned, spent, taken back and expired, by day, month or campaign.
///
/// Days are complete from the night after (`as_of`).
#[utoipa::path(get, path = "/api/loyalty/reports/points", tag = "loyalty", params(ReportQuery),
    responses((status = 200, body = PointsReport)))]
pub(crate) async fn points_report(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let query = ReportQuery::take(&mut params);
    params.finish()?;
    let now = app.clock.now();
    let (from, to) = period(&query, now.date())?;
    request.permission(LoyaltyAction::Manage)?;
    let store = app.store.loyalty();
    // First, so that the rows are at least as complete.
    let through = store.report_through().await?;
    let days = store.report(to).await?;
    let stored = store.rules().await?;
    let rules = Rules::of(&stored, app.policy.currency())?;
    let program = rules.program_at(rules.changed_at.map_or(now, |changed| now.max(changed)))?;
    let currency = app.policy.currency();
    let mut standing = Standing::default();
    days.range(..from).for_each(|(_, figures)| standing.add(figures));
    let rows = match query.group_by.unwrap_or_default() {
        GroupBy::Campaign => campaigns(&days, from, currency, &mut standing),
        group_by @ (GroupBy::Day | GroupBy::Month) => {
            periods(&days, (from, to), (group_by, &rules), currency, &mut standing)?
        }
    };
    let each = program.rules.point_value.value();
    let worth = standing.total.points.saturating_mul(each).trunc_with_scale(currency.digits());
    reply::ok(&PointsReport {
        rows,
        currency: currency.code(),
        closing_value_now: Number::difference(worth, currency),
        revaluation: Number::difference(worth.saturating_sub(standing.total.value), currency),
        as_of: through.map(|day| day.to_string()),
    })
}

fn periods(
    days: &BTreeMap<Date, PointsFigures>,
    (from, to): (Date, Date),
    (group_by, rules): (GroupBy, &Rules),
    currency: Currency,
    standing: &mut Standing,
) -> Result<Vec<PointsRow>, Problem> {
    let name = |day: Date| {
        let day = day.to_string();
        if group_by == GroupBy::Day { day } else { day.get(..7).unwrap_or_default().to_owned() }
    };
    let mut rows = vec![];
    let mut day = from;
    while day <= to {
        let (of, before) = (name(day), standing.total);
        let mut figures = PointsFigures::default();
        while day <= to && name(day) == of {
            if let Some(found) = days.get(&day) {
                figures.add_all(found);
                standing.add(found);
            }
            day = plus_days(day, 1).ok_or_else(Problem::internal)?;
        }
        let each = rules.program_at(Timestamp::start_of(day))?.rules.point_value.value();
        let (is_day, row) = (group_by == GroupBy::Day, standing.row(before, &figures, each, currency));
        rows.push(if is_day {
            PointsRow { day: Some(of), ..row }
        } else {
            PointsRow { month: Some(of), ..row }
        });
    }
    Ok(rows)
}

fn campaigns(
    days: &BTreeMap<Date, PointsFigures>,
    from: Date,
    currency: Currency,
    standing: &mut Standing,
) -> Vec<PointsRow> {
    let mut all = PointsFigures::default();
    for (_, figures) in days.range(from..) {
        all.add_all(figures);
        standing.add(figures);
    }
    let row = |(campaign, sum): (&String, &Sum)| PointsRow {
        campaign_id: Some(campaign.clone()),
        earned: points(*sum).unwrap_or(i64::MAX),
        earned_value: Some(Number::difference(sum.value, currency)),
        ..PointsRow::default()
    };
    all.campaigns.iter().map(row).collect()
}
