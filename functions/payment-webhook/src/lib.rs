//! Verifies gateways' webhooks, processes each report once, and responds when its outcome is
//! stored.
//!
//! **Invariant:** a delivery that fails verification is only counted; nothing of it is stored.
//! **Invariant:** a 2xx response means that the outcome and the credit are stored, in one
//! transaction.

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
use store::StoreError;
use utoipa::OpenApi;

/// Services that this function needs in addition to [`edge::App`].
#[derive(Clone)]
pub struct WebhookTools {
    /// Configured payment gateways.
    pub gateways: Gateways,
    /// Keys that seal the bodies of reports.
    pub seal: SealKeys,
}

/// State of the router.
pub(crate) type Services = edge::Services<WebhookTools>;

/// Returns the routes of this function.
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

/// Receives Razorpay's webhook.
#[utoipa::path(post, path = "/api/integration/webhook/razorpay", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = views::Taken)))]
pub(crate) async fn razorpay(State(services): State<Services>, raw: RawRequest) -> Result<Response, Problem> {
    take(&services, Endpoint::Razorpay, &raw).await
}

/// Receives Stripe's webhook.
#[utoipa::path(post, path = "/api/integration/webhook/stripe", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = views::Taken)))]
pub(crate) async fn stripe(State(services): State<Services>, raw: RawRequest) -> Result<Response, Problem> {
    take(&services, Endpoint::Stripe, &raw).await
}

/// Receives PayPal's webhook.
#[utoipa::path(post, path = "/api/integration/webhook/paypal", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = views::Taken)))]
pub(crate) async fn paypal(State(services): State<Services>, raw: RawRequest) -> Result<Response, Problem> {
    take(&services, Endpoint::PayPal, &raw).await
}

/// Receives Google Pay's webhook: that of the gateway behind it, or a Google Wallet callback.
#[utoipa::path(post, path = "/api/integration/webhook/google-pay", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = views::Taken)))]
pub(crate) async fn google_pay(
    State(services): State<Services>,
    raw: RawRequest,
) -> Result<Response, Problem> {
    take(&services, Endpoint::GooglePay, &raw).await
}

/// Verifies a delivery, processes its report and responds with the outcome.
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
    let mut taken = None;
    for (id, report) in std::iter::once((webhook.id, webhook.report)).chain(webhook.further) {
        let body = services.tools.seal.seal(id.as_str(), &raw.body).ok_or_else(Problem::internal)?;
        let report = ProcessReport {
            id,
            kind: webhook.kind.clone(),
            body,
            report,
            topup: None,
            record_only_failures: false,
            is_refused: false,
        };
        // An earlier report of the same webhook may have been applied.
        let done = services.app.store.payments().process_report(report, &context).await;
        taken.get_or_insert(done.map_err(StoreError::after_effect)?.outcome);
    }
    reply::ok(&views::taken(&taken.ok_or_else(Problem::internal)?))
}

/// Returns the context of a verified delivery, with the gateway as the actor.
fn context(services: &Services, gateway: &str, request: RequestId) -> Result<Context, Problem> {
    if request.as_str().is_empty() {
        tracing::error!("the runtime provided no request id");
        return Err(Problem::internal());
    }
    let actor = Actor::system(gateway);
    Ok(Context { now: services.app.clock.now(), actor, request, policy: services.app.policy.clone() })
}

/// Captures a PayPal order that the customer has approved, and processes the captured payment.
///
/// Does nothing if no uncredited top-up has this order.
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
        tracing::warn!(topup = %topup.id, %error, "approved order cannot be captured");
        Problem::gateway_unavailable()
    })?;
    for answered in answers {
        if let Some(report) = answered.report(&topup, |name, body| services.tools.seal.seal(name, body)) {
            let done = store.payments().process_report(report, context).await;
            done.map_err(StoreError::after_effect)?;
        }
    }
    Ok(())
}

/// Converts a verification error into a problem. Logs the reason, but neither the body nor the
/// signature.
fn refused(endpoint: Endpoint, error: &VerifyError) -> Problem {
    let endpoint = endpoint.as_str();
    match error {
        VerifyError::Forged(why) => {
            tracing::warn!(endpoint, %why, "webhook delivery failed verification");
            let detail = "the signature is not valid for this delivery";
            Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
        }
        VerifyError::NotConfigured => {
            tracing::warn!(endpoint, "webhook delivery for a gateway that is not configured");
            Problem::new(StatusCode::NOT_FOUND, "not_found", "this gateway is not configured")
        }
        VerifyError::Unavailable(why) => {
            tracing::warn!(endpoint, %why, "webhook delivery cannot be verified now");
            Problem::gateway_unavailable()
        }
    }
}

#[derive(OpenApi)]
#[openapi(paths(razorpay, stripe, paypal, google_pay, events::list, events::replay))]
struct Webhooks;

/// Returns the OpenAPI paths and schemas of this function.
pub fn document() -> utoipa::openapi::OpenApi {
    Webhooks::openapi()
}
