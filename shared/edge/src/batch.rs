//! Batches of messages that Lambda receives from an SQS queue or from Kafka; each message succeeds or fails separately.
//!
//! The event source mapping must have `ReportBatchItemFailures` enabled: the messages named in the response are
//! delivered again, those of SQS until the queue's maximum number of receives moves them to the dead-letter queue.
//! All others are done.
//!
//! **Invariant:** a message that cannot be read, fails or panics is redelivered alone; in a FIFO queue, and in a
//! partition of Kafka, together with the later messages of its group, so that none overtakes it.
//! **Invariant:** messages about one subject are handled one after another.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::FutureExt;
use futures::stream::{self, StreamExt};
use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;

/// The event of Lambda for messages from SQS or Kafka (only the members that are used here).
pub struct Batch {
    messages: Vec<Message>,
}

struct Message {
    id: ItemId,
    /// `None` if it cannot be decoded.
    body: Option<String>,
    /// The FIFO group, or the partition.
    group: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(rename = "Records", default)]
    queue: Vec<Queued>,
    #[serde(rename = "records", default)]
    partitions: BTreeMap<String, Vec<Record>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Queued {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Default, Deserialize)]
struct Attributes {
    #[serde(rename = "MessageGroupId")]
    group: Option<String>,
}

#[derive(Deserialize)]
struct Record {
    topic: String,
    partition: u64,
    offset: u64,
    #[serde(default)]
    value: Option<String>,
}

impl<'de> Deserialize<'de> for Batch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { queue, partitions } = Wire::deserialize(deserializer)?;
        if !queue.is_empty() && !partitions.is_empty() {
            return Err(D::Error::custom("the messages are of two kinds"));
        }
        let queued = queue.into_iter().map(|Queued { message_id, body, attributes }| Message {
            id: ItemId::Queued(message_id),
            body: Some(body),
            group: attributes.group,
        });
        let recorded = partitions.into_values().flatten().map(|record| {
            let partition = format!("{}-{}", record.topic, record.partition);
            let bytes = record.value.and_then(|value| STANDARD.decode(value).ok());
            Message {
                id: ItemId::Recorded { partition: partition.clone(), offset: record.offset },
                body: bytes.and_then(|bytes| String::from_utf8(bytes).ok()),
                group: Some(partition),
            }
        });
        Ok(Self { messages: queued.chain(recorded).collect() })
    }
}

/// The partial batch response: the messages that must be delivered again.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: ItemId,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
enum ItemId {
    Queued(String),
    Recorded { partition: String, offset: u64 },
}

impl Display for ItemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Queued(id) => f.write_str(id),
            Self::Recorded { partition, offset } => write!(f, "{partition}@{offset}"),
        }
    }
}

/// Handles the messages of a batch, at most `at_once` in parallel; those of one FIFO group or partition in order.
///
/// A message's body is the JSON of a `T`. Bodies are never logged.
pub async fn each<T, E, F>(batch: Batch, at_once: usize, take: impl Fn(T) -> F) -> Failures
where
    T: DeserializeOwned,
    E: Display,
    F: Future<Output = Result<(), E>>,
{
    each_by(batch, at_once, |_| None, take).await
}

/// Handles the messages of a batch like [`each`]; those with the same subject one after another.
pub async fn each_by<T, E, F>(
    batch: Batch,
    at_once: usize,
    subject: impl Fn(&T) -> Option<String>,
    take: impl Fn(T) -> F,
) -> Failures
where
    T: DeserializeOwned,
    E: Display,
    F: Future<Output = Result<(), E>>,
{
    let take = &take;
    let failed = stream::iter(groups(batch.messages, subject))
        .map(|group| async move {
            let mut failed = Vec::new();
            let mut rest = group.into_iter();
            while let Some(message) = rest.next() {
                let (place, id, is_ordered) = (message.place, message.id.clone(), message.is_ordered);
                if is_taken(message, take).await {
                    continue;
                }
                let is_stream = matches!(id, ItemId::Recorded { .. });
                failed.push((place, id));
                if is_ordered {
                    // The first failure of a partition names all that follow.
                    failed.extend(rest.filter(|_| !is_stream).map(|message| (message.place, message.id)));
                    break;
                }
            }
            failed
        })
        .buffer_unordered(at_once.max(1))
        .collect::<Vec<Vec<(usize, ItemId)>>>()
        .await;
    let failed: BTreeMap<usize, ItemId> = failed.into_iter().flatten().collect();
    let failure = |item_identifier| Failure { item_identifier };
    Failures { batch_item_failures: failed.into_values().map(failure).collect() }
}

/// A message that was read, with its position in the batch.
struct Read<T> {
    place: usize,
    id: ItemId,
    /// `None` if it cannot be read.
    content: Option<T>,
    /// True if later messages of its group must not overtake it.
    is_ordered: bool,
}

/// Groups the messages by FIFO group or partition, or else by subject; a message with neither forms its own group.
fn groups<T: DeserializeOwned>(
    messages: Vec<Message>,
    subject: impl Fn(&T) -> Option<String>,
) -> Vec<Vec<Read<T>>> {
    let mut groups = BTreeMap::<(Option<String>, Option<String>, usize), Vec<Read<T>>>::new();
    for (place, Message { id, body, group }) in messages.into_iter().enumerate() {
        let content = body.and_then(|body| serde_json::from_str(&body).ok());
        let of = if group.is_some() { None } else { content.as_ref().and_then(&subject) };
        let alone = if group.is_none() && of.is_none() { place } else { 0 };
        let is_ordered = group.is_some();
        groups.entry((group, of, alone)).or_default().push(Read { place, id, content, is_ordered });
    }
    groups.into_values().collect()
}

async fn is_taken<T, E, F>(message: Read<T>, take: &impl Fn(T) -> F) -> bool
where
    E: Display,
    F: Future<Output = Result<(), E>>,
{
    let id = &message.id;
    let Some(content) = message.content else {
        tracing::error!(message = %id, "a message cannot be read");
        return false;
    };
    // Wrapped in an async block, because `take` may panic before it returns a future.
    match AssertUnwindSafe(async { take(content).await }).catch_unwind().await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(message = %id, %error, "a message failed and will be redelivered");
            false
        }
        Err(_) => {
            tracing::error!(message = %id, "the handler of a message panicked");
            false
        }
    }
}
