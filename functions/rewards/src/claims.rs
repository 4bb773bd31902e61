//! Claims of rewards.
//!
//! **Invariant:** a claim is answered from its entry, so a repetition gets the same bytes.

use crate::rewards::unknown;
use crate::views::{self, Applied, Claims};
use crate::wire::{self, RewardPath};
use axum::extract::State;
use axum::response::Response;
use domain::rewards::permit::RewardAction;
use edge::params::WindowQuery;
use edge::paths::CustomerPath;
use edge::{ApiRequest, App, Problem, movement, reply};

/// Claims a reward: credits the customer's wallet, once.
///
/// A customer proves a purchase by an order that was registered for them; a trusted backend states the purchase, or names
/// an order. A reward without a minimum that is for all products needs neither.
#[utoipa::path(post, path = "/api/wallet/{customer_id}/rewards/apply", tag = "rewards", params(CustomerPath),
    request_body = wire::ApplyRewardRequest, responses((status = 201, body = Applied)))]
pub(crate) async fn apply(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::claim(&request)?;
    request.permit_or(RewardAction::Claim, &command.customer, Problem::wallet_not_found)?;
    let done = app.store.rewards().claim(command, &request.context(&app)?).await?;
    let entry = &done.outcome;
    reply::done(&done, Some(movement::location(entry)), &views::applied(entry)?)
}

/// Lists the claims of a reward, newest first.
#[utoipa::path(get, path = "/api/wallet/rewards/{reward_id}/claims", tag = "rewards",
    params(RewardPath, WindowQuery), responses((status = 200, body = Claims)))]
pub(crate) async fn claims(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let mut params = request.params();
    let window = params.window();
    params.finish()?;
    request.permission(RewardAction::ReadAll)?;
    let id = request.segment::<RewardPath>().map_err(|_| unknown())?.0;
    let reward = app.store.rewards().reward(&id).await?.ok_or_else(unknown)?;
    let list = format!("claims|{id}");
    let before = window.cursor.as_ref().map(|cursor| app.cursors.open_text(&list, cursor)).transpose()?;
    let range = (window.skip, window.limit);
    let page = app.store.rewards().claims(&id, before.as_deref(), range).await?;
    let currency = reward.terms.currency;
    reply::ok(&Claims {
        claims: page.claims.iter().map(|claim| views::claim(claim, currency)).collect(),
        total: None,
        limit: window.limit,
        skip: window.skip,
        next_cursor: page.next.and_then(|place| app.cursors.seal_text(&list, &place)),
    })
}
