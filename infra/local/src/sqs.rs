//! An emulator of SQS: the platform's queues of jobs, behind SQS's own protocol.
//!
//! **Invariant:** a queue is known by the last segment of its URL, as in AWS; a message is taken once for each entry of
//! a request.

use crate::queues::{LONG_WORK, Queue, SHORT_WORK};
use ::queues::{Credentials, Queues, Settings};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Path of the emulator.
pub const PREFIX: &str = "/_sqs";

/// The end of the name of a queue of dead letters.
const DEAD: &str = "-dead";

/// Seconds for which a received message is hidden if the request does not say.
const DEFAULT_HIDDEN_SECONDS: u64 = 30;

const KIND: &str = "application/x-amz-json-1.0";

/// A request of a client (only the members that are used here).
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct SendRequest {
    queue_url: String,
    entries: Vec<Entry>,
    message_body: String,
    receipt_handle: String,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    id: String,
    message_body: String,
}

/// The platform's queues of jobs.
#[derive(Clone)]
pub struct LocalQueues {
    /// Messages about parts of jobs.
    pub jobs: Arc<Queue>,
    /// Messages about steps of jobs with files.
    pub books: Arc<Queue>,
}

impl fmt::Debug for LocalQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalQueues")
    }
}

impl Default for LocalQueues {
    fn default() -> Self {
        Self {
            jobs: Arc::new(Queue::new("jobs", SHORT_WORK)),
            books: Arc::new(Queue::new("books", LONG_WORK)),
        }
    }
}

impl LocalQueues {
    fn named(&self, url: &str) -> Option<&Arc<Queue>> {
        match url.rsplit('/').next() {
            Some("jobs") => Some(&self.jobs),
            Some("books") => Some(&self.books),
            Some(_) | None => None,
        }
    }

    /// Answers a request of SQS's JSON protocol.
    fn answer(&self, target: &str, body: &[u8]) -> (StatusCode, Value) {
        let wrong = |kind: &str| (StatusCode::BAD_REQUEST, json!({"__type": kind, "message": "not done"}));
        let Ok(asked) = serde_json::from_slice::<SendRequest>(body) else {
            return wrong("InvalidMessageContents");
        };
        if let Some(queue) = asked.queue_url.strip_suffix(DEAD).and_then(|url| self.named(url)) {
            return Self::answer_dead(queue, target, &asked);
        }
        let Some(queue) = self.named(&asked.queue_url) else {
            return wrong("com.amazonaws.sqs#QueueDoesNotExist");
        };
        match target {
            "AmazonSQS.SendMessageBatch" if (1..=10).contains(&asked.entries.len()) => {
                let bodies = asked.entries.iter().map(|entry| entry.message_body.clone()).collect();
                let taken = queue.send(bodies).into_iter().zip(&asked.entries).map(|(id, entry)| {
                    let md5 = digest(&entry.message_body);
                    json!({"Id": entry.id, "MessageId": id, "MD5OfMessageBody": md5})
                });
                let taken: Vec<Value> = taken.collect();
                (StatusCode::OK, json!({"Successful": taken, "Failed": []}))
            }
            "AmazonSQS.SendMessageBatch" => wrong("com.amazonaws.sqs#TooManyEntriesInBatchRequest"),
            "AmazonSQS.SendMessage" => {
                let md5 = digest(&asked.message_body);
                let ids = queue.send(vec![asked.message_body]);
                (StatusCode::OK, json!({"MessageId": ids.first(), "MD5OfMessageBody": md5}))
            }
            _ => wrong("com.amazonaws.sqs#UnsupportedOperation"),
        }
    }

    /// Answers a request about the dead letters of a queue.
    fn answer_dead(queue: &Queue, target: &str, asked: &SendRequest) -> (StatusCode, Value) {
        match target {
            "AmazonSQS.GetQueueAttributes" => {
                let (all, hidden) = (queue.count_dead(), queue.count_hidden());
                let counts = json!({
                    "ApproximateNumberOfMessages": all.saturating_sub(hidden).to_string(),
                    "ApproximateNumberOfMessagesNotVisible": hidden.to_string(),
                });
                (StatusCode::OK, json!({"Attributes": counts}))
            }
            "AmazonSQS.ReceiveMessage" => {
                let most = asked.max_number_of_messages.unwrap_or(1);
                let hidden = Duration::from_secs(asked.visibility_timeout.unwrap_or(DEFAULT_HIDDEN_SECONDS));
                let message = |(id, body): (String, String)| {
                    let md5 = digest(&body);
                    json!({"MessageId": id, "ReceiptHandle": id, "Body": body, "MD5OfBody": md5})
                };
                let messages: Vec<Value> =
                    queue.receive_dead(most, hidden).into_iter().map(message).collect();
                (StatusCode::OK, json!({"Messages": messages}))
            }
            "AmazonSQS.DeleteMessage" => {
                queue.remove_dead(&asked.receipt_handle);
                (StatusCode::OK, json!({}))
            }
            _ => {
                let unknown =
                    json!({"__type": "com.amazonaws.sqs#UnsupportedOperation", "message": "not done"});
                (StatusCode::BAD_REQUEST, unknown)
            }
        }
    }

    /// Returns the routes of the emulator.
    pub fn router(&self) -> Router {
        let routes = Router::new().route(PREFIX, post(handle)).route(&format!("{PREFIX}/"), post(handle));
        routes.with_state(self.clone())
    }

    /// Returns a client whose requests are answered in this process.
    pub fn client(&self) -> Queues {
        Queues::connect(settings("http://127.0.0.1"), SharedHttpClient::new(InProcess(self.clone())))
    }
}

/// Returns the digest by which SQS's clients check that a message was received whole.
fn digest(body: &str) -> String {
    format!("{:x}", md5::compute(body))
}

/// Returns the settings of a client of the emulator at this URL.
pub fn settings(url: &str) -> Settings {
    Settings {
        region: "us-east-1".to_owned(),
        credentials: Credentials::new("local", "local", None, None, "local"),
        endpoint: Some(format!("{url}{PREFIX}")),
        jobs: format!("{url}{PREFIX}/000000000000/jobs"),
        books: format!("{url}{PREFIX}/000000000000/books"),
        dead: ["jobs", "books"].map(|name| format!("{url}{PREFIX}/000000000000/{name}{DEAD}")).to_vec(),
    }
}

async fn handle(State(queues): State<LocalQueues>, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (status, answer) = queues.answer(target, &body);
    (status, [(header::CONTENT_TYPE, KIND)], answer.to_string()).into_response()
}

#[derive(Clone, Debug)]
struct InProcess(LocalQueues);

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let (status, answer) = self.0.answer(target, request.body().bytes().unwrap_or_default());
        let mut reply = HttpResponse::new(status.into(), SdkBody::from(answer.to_string()));
        reply.headers_mut().insert("content-type", KIND);
        HttpConnectorFuture::ready(Ok(reply))
    }
}
