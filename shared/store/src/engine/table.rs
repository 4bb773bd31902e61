//! The table that every area reads and writes.
//!
//! **Invariant:** every request to the table is sent by a method of [`Table`], so that each is measured, and each failure is
//! told apart alike.

use crate::engine::meter::Meter;
use crate::engine::retry::{Retry, RetryPolicy};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;
use std::sync::Arc;

/// The table: how to reach it, how long to keep trying, and what counts its costs.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) policy: RetryPolicy,
    pub(crate) meter: Option<Arc<Meter>>,
}

impl Table {
    /// The tries of one operation.
    pub(crate) fn retry(&self) -> Retry {
        Retry::new(self.policy)
    }

    /// What a request asks to be told of its cost.
    pub(crate) fn capacity_report(&self) -> Option<ReturnConsumedCapacity> {
        self.meter.as_ref().map(|_| ReturnConsumedCapacity::Total)
    }
}
