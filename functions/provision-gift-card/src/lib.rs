//! Issues gift cards on budgets: for backends and account holders, and for end customers who hold a
//! code.
//!
//! **Invariant:** a card is shown only to the caller who redeems its code and to callers with
//! access to it; every reveal after the first response is recorded before the card is returned.
//! **Invariant:** the public redemption endpoint answers every wrong code with the same problem,
//! after the same minimum time.

pub mod guesses;
mod reads;
mod redeem;
mod views;
mod webhooks;
mod wire;

use crate::guesses::Guesses;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use domain::budget::permit::{BudgetAction, sees_costs};
use domain::context::Context;
use domain::permit::Reach;
use edge::budget::permitted_by;
use edge::reply::ReplyMeta;
use edge::routes::complete;
use edge::{ApiRequest, Problem, reply};
use gateways::suppliers::Suppliers;
use http::StatusCode;
use issuing::{Issued, Issuer};
use std::time::Duration;
use store::Viewer;
use utoipa::OpenApi;

/// Services that this function needs in addition to [`edge::App`].
#[derive(Clone)]
pub struct ProvisionTools {
    /// Issues cards.
    pub issuer: Issuer,
    /// Limits of the public redemption endpoint.
    pub limits: Limits,
    /// What this process knows of guessed codes.
    pub(crate) guesses: Guesses,
}

impl ProvisionTools {
    /// Creates the services of a process that has not seen any guesses.
    pub fn new(issuer: Issuer, limits: Limits) -> Self {
        Self { issuer, limits, guesses: Guesses::default() }
    }
}

/// State of the router.
pub(crate) type Services = edge::Services<ProvisionTools>;

/// Limits of the public redemption endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wrong codes from one IP address in ten minutes at which further attempts are refused.
    pub wrong_per_address: u64,
    /// Wrong codes for one campaign in ten minutes at which further attempts are refused.
    pub wrong_per_campaign: u64,
    /// Wrong codes of all callers in ten minutes at which further attempts without a campaign are
    /// refused.
    pub wrong_in_all: u64,
    /// Concurrent attempts from one IP address at which further attempts are refused.
    pub open_per_address: u64,
    /// Redemptions of one campaign in a minute at which further ones are refused; approximate,
    /// counted per shard.
    pub per_campaign: u64,
    /// Time for which an end customer's request waits for a supplier; the order continues after it.
    pub supplier_wait: Duration,
    /// Minimum duration of every refusal; longer than the slowest path to one.
    pub refusal: Duration,
}

impl Limits {
    /// Returns the default limits. Without a configured supplier, refusals are decided sooner, so
    /// they are sent sooner.
    pub fn usual(suppliers: &Suppliers) -> Self {
        let (supplier_wait, refusal) =
            if suppliers.are_none() { (Duration::ZERO, 250) } else { (Duration::from_millis(1_200), 1_500) };
        Self {
            wrong_per_address: 30,
            wrong_per_campaign: 1_000,
            wrong_in_all: 10_000,
            open_per_address: 200,
            per_campaign: 60_000,
            supplier_wait,
            refusal: Duration::from_millis(refusal),
        }
    }
}

/// Returns the routes of this function.
pub fn router(services: Services) -> Router {
    let routes = Router::new()
        .route("/provision", post(provision))
        .route("/redeem", post(redeem::redeem))
        .route("/redemptions/{redemption_id}", get(reads::redemption))
        .route("/redemptions/{redemption_id}/reveal", post(reads::reveal))
        .route("/webhook/reloadly", post(webhooks::reloadly))
        .route("/webhook/tremendous", post(webhooks::tremendous));
    complete(Router::new().nest("/api/gift-cards", routes), services)
}

/// Issues the card for a redemption code, exactly once.
///
/// Credit is reserved first. The card then comes from a CSV pool, a buffer pool or the supplier, in
/// this order. Repeating a code returns its existing redemption. The response is 202, and `card` is
/// null, until the supplier has delivered the card.
#[utoipa::path(post, path = "/api/gift-cards/provision", tag = "gift cards",
    request_body = wire::ProvisionRequest,
    responses((status = 201, body = views::Provisioned), (status = 202, body = views::Provisioned)))]
pub(crate) async fn provision(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let issue = wire::provision(&request, &services.tools.issuer.vault)?;
    let permission = request.permission(BudgetAction::Provision)?;
    // Backends have access to every campaign: no account needs to be read for them.
    if permission.reach == Reach::Own {
        permitted_by(&permission, &services.app, &request, &issue.campaign).await?;
    }
    let context = request.context(&services.app)?;
    let issued = services.tools.issuer.provision(&issue, &context).await?;
    let recorded = record_reveal(&services, &request, &issued, &context).await;
    recorded.map_err(Problem::after_effect)?;
    answer(&issued, &views::provisioned(&issued, sees_costs(request.actor()?)))
}

/// Records the caller before a card is shown again by a replay, as for any other reveal.
pub(crate) async fn record_reveal(
    services: &Services,
    request: &ApiRequest,
    issued: &Issued,
    context: &Context,
) -> Result<(), Problem> {
    if issued.replayed && issued.card.is_some() {
        let origin = request.origin();
        let viewer = Viewer { ip: origin.ip.as_deref(), user_agent: origin.user_agent.as_deref() };
        services.app.store.gift_cards().record_reveal(&issued.redemption.id, viewer, context).await?;
    }
    Ok(())
}

/// Responds 201 with the card, or 202 if there is no card yet.
pub(crate) fn answer(issued: &Issued, body: &impl serde::Serialize) -> Result<Response, Problem> {
    let status = if issued.card.is_some() { StatusCode::CREATED } else { StatusCode::ACCEPTED };
    let location = Some(format!("/api/gift-cards/redemptions/{}", issued.redemption.id));
    reply::answer(status, ReplyMeta { location, replayed: issued.replayed, retries: issued.retries }, body)
}

#[derive(OpenApi)]
#[openapi(paths(
    provision,
    redeem::redeem,
    reads::redemption,
    reads::reveal,
    webhooks::reloadly,
    webhooks::tremendous
))]
struct Cards;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    Cards::openapi()
}
