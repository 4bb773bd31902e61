//! Logs and metrics: one line per request. In Lambda the line is also a record in CloudWatch's embedded metric
//! format.
//!
//! **Invariant:** a log line contains no body, header or query, so that no confidential input is logged.
//! **Invariant:** a panic in a handler becomes a 500 problem; the process continues.
//! **Invariant:** a metric has one dimension, the stack: each combination of dimensions is paid for as a metric of
//! its own. Functions and routes are fields of the line.

use crate::api_request::request_id;
use crate::problem::Problem;
use crate::reply::Retries;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::fmt;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::time::{Instant, UNIX_EPOCH};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt;

/// The Lambda function and its stack; metrics are written only if it is set.
static FUNCTION: OnceLock<Function> = OnceLock::new();

struct Function {
    name: String,
    stack: String,
}

/// Enables JSON logs and metrics for the Lambda function of this name in the stack; logs from level `info`.
pub(crate) fn init_lambda(name: &str, deployed_as: &str) {
    let stack = deployed_as.strip_suffix(name).and_then(|stack| stack.strip_suffix('-'));
    let stack = stack.unwrap_or(deployed_as).to_owned();
    let _ = FUNCTION.set(Function { name: name.to_owned(), stack });
    let lines = tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).without_time();
    let _ = lines.with_max_level(LevelFilter::INFO).try_init();
}

/// Enables text logs on standard error. The filter has the form of `warn,dynoxide=error`.
pub fn init_terminal(filter: &str) {
    let targets: Targets = filter.parse().unwrap_or_else(|_| Targets::new().with_default(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let _ = registry().with(lines).with(targets).try_init();
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
        let problem = if method.is_safe() { problem.of_read() } else { problem };
        response = problem.respond(id.as_str());
        problem.code
    });
    let retries = response.extensions().get::<Retries>().copied().unwrap_or_default().0;
    let status = response.status().as_u16();
    let micros = micros_since(started);
    let line = Line {
        request_id: id.as_str(),
        operation: format_args!("{method} {route}"),
        status: Some(status),
        code,
        retries,
        micros,
    };
    line.write();
    response
}

/// Logs and counts an operation of a function that is scheduled or reads a queue.
pub fn count(operation: &str, code: Option<&'static str>, retries: u32, started: Instant) {
    let operation = format_args!("{operation}");
    Line { request_id: "", operation, status: None, code, retries, micros: micros_since(started) }.write();
}

fn micros_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// What is logged of one operation.
struct Line<'a> {
    request_id: &'a str,
    operation: fmt::Arguments<'a>,
    status: Option<u16>,
    code: Option<&'static str>,
    retries: u32,
    micros: u64,
}

impl Line<'_> {
    fn write(&self) {
        let Self { request_id, operation, status, code, retries, micros } = self;
        let Some(function) = FUNCTION.get() else {
            tracing::info!(request_id, %operation, status, code, retries, duration_us = micros, "request");
            return;
        };
        let line = serde_json::to_vec(&Record { line: self, function });
        if let Ok(mut line) = line {
            line.push(b'\n');
            let _ = std::io::stdout().lock().write_all(&line);
        }
    }

    /// Returns the metrics of the line. One that is zero is left out, which changes no sum.
    fn metrics(&self) -> impl Iterator<Item = (&'static str, u32)> {
        let all = [
            ("Operations", 1),
            ("Rejections", u32::from(self.code.is_some())),
            ("Conflicts", self.retries),
            ("Contention", u32::from(self.code == Some("contention"))),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }
}

/// A line in CloudWatch's embedded metric format.
struct Record<'a> {
    line: &'a Line<'a>,
    function: &'a Function,
}

impl Serialize for Record<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Metadata {
            timestamp: u64,
            cloud_watch_metrics: [Metrics; 1],
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Metrics {
            namespace: &'static str,
            dimensions: [[&'static str; 1]; 1],
            metrics: Vec<Name>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Name {
            name: &'static str,
        }
        // Uses the machine's clock, not business time, because CloudWatch refuses records with other
        // timestamps.
        #[allow(clippy::disallowed_methods)]
        let now = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let metrics = Metrics {
            namespace: "Scrip",
            dimensions: [["Stack"]],
            metrics: self.line.metrics().map(|(name, _)| Name { name }).collect(),
        };
        let timestamp = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("_aws", &Metadata { timestamp, cloud_watch_metrics: [metrics] })?;
        map.serialize_entry("Stack", &self.function.stack)?;
        for (name, count) in self.line.metrics() {
            map.serialize_entry(name, &count)?;
        }
        let Line { request_id, operation, status, code, retries: _, micros } = self.line;
        map.serialize_entry("level", "INFO")?;
        map.serialize_entry("function", &self.function.name)?;
        map.serialize_entry("request_id", request_id)?;
        map.serialize_entry("operation", operation)?;
        if let Some(status) = status {
            map.serialize_entry("status", status)?;
        }
        if let Some(code) = code {
            map.serialize_entry("code", code)?;
        }
        map.serialize_entry("duration_us", micros)?;
        map.end()
    }
}
