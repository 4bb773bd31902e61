//! The items that a spend writes, and their write units: measured on a real spend.
//!
//! **Invariant:** the plan is derived from the requests that were sent to the table, not written by hand.

use crate::Agency;
use serde_json::Value;

/// Write units of each part of a spend, including its indexes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Reserving credit: one plain update.
    pub reserve: u64,
    /// Settling an attempt on another slice: one plain update.
    pub settle: u64,
    /// The entry, in the transaction, including the history index.
    pub entry: u64,
    /// The redemption, in the transaction.
    pub redemption: u64,
    /// The card that is sold, in the transaction.
    pub card: u64,
}

/// Estimates the write units of an item from its size in the request, which is slightly larger than its
/// stored size.
fn units(item: &Value) -> u64 {
    (item.to_string().len() as u64).div_ceil(1_600).max(1)
}

impl Plan {
    /// Measures a real spend against the embedded table.
    pub async fn from_measured_spend() -> Self {
        let agency = Agency::new("1000", 150).await;
        for n in 0..3 {
            agency.provision(&format!("WARM-{n}")).await.expect(201);
        }
        let world = agency.world();
        world.faults.take_log();
        world.meter.take();
        agency.provision("PLANNED").await.expect(201);
        let found = world.meter.take();
        let log = world.faults.take_log();
        let plain: Vec<&Value> =
            log.iter().filter(|(operation, _)| operation == "UpdateItem").map(|(_, body)| body).collect();
        assert_eq!(
            plain.len(),
            1,
            "one plain update reserves credit, and the same update settles the previous attempt"
        );
        let commit = log.iter().find(|(operation, _)| operation == "TransactWriteItems").unwrap();
        let mut plan = Self { reserve: 1, settle: 1, entry: 0, redemption: 0, card: 0 };
        for write in commit.1["TransactItems"].as_array().unwrap() {
            let write = write.as_object().unwrap().values().next().unwrap();
            let key = write.get("Key").unwrap_or(&write["Item"]);
            let size = write.get("Item").map_or(1, units);
            match key["pk"]["S"].as_str().unwrap().split('#').next().unwrap() {
                "E" => plan.entry = 2 * size + size,
                "N" => plan.redemption = 2 * size,
                "F" => plan.card = 2 * size,
                other => panic!("a spend writes an unexpected item: {other}"),
            }
        }
        // The plan must match what the table charged.
        let sum = plan.reserve + plan.entry + plan.redemption + plan.card;
        assert_eq!(found.write_units, sum.into(), "{plan:?}");
        plan
    }
}
