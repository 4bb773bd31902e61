//! Refunds of orders to the wallets that paid them.
//!
//! **Invariant:** Σ refunds of an order ≤ what the wallet paid for it, however many arrive at once: the rule is
//! `domain`'s, and each refund is one conditional transaction.

mod wire;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use domain::wallet::permit::WalletAction;
use edge::order::{OrderMovement, order_movement};
use edge::routes::complete;
use edge::{ApiRequest, App, Problem, movement, reply};
use utoipa::OpenApi;

/// The routes of this function.
pub fn router(app: App) -> Router {
    complete(Router::new().route("/api/integration/order/refund-to-wallet", post(refund)), app)
}

/// Gives back to the wallet what an order took, in part or whole.
///
/// Value returns to the lots that paid, last burned first; where a date has passed meanwhile, to a refund lot
/// with days of grace.
#[utoipa::path(post, path = "/api/integration/order/refund-to-wallet", tag = "payments",
    request_body = wire::RefundToWalletRequest, responses((status = 201, body = OrderMovement)))]
pub(crate) async fn refund(State(app): State<App>, request: ApiRequest) -> Result<Response, Problem> {
    let command = wire::refund(&request)?;
    request.permit(WalletAction::Refund, &command.customer)?;
    let done = app.store.wallets().execute(&command, &request.context(&app)?).await?;
    let entry = &done.outcome;
    reply::done(&done, Some(movement::location(entry)), &order_movement(entry)?)
}

#[derive(OpenApi)]
#[openapi(paths(refund))]
struct Refunds;

/// This function's paths and schemas.
pub fn document() -> utoipa::openapi::OpenApi {
    Refunds::openapi()
}
