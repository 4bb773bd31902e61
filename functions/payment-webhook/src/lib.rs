//! Gateways' webhooks: verified, taken once, and answered when what became of them is stored.
//!
//! **Invariant:** of a delivery that is not believed, nothing is stored but a count.
//! **Invariant:** a 2xx says that the outcome is stored, with the credit, in one transaction.

mod events;
mod views;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use domain::actor::Actor;
use domain::context::Context;
use domain::ids::{Gateway, GatewayKey, RequestId};
use domain::payments::gateway_report::GatewayReport;
use domain::payments::process::ProcessReport;
use edge::raw::RawRequest;
use edge::routes::complete;
use edge::seal::SealKeys;
use edge::{Problem, reply};
use gateways::{Endpoint, Gateways, VerifyError, WebhookDelivery};
use http::StatusCode;
use utoipa::OpenApi;

/// What this function works with beside its app.
#[derive(Clone)]
pub struct WebhookTools {
    /// The gateways.
    pub gateways: Gateways,
    /// What seals reports.
    pub seal: SealKeys,
}

/// What this function is given.
pub(crate) type Services = edge::Services<WebhookTools>;

/// The routes of this function.
pub fn router(services: Services) -> Router {
    let webhook = Router::new()
        .route("/razorpay", post(razorpay))
        .route("/stripe", post(stripe))
        .route("/paypal", post(paypal))
        .route("/google-pay", post(google_pay))
        .route("/events", get(events::list))
        .route("/events/{event_id}/replay", post(events::replay));
    complete(Router::new().nest("/api/integration/webhook", webhook), services)
}

/// Razorpay's webhook.
#[utoipa::path(post, path = "/api/integration/webhook/razorpay", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = views::Taken)))]
pub(crate) async fn razorpay(State(services): State<Services>, raw: RawRequest) -> Result<Response, Problem> {
    take(&services, Endpoint::Razorpay, &raw).await
}

/// Stripe's webhook.
#[utoipa::path(post, path = "/api/integration/webhook/stripe", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = views::Taken)))]
pub(crate) async fn stripe(State(services): State<Services>, raw: RawRequest) -> Result<Response, Problem> {
    take(&services, Endpoint::Stripe, &raw).await
}

/// PayPal's webhook.
#[utoipa::path(post, path = "/api/integration/webhook/paypal", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = views::Taken)))]
pub(crate) async fn paypal(State(services): State<Services>, raw: RawRequest) -> Result<Response, Problem> {
    take(&services, Endpoint::PayPal, &raw).await
}

/// Google Pay: the webhook of the gateway behind it, or a Wallet callback.
#[utoipa::path(post, path = "/api/integration/webhook/google-pay", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = views::Taken)))]
pub(crate) async fn google_pay(
    State(services): State<Services>,
    raw: RawRequest,
) -> Result<Response, Problem> {
    take(&services, Endpoint::GooglePay, &raw).await
}

/// Verify, take, answer.
async fn take(services: &Services, endpoint: Endpoint, raw: &RawRequest) -> Result<Response, Problem> {
    let now = services.app.clock.now();
    let delivery = WebhookDelivery { headers: &raw.headers, body: &raw.body, now };
    let webhook = services
        .tools
        .gateways
        .verify(endpoint, &delivery)
        .await
        .map_err(|error| refused(endpoint, &error))?;
    let context = context(services, endpoint.as_str(), raw.request.clone())?;
    if let (true, Some(report)) = (webhook.approved, &webhook.report) {
        capture(services, report, &context).await?;
    }
    let body = services.tools.seal.seal(webhook.id.as_str(), &raw.body).ok_or_else(Problem::internal)?;
    let (id, kind, report) = (webhook.id, webhook.kind, webhook.report);
    let report = ProcessReport { id, kind, body, report, topup: None, record_only_failures: false };
    let event = services.app.store.payments().process_report(report, &context).await?.outcome;
    reply::ok(&views::taken(&event))
}

/// A gateway acts by its signature.
fn context(services: &Services, gateway: &str, request: RequestId) -> Result<Context, Problem> {
    if request.as_str().is_empty() {
        tracing::error!("the platform gave the request no id");
        return Err(Problem::internal());
    }
    let actor = Actor::system(gateway);
    Ok(Context { now: services.app.clock.now(), actor, request, policy: services.app.policy.clone() })
}

/// The customer has approved a PayPal order: it is captured now, and what was captured is taken.
async fn capture(services: &Services, report: &GatewayReport, context: &Context) -> Result<(), Problem> {
    let store = &services.app.store;
    let by_order = report.order.as_ref().map(|order| GatewayKey::order(Gateway::PayPal, order));
    let id = match (&report.topup, by_order) {
        (Some(id), _) => Some(id.clone()),
        (None, Some(order)) => store.payments().topup_at(&order).await?,
        (None, None) => None,
    };
    let Some(id) = id else { return Ok(()) };
    let Some(topup) = store.payments().topup(&id).await?.filter(|topup| topup.credited.is_none()) else {
        return Ok(());
    };
    let ours = topup.placed.as_ref().is_some_and(|placed| Some(&placed.order) == report.order.as_ref());
    if !ours {
        return Ok(());
    }
    let answers = services.tools.gateways.capture(&topup).await.map_err(|error| {
        tracing::warn!(topup = %topup.id, %error, "an approved order cannot be captured");
        Problem::gateway_unavailable()
    })?;
    for answered in answers {
        if let Some(report) = answered.report(&topup, |name, body| services.tools.seal.seal(name, body)) {
            store.payments().process_report(report, context).await?;
        }
    }
    Ok(())
}

/// Why a delivery is not taken; the log has no body and no signature.
fn refused(endpoint: Endpoint, error: &VerifyError) -> Problem {
    let endpoint = endpoint.as_str();
    match error {
        VerifyError::Forged(why) => {
            tracing::warn!(endpoint, %why, "a delivery is not believed");
            let detail = "the signature is not valid for this delivery";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
        }
        VerifyError::NotConfigured => {
            tracing::warn!(endpoint, "a delivery for a gateway that is not configured");
            Problem::new(StatusCode::NOT_FOUND, "not_found", "this gateway is not configured here")
        }
        VerifyError::Unavailable(why) => {
            tracing::warn!(endpoint, %why, "a delivery cannot be verified now");
            Problem::gateway_unavailable()
        }
    }
}

#[derive(OpenApi)]
#[openapi(paths(razorpay, stripe, paypal, google_pay, events::list, events::replay))]
struct Webhooks;

/// This function's paths and schemas.
pub fn document() -> utoipa::openapi::OpenApi {
    Webhooks::openapi()
}
