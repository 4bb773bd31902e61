//! The queues of dead letters: how many messages they have, and the removal of those that are of no use any more.
//!
//! **Invariant:** a message is removed only by the receipt of this look at it; one that another process has received
//! meanwhile stays.

use crate::{BooksMessage, PartMessage, Queues};
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::types::QueueAttributeName;

/// The most messages of one look.
const LOOKED_AT: i32 = 10;

/// Seconds for which messages that were looked at are not shown to others.
const HIDDEN_SECONDS: i32 = 5;

/// The messages that can be received, and those that were received just now.
const COUNTS: [QueueAttributeName; 2] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
];

/// The queue did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a queue of dead letters does not answer")]
pub struct NoAnswer;

/// A queue of dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadQueue {
    /// Its name, the last segment of its URL.
    pub name: String,
    url: String,
}

/// A message that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    receipt: String,
    /// The part that it was about, if it was about one.
    pub part: Option<PartMessage>,
    /// The step that it was about, if it was about one.
    pub step: Option<BooksMessage>,
}

impl Queues {
    /// Returns the queues of dead letters.
    pub fn dead(&self) -> Vec<DeadQueue> {
        let name = |url: &String| url.rsplit('/').next().unwrap_or_default().to_owned();
        self.dead.iter().map(|url| DeadQueue { name: name(url), url: url.clone() }).collect()
    }

    /// Returns the number of messages of a queue of dead letters, those included that a look has just hidden.
    pub async fn count_dead(&self, queue: &DeadQueue) -> Result<u64, NoAnswer> {
        let request = self.client.get_queue_attributes().queue_url(&queue.url);
        let request = request.set_attribute_names(Some(COUNTS.to_vec()));
        let answer = request.send().await.map_err(|error| {
            tracing::warn!(queue = queue.name, error = %DisplayErrorContext(&error), "a queue does not answer");
            NoAnswer
        })?;
        let attributes = answer.attributes().ok_or(NoAnswer)?;
        let counts = COUNTS.iter().map(|name| attributes.get(name)?.parse::<u64>().ok());
        counts.sum::<Option<u64>>().ok_or(NoAnswer)
    }

    /// Returns some messages of a queue of dead letters.
    pub async fn dead_letters(&self, queue: &DeadQueue) -> Result<Vec<DeadLetter>, NoAnswer> {
        let request = self.client.receive_message().queue_url(&queue.url);
        let request = request.max_number_of_messages(LOOKED_AT).visibility_timeout(HIDDEN_SECONDS);
        let answer = request.send().await.map_err(|error| {
            tracing::warn!(queue = queue.name, error = %DisplayErrorContext(&error), "a queue does not answer");
            NoAnswer
        })?;
        let letter = |message: &aws_sdk_sqs::types::Message| {
            let body = message.body().unwrap_or_default();
            Some(DeadLetter {
                receipt: message.receipt_handle()?.to_owned(),
                part: serde_json::from_str(body).ok(),
                step: serde_json::from_str(body).ok(),
            })
        };
        Ok(answer.messages().iter().filter_map(letter).collect())
    }

    /// Removes a message of a queue of dead letters.
    pub async fn remove_dead(&self, queue: &DeadQueue, letter: &DeadLetter) -> Result<(), NoAnswer> {
        let request = self.client.delete_message().queue_url(&queue.url).receipt_handle(&letter.receipt);
        request.send().await.map(|_| ()).map_err(|error| {
            tracing::warn!(queue = queue.name, error = %DisplayErrorContext(&error), "a message is not removed");
            NoAnswer
        })
    }
}
