//! Suppliers' webhooks: they announce that the status of an order has changed; the supplier is then
//! queried.
//!
//! **Invariant:** a delivery that fails verification is only counted; nothing of it is stored.

use crate::Services;
use axum::extract::State;
use axum::response::Response;
use domain::actor::Actor;
use domain::context::Context;
use domain::giftcard::Supplier;
use edge::raw::RawRequest;
use edge::{Problem, reply};
use gateways::VerifyError;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Outcome of a webhook delivery.
#[derive(Serialize, ToSchema)]
pub struct SupplierTaken {
    /// processed, or ignored if it is not about an order of this deployment
    #[schema(examples("processed"))]
    status: &'static str,
}

/// Receives Reloadly's webhook.
#[utoipa::path(post, path = "/api/gift-cards/webhook/reloadly", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = SupplierTaken)))]
pub(crate) async fn reloadly(State(services): State<Services>, raw: RawRequest) -> Result<Response, Problem> {
    take(&services, Supplier::Reloadly, &raw).await
}

/// Receives Tremendous's webhook.
#[utoipa::path(post, path = "/api/gift-cards/webhook/tremendous", tag = "webhooks", security(()),
    request_body(content = String, content_type = "application/json"),
    responses((status = 200, body = SupplierTaken)))]
pub(crate) async fn tremendous(
    State(services): State<Services>,
    raw: RawRequest,
) -> Result<Response, Problem> {
    take(&services, Supplier::Tremendous, &raw).await
}

async fn take(services: &Services, supplier: Supplier, raw: &RawRequest) -> Result<Response, Problem> {
    let now = services.app.clock.now();
    let name = supplier.as_str();
    let unknown = || Problem::new(StatusCode::NOT_FOUND, "not_found", "this supplier is not configured");
    let verifier = services.tools.issuer.suppliers.get(supplier).ok_or_else(unknown)?;
    let reference =
        verifier.webhook_reference(&raw.headers, &raw.body, now).await.map_err(|error| match error {
            VerifyError::Forged(why) => {
                tracing::warn!(name, %why, "webhook delivery failed verification");
                let detail = "the signature is not valid for this delivery";
                Problem::new(StatusCode::UNAUTHORIZED, "unauthenticated", detail)
            }
            VerifyError::NotConfigured => unknown(),
            VerifyError::Unavailable(why) => {
                tracing::warn!(name, %why, "webhook delivery cannot be verified now");
                Problem::gateway_unavailable()
            }
        })?;
    if raw.request.as_str().is_empty() {
        tracing::error!("the runtime provided no request id");
        return Err(Problem::internal());
    }
    let (actor, policy) = (Actor::system(name), services.app.policy.clone());
    let context = Context { now, actor, request: raw.request.clone(), policy };
    let ours = match reference {
        Some(reference) => services.tools.issuer.look_up_reported(&reference, &context).await?,
        None => false,
    };
    reply::ok(&SupplierTaken { status: if ours { "processed" } else { "ignored" } })
}
