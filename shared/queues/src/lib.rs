//! Sends messages to the queues of SQS that carry out jobs.
//!
//! A message only says that there is something to do, and where; the work itself is stored in the table. So a
//! message may be lost, come twice or late.
//!
//! **Invariant:** no row, name or amount is in a message.
//! **Invariant:** the SDK retries nothing; a message whose outcome is unknown is sent again, because a second one does no
//! harm.

mod dead;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::config::retry::RetryConfig;
use aws_sdk_sqs::config::timeout::TimeoutConfig;
use aws_sdk_sqs::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::{BatchResultErrorEntry, SendMessageBatchRequestEntry};
use domain::ids::JobId;
use domain::jobs::job::Job;
use domain::jobs::part::PARTS_OF_SEGMENT;
use futures::stream::{self, StreamExt};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use store::{Jobs, StoreError};

pub use aws_sdk_sqs::config::Credentials;
pub use dead::{DeadLetter, DeadQueue, NoAnswer};
pub use transport::HttpClient;

/// The most messages of one request.
const BATCH: usize = 10;

/// Requests that are sent at once.
const AT_ONCE: usize = 8;

/// How often a message that was not taken is sent.
const TRIES: u32 = 3;

/// Time after which nothing more is sent of the messages of one call: what is left is sent another time.
const BUDGET: Duration = Duration::from_secs(8);

/// Time after which a request without response is sent again.
const ATTEMPT: Duration = Duration::from_secs(3);

/// The version of the messages.
pub const VERSION: u32 = 1;

/// A message of the queue `jobs`: a part of a job is to be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartMessage {
    /// The version of the message.
    pub v: u32,
    /// The job.
    pub job_id: String,
    /// The number of the part.
    pub part: u32,
}

impl PartMessage {
    /// Returns the message about a part.
    pub fn new(job: &impl ToString, part: u32) -> Self {
        Self { v: VERSION, job_id: job.to_string(), part }
    }
}

/// What is to be done of a job by the queue `books`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Its file is to be read and its rows stored; of a job whose rows are stored, their messages are to be sent.
    Split,
    /// Parts of an import are to be applied: those of the segment.
    Apply,
    /// A segment of an export is to be written.
    Export,
}

/// A message of the queue `books`: a step of a job is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BooksMessage {
    /// The version of the message.
    pub v: u32,
    /// The job.
    pub job_id: String,
    /// The step.
    pub step: Step,
    /// The number of the part of the step, from 0.
    pub segment: u32,
}

impl BooksMessage {
    /// Returns the message about a step of a job.
    pub fn new(job: &impl ToString, step: Step, segment: u32) -> Self {
        Self { v: VERSION, job_id: job.to_string(), step, segment }
    }
}

/// Settings of the queues.
#[derive(Clone, Debug)]
pub struct Settings {
    /// AWS region of the queues.
    pub region: String,
    /// AWS credentials, from the environment.
    pub credentials: Credentials,
    /// Endpoint URL in place of AWS's own; `None` for AWS.
    pub endpoint: Option<String>,
    /// URL of the queue of parts.
    pub jobs: String,
    /// URL of the queue of steps.
    pub books: String,
    /// URLs of the queues of dead letters; only the monitor looks at them.
    pub dead: Vec<String>,
}

impl Settings {
    /// Reads the settings of a function: `required` fails for a variable that is not set.
    pub fn read<E>(
        credentials: Credentials,
        required: impl Fn(&str) -> Result<String, E>,
        optional: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, E> {
        Ok(Self {
            region: required("AWS_REGION")?,
            credentials,
            endpoint: optional("AWS_ENDPOINT_URL_SQS"),
            jobs: required("SCRIP_JOBS_QUEUE_URL")?,
            books: required("SCRIP_BOOKS_QUEUE_URL")?,
            dead: optional("SCRIP_DEAD_QUEUE_URLS")
                .map(|urls| urls.split(',').map(|url| url.trim().to_owned()).collect())
                .unwrap_or_default(),
        })
    }
}

/// The queues of jobs.
#[derive(Clone, Debug)]
pub struct Queues {
    client: Client,
    jobs: String,
    books: String,
    dead: Vec<String>,
}

/// Messages that could not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsent(pub usize);

impl Queues {
    /// Returns the queues; opens no connection.
    pub fn connect(settings: Settings, http: HttpClient) -> Self {
        let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT).build();
        let mut config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(settings.region))
            .credentials_provider(settings.credentials)
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(http);
        config.set_endpoint_url(settings.endpoint);
        Self {
            client: Client::from_conf(config.build()),
            jobs: settings.jobs,
            books: settings.books,
            dead: settings.dead,
        }
    }

    /// Sends the messages about what a job has not done.
    pub async fn send_left(&self, jobs: &Jobs, job: &Job) -> Result<Result<(), Unsent>, StoreError> {
        if job.is_to_be_split() {
            return Ok(self.send_steps(&[BooksMessage::new(&job.terms.id, Step::Split, 0)]).await);
        }
        let left = jobs.unfinished_parts(job).await?;
        Ok(self.send_work(job, left).await)
    }

    /// Sends the messages that have parts of a job applied, or cancelled.
    pub async fn send_work(&self, job: &Job, parts: impl IntoIterator<Item = u32>) -> Result<(), Unsent> {
        let terms = &job.terms;
        if terms.kind.is_bulk() {
            return self.send_parts(&terms.id, parts).await;
        }
        if terms.kind.is_export() {
            let message = |part| BooksMessage::new(&terms.id, Step::Export, part);
            return self.send_steps(&parts.into_iter().map(message).collect::<Vec<_>>()).await;
        }
        let segments: BTreeSet<u32> = parts.into_iter().map(|part| part / PARTS_OF_SEGMENT).collect();
        // The end of each segment sends for the next one.
        let most = if job.is_in_order() { 1 } else { segments.len() };
        let segments = segments.into_iter().take(most);
        let message = |segment| BooksMessage::new(&terms.id, Step::Apply, segment);
        self.send_steps(&segments.map(message).collect::<Vec<_>>()).await
    }

    /// Sends messages about parts of a job; returns how many were not sent within some seconds.
    async fn send_parts(&self, job: &JobId, parts: impl IntoIterator<Item = u32>) -> Result<(), Unsent> {
        let messages: Vec<PartMessage> = parts.into_iter().map(|part| PartMessage::new(job, part)).collect();
        self.send(&self.jobs, &messages).await
    }

    /// Sends messages about steps; returns how many were not sent within some seconds.
    pub async fn send_steps(&self, messages: &[BooksMessage]) -> Result<(), Unsent> {
        self.send(&self.books, messages).await
    }

    async fn send(&self, url: &str, messages: &[impl Serialize]) -> Result<(), Unsent> {
        let bodies: Vec<String> =
            messages.iter().filter_map(|message| serde_json::to_string(message).ok()).collect();
        let started = Instant::now();
        let batches: Vec<_> =
            bodies.chunks(BATCH).map(|batch| self.send_batch(url, batch, started)).collect();
        let unsent: Vec<usize> = stream::iter(batches).buffer_unordered(AT_ONCE).collect().await;
        let unsent: usize = unsent.into_iter().sum();
        if unsent == 0 { Ok(()) } else { Err(Unsent(unsent)) }
    }

    /// Sends one batch; returns the number of messages that were not taken.
    async fn send_batch(&self, url: &str, bodies: &[String], started: Instant) -> usize {
        let mut left: Vec<(String, &String)> =
            bodies.iter().enumerate().map(|(at, body)| (at.to_string(), body)).collect();
        for _ in 0..TRIES {
            if started.elapsed() >= BUDGET {
                break;
            }
            let entries = left.iter().filter_map(|(id, body)| {
                SendMessageBatchRequestEntry::builder().id(id).message_body(*body).build().ok()
            });
            let request =
                self.client.send_message_batch().queue_url(url).set_entries(Some(entries.collect()));
            match request.send().await {
                Ok(answer) => {
                    let refused: Vec<&str> = answer.failed().iter().map(BatchResultErrorEntry::id).collect();
                    left.retain(|(id, _)| refused.contains(&id.as_str()));
                }
                Err(error) => {
                    tracing::warn!(error = %DisplayErrorContext(&error), "messages were not sent");
                }
            }
            if left.is_empty() {
                return 0;
            }
        }
        left.len()
    }
}
