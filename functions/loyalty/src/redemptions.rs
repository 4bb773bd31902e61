//! Locks points for a booking, and confirms or releases the lock.
//!
//! **Invariant:** a redemption of another customer is answered as if it did not exist.

use crate::paths::{TokenPath, UserPath};
use crate::redemption_wire::{self as wire, Confirmation};
use crate::views::{self, PointsRedemption};
use axum::extract::State;
use axum::response::Response;
use domain::ids::{BookingId, HoldId};
use domain::loyalty::confirm::ReleaseRedemption;
use domain::loyalty::lock::Redeemed;
use domain::loyalty::permit::LoyaltyAction;
use domain::loyalty::state::LoyaltyNeeds;
use domain::rejection::Rejection;
use edge::{ApiRequest, App, Problem, reply};
use store::Done;

fn unknown() -> Problem {
    Problem::from(Rejection::RedemptionNotFound)
}

fn token(request: &ApiRequest) -> Result<HoldId, Problem> {
    request.actor()?;
    request.path("token", wire::LockToken::parse_text).map_err(|_| unknown())
}

fn rendered(redeemed: &Redeemed) -> Result<PointsRedemption, Problem> {
    views::redemption(redeemed).ok_or_else(unknown)
}

/// Locks points for a booking until it is paid.
///
/// The fewest points of the same value are locked. A booking has at most one redemption that is open or confirmed;
/// the same points again return the same lock.
#[utoipa::path(post, path = "/api/loyalty/wallets/{user_id}/redeem", tag = "loyalty", params(UserPath),
    request_body = wire::LockPointsRequest, responses((status = 201, body = PointsRedemption)))]
pub(crate) async fn redeem(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = request.segment::<UserPath>()?;
    let command = wire::redeem(&request, user.clone())?;
    request.permit_or(LoyaltyAction::Redeem, &user, Problem::wallet_not_found)?;
    let done = app.store.loyalty().execute(&command, &request.context(&app)?).await?;
    let body = rendered(&done.outcome)?;
    reply::done(&done, Some(format!("/api/loyalty/redemptions/{}", body.token)), &body)
}

/// Returns a redemption.
#[utoipa::path(get, path = "/api/loyalty/redemptions/{token}", tag = "loyalty", params(TokenPath),
    responses((status = 200, body = PointsRedemption)))]
pub(crate) async fn read(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let token = token(&request)?;
    request.params().finish()?;
    request.permit_or(LoyaltyAction::ReadRedemption, token.customer(), unknown)?;
    let needs = LoyaltyNeeds { lock: Some(token.clone()), ..LoyaltyNeeds::points(token.customer()) };
    let read = crate::standing(&app, &request.context(&app)?, &needs).await?;
    let hold = read.member.posting.hold(&token).or_else(|| read.state.locks.get(&token));
    reply::ok(&rendered(&Redeemed::of(hold.ok_or_else(unknown)?))?)
}

/// Takes locked points, because the rest was paid.
#[utoipa::path(post, path = "/api/loyalty/redemptions/{token}/confirm", tag = "loyalty", params(TokenPath),
    request_body = wire::ConfirmRequest, responses((status = 200, body = PointsRedemption)))]
pub(crate) async fn confirm(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let token = token(&request)?;
    let sent = wire::confirm(&request, token)?;
    confirmed(&app, &request, sent).await
}

/// Takes locked points, named by their token.
#[utoipa::path(post, path = "/api/loyalty/wallets/{user_id}/confirm", tag = "loyalty", params(UserPath),
    request_body = wire::ConfirmTokenRequest, responses((status = 200, body = PointsRedemption)))]
pub(crate) async fn confirm_token(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = request.segment::<UserPath>()?;
    let sent = wire::confirm_token(&request)?;
    request.permit_or(LoyaltyAction::Confirm, &user, unknown)?;
    if *sent.token.customer() != user {
        return Err(unknown());
    }
    confirmed(&app, &request, sent).await
}

async fn confirmed(app: &App, request: &ApiRequest, sent: Confirmation) -> Result<Response, Problem> {
    request.permit_or(LoyaltyAction::Confirm, sent.token.customer(), unknown)?;
    let booking = booking_of(app, &sent.token).await?;
    let done = app.store.loyalty().execute(&sent.command(booking), &request.context(app)?).await?;
    reply::done(&done, None, &rendered(&done.outcome)?)
}

/// Returns the booking of a redemption, which never changes.
async fn booking_of(app: &App, token: &HoldId) -> Result<BookingId, Problem> {
    let hold = app.store.loyalty().lock(token).await?;
    let lock = hold.and_then(|hold| hold.view.lock);
    lock.map(|lock| lock.booking_id).ok_or_else(unknown)
}

/// Releases locked points; a redemption that has ended stays as it is.
#[utoipa::path(post, path = "/api/loyalty/redemptions/{token}/release", tag = "loyalty", params(TokenPath),
    request_body = wire::ReleaseRequest, responses((status = 200, body = PointsRedemption)))]
pub(crate) async fn release(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let token = token(&request)?;
    let command = wire::release(&request, token)?;
    released(&app, &request, &command).await
}

/// Releases locked points, named by their token.
#[utoipa::path(post, path = "/api/loyalty/wallets/{user_id}/release", tag = "loyalty", params(UserPath),
    request_body = wire::ReleaseTokenRequest, responses((status = 200, body = PointsRedemption)))]
pub(crate) async fn release_token(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let user = request.segment::<UserPath>()?;
    let command = wire::release_token(&request)?;
    request.permit_or(LoyaltyAction::Release, &user, unknown)?;
    if *command.token.customer() != user {
        return Err(unknown());
    }
    released(&app, &request, &command).await
}

async fn released(app: &App, request: &ApiRequest, command: &ReleaseRedemption) -> Result<Response, Problem> {
    request.permit_or(LoyaltyAction::Release, command.token.customer(), unknown)?;
    if app.store.loyalty().lock(&command.token).await?.is_none_or(|hold| hold.view.lock.is_none()) {
        return Err(unknown());
    }
    let done = app.store.loyalty().execute(command, &request.context(app)?).await?;
    // That it had ended before is not a replay.
    let replayed = done.replayed && done.outcome.was_released_by_request();
    reply::done(&Done { replayed, ..done.clone() }, None, &rendered(&done.outcome)?)
}
