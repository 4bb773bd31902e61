//! How often spends of an account meet contention, counted in windows of five minutes.
//!
//! **Invariant:** nothing is written for a spend that meets none, and no spend fails because a count is lost.

use super::Budgets;
use crate::engine::attr::{Attributes, number};
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::sent::Sent;
use crate::keys;
use domain::ids::budget::AccountId;
use domain::time::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Seconds of a window.
pub const WINDOW_SECONDS: u32 = 300;

/// Items over which the counts of a window are spread.
const SHARDS: u8 = 8;

/// Seconds for which counts are kept.
const KEPT_SECONDS: i64 = 86_400;

/// Counts of this process that are not written yet.
#[derive(Debug, Default)]
pub(crate) struct Heat(Mutex<BTreeMap<AccountId, u64>>);

impl Heat {
    /// Counts a spend that met contention.
    pub(crate) fn add(&self, account: &AccountId) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(account.clone()).or_default() += 1;
    }

    fn take(&self) -> BTreeMap<AccountId, u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Returns the window of an instant: its beginning.
fn window(at: Timestamp) -> Timestamp {
    let length = i64::from(WINDOW_SECONDS) * 1_000;
    Timestamp::from_millis(at.millis() - at.millis().rem_euclid(length)).unwrap_or(at)
}

fn purge_at(window: Timestamp) -> i64 {
    window.millis() / 1_000 + KEPT_SECONDS
}

impl Budgets {
    /// Writes how often this process has met contention since the last call.
    pub async fn note_heat(&self, now: Timestamp) {
        let (window, shard) = (window(now), fastrand::u8(..SHARDS));
        for (account, count) in self.heat.take() {
            let key = keys::heat(window, shard);
            let sent = self.table.update(&key, |update| {
                update
                    .update_expression("ADD #account :count SET purge_at = :purge")
                    .expression_attribute_names("#account", account.as_str())
                    .expression_attribute_values(":count", number(count))
                    .expression_attribute_values(":purge", number(purge_at(window)))
            });
            if !matches!(sent.await, Ok(Sent::Done(_))) {
                tracing::debug!(%account, "the contention of an account is not counted");
            }
        }
    }

    /// Returns how often spends have met contention in the window before that of `now`, by account.
    pub async fn heat_before(&self, now: Timestamp) -> Result<BTreeMap<AccountId, u64>, StoreError> {
        let before = window(window(now).minus_minutes(WINDOW_SECONDS / 60));
        let wanted: Vec<_> = (0..SHARDS).map(|shard| keys::heat(before, shard)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let mut sums = BTreeMap::new();
        for (name, value) in found.values().flatten() {
            let count = value.as_n().ok().and_then(|count| count.parse::<u64>().ok());
            if let (Ok(account), Some(count)) = (AccountId::parse(name), count) {
                *sums.entry(account).or_insert(0) += count;
            }
        }
        Ok(sums)
    }

    /// Takes the window before that of `now` for the caller; returns false if it was taken before.
    pub async fn take_heat(&self, now: Timestamp) -> Result<bool, StoreError> {
        let before = window(window(now).minus_minutes(WINDOW_SECONDS / 60));
        let mut item = Attributes::default().number("purge_at", purge_at(before)).0;
        item.extend(keys::heat(before, SHARDS).attributes());
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.put_new(item.clone()).await?;
            match retry.settled(sent).await? {
                Some(Certain::Done(())) => return Ok(true),
                Some(Certain::Refused(())) => return Ok(false),
                None => {}
            }
        }
    }
}
