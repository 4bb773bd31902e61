//! Creates, changes and reads rewards.
//!
//! **Invariant:** a repeated creation gets the first answer, whatever was changed or claimed since.

use crate::views::{self, RewardView, Rewards};
use crate::wire::{self, RewardPath};
use axum::extract::State;
use axum::response::Response;
use domain::parse::ParseError;
use domain::rejection::{LoyaltyRejection, Rejection};
use domain::rewards::permit::RewardAction;
use domain::rewards::reward::{MAX_OPEN, Reward, RewardStatus};
use domain::time::Timestamp;
use edge::input::Text;
use edge::params::WindowQuery;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, App, Problem, page, reply, schema};
use http::StatusCode;
use serde_json::Value;
use store::{RewardError, StoreError};

pub(crate) fn unknown() -> Problem {
    Rejection::Loyalty(LoyaltyRejection::RewardNotFound).into()
}

pub(crate) fn refused(error: RewardError) -> Problem {
    match error {
        RewardError::NotFound => unknown(),
        RewardError::KeyReused => Rejection::KeyReused.into(),
        RewardError::TooManyOpen => {
            let most = u32::try_from(MAX_OPEN).unwrap_or(u32::MAX);
            Rejection::TooManyOpen { what: "rewards", most }.into()
        }
        RewardError::InvalidEnd => {
            Problem::field("/valid_until", "must be in the future and after valid_from")
        }
        RewardError::VersionConflict => Rejection::Loyalty(LoyaltyRejection::VersionConflict).into(),
    }
}

/// Creates a reward that customers can claim.
#[utoipa::path(post, path = "/api/wallet/rewards/create", tag = "rewards",
    request_body = wire::CreateRewardRequest, responses((status = 201, body = RewardView)))]
pub(crate) async fn create(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let now = app.clock.now();
    let command = wire::create(&request, &app, now)?;
    request.permission(RewardAction::Manage)?;
    let made = (now, request.actor()?.signature());
    let created = app.store.rewards().create(&command, made, request.id()).await?;
    let (stored, replayed) = created.map_err(refused)?;
    let mut first = Reward { is_active: true, updated_at: stored.created_at, ..stored };
    let valid_from = first.terms.valid_from;
    first.terms = command.terms;
    first.terms.valid_from = valid_from;
    let location = Some(format!("/api/wallet/rewards/{}", first.id));
    let body = views::reward(&first, 0, first.created_at);
    reply::answer(StatusCode::CREATED, ReplyMeta { location, replayed, retries: 0 }, &body)
}

/// The status of a reward, as a filter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusFilter(RewardStatus);

impl Text for StatusFilter {
    fn parse(text: &str) -> Result<Self, ParseError> {
        RewardStatus::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(RewardStatus::ALL.map(RewardStatus::as_str))
    }
}

edge::query! {
    /// Filter of the list of rewards.
    pub(crate) struct RewardsQuery {
        /// Only rewards with this status.
        status: StatusFilter,
    }
}

/// Lists rewards, newest first.
#[utoipa::path(get, path = "/api/wallet/rewards", tag = "rewards", params(RewardsQuery, WindowQuery),
    responses((status = 200, body = Rewards)))]
pub(crate) async fn list(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let status = RewardsQuery::take(&mut params).status.map(|status| status.0);
    let window = params.window();
    params.finish()?;
    request.permission(RewardAction::ReadAll)?;
    let now = app.clock.now();
    let mut all = app.store.rewards().rewards().await?;
    all.retain(|reward| status.is_none_or(|status| reward.status(now) == status));
    // Places rise from the newest to the oldest, so a reward that is created later changes no page.
    let place = |reward: &Reward| {
        format!("{:015}#{}", Timestamp::LAST.millis() - reward.created_at.millis(), reward.id)
    };
    all.sort_by_cached_key(place);
    let page = page::of(&app, &format!("rewards|{status:?}"), &window, all, place)?;
    let counted = app.store.rewards().all_claimed(page.items).await?;
    let rewards = counted.iter().map(|(reward, uses)| views::reward(reward, *uses, now)).collect();
    let (limit, skip) = (window.limit, window.skip);
    reply::ok(&Rewards { rewards, total: page.total, limit, skip, next_cursor: page.next_cursor })
}

/// Returns a reward, and how often it was claimed.
#[utoipa::path(get, path = "/api/wallet/rewards/{reward_id}", tag = "rewards", params(RewardPath),
    responses((status = 200, body = RewardView)))]
pub(crate) async fn read(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    request.permission(RewardAction::ReadAll)?;
    let id = request.segment::<RewardPath>().map_err(|_| unknown())?.0;
    let found = app.store.rewards().reward(&id).await?.ok_or_else(unknown)?;
    let (reward, uses) = app.store.rewards().claimed(found).await?;
    reply::ok(&views::reward(&reward, uses, app.clock.now()))
}

/// Changes a reward; what a claim credits never changes.
///
/// Raising `max_uses` adds uses; lowering it takes free ones away: it is then what was asked for, or how often the reward
/// was claimed if claims were quicker.
#[utoipa::path(patch, path = "/api/wallet/rewards/{reward_id}", tag = "rewards", params(RewardPath),
    request_body = wire::ChangeRewardRequest, responses((status = 200, body = RewardView)))]
pub(crate) async fn change(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let sent = wire::change(&request)?;
    request.permission(RewardAction::Manage)?;
    let id = request.segment::<RewardPath>().map_err(|_| unknown())?.0;
    let found = app.store.rewards().reward(&id).await?.ok_or_else(unknown)?;
    let change = sent.in_currency(found.terms.currency)?;
    let now = app.clock.now();
    let changed = app.store.rewards().change(&id, &change, now).await?.map_err(refused)?;
    let counted = app.store.rewards().claimed(changed).await;
    let (reward, uses) = counted.map_err(StoreError::after_effect)?;
    reply::ok(&views::reward(&reward, uses, now.max(reward.updated_at)))
}
