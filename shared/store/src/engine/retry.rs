//! How long to keep trying: by elapsed time, with full jitter.
//!
//! **Invariant:** an operation that cannot be finished ends within its policy's budget plus one attempt.

use crate::engine::error::StoreError;
use crate::engine::sent::Sent;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long to keep trying, and how long to wait between tries.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// After this much time no new try begins.
    pub budget: Duration,
    /// The first wait is at most this long; it doubles.
    pub base: Duration,
    /// No wait is longer.
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

/// The tries of one operation.
#[derive(Debug)]
pub struct Retry {
    policy: RetryPolicy,
    started: Instant,
    tries: u32,
    may_be_applied: bool,
}

impl Retry {
    /// Begins.
    pub fn new(policy: RetryPolicy) -> Self {
        Self { policy, started: Instant::now(), tries: 0, may_be_applied: false }
    }

    /// How often it was tried again.
    pub fn tries(&self) -> u32 {
        self.tries
    }

    /// Waits before another try; false if the policy's budget is spent.
    pub async fn backoff(&mut self) -> bool {
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

/// What became of a request, once that is certain.
#[derive(Debug)]
pub(crate) enum Certain<T> {
    /// Done.
    Done(T),
    /// Not done: a condition did not hold; what was found there.
    Refused(T),
}

impl Retry {
    /// The outcome of a send, if it is certain; else waits, and gives `None`: send it again. An error once the policy's
    /// budget is spent: contention if nothing was ever applied for certain, else unavailable.
    pub(crate) async fn settled<T>(&mut self, sent: Sent<T>) -> Result<Option<Certain<T>>, StoreError> {
        let why = match sent {
            Sent::Done(done) => return Ok(Some(Certain::Done(done))),
            Sent::Refused(found) => return Ok(Some(Certain::Refused(found))),
            Sent::Busy(why) => why,
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

    /// True if a send before may have been applied, or may still be.
    pub(crate) fn may_be_applied(&self) -> bool {
        self.may_be_applied
    }

    /// The error, if nothing may have been applied; otherwise it cannot say so any more.
    pub(crate) fn certain(&self, error: StoreError) -> StoreError {
        if self.may_be_applied { error.after_effect() } else { error }
    }
}

/// Waits until so much time has passed since `started`: what is answered then tells nothing by when it comes.
pub async fn not_before(started: Instant, least: Duration) {
    tokio::time::sleep_until(started + least).await;
}
