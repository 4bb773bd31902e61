//! `/_local`: control endpoints of the local platform, for developers, scripts and tests.
//!
//! **Invariant:** none of these endpoints exists in AWS, and they move value only by running a
//! function or by calling the API.

use crate::clock::{TestClock, parse_duration};
use crate::fakes::Fakes;
use crate::fakes::supply::SupplyCommand;
use crate::fakes::trigger::TriggerRequest;
use crate::functions::{LocalServices, SCHEDULED, WITH_MESSAGES};
use crate::keys::Keys;
use crate::queues::Queue;
use crate::sqs::LocalQueues;
use crate::{Failure, guard, invoke, trigger};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use edge::{Clock, Problem};
use http::{StatusCode, header};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// State of the control endpoints.
#[derive(Clone)]
pub struct Control {
    /// Services that the functions use.
    pub services: LocalServices,
    /// Test clock.
    pub clock: Arc<TestClock>,
    /// Public keys that verify tokens, as a JWKS.
    pub jwks: Value,
    /// Fake gateways and suppliers.
    pub fakes: Arc<Fakes>,
    /// Keys that sign tokens.
    pub keys: Arc<Keys>,
    /// Queue of events of purchases.
    pub purchases: Arc<Queue>,
    /// Queues of jobs.
    pub queues: LocalQueues,
}

/// Returns the routes of the control endpoints.
pub fn router(control: Control) -> Router {
    Router::new()
        .route("/_local/clock", get(now).post(advance))
        .route("/_local/run/{function}", post(run))
        .route("/_local/queues", get(queues))
        .route("/_local/settle", post(settle))
        .route("/_local/queues/purchases", post(queue))
        .route("/_local/queues/{name}/redeliver", post(redeliver))
        .route("/_local/trigger", post(trigger))
        .route("/_local/deliver", post(deliver))
        .route("/_local/supplier", post(supply))
        .route("/.well-known/jwks.json", get(jwks))
        .layer(middleware::from_fn(guard::from_here))
        .with_state(control)
}

fn answer(body: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn failed(error: &Failure) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "invalid_request", error.to_string())
}

async fn now(State(control): State<Control>) -> Response {
    // The process id identifies the platform, because another platform may have taken over the
    // port.
    answer(&json!({"now": control.clock.now().to_string(), "pid": std::process::id()}))
}

/// Advances the test clock by `{"advance": "30d"}`; runs no scheduled function.
async fn advance(State(control): State<Control>, body: Bytes) -> Result<Response, Problem> {
    let body: Value = serde_json::from_slice(&body).map_err(|error| failed(&error.into()))?;
    let by =
        body.get("advance").and_then(Value::as_str).ok_or_else(|| failed(&"advance is missing".into()))?;
    let by: Duration = parse_duration(by).map_err(|error| failed(&error.into()))?;
    let now = control.clock.advance(by).map_err(|error| failed(&error))?;
    Ok(answer(&json!({"now": now.to_string()})))
}

/// Runs a function once that is called on a schedule or with messages. The body is its event; an empty body means `{}`.
async fn run(
    State(control): State<Control>,
    Path(function): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let event = if body.is_empty() { "{}".into() } else { String::from_utf8_lossy(&body).into_owned() };
    let names: Vec<&str> = SCHEDULED.into_iter().chain(WITH_MESSAGES).collect();
    if !names.contains(&function.as_str()) {
        let detail = format!("functions that can be run: {}", names.join(", "));
        return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", detail));
    }
    let result = invoke::invoke(&control.services, &function, &event).await;
    Ok(answer(&result.map_err(|error| failed(&error))?))
}

async fn queues(State(control): State<Control>) -> Response {
    let LocalQueues { jobs, books } = &control.queues;
    let purchases = control.purchases.counts();
    answer(&json!({"jobs": jobs.counts(), "books": books.counts(), "purchases": purchases}))
}

/// Time for which [`settle`] waits if the request does not say so.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);

/// Time between two looks at the queues.
const LOOK: Duration = Duration::from_millis(20);

/// Returns when the queues are drained, or 504 if they are not after `{"timeout": "30s"}`.
async fn settle(State(control): State<Control>, body: Bytes) -> Result<Response, Problem> {
    let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice::<Value>(&body) };
    let body = body.map_err(|error| failed(&error.into()))?;
    let within = match body.get("timeout") {
        None | Some(Value::Null) => SETTLE_WITHIN,
        Some(text) => {
            let text = text.as_str().ok_or_else(|| failed(&"timeout is not a text such as 30s".into()))?;
            parse_duration(text).map_err(|error| failed(&error.into()))?
        }
    };
    let LocalQueues { jobs, books } = &control.queues;
    let drained = async {
        let mut looks = tokio::time::interval(LOOK);
        while ![jobs, books, &control.purchases].iter().all(|queue| queue.is_drained()) {
            looks.tick().await;
        }
    };
    if tokio::time::timeout(within, drained).await.is_err() {
        let detail = "messages are left on the queues";
        return Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "timeout", detail));
    }
    let (jobs, books, purchases) = (jobs.counts(), books.counts(), control.purchases.counts());
    let queues = json!({"jobs": jobs, "books": books, "purchases": purchases});
    Ok(answer(&json!({"queues": queues, "streams": {}})))
}

/// Puts the messages of `{"messages": [object or text]}` on the queue of events of purchases.
async fn queue(State(control): State<Control>, body: Bytes) -> Result<Response, Problem> {
    let body: Value = serde_json::from_slice(&body).map_err(|error| failed(&error.into()))?;
    let messages = body.get("messages").and_then(Value::as_array);
    let messages = messages.ok_or_else(|| failed(&"messages are missing".into()))?;
    let text = |message: &Value| message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    let ids = control.purchases.send(messages.iter().map(text).collect());
    let queued = (StatusCode::ACCEPTED, answer(&json!({"queued": ids.len(), "message_ids": ids})));
    Ok(queued.into_response())
}

/// Makes every message that a queue has had since the start visible again, `{"times": n}` times (1 if left out).
async fn redeliver(
    State(control): State<Control>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<Response, Problem> {
    let body = if body.is_empty() { Ok(Value::Null) } else { serde_json::from_slice::<Value>(&body) };
    let body = body.map_err(|error| failed(&error.into()))?;
    let times =
        body.get("times").map_or(Some(1), Value::as_u64).and_then(|times| usize::try_from(times).ok());
    let times = times.filter(|times| *times <= 100).ok_or_else(|| failed(&"times is not 0 to 100".into()))?;
    let queue = match name.as_str() {
        "jobs" => &control.queues.jobs,
        "books" => &control.queues.books,
        "purchases" => &control.purchases,
        _ => return Err(Problem::new(StatusCode::NOT_FOUND, "not_found", "queues: jobs, books, purchases")),
    };
    Ok(answer(&json!({"redelivered": queue.redeliver(times)})))
}

/// Has a fake gateway send the webhook that the body requests.
async fn trigger(State(control): State<Control>, body: Bytes) -> Result<Response, Problem> {
    let wanted: TriggerRequest = serde_json::from_slice(&body).map_err(|error| failed(&error.into()))?;
    let happened =
        trigger::run(&control.fakes, &control.keys, wanted).await.map_err(|error| failed(&error))?;
    let happened = serde_json::to_value(&happened).map_err(|error| failed(&error.into()))?;
    Ok(answer(&happened))
}

/// Delivers the webhooks that were held back.
async fn deliver(State(control): State<Control>) -> Result<Response, Problem> {
    let delivered = control.fakes.deliver_held().await.map_err(|error| failed(&error))?;
    Ok(answer(&json!({"delivered": delivered})))
}

/// Sets how a fake supplier handles orders, or delivers its open orders, as the body requests.
async fn supply(State(control): State<Control>, body: Bytes) -> Result<Response, Problem> {
    let command: SupplyCommand = serde_json::from_slice(&body).map_err(|error| failed(&error.into()))?;
    let supplied = control.fakes.supply_as(&command).await.map_err(|error| failed(&error))?;
    Ok(answer(&serde_json::to_value(&supplied).map_err(|error| failed(&error.into()))?))
}

async fn jwks(State(control): State<Control>) -> Response {
    answer(&control.jwks)
}
