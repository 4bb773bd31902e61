//! Tops up a wallet through a payment gateway: starts the payment, and credits it when the gateway
//! reports it.
//!
//! **Invariant:** the intent is stored before the gateway is called, and the gateway's order is a
//! function of the intent: repeating a request that was interrupted at any point resumes it.
//! **Invariant:** a client's claim credits nothing: it only causes a poll of the gateway.

mod verify;
mod views;
mod wire;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use domain::context::Context;
use domain::ids::TopUpId;
use domain::payments::initiate::{AbandonTopUp, PlaceTopUp};
use domain::payments::state::{Abandoned, TopUpOutcome};
use domain::payments::topup::TopUp;
use domain::wallet::permit::WalletAction;
use edge::paths::TopUpPath;
use edge::routes::complete;
use edge::seal::SealKeys;
use edge::topup::TopUpBody;
use edge::{ApiRequest, Problem, reply};
use gateways::{GatewayError, Gateways};
use store::{Done, StoreError};
use utoipa::OpenApi;

/// Services that this function needs in addition to [`edge::App`].
#[derive(Clone)]
pub struct TopUpTools {
    /// Configured payment gateways.
    pub gateways: Gateways,
    /// Keys that seal the bodies of reports and checkout data.
    pub seal: SealKeys,
}

/// State of the router.
pub(crate) type Services = edge::Services<TopUpTools>;

/// Returns the routes of this function.
pub fn router(services: Services) -> Router {
    let routes = Router::new()
        .route("/api/integration/wallet/topup/initiate", post(initiate))
        .route("/api/integration/wallet/topup/verify", post(verify::verify))
        .route("/api/integration/wallet/topup/{topup_id}", get(read));
    complete(routes, services)
}

/// Starts a top-up; returns the gateway's order and the data with which the client's SDK pays it.
///
/// Responds 503 if the gateway does not answer. The same request with the same key resumes the same
/// order.
#[utoipa::path(post, path = "/api/integration/wallet/topup/initiate", tag = "payments",
    request_body = wire::InitiateTopUpRequest, responses((status = 201, body = views::Initiated)))]
pub(crate) async fn initiate(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let command = wire::initiate(&request, &services.tools.gateways)?;
    request.permit(WalletAction::TopUp, &command.customer)?;
    let context = request.context(&services.app)?;
    let begun = services.app.store.payments().execute(&command, &context).await?;
    let TopUpOutcome { topup, waiting } = begun.outcome.clone();
    // A top-up that was stored but not placed at the gateway is resumed; this response is its
    // first.
    let placed = match &topup.placed {
        Some(_) => Ok(begun),
        None => place(&services, &topup, &context).await,
    };
    // Processes reports that arrived before the top-up was stored, even if the gateway has failed.
    process_waiting(&services, waiting, &context).await;
    let done = placed?;
    let TopUpOutcome { topup, waiting } = &done.outcome;
    process_waiting(&services, waiting.clone(), &context).await;
    reply::done(&done, Some(location(&topup.id)), &views::initiated(topup, &services.tools.seal)?)
}

/// Creates the gateway's order and stores it. The checkout data may contain a secret, so it is
/// sealed.
async fn place(services: &Services, topup: &TopUp, context: &Context) -> Result<Done<TopUpOutcome>, Problem> {
    let mut placed = match services.tools.gateways.place(topup).await {
        Ok(placed) => placed,
        Err(error) => return refused(services, topup, &error, context).await,
    };
    placed.checkout = views::seal(&services.tools.seal, topup, &placed.checkout)?;
    let place = PlaceTopUp { topup: topup.id.clone(), gateway: topup.gateway, placed };
    // The intent is stored, and the gateway has an order for it.
    let placed = services.app.store.payments().execute(&place, context).await;
    Ok(placed.map_err(StoreError::after_effect)?)
}

/// Handles a gateway error. If the gateway refuses the payment permanently, the intent is deleted,
/// so that its idempotency key can be used for another top-up.
async fn refused(
    services: &Services,
    topup: &TopUp,
    error: &GatewayError,
    context: &Context,
) -> Result<Done<TopUpOutcome>, Problem> {
    let problem = failed(topup, error);
    let Some(reason) = error.final_reason() else { return Err(problem) };
    let done = services.app.store.payments().execute(&AbandonTopUp { refused: topup.clone() }, context).await;
    let done = done.map_err(StoreError::after_effect)?;
    match done.outcome.clone() {
        // A concurrent request with the same key has placed it.
        Abandoned::Kept(topup) if topup.placed.is_some() => {
            Ok(done.map(|_| TopUpOutcome { topup: *topup, waiting: vec![] }))
        }
        Abandoned::Kept(_) | Abandoned::Gone => Err(Problem::gateway_rejected(reason)),
    }
}

/// Returns a top-up with its current status.
#[utoipa::path(get, path = "/api/integration/wallet/topup/{topup_id}", tag = "payments",
    params(TopUpPath), responses((status = 200, body = TopUpBody)))]
pub(crate) async fn read(State(services): State<Services>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<TopUpPath>()?;
    request.params().finish()?;
    permitted(&request, WalletAction::Read, &id)?;
    let topup = services.app.store.payments().topup(&id).await?.ok_or_else(Problem::topup_not_found)?;
    reply::ok(&edge::topup::topup(&topup, services.app.clock.now()))
}

/// Checks access to the wallet; without it, the top-up is answered as if it did not exist.
fn permitted(request: &ApiRequest, action: WalletAction, topup: &TopUpId) -> Result<(), Problem> {
    request.permit_or(action, topup.customer(), Problem::topup_not_found)
}

fn location(topup: &TopUpId) -> String {
    format!("/api/integration/wallet/topup/{topup}")
}

/// Logs a gateway error and converts it into a problem; no money or credit is lost.
fn failed(topup: &TopUp, error: &GatewayError) -> Problem {
    tracing::warn!(topup = %topup.id, gateway = topup.gateway.as_str(), %error, "call to the gateway failed");
    match error {
        GatewayError::Refused { .. } | GatewayError::NotConfigured => Problem::gateway_refused(),
        GatewayError::Unreachable(_) | GatewayError::Unreadable(_) => Problem::gateway_unavailable(),
    }
}

/// Processes reports that arrived before the top-up was stored.
async fn process_waiting(services: &Services, waiting: Vec<domain::ids::EventId>, context: &Context) {
    if !waiting.is_empty() {
        services.app.store.payments().process_waiting(waiting, context).await;
    }
}

#[derive(OpenApi)]
#[openapi(paths(initiate, verify::verify, read))]
struct TopUps;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    TopUps::openapi()
}
