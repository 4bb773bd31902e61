//! Registers, pays and reads orders that are paid from wallets.
//!
//! **Invariant:** wallet payments for an order never exceed its total, and an order has at most one
//! payment through this endpoint: `domain` decides these rules, and each payment is one conditional
//! transaction.
//! **Invariant:** an order of another customer is answered as if it did not exist.

mod status;
mod wire;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use domain::rejection::Rejection;
use domain::wallet::permit::WalletAction;
use edge::order::{OrderBody, OrderMovement, order, order_movement};
use edge::paths::OrderPath;
use edge::routes::{self, complete};
use edge::{ApiRequest, App, Problem, movement, reply};
use utoipa::OpenApi;

/// Returns the routes of this function.
pub fn router(app: App) -> Router {
    let routes = Router::new()
        .route("/api/integration/order", post(register))
        .route("/api/integration/order/pay-with-wallet", post(pay))
        .route("/api/integration/order/{order_id}", get(read))
        .route("/api/integration/status/{customer_id}", get(status::status))
        .route("/api/integration/health", get(health));
    complete(routes, app)
}

/// Registers an order, so that its customer can pay it.
///
/// Repeating the same registration returns the first response.
#[utoipa::path(post, path = "/api/integration/order", tag = "payments",
    request_body = wire::RegisterOrderRequest, responses((status = 201, body = OrderBody)))]
pub(crate) async fn register(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::register(&request, &app)?;
    request.permit(WalletAction::RegisterOrder, &command.customer)?;
    let done = app.store.wallets().execute(&command, &request.context(&app)?).await?;
    let registered = &done.outcome;
    reply::done(&done, Some(format!("/api/integration/order/{}", registered.id)), &order(registered))
}

/// Pays an order from its customer's wallet.
///
/// An order has at most one such payment, with or without an `Idempotency-Key`. A trusted backend
/// registers an unknown order by paying it.
#[utoipa::path(post, path = "/api/integration/order/pay-with-wallet", tag = "payments",
    request_body = wire::PayWithWalletRequest, responses((status = 201, body = OrderMovement)))]
pub(crate) async fn pay(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::pay(&request)?;
    request.permit(WalletAction::PayOrder, &command.customer)?;
    let done = app.store.wallets().execute(&command, &request.context(&app)?).await?;
    let entry = &done.outcome;
    reply::done(&done, Some(movement::location(entry)), &order_movement(entry)?)
}

/// Returns an order with its current totals and status.
#[utoipa::path(get, path = "/api/integration/order/{order_id}", tag = "payments",
    params(OrderPath), responses((status = 200, body = OrderBody)))]
pub(crate) async fn read(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<OrderPath>()?;
    request.params().finish()?;
    let permission = request.permission(WalletAction::ReadOrder)?;
    let unknown = || Problem::from(Rejection::OrderNotFound);
    let found = app.store.wallets().order(&id).await?.ok_or_else(unknown)?;
    permission.on(&found.customer).map_err(|denial| Problem::denied(denial, unknown))?;
    reply::ok(&order(&found))
}

/// Checks that the table is reachable.
#[utoipa::path(get, path = "/api/integration/health", tag = "payments", security(()),
    responses((status = 200, body = routes::Health)))]
pub(crate) async fn health(State(app): State<App>) -> Result<Response, Problem> {
    routes::health(&app).await
}

#[derive(OpenApi)]
#[openapi(paths(register, pay, read, status::status, health))]
struct Orders;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    Orders::openapi()
}
