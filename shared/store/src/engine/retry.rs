//! Retries: limited by elapsed time, with exponential backoff and full jitter.
//!
//! **Invariant:** an operation that cannot complete ends within the budget of its policy plus one
//! attempt.

use crate::engine::error::StoreError;
use crate::engine::sent::Sent;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Time for which an operation is retried while there is no connection, and the least number of retries. A
/// connection that cannot be opened is not expected to open later, and the caller can do something else at once.
const UNSENT: (Duration, u32) = (Duration::from_millis(500), 2);

/// Time limit of the retries, and the backoff between them.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Time after which no new try begins.
    pub budget: Duration,
    /// Upper limit of the first wait; it doubles with each try.
    pub base: Duration,
    /// Upper limit of every wait.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            budget: Duration::from_secs(8),
            base: Duration::from_millis(8),
            cap: Duration::from_millis(250),
        }
    }
}

/// Retry state of one operation.
#[derive(Debug)]
pub struct Retry {
    policy: RetryPolicy,
    started: Instant,
    tries: u32,
    may_be_applied: bool,
    /// Since when there has been no connection, and the retries since.
    unsent: Option<(Instant, u32)>,
}

impl Retry {
    /// Starts the clock of an operation's retries.
    pub fn new(policy: RetryPolicy) -> Self {
        Self { policy, started: Instant::now(), tries: 0, may_be_applied: false, unsent: None }
    }

    /// Returns the number of retries so far, including a last one for which the budget was too
    /// small.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// Waits before the next try; returns false if the budget of the policy is used up.
    pub async fn backoff(&mut self) -> bool {
        self.unsent = None;
        self.wait().await
    }

    /// Like [`Retry::backoff`], after a try for which there was no connection.
    pub async fn backoff_unsent(&mut self) -> bool {
        let (since, tries) = self.unsent.unwrap_or_else(|| (Instant::now(), 0));
        self.unsent = Some((since, tries + 1));
        let (longest, least) = UNSENT;
        (since.elapsed() < longest || tries < least) && self.wait().await
    }

    async fn wait(&mut self) -> bool {
        let longest = self.policy.base.saturating_mul(1 << self.tries.min(16)).min(self.policy.cap);
        self.tries += 1;
        let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX).max(1);
        let wait = Duration::from_micros(fastrand::u64(0..micros));
        if self.started.elapsed() + wait >= self.policy.budget {
            return false;
        }
        sleep(wait).await;
        true
    }
}

/// Outcome of a request, once it is certain.
#[derive(Debug)]
pub(crate) enum Certain<T> {
    /// The request was applied.
    Done(T),
    /// The request was not applied because a condition failed; with the items that were found.
    Refused(T),
}

impl Retry {
    /// Returns the outcome of a send if it is certain. Otherwise waits and returns `None`: the
    /// caller sends again. When the budget of the policy is used up, returns an error: contention or
    /// unreachable if it is certain that nothing was applied, otherwise unavailable.
    pub(crate) async fn settled<T>(&mut self, sent: Sent<T>) -> Result<Option<Certain<T>>, StoreError> {
        let why = match sent {
            Sent::Done(done) => return Ok(Some(Certain::Done(done))),
            Sent::Refused(found) => return Ok(Some(Certain::Refused(found))),
            Sent::Unsent(why) if !self.may_be_applied => {
                return if self.backoff_unsent().await {
                    Ok(None)
                } else {
                    Err(StoreError::Unreachable(why))
                };
            }
            Sent::Busy(why) | Sent::Unsent(why) => why,
            Sent::Unknown(why) => {
                self.may_be_applied = true;
                why
            }
        };
        if self.backoff().await {
            return Ok(None);
        }
        Err(self.certain(StoreError::Contention(why)))
    }

    /// Returns true if an earlier send may have been applied, or may still be.
    pub(crate) fn may_be_applied(&self) -> bool {
        self.may_be_applied
    }

    /// Returns the error unchanged if no earlier send may have been applied; otherwise, contention
    /// becomes unavailable.
    pub(crate) fn certain(&self, error: StoreError) -> StoreError {
        if self.may_be_applied { error.after_effect() } else { error }
    }
}

/// Waits until `least` has passed since `started`, so that the response time reveals nothing.
pub async fn not_before(started: Instant, least: Duration) {
    tokio::time::sleep_until(started + least).await;
}
