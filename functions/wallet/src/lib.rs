//! The HTTP API of customers' money wallets.
//!
//! Every handler runs the steps parse → authorize → load → decide → commit → respond; `execute`
//! runs load, decide and commit.
//!
//! **Invariant:** handlers change value only through [`store::Wallets::execute`].
//! **Invariant:** no handler reads the store before the caller is authorized.

mod figures;
mod filter;
mod history;
mod openapi;
mod reads;
mod search;
mod statement;
mod statement_page;
mod views;
mod wire;

pub use openapi::document;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use domain::ids::{CustomerId, HoldId};
use domain::ledger::account::AccountStatus;
use domain::ledger::command::Command;
use domain::ledger::entry::Entry;
use domain::wallet::permit::WalletAction;
use domain::wallet::state;
use edge::order::refund_order;
use edge::paths::{CustomerPath, HoldPath};
use edge::routes::complete;
use edge::{ApiRequest, App, Problem, reply};
use store::Done;

/// Returns the routes of this function.
pub fn router(app: App) -> Router {
    let holds = Router::new()
        .route("/{hold_id}", get(reads::hold))
        .route("/{hold_id}/capture", post(capture))
        .route("/{hold_id}/release", post(release));
    let wallet = Router::new()
        .route("/", get(reads::wallet))
        .route("/balance", get(reads::balance))
        .route("/add-credits", post(add_credits))
        .route("/deduct-credits", post(deduct_credits))
        .route("/refund", post(refund))
        .route("/transfer", post(transfer))
        .route("/holds", post(place_hold))
        .route("/freeze", post(freeze))
        .route("/unfreeze", post(unfreeze))
        .route("/suspend", post(suspend))
        .route("/transactions", get(history::transactions))
        .route("/transactions/{transaction_id}", get(history::transaction))
        .route("/transaction-summary", get(figures::summary))
        .route("/statistics", get(figures::statistics))
        .route("/statement", get(statement::statement))
        .route("/expiring", get(reads::expiring))
        .route("/expiry-history", get(history::expiries))
        .route("/referral-code", get(reads::referral_code))
        .route("/tier-benefits", get(reads::tier_benefits));
    let routes = Router::new()
        .route("/health", get(reads::health))
        .route("/api/wallet/health", get(reads::health))
        .route("/api/wallet/create", post(create))
        .nest("/api/wallet/holds", holds)
        .nest("/api/wallet/{customer_id}", wallet);
    complete(routes, app)
}

/// Opens a wallet for a customer.
///
/// A customer has at most one wallet. An initial balance is a CREDIT with source `manual`; it needs the
/// permission to add credit too.
#[utoipa::path(post, path = "/api/wallet/create", tag = "wallet",
    request_body = wire::CreateWalletRequest, responses((status = 201, body = views::Wallet)))]
pub(crate) async fn create(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::create(&request, &app)?;
    request.permit(WalletAction::Create, &command.customer)?;
    if command.initial_balance.is_some() {
        request.permit(WalletAction::Credit, &command.customer)?;
    }
    let done = app.store.wallets().execute(&command, &request.context(&app)?).await?;
    let location = format!("/api/wallet/{}", command.customer);
    reply::done(&done, Some(location), &views::wallet(&done.outcome, &app))
}

/// Adds credit to a wallet.
///
/// Without `expiry_days` or `expires_on`, the wallet's tier before the credit determines when the
/// credit expires.
#[utoipa::path(post, path = "/api/wallet/{customer_id}/add-credits", tag = "wallet",
    params(CustomerPath),
    request_body = wire::AddCreditsRequest, responses((status = 201, body = views::Transaction)))]
pub(crate) async fn add_credits(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::add_credits(&request)?;
    execute_movement(&app, &request, WalletAction::Credit, &command.customer, &command).await
}

/// Spends credit, earliest expiry date first.
///
/// With an `order_id` it pays that order. Without an `Idempotency-Key` it is the only such payment
/// of the order; with keys, an order can have several payments, which never exceed its total.
#[utoipa::path(post, path = "/api/wallet/{customer_id}/deduct-credits", tag = "wallet",
    params(CustomerPath),
    request_body = wire::DeductCreditsRequest, responses((status = 201, body = views::Transaction)))]
pub(crate) async fn deduct_credits(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::deduct_credits(&request)?;
    execute_movement(&app, &request, WalletAction::Debit, &command.customer, &command).await
}

/// Refunds an order to this wallet, partly or fully.
///
/// The value returns to the lots that paid, last burned first. If the expiry date of a lot has
/// passed, its value returns as a refund lot with a grace period. Rewards that were claimed with the order are taken back
/// if nothing, or less than their minimum, is left of it.
#[utoipa::path(post, path = "/api/wallet/{customer_id}/refund", tag = "wallet",
    params(CustomerPath),
    request_body = wire::RefundRequest, responses((status = 201, body = views::Transaction)))]
pub(crate) async fn refund(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::refund(&request)?;
    request.permit(WalletAction::Refund, &command.customer)?;
    let done = refund_order(&app, &command, &request.context(&app)?).await?;
    let entry = &done.outcome;
    reply::done(&done, Some(views::location(entry)), &views::transaction(entry))
}

/// Moves credit to another wallet; lots keep their expiry dates.
#[utoipa::path(post, path = "/api/wallet/{customer_id}/transfer", tag = "wallet",
    params(CustomerPath),
    request_body = wire::TransferRequest, responses((status = 201, body = views::Transferred)))]
pub(crate) async fn transfer(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let (from, command) = wire::transfer(&request)?;
    request.permit(WalletAction::Transfer, &from)?;
    let done = app.store.wallets().execute(&command, &request.context(&app)?).await?;
    let entry = &done.outcome;
    let location = views::location(entry);
    reply::done(&done, Some(location), &views::transferred(entry, request.actor()?)?)
}

/// Places a hold on credit until it is captured, released or expires.
#[utoipa::path(post, path = "/api/wallet/{customer_id}/holds", tag = "wallet",
    params(CustomerPath),
    request_body = wire::PlaceHoldRequest, responses((status = 201, body = views::Hold)))]
pub(crate) async fn place_hold(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::place_hold(&request)?;
    request.permit(WalletAction::Hold, &command.customer)?;
    let done = app.store.wallets().execute(&command, &request.context(&app)?).await?;
    let hold = views::hold_after(&done.outcome)?;
    reply::done(&done, Some(format!("/api/wallet/holds/{}", hold.hold_id)), &hold)
}

/// Captures a hold, partly or fully; a final capture releases the rest.
#[utoipa::path(post, path = "/api/wallet/holds/{hold_id}/capture", tag = "wallet",
    params(HoldPath),
    request_body = wire::CaptureHoldRequest, responses((status = 200, body = views::Hold)))]
pub(crate) async fn capture(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::capture(&request)?;
    execute_hold(&app, &request, &command.hold, &command).await
}

/// Releases the remaining amount of a hold.
#[utoipa::path(post, path = "/api/wallet/holds/{hold_id}/release", tag = "wallet",
    params(HoldPath), responses((status = 200, body = views::Hold)))]
pub(crate) async fn release(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::release(&request)?;
    execute_hold(&app, &request, &command.hold, &command).await
}

/// Freezes a wallet: stops all spending from it.
#[utoipa::path(post, path = "/api/wallet/{customer_id}/freeze", tag = "wallet",
    params(CustomerPath),
    request_body = wire::SetStatusRequest, responses((status = 200, body = views::Wallet)))]
pub(crate) async fn freeze(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    set_status(&app, &request, AccountStatus::Frozen).await
}

/// Ends a freeze or a suspension.
#[utoipa::path(post, path = "/api/wallet/{customer_id}/unfreeze", tag = "wallet",
    params(CustomerPath),
    request_body = wire::SetStatusRequest, responses((status = 200, body = views::Wallet)))]
pub(crate) async fn unfreeze(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    set_status(&app, &request, AccountStatus::Active).await
}

/// Suspends a wallet: stops all spending, `add-credits` and incoming transfers.
#[utoipa::path(post, path = "/api/wallet/{customer_id}/suspend", tag = "wallet",
    params(CustomerPath),
    request_body = wire::SetStatusRequest, responses((status = 200, body = views::Wallet)))]
pub(crate) async fn suspend(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    set_status(&app, &request, AccountStatus::Suspended).await
}

async fn set_status(app: &App, request: &ApiRequest, status: AccountStatus) -> Result<Response, Problem> {
    let command = wire::set_status(request, status)?;
    request.permit(WalletAction::SetStatus, &command.customer)?;
    let done = app.store.wallets().execute(&command, &request.context(app)?).await?;
    // Setting the current status again changes nothing, but is not a replay.
    let done = Done { replayed: false, ..done };
    reply::done(&done, None, &views::wallet(&done.outcome, app))
}

/// Authorizes and executes a command, and responds with the transaction.
async fn execute_movement<C>(
    app: &App,
    request: &ApiRequest,
    action: WalletAction,
    customer: &CustomerId,
    command: &C,
) -> Result<Response, Problem>
where
    C: Command<State = state::WalletState, Write = state::WalletWrite, Outcome = Entry>,
{
    request.permit(action, customer)?;
    let done = app.store.wallets().execute(command, &request.context(app)?).await?;
    let entry = &done.outcome;
    reply::done(&done, Some(views::location(entry)), &views::transaction(entry))
}

/// Authorizes and executes a command, and responds with the hold.
async fn execute_hold<C>(
    app: &App,
    request: &ApiRequest,
    hold: &HoldId,
    command: &C,
) -> Result<Response, Problem>
where
    C: Command<State = state::WalletState, Write = state::WalletWrite, Outcome = Entry>,
{
    permit_hold(request, hold)?;
    let done = app.store.wallets().execute(command, &request.context(app)?).await?;
    reply::done(&done, None, &views::hold_after(&done.outcome)?)
}

/// Checks access to the wallet; without it, the hold is answered as if it did not exist.
pub(crate) fn permit_hold(request: &ApiRequest, hold: &HoldId) -> Result<(), Problem> {
    request.permit_or(WalletAction::Hold, hold.customer(), Problem::hold_not_found)
}
