//! The HTTP API of rewards that customers claim, and of referrals.
//!
//! Every handler runs the steps parse → authorize → load → decide → commit → respond.
//!
//! **Invariant:** handlers give credit and take it back only through [`store::Rewards`].
//! **Invariant:** no handler reads the store before the caller's role is permitted.

mod available;
mod claims;
mod referrals;
mod rewards;
mod views;
mod wire;

use axum::Router;
use axum::routing::{get, patch, post};
use edge::App;
use edge::routes::complete;
use utoipa::OpenApi;

/// Returns the routes of this function.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/api/wallet/rewards/create", post(rewards::create))
        .route("/api/wallet/rewards", get(rewards::list))
        .route("/api/wallet/rewards/{reward_id}", patch(rewards::change).get(rewards::read))
        .route("/api/wallet/rewards/{reward_id}/claims", get(claims::claims))
        .route("/api/wallet/{customer_id}/rewards/available", get(available::available))
        .route("/api/wallet/{customer_id}/rewards/apply", post(claims::apply))
        .route("/api/wallet/referral/apply", post(referrals::apply))
        .route("/api/wallet/referral/{referred_id}/reverse", post(referrals::reverse))
        .route("/api/wallet/referral/program", get(referrals::program).patch(referrals::change_program));
    complete(routes, app)
}

#[derive(OpenApi)]
#[openapi(paths(
    rewards::create,
    rewards::list,
    rewards::read,
    rewards::change,
    claims::claims,
    claims::apply,
    available::available,
    referrals::apply,
    referrals::reverse,
    referrals::program,
    referrals::change_program
))]
struct RewardsApi;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    RewardsApi::openapi()
}
