//! Paying into a wallet: begun with a gateway, finished by what the gateway says.
//!
//! **Invariant:** the intent is stored before the gateway is asked, and its order is a function of the intent: a
//! request that is cut short anywhere is resumed by its repetition.
//! **Invariant:** a client's word credits nothing: it only makes us ask the gateway.

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
use store::Done;
use utoipa::OpenApi;

/// What this function works with beside its app.
#[derive(Clone)]
pub struct TopUpTools {
    /// The gateways.
    pub gateways: Gateways,
    /// What seals reports.
    pub seal: SealKeys,
}

/// What this function is given.
pub(crate) type Services = edge::Services<TopUpTools>;

/// The routes of this function.
pub fn router(services: Services) -> Router {
    let routes = Router::new()
        .route("/api/integration/wallet/topup/initiate", post(initiate))
        .route("/api/integration/wallet/topup/verify", post(verify::verify))
        .route("/api/integration/wallet/topup/{topup_id}", get(read));
    complete(routes, services)
}

/// Begins a top-up: the gateway's order, and what a client's SDK needs to pay it.
///
/// A gateway that does not answer is a 503; the same request with the same key resumes with the same order.
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
    // What was begun and not placed is resumed: its first answer is this one.
    let placed = match &topup.placed {
        Some(_) => Ok(begun),
        None => place(&services, &topup, &context).await,
    };
    // Reports that came before the top-up are taken now, whatever the gateway does.
    process_waiting(&services, waiting, &context).await;
    let done = placed?;
    let TopUpOutcome { topup, waiting } = &done.outcome;
    process_waiting(&services, waiting.clone(), &context).await;
    reply::done(&done, Some(location(&topup.id)), &views::initiated(topup, &services.tools.seal)?)
}

/// Has the gateway make its order, and keeps it; what a client needs to pay may be a secret, and is sealed.
async fn place(services: &Services, topup: &TopUp, context: &Context) -> Result<Done<TopUpOutcome>, Problem> {
    let mut placed = match services.tools.gateways.place(topup).await {
        Ok(placed) => placed,
        Err(error) => return refused(services, topup, &error, context).await,
    };
    placed.checkout = views::seal(&services.tools.seal, topup, &placed.checkout)?;
    let place = PlaceTopUp { topup: topup.id.clone(), gateway: topup.gateway, placed };
    Ok(services.app.store.payments().execute(&place, context).await?)
}

/// What a gateway refuses for good can never succeed: the intent is taken back, so that its key is free for another.
async fn refused(
    services: &Services,
    topup: &TopUp,
    error: &GatewayError,
    context: &Context,
) -> Result<Done<TopUpOutcome>, Problem> {
    let problem = failed(topup, error);
    let Some(reason) = error.final_reason() else { return Err(problem) };
    let done =
        services.app.store.payments().execute(&AbandonTopUp { refused: topup.clone() }, context).await?;
    match done.outcome.clone() {
        // Another request of the same key has placed it meanwhile.
        Abandoned::Kept(topup) if topup.placed.is_some() => {
            Ok(done.map(|_| TopUpOutcome { topup: *topup, waiting: vec![] }))
        }
        Abandoned::Kept(_) | Abandoned::Gone => Err(Problem::gateway_rejected(reason)),
    }
}

/// A top-up as it stands.
#[utoipa::path(get, path = "/api/integration/wallet/topup/{topup_id}", tag = "payments",
    params(TopUpPath), responses((status = 200, body = TopUpBody)))]
pub(crate) async fn read(State(services): State<Services>, request: ApiRequest) -> Result<Response, Problem> {
    let id = request.segment::<TopUpPath>()?;
    request.params().finish()?;
    permitted(&request, WalletAction::Read, &id)?;
    let topup = services.app.store.payments().topup(&id).await?.ok_or_else(Problem::topup_not_found)?;
    reply::ok(&edge::topup::topup(&topup, services.app.clock.now()))
}

/// Who may not know of the wallet may not know of the top-up either.
fn permitted(request: &ApiRequest, action: WalletAction, topup: &TopUpId) -> Result<(), Problem> {
    request.permit_or(action, topup.customer(), Problem::topup_not_found)
}

fn location(topup: &TopUpId) -> String {
    format!("/api/integration/wallet/topup/{topup}")
}

/// The gateway did not do its part; nothing is lost.
fn failed(topup: &TopUp, error: &GatewayError) -> Problem {
    tracing::warn!(topup = %topup.id, gateway = topup.gateway.as_str(), %error, "the gateway was asked in vain");
    match error {
        GatewayError::Refused { .. } | GatewayError::NotConfigured => Problem::gateway_refused(),
        GatewayError::Unreachable(_) | GatewayError::Unreadable(_) => Problem::gateway_unavailable(),
    }
}

/// Reports that came before the top-up are taken now.
async fn process_waiting(services: &Services, waiting: Vec<domain::ids::EventId>, context: &Context) {
    if !waiting.is_empty() {
        services.app.store.payments().process_waiting(waiting, context).await;
    }
}

#[derive(OpenApi)]
#[openapi(paths(initiate, verify::verify, read))]
struct TopUps;

/// This function's paths and schemas.
pub fn document() -> utoipa::openapi::OpenApi {
    TopUps::openapi()
}
