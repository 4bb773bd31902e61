//! Reads and changes the program and its campaigns.
//!
//! **Invariant:** a change holds from the answer that reports it, in every process; what was in force before stays.

use crate::paths::{LoyaltyCampaignPath, VersionPath};
use crate::program_views::{
    self, CampaignVersions, LoyaltyCampaign, LoyaltyCampaigns, LoyaltyProgram, LoyaltyTiersView,
    ProgramVersions, TierWithOffers,
};
use crate::{campaign_id, campaign_wire, program_wire, wire};
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use domain::actor::Role;
use domain::ids::LoyaltyCampaignId;
use domain::loyalty::campaigns::{Campaign, CampaignStatus, MAX_OPEN};
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::rules::{CampaignHistory, Rules};
use domain::loyalty::versions::{ProgramChange, ProgramHistory, RulesError};
use domain::parse::ParseError;
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::time::Timestamp;
use edge::input::Text;
use edge::params::WindowQuery;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, App, Problem, page, reply, schema};
use http::StatusCode;
use serde_json::Value;
use store::RulesChange;

fn refused(error: &RulesError) -> Problem {
    match error {
        RulesError::VersionConflict => Rejection::Loyalty(LoyaltyRejection::VersionConflict).into(),
        RulesError::Invalid(field, ParseError(why)) => Problem::field(format!("/{field}"), *why),
        RulesError::NotFound => Rejection::Loyalty(LoyaltyRejection::CampaignNotFound).into(),
        RulesError::TooManyOpen => {
            Rejection::TooManyOpen { what: "campaigns", most: u32::try_from(MAX_OPEN).unwrap_or(u32::MAX) }
                .into()
        }
    }
}

/// Reads the rules of now, and the instant of the request, which is never before their last change.
async fn rules(app: &App) -> Result<(Rules, Timestamp), Problem> {
    let stored = app.store.loyalty().rules().await?;
    let rules = Rules::of(&stored, app.policy.currency())?;
    let now = rules.changed_at.map_or(app.clock.now(), |changed| app.clock.now().max(changed));
    Ok((rules, now))
}

fn permit(request: &ApiRequest, action: LoyaltyAction) -> Result<(), Problem> {
    request.permission(action).map(|_| ())
}

edge::query! {
    /// The instant at which the program is to be shown.
    pub(crate) struct ProgramQuery {
        /// An instant, also one to come; defaults to now.
        at: wire::Instant,
    }
}

/// Returns the program in force.
#[utoipa::path(get, path = "/api/loyalty/program", tag = "loyalty", params(ProgramQuery),
    responses((status = 200, body = LoyaltyProgram)))]
pub(crate) async fn program(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    permit(&request, LoyaltyAction::ReadProgram)?;
    let mut params = request.params();
    let query = ProgramQuery::take(&mut params);
    params.finish()?;
    let (rules, now) = rules(&app).await?;
    let at = query.at.map_or(now, |at| at.0);
    let version = rules.program_at(at)?.version;
    let found = rules.programs.all().iter().find(|known| known.program.version == version);
    reply::ok(&program_views::program(found.ok_or_else(Problem::internal)?))
}

/// Lists all versions of the program, oldest first.
#[utoipa::path(get, path = "/api/loyalty/program/versions", tag = "loyalty",
    responses((status = 200, body = ProgramVersions)))]
pub(crate) async fn versions(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    permit(&request, LoyaltyAction::ReadRules)?;
    request.params().finish()?;
    let (rules, _) = rules(&app).await?;
    let standing = rules.programs.all().iter().filter(|version| !version.is_withdrawn);
    reply::ok(&ProgramVersions { versions: standing.map(program_views::program).collect() })
}

/// Makes a version of the program, which holds from now or from a later instant on.
#[utoipa::path(patch, path = "/api/loyalty/program", tag = "loyalty",
    request_body = program_wire::ChangeProgramRequest, responses((status = 200, body = LoyaltyProgram)))]
pub(crate) async fn change_program(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let change = program_wire::change_program(&request, &app)?;
    permit(&request, LoyaltyAction::Manage)?;
    let (by, currency) = (request.actor()?.signature(), app.policy.currency());
    let requested = app.clock.now();
    let decide = |stored: &domain::loyalty::rules::StoredRules, now: Timestamp| {
        // A change is made just after the instant of the request.
        let valid_from = change.valid_from.map(|from| if from >= requested { from.max(now) } else { from });
        let change = ProgramChange { valid_from, ..change.clone() };
        let version = history(stored, currency)?.change(change, now, by.clone())?;
        Ok(RulesChange::Program(Box::new(version)))
    };
    let changed = app.store.loyalty().change_rules((requested, request.id()), decide).await?;
    match changed.map_err(|error| refused(&error))? {
        RulesChange::Program(version) => reply::ok(&program_views::program(&version)),
        RulesChange::Campaign { .. } => Err(Problem::internal()),
    }
}

fn history(
    stored: &domain::loyalty::rules::StoredRules,
    currency: domain::currency::Currency,
) -> Result<ProgramHistory, RulesError> {
    Rules::of(stored, currency).map(|rules| rules.programs).map_err(|_| RulesError::VersionConflict)
}

/// Withdraws a version of the program that has not begun, while it is more than five minutes ahead.
#[utoipa::path(delete, path = "/api/loyalty/program/versions/{version}", tag = "loyalty", params(VersionPath),
    responses((status = 204)))]
pub(crate) async fn withdraw(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let version = request.segment::<VersionPath>()?.0;
    request.params().finish()?;
    permit(&request, LoyaltyAction::Manage)?;
    let currency = app.policy.currency();
    let decide = |stored: &domain::loyalty::rules::StoredRules, now: Timestamp| {
        let withdrawn = history(stored, currency)?.withdraw(version, now)?;
        Ok(RulesChange::Program(Box::new(withdrawn)))
    };
    let changed = app.store.loyalty().change_rules((app.clock.now(), request.id()), decide).await?;
    changed.map_err(|error| refused(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Lists the tiers, lowest first, with what is exclusive to each.
#[utoipa::path(get, path = "/api/loyalty/tiers", tag = "loyalty",
    responses((status = 200, body = LoyaltyTiersView)))]
pub(crate) async fn tiers(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    permit(&request, LoyaltyAction::ReadProgram)?;
    request.params().finish()?;
    let (rules, now) = rules(&app).await?;
    let (program, campaigns) = (rules.program_at(now)?, rules.campaigns_at(now));
    let vouchers = app.store.vouchers().recent().await?;
    let view = |tier: &domain::loyalty::program::LoyaltyTier| {
        let is_exclusive =
            |campaign: &&Campaign| !campaign.terms.tiers.is_empty() && campaign.is_for(&tier.name);
        let exclusive = campaigns.iter().filter(is_exclusive).map(|campaign| campaign.id.to_string());
        TierWithOffers {
            tier: program_views::tier(tier, program.currency),
            exclusive_campaigns: exclusive.collect(),
            exclusive_vouchers: vouchers
                .iter()
                .filter(|voucher| voucher.is_for_sale(now) && voucher.terms.tiers.contains(&tier.name))
                .map(|voucher| voucher.id.to_string())
                .collect(),
        }
    };
    reply::ok(&LoyaltyTiersView { tiers: program.rules.tiers.all().iter().map(view).collect() })
}

/// Creates a campaign.
#[utoipa::path(post, path = "/api/loyalty/campaigns", tag = "loyalty",
    request_body = campaign_wire::CreateCampaignRequest, responses((status = 201, body = LoyaltyCampaign)))]
pub(crate) async fn create_campaign(
    State(app): State<App>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let terms = campaign_wire::create_campaign(&request, &app, app.clock.now())?;
    permit(&request, LoyaltyAction::Manage)?;
    let cause = domain::cause::Cause::of_request(
        domain::cause::Operation::CreateCampaign,
        request.key()?.as_ref(),
        request.id(),
    );
    let id = LoyaltyCampaignId::mint(&cause);
    // A repetition with the same key finds the campaign.
    if let Some(known) = app.store.loyalty().campaign(&id).await? {
        let first = known.first().ok_or_else(Problem::internal)?;
        if first.terms.name != terms.name || first.terms.period.until != terms.period.until {
            return Err(Rejection::KeyReused.into());
        }
        return created(&app, first, first.since, true);
    }
    let by = request.actor()?.signature();
    let decide = |stored: &domain::loyalty::rules::StoredRules, now: Timestamp| {
        let is_open = |history: &&CampaignHistory| {
            let status = history.latest().map(|latest| latest.status(now));
            matches!(status, Some(CampaignStatus::Scheduled | CampaignStatus::Active))
        };
        if stored.campaigns.iter().filter(is_open).count() >= MAX_OPEN {
            return Err(RulesError::TooManyOpen);
        }
        check_tiers(stored, &terms, app.policy.currency(), now)?;
        let campaign = Campaign::create(id.clone(), terms.clone(), now, by.clone())?;
        Ok(RulesChange::Campaign { created_at: campaign.since, campaign: Box::new(campaign) })
    };
    let changed = app.store.loyalty().change_rules((app.clock.now(), request.id()), decide).await?;
    match changed.map_err(|error| refused(&error))? {
        RulesChange::Campaign { campaign, created_at } => created(&app, &campaign, created_at, false),
        RulesChange::Program(_) => Err(Problem::internal()),
    }
}

/// Checks that the program has the tiers that a campaign names.
fn check_tiers(
    stored: &domain::loyalty::rules::StoredRules,
    terms: &domain::loyalty::campaigns::CampaignTerms,
    currency: domain::currency::Currency,
    now: Timestamp,
) -> Result<(), RulesError> {
    if history(stored, currency)?.knows_tiers(&terms.tiers, now) {
        Ok(())
    } else {
        Err(RulesError::Invalid("tiers", ParseError("must be tiers of the program")))
    }
}

fn created(
    app: &App,
    campaign: &Campaign,
    created_at: Timestamp,
    replayed: bool,
) -> Result<Response, Problem> {
    let now = if replayed { created_at } else { app.clock.now().max(created_at) };
    let body = program_views::campaign(campaign, created_at, now, app.policy.currency());
    let location = Some(format!("/api/loyalty/campaigns/{}", campaign.id));
    reply::answer(StatusCode::CREATED, ReplyMeta { location, replayed, retries: 0 }, &body)
}

/// The status of a campaign, as a filter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusFilter(CampaignStatus);

impl Text for StatusFilter {
    fn parse(text: &str) -> Result<Self, ParseError> {
        CampaignStatus::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(CampaignStatus::ALL.map(CampaignStatus::as_str))
    }
}

edge::query! {
    /// Filter of the list of campaigns.
    pub(crate) struct CampaignsQuery {
        /// Only campaigns with this status; customers see active ones only.
        status: StatusFilter,
    }
}

/// Lists campaigns, newest first; customers see those in force, as offers.
#[utoipa::path(get, path = "/api/loyalty/campaigns", tag = "loyalty", params(CampaignsQuery, WindowQuery),
    responses((status = 200, body = LoyaltyCampaigns)))]
pub(crate) async fn campaigns(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let is_customer = readers(&request)?;
    let mut params = request.params();
    let status = CampaignsQuery::take(&mut params).status.map(|status| status.0);
    let window = params.window();
    params.finish()?;
    let now = app.clock.now();
    let is_shown = |campaign: &Campaign| {
        let is = campaign.status(now.max(campaign.since));
        status.is_none_or(|status| status == is) && (!is_customer || is == CampaignStatus::Active)
    };
    let mut all = app.store.loyalty().campaigns().await?;
    all.retain(|(_, campaign)| is_shown(campaign));
    all.reverse();
    let numbered: Vec<(usize, (Timestamp, Campaign))> = all.into_iter().enumerate().collect();
    let list = format!("campaigns|{status:?}|{is_customer}");
    let page = page::of(&app, &list, &window, numbered, |(at, _)| format!("{at:06}"))?;
    let currency = app.policy.currency();
    let view = |(_, (created_at, campaign)): &(usize, (Timestamp, Campaign))| {
        program_views::campaign(campaign, *created_at, now.max(campaign.since), currency)
    };
    reply::ok(&LoyaltyCampaigns {
        campaigns: page.items.iter().map(view).collect(),
        total: page.total,
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next_cursor,
    })
}

/// Checks that the caller may read campaigns; returns true for customers, who see offers only.
fn readers(request: &ApiRequest) -> Result<bool, Problem> {
    if request.actor()?.role == Role::Customer {
        return Ok(true);
    }
    permit(request, LoyaltyAction::ReadRules)?;
    Ok(false)
}

fn unknown() -> Problem {
    Rejection::Loyalty(LoyaltyRejection::CampaignNotFound).into()
}

/// Returns a campaign; customers see those in force.
#[utoipa::path(get, path = "/api/loyalty/campaigns/{campaign_id}", tag = "loyalty", params(LoyaltyCampaignPath),
    responses((status = 200, body = LoyaltyCampaign)))]
pub(crate) async fn campaign(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let is_customer = readers(&request)?;
    let id = campaign_id(&request)?;
    request.params().finish()?;
    let history = app.store.loyalty().campaign(&id).await?.ok_or_else(unknown)?;
    let (first, latest) = history.first().zip(history.latest()).ok_or_else(unknown)?;
    let now = app.clock.now().max(latest.since);
    if is_customer && latest.status(now) != CampaignStatus::Active {
        return Err(unknown());
    }
    reply::ok(&program_views::campaign(latest, first.since, now, app.policy.currency()))
}

/// Lists all versions of a campaign, oldest first.
#[utoipa::path(get, path = "/api/loyalty/campaigns/{campaign_id}/versions", tag = "loyalty",
    params(LoyaltyCampaignPath), responses((status = 200, body = CampaignVersions)))]
pub(crate) async fn campaign_versions(
    State(app): State<App>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    permit(&request, LoyaltyAction::ReadRules)?;
    let id = campaign_id(&request)?;
    request.params().finish()?;
    let history = app.store.loyalty().campaign(&id).await?.ok_or_else(unknown)?;
    let created_at = history.first().ok_or_else(unknown)?.since;
    let currency = app.policy.currency();
    let view = |version: &Campaign| {
        program_views::campaign(version, created_at, app.clock.now().max(version.since), currency)
    };
    reply::ok(&CampaignVersions { versions: history.versions().iter().map(view).collect() })
}

/// Makes a version of a campaign, which holds from now on.
#[utoipa::path(patch, path = "/api/loyalty/campaigns/{campaign_id}", tag = "loyalty", params(LoyaltyCampaignPath),
    request_body = campaign_wire::ChangeCampaignRequest, responses((status = 200, body = LoyaltyCampaign)))]
pub(crate) async fn change_campaign(
    State(app): State<App>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let change = campaign_wire::change_campaign(&request, &app)?;
    permit(&request, LoyaltyAction::Manage)?;
    let (id, by) = (campaign_id(&request)?, request.actor()?.signature());
    let known = app.store.loyalty().campaign(&id).await?.ok_or_else(unknown)?;
    let decide = |stored: &domain::loyalty::rules::StoredRules, now: Timestamp| {
        let (created_at, latest) = latest_of(stored, &known, &id)?;
        let terms = change.terms(&latest.terms);
        check_tiers(stored, &terms, app.policy.currency(), now)?;
        let campaign = latest.change(change.builds_on, terms, now, by.clone())?;
        Ok(RulesChange::Campaign { campaign: Box::new(campaign), created_at })
    };
    let changed = app.store.loyalty().change_rules((app.clock.now(), request.id()), decide).await?;
    shown(&app, changed.map_err(|error| refused(&error))?)
}

/// Stops a campaign; what it gave stays.
#[utoipa::path(post, path = "/api/loyalty/campaigns/{campaign_id}/stop", tag = "loyalty",
    params(LoyaltyCampaignPath), responses((status = 200, body = LoyaltyCampaign)))]
pub(crate) async fn stop_campaign(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    permit(&request, LoyaltyAction::Manage)?;
    let (id, by) = (campaign_id(&request)?, request.actor()?.signature());
    request.fields()?.finish()?;
    let known = app.store.loyalty().campaign(&id).await?.ok_or_else(unknown)?;
    if let Some((first, latest)) = known.first().zip(known.latest()).filter(|(_, latest)| latest.is_stopped) {
        let campaign = Box::new(latest.clone());
        return shown(&app, RulesChange::Campaign { campaign, created_at: first.since });
    }
    let decide = |stored: &domain::loyalty::rules::StoredRules, now: Timestamp| {
        let (created_at, latest) = latest_of(stored, &known, &id)?;
        let stopped = latest.stop(now, by.clone()).ok_or(RulesError::VersionConflict)?;
        Ok(RulesChange::Campaign { campaign: Box::new(stopped), created_at })
    };
    let changed = app.store.loyalty().change_rules((app.clock.now(), request.id()), decide).await?;
    shown(&app, changed.map_err(|error| refused(&error))?)
}

/// Returns when a campaign was made, and its latest version; of one that ended long ago, as it was read.
fn latest_of(
    stored: &domain::loyalty::rules::StoredRules,
    known: &CampaignHistory,
    id: &LoyaltyCampaignId,
) -> Result<(Timestamp, Campaign), RulesError> {
    let current =
        stored.campaigns.iter().find(|history| history.first().is_some_and(|first| first.id == *id));
    let history = current.unwrap_or(known);
    let (first, latest) = history.first().zip(history.latest()).ok_or(RulesError::NotFound)?;
    Ok((first.since, latest.clone()))
}

fn shown(app: &App, change: RulesChange) -> Result<Response, Problem> {
    match change {
        RulesChange::Campaign { campaign, created_at } => {
            let now = app.clock.now().max(campaign.since);
            reply::ok(&program_views::campaign(&campaign, created_at, now, app.policy.currency()))
        }
        RulesChange::Program(_) => Err(Problem::internal()),
    }
}
