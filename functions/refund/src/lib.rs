//! Refunds an order to the wallet that paid it.
//!
//! **Invariant:** Σ refunds of an order ≤ what the wallet paid for it, also when refunds are
//! concurrent: `domain` decides the rule, and each refund is one conditional transaction.
//! **Invariant:** a refund is only answered once the rewards are taken back that were claimed with the order and of which
//! too little is left.

mod wire;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use domain::wallet::permit::WalletAction;
use edge::order::{OrderMovement, order_movement, refund_order};
use edge::routes::complete;
use edge::{ApiRequest, App, Problem, movement, reply};
use utoipa::OpenApi;

/// Returns the routes of this function.
pub fn router(app: App) -> Router {
    complete(Router::new().route("/api/integration/order/refund-to-wallet", post(refund)), app)
}

/// Refunds an order to the wallet that paid it, partly or fully.
///
/// The value returns to the lots that paid, last burned first. If the expiry date of a lot has
/// passed, its value returns as a refund lot with a grace period. Rewards that were claimed with the order are taken back
/// if nothing, or less than their minimum, is left of it.
#[utoipa::path(post, path = "/api/integration/order/refund-to-wallet", tag = "payments",
    request_body = wire::RefundToWalletRequest, responses((status = 201, body = OrderMovement)))]
pub(crate) async fn refund(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::refund(&request)?;
    request.permit(WalletAction::Refund, &command.customer)?;
    let done = refund_order(&app, &command, &request.context(&app)?).await?;
    let entry = &done.outcome;
    reply::done(&done, Some(movement::location(entry)), &order_movement(entry)?)
}

#[derive(OpenApi)]
#[openapi(paths(refund))]
struct Refunds;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    Refunds::openapi()
}
