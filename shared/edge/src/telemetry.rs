//! Logs and metrics: one log line per request, and in Lambda one CloudWatch EMF record.
//!
//! **Invariant:** a log line contains no body, header or query, so that no confidential input is logged.
//! **Invariant:** a panic in a handler becomes a 500 problem; the process continues.

use crate::api_request::request_id;
use crate::problem::Problem;
use crate::reply::Retries;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use serde_json::json;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::time::{Instant, UNIX_EPOCH};
use tracing_subscriber::EnvFilter;

/// The name of the Lambda function; metrics are written only if it is set.
static FUNCTION: OnceLock<String> = OnceLock::new();

/// Enables JSON logs and metrics for a Lambda function of this name.
pub fn init_lambda(function: &str) {
    let _ = FUNCTION.set(function.to_owned());
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_env_filter(filter);
    let _ = lines.with_current_span(false).without_time().try_init();
}

/// Enables text logs on standard error; `default` is the filter if `RUST_LOG` is not set.
pub fn init_terminal(default: &str) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// The outermost layer of every HTTP function: logs and counts the request, and adds its id to problems.
pub async fn layer(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(request.extensions());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "(none)".to_owned());
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => axum::response::IntoResponse::into_response(Problem::internal()),
    };
    let code = response.extensions_mut().remove::<Problem>().map(|problem| {
        response = problem.respond(id.as_str());
        problem.code
    });
    let retries = response.extensions().get::<Retries>().copied().unwrap_or_default().0;
    let status = response.status().as_u16();
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    tracing::info!(
        request_id = id.as_str(),
        %method,
        route,
        status,
        code,
        retries,
        duration_us = micros,
        "request"
    );
    record(&format!("{method} {route}"), code, retries, micros);
    response
}

/// Counts an operation of a function that is scheduled or reads a queue.
pub fn count(operation: &str, code: Option<&'static str>, retries: u32, micros: u64) {
    record(operation, code, retries, micros);
}

/// Writes one record in CloudWatch's embedded metric format: operations, rejections, conflicts,
/// contention, duration.
fn record(operation: &str, code: Option<&'static str>, retries: u32, micros: u64) {
    let Some(function) = FUNCTION.get() else { return };
    // Uses the machine's clock, not business time, because CloudWatch refuses records with other
    // timestamps.
    #[allow(clippy::disallowed_methods)]
    let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let contended = code == Some("contention");
    let metric = |name: &str, unit: &str| json!({"Name": name, "Unit": unit});
    let line = json!({
        "_aws": {
            "Timestamp": u64::try_from(now.as_millis()).unwrap_or(u64::MAX),
            "CloudWatchMetrics": [{
                "Namespace": "Scrip",
                "Dimensions": [["Function"], ["Function", "Operation"]],
                "Metrics": [
                    metric("Operations", "Count"), metric("Rejections", "Count"),
                    metric("Conflicts", "Count"), metric("Contention", "Count"),
                    metric("Duration", "Microseconds"),
                ],
            }],
        },
        "Function": function,
        "Operation": operation,
        "Code": code,
        "Operations": 1,
        "Rejections": u8::from(code.is_some()),
        "Conflicts": retries,
        "Contention": u8::from(contended),
        "Duration": micros,
    });
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}
