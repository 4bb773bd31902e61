//! Runs scheduled functions, and reads their event: its input, alone or in an envelope of EventBridge or EventBridge
//! Scheduler.
//!
//! A rule sends its event with the input as `detail`; a schedule without a configured input sends the
//! same with `detail` as text (`"{}"`).
//!
//! **Invariant:** an unknown member of the input is refused; of an envelope, everything except `detail`
//! is ignored.

use crate::telemetry;
use crate::wiring::{BuildError, Function, Parts, deployed_name};
use lambda_http::{LambdaEvent, lambda_runtime, service_fn};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Runs a scheduled function of this name until Lambda ends the process; `build` builds its services.
pub async fn run<S: Clone, I: DeserializeOwned, O: Serialize>(
    name: &str,
    build: impl AsyncFn(Parts) -> Result<S, BuildError>,
    handle: impl AsyncFn(S, LambdaEvent<Scheduled<I>>) -> Result<O, BuildError>,
) -> Result<(), BuildError> {
    run_raw(name, build, handle).await
}

/// Runs a function whose event is read as it is.
pub async fn run_raw<S: Clone, I: DeserializeOwned, O: Serialize>(
    name: &str,
    build: impl AsyncFn(Parts) -> Result<S, BuildError>,
    handle: impl AsyncFn(S, LambdaEvent<I>) -> Result<O, BuildError>,
) -> Result<(), BuildError> {
    telemetry::init_lambda(name, &deployed_name(name));
    let function = Function::start(build).await?;
    let handle = async |event| handle(function.current().await, event).await;
    lambda_runtime::run(service_fn(|event| Box::pin(handle(event)))).await
}

/// The input of a scheduled function, taken from its envelope.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scheduled<T>(pub T);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Scheduled<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut input = Value::deserialize(deserializer)?;
        if let Some(envelope) = input.as_object_mut().filter(|input| is_envelope(input)) {
            input = match envelope.remove("detail") {
                None | Some(Value::Null) => Value::Object(Map::new()),
                Some(Value::String(text)) if text.trim().is_empty() => Value::Object(Map::new()),
                Some(Value::String(text)) => serde_json::from_str(&text).map_err(D::Error::custom)?,
                Some(detail) => detail,
            };
        }
        if !input.is_object() {
            return Err(D::Error::custom("the input is not a JSON object"));
        }
        serde_json::from_value(input).map(Self).map_err(D::Error::custom)
    }
}

fn is_envelope(input: &Map<String, Value>) -> bool {
    input.contains_key("detail") || input.contains_key("detail-type")
}
