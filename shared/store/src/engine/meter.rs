//! Cost of operations: round trips and capacity units, as DynamoDB reports them.
//!
//! **Invariant:** a store without a meter does not request capacity reports; with a meter, the
//! requests of operations are counted: writes, strongly consistent reads by key, wallet history and
//! free cards. Lists, scans and changes of due times are not counted.

use aws_sdk_dynamodb::types::ConsumedCapacity;
use rust_decimal::Decimal;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

/// Counts since the last reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Requests sent to DynamoDB.
    pub round_trips: u64,
    /// Write capacity units, indexes included.
    pub write_units: Decimal,
    /// Read capacity units.
    pub read_units: Decimal,
}

/// Running count of round trips and capacity units.
#[derive(Debug, Default)]
pub struct Meter(Mutex<Reading>);

impl Meter {
    /// Returns the counts since the last call and resets them.
    pub fn take(&self) -> Reading {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn read(&self, capacity: &[ConsumedCapacity]) {
        self.count(|reading| reading.read_units += units(capacity));
    }

    pub(crate) fn written(&self, capacity: &[ConsumedCapacity]) {
        self.count(|reading| reading.write_units += units(capacity));
    }

    fn count(&self, add: impl FnOnce(&mut Reading)) {
        let mut reading = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reading.round_trips += 1;
        add(&mut reading);
    }
}

/// Converts units to a decimal. The SDK returns a binary fraction, whose shortest text form is the
/// exact decimal that DynamoDB sent.
fn units(capacity: &[ConsumedCapacity]) -> Decimal {
    let parse = |c: &ConsumedCapacity| Decimal::from_str(&c.capacity_units()?.to_string()).ok();
    capacity.iter().filter_map(parse).sum()
}
