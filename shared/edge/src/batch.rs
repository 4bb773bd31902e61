//! Batches of messages that Lambda takes from an SQS queue: each message on its own.
//!
//! The event source mapping must report batch item failures: what is named in the answer comes again, and ends in the dead-letter
//! queue after as many receives as the queue allows; everything else is deleted.
//!
//! **Invariant:** a message that cannot be read, fails or panics comes again alone; in a FIFO queue with those behind it in its
//! group, so that none overtakes it.

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::panic::AssertUnwindSafe;

/// What Lambda hands on from a queue (the members that are needed here).
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

/// Which messages of a batch come again.
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

/// Takes the messages of a batch, at most so many at once; those of one FIFO group one after another.
///
/// A message's body is the JSON of a `T`. What a message says is never logged.
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

/// Messages that are taken one after another, each with its place in the batch.
type Group = Vec<(usize, Message)>;

/// The messages by group; one of a queue without groups stands alone.
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
    // The call itself may panic before there is a future to wait for.
    match AssertUnwindSafe(async { take(read).await }).catch_unwind().await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(message = id, %error, "a message failed and comes again");
            false
        }
        Err(_) => {
            tracing::error!(message = id, "a message made its handler panic");
            false
        }
    }
}
