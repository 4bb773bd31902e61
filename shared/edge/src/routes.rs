//! The parts that the routers of all HTTP functions share.
//!
//! **Invariant:** a path or method without a route is answered with a problem, and every request is
//! logged and counted once.

use crate::app::VERSION;
use crate::problem::Problem;
use crate::{App, reply, telemetry};
use axum::extract::FromRef;
use axum::response::Response;
use axum::{Router, middleware};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// Adds the fallbacks, the telemetry layer and the state to a function's routes.
pub fn complete<S: Clone + Send + Sync + 'static>(routes: Router<S>, state: S) -> Router
where
    App: FromRef<S>,
{
    routes
        .method_not_allowed_fallback(method_not_allowed)
        .fallback(not_found)
        .layer(middleware::from_fn(telemetry::layer))
        .with_state(state)
}

async fn not_found() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing at this path")
}

async fn method_not_allowed() -> Problem {
    let detail = "this path does not support this method";
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// Health of a function: it runs and can reach its table.
#[derive(Serialize, ToSchema)]
pub struct Health {
    #[schema(examples("ok"))]
    status: &'static str,
    version: &'static str,
    table: String,
}

/// Checks that the table is reachable.
pub async fn health(app: &App) -> Result<Response, Problem> {
    app.store.ping().await?;
    reply::ok(&Health { status: "ok", version: VERSION, table: app.store.table().to_owned() })
}
