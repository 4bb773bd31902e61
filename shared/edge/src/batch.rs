//! Batches of messages that Lambda receives from an SQS queue; each message succeeds or fails separately.
//!
//! The event source mapping must have `ReportBatchItemFailures` enabled: SQS redelivers the messages
//! named in the response, and moves them to the dead-letter queue after the queue's maximum number of
//! receives. All others are deleted.
//!
//! **Invariant:** a message that cannot be read, fails or panics is redelivered alone; in a FIFO queue
//! together with the later messages of its group, so that none overtakes it.

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;

/// The SQS event of Lambda (only the members that are used here).
#[derive(Debug, Deserialize)]
pub struct Batch {
    #[serde(rename = "Records")]
    records: Vec<Message>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    message_id: String,
    body: String,
    #[serde(default)]
    attributes: Attributes,
}

#[derive(Debug, Default, Deserialize)]
struct Attributes {
    #[serde(rename = "MessageGroupId")]
    group: Option<String>,
}

/// The partial batch response: the messages that SQS must redeliver.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failures {
    batch_item_failures: Vec<Failure>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure {
    item_identifier: String,
}

/// Handles the messages of a batch, at most `at_once` in parallel; messages of one FIFO group in order.
///
/// A message's body is the JSON of a `T`. Bodies are never logged.
pub async fn each<T, E, F>(batch: Batch, at_once: usize, take: impl Fn(T) -> F) -> Failures
where
    T: DeserializeOwned,
    E: Display,
    F: Future<Output = Result<(), E>>,
{
    let take = &take;
    let failed = stream::iter(groups(batch.records))
        .map(|group| async move {
            let mut rest = group.into_iter();
            while let Some((place, message)) = rest.next() {
                if !is_taken(&message, take).await {
                    let behind = rest.map(|(place, message)| (place, message.message_id));
                    return std::iter::once((place, message.message_id)).chain(behind).collect();
                }
            }
            vec![]
        })
        .buffer_unordered(at_once.max(1))
        .collect::<Vec<Vec<(usize, String)>>>()
        .await;
    let failed: BTreeMap<usize, String> = failed.into_iter().flatten().collect();
    let failure = |item_identifier| Failure { item_identifier };
    Failures { batch_item_failures: failed.into_values().map(failure).collect() }
}

/// Messages that are handled in order, each with its position in the batch.
type Group = Vec<(usize, Message)>;

/// Groups the messages; a message without a group id forms its own group.
fn groups(messages: Vec<Message>) -> Vec<Group> {
    let mut groups: BTreeMap<(Option<String>, usize), Group> = BTreeMap::new();
    for (place, message) in messages.into_iter().enumerate() {
        let group = message.attributes.group.clone();
        let alone = if group.is_none() { place } else { 0 };
        groups.entry((group, alone)).or_default().push((place, message));
    }
    groups.into_values().collect()
}

async fn is_taken<T, E, F>(message: &Message, take: &impl Fn(T) -> F) -> bool
where
    T: DeserializeOwned,
    E: Display,
    F: Future<Output = Result<(), E>>,
{
    let id = &message.message_id;
    let Ok(read) = serde_json::from_str(&message.body) else {
        tracing::error!(message = id, "a message cannot be read");
        return false;
    };
    // Wrapped in an async block, because `take` may panic before it returns a future.
    match AssertUnwindSafe(async { take(read).await }).catch_unwind().await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(message = id, %error, "a message failed and will be redelivered");
            false
        }
        Err(_) => {
            tracing::error!(message = id, "the handler of a message panicked");
            false
        }
    }
}
