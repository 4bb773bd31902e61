//! In-process cache whose entries live for a few seconds.
//!
//! **Invariant:** a cached value is at most five seconds old, and is invalidated when this process
//! changes it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const CACHE_TTL: Duration = Duration::from_secs(5);

/// Entries of one cache; a full cache is cleared.
const MAX_ENTRIES: usize = 10_000;

/// Values by key, each with the time at which it was read.
#[derive(Debug)]
pub(crate) struct TtlCache<K, V>(Mutex<HashMap<K, (Instant, Arc<V>)>>);

impl<K, V> Default for TtlCache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq, V> TtlCache<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(key).filter(|(read_at, _)| read_at.elapsed() < CACHE_TTL).map(|(_, value)| value.clone())
    }

    pub(crate) fn insert(&self, key: K, value: V) -> Arc<V> {
        let value = Arc::new(value);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_ENTRIES {
            known.clear();
        }
        known.insert(key, (Instant::now(), value.clone()));
        value
    }

    pub(crate) fn invalidate(&self, key: &K) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

impl<K: Hash + Eq> TtlCache<K, u32> {
    /// Counts one occurrence; returns false if the key has been counted `most` times within
    /// [`CACHE_TTL`].
    pub(crate) fn count(&self, key: K, most: u32) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, count) = match known.get(&key).filter(|(since, _)| since.elapsed() < CACHE_TTL) {
            Some((since, count)) => (*since, **count),
            None => (Instant::now(), 0),
        };
        known.insert(key, (since, Arc::new(count.saturating_add(1))));
        count < most
    }
}
