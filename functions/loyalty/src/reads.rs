//! Reads a customer's points, and says what a purchase would earn and what points would pay.
//!
//! **Invariant:** nothing here writes; what is due counts as if it had been written.

use crate::paths::UserPath;
use crate::purchase_views::{self, Explained, ExplanationView};
use crate::wallet_view::{self, ExpiringList, PointsWallet};
use crate::{Standing, permitted, standing, wire};
use axum::extract::State;
use axum::response::Response;
use domain::currency::Currency;
use domain::ids::CustomerId;
use domain::ledger::account::AccountStatus;
use domain::loyalty::earn::judge;
use domain::loyalty::exact::six_digits;
use domain::loyalty::numbers::Points;
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::redemption::{Charge, Limit, point_value};
use domain::loyalty::state::LoyaltyNeeds;
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use domain::rejection::{LoyaltyRejection, Rejection};
use edge::input::{DaysAhead, Text};
use edge::json::Number;
use edge::params::WindowQuery;
use edge::{ApiRequest, App, Problem, reply, schema};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// Returns a customer's points, tier, and progress towards the next tier.
///
/// Every customer has points: what nothing was written to yet reads as empty.
#[utoipa::path(get, path = "/api/loyalty/wallets/{user_id}", tag = "loyalty", params(UserPath),
    responses((status = 200, body = PointsWallet)))]
pub(crate) async fn wallet(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = permitted(&request, LoyaltyAction::Read)?;
    request.params().finish()?;
    let Standing { member, .. } =
        standing(&app, &request.context(&app)?, &LoyaltyNeeds::points(&user)).await?;
    reply::ok(&wallet_view::wallet(&member)?)
}

edge::query! {
    /// Period of the list of points that expire.
    pub(crate) struct ExpiringQuery {
        /// Days from today; defaults to 30.
        days_ahead: DaysAhead,
    }
}

/// Lists the points that expire within `days_ahead` days, soonest first.
#[utoipa::path(get, path = "/api/loyalty/wallets/{user_id}/expiring", tag = "loyalty",
    params(UserPath, ExpiringQuery, WindowQuery), responses((status = 200, body = ExpiringList)))]
pub(crate) async fn expiring(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = permitted(&request, LoyaltyAction::Read)?;
    let mut params = request.params();
    let days = ExpiringQuery::take(&mut params).days_ahead.map_or(30, |days| days.0);
    let window = params.window();
    params.finish()?;
    let Standing { member, .. } =
        standing(&app, &request.context(&app)?, &LoyaltyNeeds::points(&user)).await?;
    reply::ok(&wallet_view::expiring(&app, &member, days, &window)?)
}

/// An amount in a query; zero is allowed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueryAmount(Option<Amount>);

impl Text for QueryAmount {
    fn parse(text: &str) -> Result<Self, ParseError> {
        if text == "0" { Ok(Self(None)) } else { Amount::parse(text).map(|amount| Self(Some(amount))) }
    }

    fn schema() -> Value {
        json!({"anyOf": [schema::amount_text(), {"const": "0"}]})
    }
}

edge::query! {
    /// The charge that points may pay a part of.
    pub(crate) struct QuoteQuery {
        /// The charge, after coupons and before points.
        charge: QueryAmount,
        /// ISO 4217 code; defaults to the program's currency.
        currency: Currency,
        /// What a coupon has taken off.
        coupon_discount: QueryAmount,
    }
    required ["charge"]
}

/// How many points may pay for a charge.
#[derive(Serialize, ToSchema)]
pub struct Quote {
    user_id: String,
    available: u64,
    available_value: Number,
    /// The most points that may be redeemed.
    max_points: u64,
    max_value: Number,
    /// The fewest points worth one minor unit of the currency.
    step: u64,
    min_points: u64,
    point_value: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    charge: Number,
    /// What is left to pay in money if the most points are redeemed.
    charge_after: Number,
    /// balance, min_points, max_points_per_booking, max_share, charge, coupons or frozen
    limited_by: Vec<&'static str>,
    redeemable: bool,
}

/// Says how many points may pay for a charge, and what they are worth; changes nothing.
#[utoipa::path(get, path = "/api/loyalty/wallets/{user_id}/quote", tag = "loyalty",
    params(UserPath, QuoteQuery), responses((status = 200, body = Quote)))]
pub(crate) async fn quote(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = permitted(&request, LoyaltyAction::Read)?;
    let mut params = request.params();
    let query = QuoteQuery::take(&mut params);
    params.finish()?;
    let charge = query.charge.ok_or_else(|| Problem::field("/charge", "is required"))?;
    let program_currency = app.policy.currency();
    if query.currency.is_some_and(|currency| currency != program_currency) {
        return Err(Rejection::CurrencyMismatch.into());
    }
    let exact = |name: &str, amount: Option<QueryAmount>| {
        let amount = amount
            .and_then(|amount| amount.0)
            .map_or(Some(Money::ZERO), |amount| amount.in_currency(program_currency));
        amount.ok_or_else(|| Problem::field(format!("/{name}"), "has more digits than the currency"))
    };
    let (amount, coupon) = (exact("charge", Some(charge))?, exact("coupon_discount", query.coupon_discount)?);
    let Standing { member, .. } =
        standing(&app, &request.context(&app)?, &LoyaltyNeeds::points(&user)).await?;
    let (program, tier) = (member.program()?, member.tier()?);
    let campaigns = member.rules.campaigns_at(member.posting.now);
    let (each, _) = point_value(program, &campaigns, tier, amount, member.posting.now);
    let charge = Charge { program, tier, point_value: each, amount };
    let available = Points::of_money(member.posting.account.available()).unwrap_or_default();
    let (mut most, mut limits) = charge.most(available);
    let mut refuse = |is_refused: bool, limit: Limit| {
        if is_refused {
            (most, limits) = (Points::ZERO, vec![limit]);
        }
    };
    refuse(!program.rules.redemption.coupons_allowed && !coupon.is_zero(), Limit::Coupons);
    refuse(member.posting.account.status != AccountStatus::Active, Limit::Frozen);
    let money = |amount: Money| Number::money(amount, program_currency);
    let max_value = charge.value(most);
    reply::ok(&Quote {
        user_id: user.to_string(),
        available: available.get(),
        available_value: money(charge.value(available)),
        max_points: most.get(),
        max_value: money(max_value),
        step: charge.step().get(),
        min_points: program.rules.redemption.min_points.get(),
        point_value: Number::exact(each.value()),
        currency: program_currency.code(),
        charge: money(amount),
        charge_after: money(amount.saturating_sub(max_value)),
        limited_by: limits.into_iter().map(Limit::as_str).collect(),
        redeemable: !most.is_zero(),
    })
}

/// The tier before and after a purchase.
#[derive(Serialize, ToSchema)]
pub struct TierBeforeAfter {
    before: String,
    after: String,
}

/// What a purchase would earn.
#[derive(Serialize, ToSchema)]
pub struct Simulated {
    points: u64,
    points_value: Number,
    #[schema(examples("INR"))]
    currency: &'static str,
    eligible_amount: Number,
    #[schema(format = Date)]
    available_on: String,
    #[schema(format = Date)]
    expires_on: Option<String>,
    tier: TierBeforeAfter,
    /// Names what this depends on; an earning with it is refused once that has changed.
    quote: String,
    explanation: ExplanationView,
}

/// Says what a purchase would earn, by the same rules that earning follows; changes nothing.
#[utoipa::path(post, path = "/api/loyalty/simulate", tag = "loyalty",
    request_body = wire::SimulateRequest, responses((status = 200, body = Simulated)))]
pub(crate) async fn simulate(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let sent = wire::simulate(&request, &app)?;
    let permission = request.permission(LoyaltyAction::Simulate)?;
    let owner = request.actor()?;
    let user = match &sent.user {
        Some(user) => {
            permission.on(user).map_err(|denial| Problem::denied(denial, Problem::wallet_not_found))?;
            user.clone()
        }
        None if owner.role == domain::actor::Role::Customer => {
            return Err(Problem::field("/user_id", "is required: your own"));
        }
        // A customer of whom nothing is known.
        None => CustomerId::parse("simulated").map_err(|_| Problem::internal())?,
    };
    let context = request.context(&app)?;
    let Standing { member, setting, .. } = match &sent.user {
        Some(_) => standing(&app, &context, &LoyaltyNeeds::points(&user)).await?,
        None => nobody(&app, &context, &user).await?,
    };
    let purchase = sent.report.at(member.posting.now, true)?;
    let program = setting.rules.program_for(&purchase, member.posting.now)?;
    let judged = if sent.user.is_some() {
        member.judge(&setting.rules, &purchase)?
    } else {
        let tiers = &program.rules.tiers;
        let tier = match &sent.tier {
            Some(name) => tiers.named(name).ok_or(Rejection::Loyalty(LoyaltyRejection::UnknownTier))?,
            None => tiers.all().first().ok_or(Rejection::Loyalty(LoyaltyRejection::UnknownTier))?,
        };
        judge(&setting.rules, &purchase, tier, (member.posting.now, Points::ZERO))?
    };
    let (points, currency) = (judged.earned.points, judged.program.currency);
    let before = if sent.user.is_some() { member.tier()?.name.clone() } else { judged.tier.name.clone() };
    let after = match sent.user {
        Some(_) => member.tier_after(purchase.occurred_at.date(), judged.earned.eligible, points)?,
        None => before.clone(),
    };
    let name = |name: &domain::loyalty::program::TierName| name.as_str().to_owned();
    reply::ok(&Simulated {
        points: points.get(),
        points_value: Number::money(points.value(member.program()?.rules.point_value, currency), currency),
        currency: currency.code(),
        eligible_amount: Number::money(judged.earned.eligible, currency),
        available_on: judged.available_on.to_string(),
        expires_on: judged.expires_on.map(|date| date.to_string()),
        tier: TierBeforeAfter { before: name(&before), after: name(&after) },
        quote: judged.quote.clone(),
        explanation: purchase_views::explanation(&Explained {
            tier: judged.tier.name.as_str(),
            program_version: judged.program.version,
            amount: (purchase.amount, purchase.currency),
            eligible: (judged.earned.eligible, currency),
            raw: &six_digits(&judged.earned.raw),
            points,
            steps: &judged.earned.steps,
        }),
    })
}

/// Returns the points of somebody of whom nothing is known.
async fn nobody(
    app: &App,
    context: &domain::context::Context,
    user: &CustomerId,
) -> Result<Standing, Problem> {
    let state = domain::loyalty::state::LoyaltyState {
        rules: app.store.loyalty().rules().await?,
        ..Default::default()
    };
    let setting = domain::loyalty::member::Setting::of(&state, context)?;
    let member = domain::loyalty::member::Member::view(None, user, &setting)?;
    Ok(Standing { member, setting, state })
}
