//! Gift cards issued on budgets: for backends and account holders, and for end customers who hold a code.
//!
//! **Invariant:** a card is shown to whoever redeems its code, and to who may see it, each look written down first.
//! **Invariant:** at the open door everything that is wrong is one answer, given after the same time.

mod reads;
mod redeem;
mod views;
mod webhooks;
mod wire;

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

/// What this function works with beside its app.
#[derive(Clone)]
pub struct ProvisionTools {
    /// What issues cards.
    pub issuer: Issuer,
    /// How often the open door is opened.
    pub limits: Limits,
}

/// What this function is given.
pub(crate) type Services = edge::Services<ProvisionTools>;

/// How often the open door is opened.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Wrong codes of an address in ten minutes.
    pub wrong_per_address: u64,
    /// Tries of an address that are under way at once.
    pub open_per_address: u64,
    /// Redemptions of a campaign in a minute.
    pub per_campaign: u64,
    /// How long an end customer waits for a supplier; the order goes on without.
    pub supplier_wait: Duration,
    /// How long every refusal takes at least: longer than the longest way to one.
    pub refusal: Duration,
}

impl Limits {
    /// What is usual: where no supplier can be asked, a refusal is known sooner.
    pub fn usual(suppliers: &Suppliers) -> Self {
        let (supplier_wait, refusal) =
            if suppliers.are_none() { (Duration::ZERO, 250) } else { (Duration::from_millis(1_200), 1_500) };
        Self {
            wrong_per_address: 30,
            open_per_address: 200,
            per_campaign: 60_000,
            supplier_wait,
            refusal: Duration::from_millis(refusal),
        }
    }
}

/// The routes of this function.
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

/// Issues a card for a redemption code, once: credit first, then a CSV pool, a buffer pool, the supplier.
///
/// Repeating a code gives what it came to. 202 with `card: null` while the supplier has not said.
#[utoipa::path(post, path = "/api/gift-cards/provision", tag = "gift cards",
    request_body = wire::ProvisionRequest,
    responses((status = 201, body = views::Provisioned), (status = 202, body = views::Provisioned)))]
pub(crate) async fn provision(
    State(services): State<Services>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let issue = wire::provision(&request, &services.tools.issuer.vault)?;
    let permission = request.permission(BudgetAction::Provision)?;
    // Backends reach every campaign: for them, nothing need be read.
    if permission.reach == Reach::Own {
        permitted_by(&permission, &services.app, &request, &issue.campaign).await?;
    }
    let context = request.context(&services.app)?;
    let issued = services.tools.issuer.provision(&issue, &context).await?;
    record_reveal(&services, &request, &issued, &context).await?;
    answer(&issued, &views::provisioned(&issued, sees_costs(request.actor()?)))
}

/// A card that is shown again is a look at it like any other: who has it is written down first.
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

/// 201 with the card, or 202 while it is not known.
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

/// This function's paths and schemas.
pub fn document() -> utoipa::openapi::OpenApi {
    Cards::openapi()
}
