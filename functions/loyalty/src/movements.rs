//! Points moved by hand, frozen, and tiers granted.
//!
//! **Invariant:** only admins, and services with the scope for adjustments, move points by hand.

use crate::paths::UserPath;
use crate::views::{self, PointsTransaction};
use crate::wallet_view::{self, PointsWallet};
use crate::{standing, wire};
use axum::extract::State;
use axum::response::Response;
use domain::cause::Cause;
use domain::ids::{AccountRef, CustomerId};
use domain::ledger::account::AccountStatus;
use domain::loyalty::account::FreezePoints;
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::state::LoyaltyNeeds;
use domain::rejection::Rejection;
use edge::{ApiRequest, App, Problem, reply};
use serde::Serialize;
use store::StoreError;
use utoipa::ToSchema;

/// Adds or removes points by hand.
///
/// Points that are added have no effect on tiers unless `qualifying` says so. More than is available is removed
/// only with `owe`: the rest is owed then.
#[utoipa::path(post, path = "/api/loyalty/wallets/{user_id}/transactions", tag = "loyalty", params(UserPath),
    request_body = wire::AdjustRequest, responses((status = 201, body = PointsTransaction)))]
pub(crate) async fn adjust(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = request.segment::<UserPath>()?;
    let command = wire::adjust(&request, user.clone())?;
    request.permit_or(LoyaltyAction::Adjust, &user, Problem::wallet_not_found)?;
    let done = app.store.loyalty().execute(&command, &request.context(&app)?).await?;
    let entry = &done.outcome.entry;
    reply::done(&done, Some(views::location(entry)), &views::transaction(entry, app.policy.currency()))
}

/// Both movements of a transfer.
#[derive(Serialize, ToSchema)]
pub struct PointsTransferred {
    out_transaction: PointsTransaction,
    in_transaction: PointsTransaction,
}

/// Moves points to another customer; lots keep their dates, and tiers are not touched.
#[utoipa::path(post, path = "/api/loyalty/wallets/{user_id}/transfer", tag = "loyalty", params(UserPath),
    request_body = wire::TransferPointsRequest, responses((status = 201, body = PointsTransferred)))]
pub(crate) async fn transfer(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = request.segment::<UserPath>()?;
    let command = wire::transfer(&request, user.clone())?;
    request.permit_or(LoyaltyAction::Adjust, &user, Problem::wallet_not_found)?;
    // An account cannot be loaded twice.
    if command.from == command.to {
        return Err(Rejection::SelfTransfer.into());
    }
    let done = app.store.loyalty().execute(&command, &request.context(&app)?).await?;
    let out = &done.outcome.entry;
    let other = out.after.counterpart.as_ref().ok_or_else(Problem::internal)?;
    let found = entry_of(&app, &other.account, &other.cause).await;
    // The transfer is stored: an error of this read must not be reported as if nothing was moved.
    let arrived = found.map_err(StoreError::after_effect)?.ok_or_else(Problem::internal)?;
    let currency = app.policy.currency();
    let body = PointsTransferred {
        out_transaction: views::transaction(out, currency),
        in_transaction: views::transaction(&arrived, currency),
    };
    reply::done(&done, Some(views::location(out)), &body)
}

async fn entry_of(
    app: &App,
    account: &AccountRef,
    cause: &Cause,
) -> Result<Option<domain::ledger::entry::Entry>, StoreError> {
    let entries = app.store.loyalty().entries(account.customer(), std::slice::from_ref(cause)).await?;
    Ok(entries.into_iter().next())
}

/// Freezes points: nothing is locked or removed by hand; earnings, refunds and existing locks are still booked.
#[utoipa::path(post, path = "/api/loyalty/wallets/{user_id}/freeze", tag = "loyalty", params(UserPath),
    request_body = wire::ReasonRequest, responses((status = 200, body = PointsWallet)))]
pub(crate) async fn freeze(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    set_status(&app, &request, AccountStatus::Frozen).await
}

/// Ends a freeze.
#[utoipa::path(post, path = "/api/loyalty/wallets/{user_id}/unfreeze", tag = "loyalty", params(UserPath),
    request_body = wire::ReasonRequest, responses((status = 200, body = PointsWallet)))]
pub(crate) async fn unfreeze(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    set_status(&app, &request, AccountStatus::Active).await
}

async fn set_status(app: &App, request: &ApiRequest, status: AccountStatus) -> Result<Response, Problem> {
    let user = request.segment::<UserPath>()?;
    let reason = wire::reason(request)?;
    request.permit_or(LoyaltyAction::Manage, &user, Problem::wallet_not_found)?;
    let command = FreezePoints { user: user.clone(), status, reason };
    app.store.loyalty().execute(&command, &request.context(app)?).await?;
    shown(app, request, &user).await
}

/// Grants a tier through a date, or ends a grant.
///
/// The tier counts as reached on every date up to `until`; then what was earned decides again.
#[utoipa::path(post, path = "/api/loyalty/wallets/{user_id}/tier", tag = "loyalty", params(UserPath),
    request_body = wire::GrantRequest, responses((status = 200, body = PointsWallet)))]
pub(crate) async fn grant(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = request.segment::<UserPath>()?;
    let command = wire::grant(&request, user.clone(), app.clock.now().date())?;
    request.permit_or(LoyaltyAction::Manage, &user, Problem::wallet_not_found)?;
    app.store.loyalty().execute(&command, &request.context(&app)?).await?;
    shown(&app, &request, &user).await
}

/// Responds with the points after a change, which is stored: an error must not be reported as if it was not.
async fn shown(app: &App, request: &ApiRequest, user: &CustomerId) -> Result<Response, Problem> {
    let read = standing(app, &request.context(app)?, &LoyaltyNeeds::points(user)).await;
    reply::ok(&wallet_view::wallet(&read.map_err(Problem::after_effect)?.member)?)
}
