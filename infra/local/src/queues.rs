//! Queues, driven as an event source mapping of Lambda drives them.
//!
//! **Invariant:** a message whose batch did not say that it failed is gone; one that failed is visible again after the
//! queue's time-out, and is a dead letter after so many times.
//! **Invariant:** a queue is in memory: a platform that stops forgets it.

use crate::Failure;
use serde_json::{Value, json};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How a queue and its mapping deal with messages, as in the template.
#[derive(Clone, Copy, Debug)]
pub struct QueueRules {
    /// The most messages of a batch.
    pub batch: usize,
    /// How often a message is received before it is a dead letter.
    pub receives: u32,
    /// The time after which a message that failed is visible again.
    pub time_out: Duration,
}

/// Rules of queues whose messages are short work; in AWS they are visible again after six minutes.
pub const SHORT_WORK: QueueRules = QueueRules { batch: 10, receives: 5, time_out: Duration::from_secs(30) };

/// Rules of the queue of steps, each of which may take a quarter of an hour.
pub const LONG_WORK: QueueRules = QueueRules { batch: 1, receives: 3, time_out: Duration::from_mins(90) };

#[derive(Clone, Debug)]
struct Message {
    id: String,
    body: String,
    receives: u32,
}

#[derive(Debug, Default)]
struct Messages {
    visible: VecDeque<Message>,
    /// Those that failed, in the order in which they are visible again.
    failed: VecDeque<(Instant, Message)>,
    in_flight: usize,
    /// Dead letters, and until when each is hidden because it was received.
    dead: Vec<(Message, Option<Instant>)>,
    /// All messages since the start.
    bodies: Vec<String>,
    received: u64,
}

/// A queue.
#[derive(Debug)]
pub struct Queue {
    name: &'static str,
    messages: Mutex<Messages>,
    rules: QueueRules,
    /// Signals that messages were sent.
    sent: Notify,
}

impl Queue {
    /// Creates an empty queue.
    pub fn new(name: &'static str, rules: QueueRules) -> Self {
        Self { name, messages: Mutex::default(), rules, sent: Notify::new() }
    }

    fn messages(&self) -> MutexGuard<'_, Messages> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts messages on the queue; returns their ids.
    pub fn send(&self, bodies: Vec<String>) -> Vec<String> {
        let mut messages = self.messages();
        let mut ids = vec![];
        for body in bodies {
            messages.bodies.push(body.clone());
            let id = format!("message-{}", messages.bodies.len());
            ids.push(id.clone());
            messages.visible.push_back(Message { id, body, receives: 0 });
        }
        drop(messages);
        self.sent.notify_one();
        ids
    }

    /// Returns how many messages it has.
    pub fn counts(&self) -> Value {
        let messages = self.messages();
        let visible = messages.visible.len();
        let waiting = messages.failed.len();
        json!({
            "visible": visible, "in_flight": messages.in_flight + waiting,
            "dead": messages.dead.len(), "received": messages.received,
        })
    }

    /// Returns true if no message is visible, being handled or waiting to be handled again.
    pub fn is_drained(&self) -> bool {
        let messages = self.messages();
        messages.visible.is_empty() && messages.failed.is_empty() && messages.in_flight == 0
    }

    /// Receives the first dead letters that are visible, each with its id; they are hidden for so long.
    pub fn receive_dead(&self, most: usize, hidden: Duration) -> Vec<(String, String)> {
        let (mut messages, now) = (self.messages(), Instant::now());
        let visible = messages.dead.iter_mut().filter(|(_, until)| until.is_none_or(|until| until <= now));
        let received = visible.take(most).map(|(dead, until)| {
            *until = Some(now + hidden);
            (dead.id.clone(), dead.body.clone())
        });
        received.collect()
    }

    /// Makes the messages that have failed, and the dead letters that were received, visible again at once.
    pub fn show_failed(&self) {
        let mut messages = self.messages();
        messages.dead.iter_mut().for_each(|(_, until)| *until = None);
        let failed = std::mem::take(&mut messages.failed);
        messages.visible.extend(failed.into_iter().map(|(_, message)| message));
    }

    /// Returns the number of dead letters.
    pub fn count_dead(&self) -> usize {
        self.messages().dead.len()
    }

    /// Returns the number of dead letters that are hidden.
    pub fn count_hidden(&self) -> usize {
        let now = Instant::now();
        let is_hidden = |until: &Option<Instant>| until.is_some_and(|until| until > now);
        self.messages().dead.iter().filter(|(_, until)| is_hidden(until)).count()
    }

    /// Removes a dead letter.
    pub fn remove_dead(&self, id: &str) {
        self.messages().dead.retain(|(dead, _)| dead.id != id);
    }

    /// Receives a batch of the visible messages.
    fn receive(&self) -> Vec<Message> {
        let (mut messages, now) = (self.messages(), Instant::now());
        while messages.failed.front().is_some_and(|(at, _)| *at <= now) {
            let again = messages.failed.pop_front();
            messages.visible.extend(again.map(|(_, message)| message));
        }
        let count = messages.visible.len().min(self.rules.batch);
        let mut batch: Vec<Message> = messages.visible.drain(..count).collect();
        for message in &mut batch {
            message.receives += 1;
        }
        messages.in_flight += batch.len();
        messages.received += u64::try_from(batch.len()).unwrap_or(0);
        if !messages.visible.is_empty() {
            // Another batch can be handled at the same time.
            self.sent.notify_one();
        }
        batch
    }

    /// Ends a batch: those that failed come again, or are dead letters.
    fn end(&self, batch: Vec<Message>, failed: &BTreeSet<String>) {
        let mut messages = self.messages();
        messages.in_flight -= batch.len();
        for message in batch.into_iter().filter(|message| failed.contains(&message.id)) {
            if message.receives >= self.rules.receives {
                tracing::warn!(message = message.id, "a message is a dead letter");
                messages.dead.push((message, None));
            } else {
                messages.failed.push_back((Instant::now() + self.rules.time_out, message));
            }
        }
    }

    /// Waits until messages are visible.
    async fn wait(&self) {
        let next = self.messages().failed.front().map(|(at, _)| *at);
        let due = async {
            match next {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.sent.notified() => {}
            () = due => {}
        }
    }

    /// Handles the messages that are visible now; returns false if there were none.
    pub async fn handle_batch<F, A>(&self, handle: &F) -> bool
    where
        F: Fn(String) -> A,
        A: Future<Output = Result<Value, Failure>>,
    {
        let batch = self.receive();
        if batch.is_empty() {
            return false;
        }
        let ids: BTreeSet<String> = batch.iter().map(|message| message.id.clone()).collect();
        let failed = match handle(event(self.name, &batch)).await {
            Ok(answer) => failures(&answer, &ids),
            Err(error) => {
                tracing::warn!(%error, "a batch failed");
                ids
            }
        };
        self.end(batch, &failed);
        true
    }

    /// Makes every message that there has been since the start visible again, so often.
    pub fn redeliver(&self, times: usize) -> usize {
        let again = self.messages().bodies.clone();
        let count = again.len() * times;
        let mut messages = self.messages();
        for _ in 0..times {
            for (id, body) in again.iter().enumerate() {
                let id = format!("message-{}", id + 1);
                messages.visible.push_back(Message { id, body: body.clone(), receives: 0 });
            }
        }
        drop(messages);
        self.sent.notify_one();
        count
    }

    /// Hands batches to a function, for good.
    pub async fn drive<F, A>(&self, handle: F)
    where
        F: Fn(String) -> A,
        A: Future<Output = Result<Value, Failure>>,
    {
        loop {
            if !self.handle_batch(&handle).await {
                self.wait().await;
            }
        }
    }
}

/// Returns the event of Lambda for a batch.
fn event(queue: &str, batch: &[Message]) -> String {
    let record = |message: &Message| {
        json!({
            "messageId": message.id, "receiptHandle": message.id, "body": message.body,
            "attributes": {"ApproximateReceiveCount": message.receives.to_string()}, "messageAttributes": {},
            "eventSource": "aws:sqs", "eventSourceARN": format!("arn:aws:sqs:local:000000000000:{queue}"), "awsRegion": "local",
        })
    };
    json!({"Records": batch.iter().map(record).collect::<Vec<_>>()}).to_string()
}

/// Returns the messages of a batch that failed: all of them if the answer names one that is not in it.
fn failures(answer: &Value, ids: &BTreeSet<String>) -> BTreeSet<String> {
    let failed = answer["batchItemFailures"].as_array().map_or(&[][..], Vec::as_slice);
    let named =
        failed.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap_or_default().to_owned());
    let named: BTreeSet<String> = named.collect();
    if named.is_subset(ids) { named } else { ids.clone() }
}
