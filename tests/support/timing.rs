//! Times operations that several callers send at once, each the next when its last is done.
//!
//! **Invariant:** every operation is timed once, and the callers share one count.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::RetryPolicy;

/// Returns a retry policy whose time is enough for every request of a crowd, also on a slow machine: a crowd's
/// outcome is that of its requests, not of the time they had. Tests of failures that do not end set their own.
pub fn patient() -> RetryPolicy {
    RetryPolicy {
        budget: Duration::from_secs(120),
        base: Duration::from_millis(4),
        cap: Duration::from_millis(250),
    }
}

/// The times of operations.
pub struct Timings {
    took: Vec<Duration>,
    elapsed: Duration,
}

impl Timings {
    /// Sorts the times of operations that took `elapsed` in all.
    pub fn new(mut took: Vec<Duration>, elapsed: Duration) -> Self {
        took.sort();
        Self { took, elapsed }
    }

    /// Returns the number of operations.
    pub fn count(&self) -> u64 {
        self.took.len() as u64
    }

    /// Returns the operations per second.
    pub fn per_second(&self) -> f64 {
        self.took.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// Returns the time within which this percentage of the operations was done, in milliseconds.
    pub fn percentile(&self, percent: usize) -> f64 {
        self.took[(self.took.len() - 1) * percent / 100].as_secs_f64() * 1e3
    }
}

/// Runs `count` numbered operations on a subject from several callers.
pub async fn time<S, F, Fut>(subject: &Arc<S>, (callers, count): (u64, u64), operation: F) -> Timings
where
    S: Send + Sync + 'static,
    F: Fn(Arc<S>, u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let (next, started) = (Arc::new(AtomicU64::new(0)), Instant::now());
    let caller = |_| {
        let (subject, next, operation) = (subject.clone(), next.clone(), operation.clone());
        tokio::spawn(async move {
            let mut took = vec![];
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return took;
                }
                let started = Instant::now();
                operation(subject.clone(), at).await;
                took.push(started.elapsed());
            }
        })
    };
    let tasks: Vec<_> = (0..callers).map(caller).collect();
    let mut took = vec![];
    for task in tasks {
        took.extend(task.await.unwrap());
    }
    Timings::new(took, started.elapsed())
}
