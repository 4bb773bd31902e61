//! The table that every area reads and writes.
//!
//! **Invariant:** every write of an item, and every strongly consistent read by key, is sent by a
//! method of [`Table`]; the failure of every request is classified by the same function.

use crate::engine::meter::Meter;
use crate::engine::numbered::NumberedCache;
use crate::engine::retry::{Retry, RetryPolicy};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use std::sync::Arc;

/// Handle of the table: client, name, retry policy, and the meter of its costs.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) policy: RetryPolicy,
    pub(crate) meter: Option<Arc<Meter>>,
    pub(crate) numbered: Arc<NumberedCache>,
}

impl Table {
    /// Starts the retries of one operation.
    pub(crate) fn retry(&self) -> Retry {
        Retry::new(self.policy)
    }

    /// Returns the capacity report to request from DynamoDB: None without a meter.
    pub(crate) fn capacity_report(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }
}
