//! `/_local`: the handles of the platform itself, for people, scripts and checks.
//!
//! **Invariant:** nothing here exists in AWS, and nothing here moves value but by running a function.

use crate::clock::{TestClock, parse_duration};
use crate::fakes::Fakes;
use crate::fakes::supply::SupplyCommand;
use crate::fakes::trigger::TriggerRequest;
use crate::functions::{LocalServices, SCHEDULED};
use crate::keys::Keys;
use crate::{Failure, invoke, trigger};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edge::{Clock, Problem};
use http::{StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What the handles work on.
#[derive(Clone)]
pub struct Control {
    /// What functions are given.
    pub services: LocalServices,
    /// The test clock.
    pub clock: Arc<TestClock>,
    /// The public keys that verify tokens.
    pub jwks: Value,
    /// The fake gateways.
    pub fakes: Arc<Fakes>,
    /// What signs tokens.
    pub keys: Arc<Keys>,
}

/// The handles.
pub fn router(control: Control) -> Router {
    Router::new()
        .route("/_local/clock", get(now).post(advance))
        .route("/_local/run/{function}", post(run))
        .route("/_local/trigger", post(trigger))
        .route("/_local/deliver", post(deliver))
        .route("/_local/supplier", post(supply))
        .route("/.well-known/jwks.json", get(jwks))
        .layer(middleware::from_fn(from_here))
        .with_state(control)
}

/// A page of another site must not move a developer's clock: browsers name the page that asks.
async fn from_here(request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        let detail = "the platform's own handles are not for web pages";
        return Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).into_response();
    }
    next.run(request).await
}

fn answer(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn failed(error: &Failure) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", error.to_string())
}

async fn now(State(control): State<Control>) -> Response {
    // The process tells which platform this is: ports are taken over, data directories are not.
    answer(&json!({"now": control.clock.now().to_string(), "pid": std::process::id()}))
}

/// `{"advance": "30d"}` moves the test clock; it runs no job.
async fn advance(State(control): State<Control>, body: Bytes) -> Result<Response, Problem> {
    let body: Value = serde_json::from_slice(&body).map_err(|error| failed(&error.into()))?;
    let by =
        body.get("advance").and_then(Value::as_str).ok_or_else(|| failed(&"advance is missing".into()))?;
    let by: Duration = parse_duration(by).map_err(|error| failed(&error.into()))?;
    let now = control.clock.advance(by).map_err(|error| failed(&error))?;
    Ok(answer(&json!({"now": now.to_string()})))
}

/// Runs a scheduled function once; the body, if there is one, is its event.
async fn run(
    State(control): State<Control>,
    Path(function): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let event = if body.is_empty() { "{}".into() } else { String::from_utf8_lossy(&body).into_owned() };
    if !SCHEDULED.contains(&function.as_str()) {
        let detail = format!("scheduled functions: {}", SCHEDULED.join(", "));
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let result = invoke::invoke(&control.services, &function, &event).await;
    Ok(answer(&result.map_err(|error| failed(&error))?))
}

/// Makes something happen at a fake gateway: what is to happen is the body.
async fn trigger(State(control): State<Control>, body: Bytes) -> Result<Response, Problem> {
    let wanted: TriggerRequest = serde_json::from_slice(&body).map_err(|error| failed(&error.into()))?;
    let happened =
        trigger::run(&control.fakes, &control.keys, wanted).await.map_err(|error| failed(&error))?;
    let happened = serde_json::to_value(&happened).map_err(|error| failed(&error.into()))?;
    Ok(answer(&happened))
}

/// Delivers the webhooks that the fakes hold back.
async fn deliver(State(control): State<Control>) -> Result<Response, Problem> {
    let delivered = control.fakes.deliver_held().await.map_err(|error| failed(&error))?;
    Ok(answer(&json!({"delivered": delivered})))
}

/// Tells a fake supplier what to do with orders, or to deliver them: what is asked is the body.
async fn supply(State(control): State<Control>, body: Bytes) -> Result<Response, Problem> {
    let command: SupplyCommand = serde_json::from_slice(&body).map_err(|error| failed(&error.into()))?;
    let supplied = control.fakes.supply_as(&command).await.map_err(|error| failed(&error))?;
    Ok(answer(&serde_json::to_value(&supplied).map_err(|error| failed(&error.into()))?))
}

async fn jwks(State(control): State<Control>) -> Response {
    answer(&control.jwks)
}
