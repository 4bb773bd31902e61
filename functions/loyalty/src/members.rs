//! Lists members by tier, for campaigns that target some of them.
//!
//! **Invariant:** figures are those of now; a fall of a tier that is not written down yet moves a member to the other
//! list the night after.

use crate::input::Sent;
use crate::views::whole;
use axum::extract::State;
use axum::response::Response;
use domain::ids::CustomerId;
use domain::loyalty::member::{Member, Setting};
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::program::TierName;
use domain::loyalty::rules::Rules;
use domain::loyalty::state::LoyaltyState;
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use domain::rejection::Rejection;
use domain::time::Timestamp;
use edge::input::{From, Text, Until};
use edge::json::Number;
use edge::params::WindowQuery;
use edge::{ApiRequest, App, Problem, reply, schema};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Number of members that one request looks at.
const MAX_READ: usize = 1_000;

/// `true` or `false` in a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flag(bool);

impl Text for Flag {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(ParseError("must be true or false")),
        }
    }

    fn schema() -> Value {
        schema::words(["true", "false"])
    }
}

/// An amount in a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Least(Amount);

impl Text for Least {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Amount::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::amount_text()
    }
}

edge::query! {
    /// Filter of the list of members.
    pub(crate) struct MembersQuery {
        /// Only members who hold this tier.
        tier: Sent<TierName>,
        /// Only members who hold their tier since this date or instant, or later.
        tier_since_from: From,
        /// Only members who hold their tier since this date or instant, or before.
        tier_since_to: Until,
        /// Only members in grace, or only those who are not.
        in_grace: Flag,
        /// Only members with at least this spend of twelve months.
        min_spend_12m: Least,
        /// Only members with at least these lifetime points.
        min_lifetime_points: Least,
        /// Only members with at least this balance of points.
        min_balance: Least,
        /// Only members without a movement since this date or instant.
        inactive_since: From,
    }
}

/// A member of the loyalty program.
#[derive(Serialize, ToSchema)]
#[schema(as = LoyaltyMember)]
pub struct MemberView {
    user_id: String,
    #[schema(examples("SILVER"))]
    tier: String,
    #[schema(format = DateTime)]
    tier_since: String,
    /// Last date on which a tier is held that is no longer reached.
    #[schema(format = Date)]
    grace_ends_on: Option<String>,
    spend_12m: Number,
    lifetime_points: u64,
    balance: u64,
    balance_value: Number,
    #[schema(format = DateTime)]
    last_activity_at: Option<String>,
    #[schema(examples("ACTIVE"))]
    status: &'static str,
}

/// Members, in no particular order.
#[derive(Serialize, ToSchema)]
pub struct Members {
    members: Vec<MemberView>,
    /// Always null: members are not counted.
    total: Option<u64>,
    limit: u16,
    skip: u16,
    next_cursor: Option<String>,
}

impl MembersQuery {
    fn matches(&self, member: &Member) -> Result<bool, Rejection> {
        let (standing, today) = (&member.standing, member.posting.today());
        let part = member.part()?;
        let at_least = |least: Option<Least>, have: Money| {
            least.is_none_or(|least| least.0.with_digits(4).is_none_or(|least| have >= least))
        };
        let last = member.posting.account.last_transaction_at;
        Ok(self.tier.as_ref().is_none_or(|tier| standing.tier == tier.0)
            && self.tier_since_from.is_none_or(|from| standing.since >= from.0)
            && self.tier_since_to.is_none_or(|to| standing.since <= to.at)
            && self.in_grace.is_none_or(|flag| standing.grace.is_some() == flag.0)
            && at_least(self.min_spend_12m, part.spend.trailing(today))
            && at_least(self.min_lifetime_points, part.lifetime)
            && at_least(self.min_balance, member.posting.account.balance())
            && self.inactive_since.is_none_or(|since| last.is_none_or(|last| last < since.0)))
    }

    fn bind(&self) -> String {
        let Self { tier, tier_since_from, tier_since_to, in_grace, inactive_since, .. } = self;
        let least = [self.min_spend_12m, self.min_lifetime_points, self.min_balance];
        let least = least.map(|least| least.map(|least| least.0.to_string()));
        format!(
            "members|{tier:?}|{tier_since_from:?}|{tier_since_to:?}|{in_grace:?}|{inactive_since:?}|{least:?}"
        )
    }
}

fn view(member: &Member) -> Result<MemberView, Rejection> {
    let (account, program) = (&member.posting.account, member.program()?);
    let worth = |points: Money| {
        let points = domain::loyalty::numbers::Points::of_money(points).unwrap_or_default();
        Number::money(points.value(program.rules.point_value, program.currency), program.currency)
    };
    let standing = &member.standing;
    let grace = standing.grace.and_then(|grace| grace.ends.pred_opt());
    Ok(MemberView {
        user_id: account.id.customer().to_string(),
        tier: standing.tier.as_str().to_owned(),
        tier_since: standing.since.to_string(),
        grace_ends_on: grace.map(|date| date.to_string()),
        spend_12m: Number::money(member.part()?.spend.trailing(member.posting.today()), program.currency),
        lifetime_points: member.lifetime().get(),
        balance: whole(account.balance()),
        balance_value: worth(account.balance()),
        last_activity_at: account.last_transaction_at.map(|at: Timestamp| at.to_string()),
        status: account.status.as_str(),
    })
}

/// Lists members; with `tier`, those who hold it. Figures are of now.
#[utoipa::path(get, path = "/api/loyalty/members", tag = "loyalty", params(MembersQuery, WindowQuery),
    responses((status = 200, body = Members)))]
pub(crate) async fn members(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.permission(LoyaltyAction::ReadRules)?;
    let mut params = request.params();
    let query = MembersQuery::take(&mut params);
    let window = params.window();
    params.finish()?;
    let context = request.context(&app)?;
    let list = query.bind();
    let mut place = match &window.cursor {
        Some(cursor) => app.cursors.open_text(&list, cursor)?,
        None => String::new(),
    };
    let stored = app.store.loyalty().rules().await?;
    let tiers = match &query.tier {
        Some(tier) => vec![tier.0.clone()],
        None => Rules::of(&stored, app.policy.currency())?.tier_names(),
    };
    let tiers: Vec<&str> = tiers.iter().map(TierName::as_str).collect();
    let state = LoyaltyState { rules: stored, ..LoyaltyState::default() };
    let setting = Setting::of(&state, &context)?;
    let limit = usize::from(window.limit);
    let (mut kept, mut skipped, mut read, mut more) = (Vec::new(), 0, 0, true);
    while more && kept.len() < limit && read < MAX_READ {
        let page = app.store.loyalty().members(&tiers, &place, limit).await?;
        more = page.more;
        read += page.members.len().max(1);
        let users: Vec<CustomerId> = page.members.iter().map(|(user, _)| user.clone()).collect();
        let found = app.store.loyalty().points_of(&users, setting.context.now).await?;
        place = page.members.last().map_or(page.end, |(_, last)| last.clone());
        for (user, at) in page.members {
            let Some(points) = found.get(&user) else { continue };
            let member = Member::view(Some(points), &user, &setting)?;
            if !query.matches(&member)? {
                continue;
            }
            if skipped < window.skip {
                skipped += 1;
                continue;
            }
            kept.push(view(&member)?);
            if kept.len() == limit {
                (place, more) = (at, true);
                break;
            }
        }
    }
    let next_cursor = if more { app.cursors.seal_text(&list, &place) } else { None };
    if request.accepts_csv() {
        return csv(&kept);
    }
    let (limit, skip) = (window.limit, window.skip);
    reply::ok(&Members { members: kept, total: None, limit, skip, next_cursor })
}

fn csv(members: &[MemberView]) -> Result<Response, Problem> {
    const COLUMNS: [&str; 10] = [
        "user_id",
        "tier",
        "tier_since",
        "grace_ends_on",
        "spend_12m",
        "lifetime_points",
        "balance",
        "balance_value",
        "last_activity_at",
        "status",
    ];
    edge::csv::file(&COLUMNS, members).map(reply::csv).ok_or_else(Problem::internal)
}
