//! In-process cache of values that have a number and never change under it.
//!
//! **Invariant:** a value is only returned for the number under which it was stored. A caller that has read the
//! current number, by a strongly consistent read, never uses an outdated value.

use std::any::Any;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A value with its number.
type Numbered = (u64, Arc<dyn Any + Send + Sync>);

/// Newest values by name.
#[derive(Default)]
pub(crate) struct NumberedCache(Mutex<HashMap<&'static str, Numbered>>);

impl NumberedCache {
    /// Returns the value with this number, if it is the newest that is known.
    pub(crate) fn get<T: Any + Send + Sync>(&self, name: &'static str, number: u64) -> Option<Arc<T>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, value) = known.get(name).filter(|(known, _)| *known == number)?;
        value.clone().downcast().ok()
    }

    /// Stores a value, unless a newer one is known.
    pub(crate) fn put<T: Any + Send + Sync>(&self, name: &'static str, number: u64, value: Arc<T>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.get(name).is_none_or(|(known, _)| *known < number) {
            known.insert(name, (number, value));
        }
    }
}

impl fmt::Debug for NumberedCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NumberedCache")
    }
}
