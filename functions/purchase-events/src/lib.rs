//! Events of a shop's purchases: what was booked, paid, refunded and cancelled earns, takes back and releases points.
//!
//! **Invariant:** any order of the events, any number of times, ends alike. What comes before its purchase is kept for
//! it.
//! **Invariant:** exactly the messages that failed are delivered again. A message that contradicts an earlier one is
//! acknowledged and raises an alert, because it would contradict it again.

mod apply;
mod message;
mod orders;

use apply::Applying;
use domain::actor::Actor;
use domain::context::Context;
use domain::ids::RequestId;
use domain::rejection::Rejection;
use edge::batch::{Batch, Failures, each_by};
use edge::{App, telemetry};
use lambda_runtime::LambdaEvent;
use message::{Message, Unreadable};
use serde_json::value::RawValue;
use std::time::Instant;
use store::StoreError;

/// Number of customers whose messages are handled at once.
const AT_ONCE: usize = 8;

/// Outcome of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has changed something.
    Applied,
    /// The same was applied before.
    Duplicate,
    /// It changes nothing: its type is unknown, or there is nothing to do.
    Ignored,
    /// It is kept until the purchase earns.
    Parked,
    /// It contradicts what was applied before.
    Conflict,
}

impl Outcome {
    /// Returns the outcome of a message that says two things.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Conflict, _) | (_, Self::Conflict) => Self::Conflict,
            (Self::Applied, _) | (_, Self::Applied) => Self::Applied,
            (Self::Duplicate, _) | (_, Self::Duplicate) => Self::Duplicate,
            (first, _) => first,
        }
    }

    /// Returns the word used in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Duplicate => "duplicate",
            Self::Ignored => "ignored",
            Self::Parked => "parked",
            Self::Conflict => "conflict",
        }
    }
}

/// Why a message failed and must be delivered again.
#[derive(Debug)]
pub enum Failed {
    /// A field is missing or invalid.
    Unreadable(Unreadable),
    /// It cannot be applied as things are.
    Rejected(Rejection),
    /// The table did not answer.
    Store(StoreError),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(field) => field.fmt(f),
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failed {}

impl From<Unreadable> for Failed {
    fn from(field: Unreadable) -> Self {
        Self::Unreadable(field)
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Rejected(rejection) => Self::Rejected(rejection),
            StoreError::Contention(_)
            | StoreError::Unreachable(_)
            | StoreError::Unavailable(_)
            | StoreError::Corrupt(_) => Self::Store(error),
        }
    }
}

/// Handles one event of Lambda: a batch of SQS or Kafka, or one event of EventBridge.
pub async fn handle(app: &App, event: LambdaEvent<Box<RawValue>>) -> Result<Failures, lambda_runtime::Error> {
    let request = RequestId::new(event.context.request_id);
    let text = event.payload.get();
    if is_batch(text) {
        let batch: Batch = serde_json::from_str(text)?;
        return Ok(each_by(batch, AT_ONCE, Message::subject, |message| apply(app, message, &request)).await);
    }
    // EventBridge invokes the function again if it fails.
    let message: Message = serde_json::from_str(text)?;
    apply(app, message, &request).await?;
    Ok(Failures::default())
}

fn is_batch(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Shape<'a> {
        #[serde(rename = "Records", borrow)]
        queue: Option<&'a RawValue>,
        #[serde(borrow)]
        records: Option<&'a RawValue>,
    }
    serde_json::from_str::<Shape<'_>>(text).is_ok_and(|shape| shape.queue.or(shape.records).is_some())
}

async fn apply(app: &App, message: Message, request: &RequestId) -> Result<(), Failed> {
    let started = Instant::now();
    let (now, actor) = (app.clock.now(), Actor::system("purchase-events"));
    let context = Context { now, actor, request: request.clone(), policy: app.policy.clone() };
    let outcome = match message.event(app.policy.currency()) {
        Ok(event) => Applying { app, context }.apply(event).await,
        Err(field) => Err(Failed::Unreadable(field)),
    };
    let word = outcome.as_ref().map_or("failed", |outcome| outcome.as_str());
    tracing::info!(outcome = word, "purchase event");
    telemetry::count("purchase-event", outcome.is_err().then_some("failed"), 0, started);
    outcome.map(|_| ())
}
