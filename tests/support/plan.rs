//! Which items a spend writes, and for how many units: taken from a real one.
//!
//! **Invariant:** the plan is read off the requests that left for the table, not written down by hand.

use crate::Agency;
use serde_json::Value;

/// Write units of each part of a spend, indexes included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Setting credit aside: one plain update.
    pub reserve: u64,
    /// Taking an attempt off another slice: one plain update.
    pub settle: u64,
    /// The entry, in the transaction, with its place in the history.
    pub entry: u64,
    /// The redemption, in the transaction.
    pub redemption: u64,
    /// The card that is taken, in the transaction.
    pub card: u64,
}

/// The bytes of an item as a request holds it; a little more than it is stored as.
fn units(item: &Value) -> u64 {
    (item.to_string().len() as u64).div_ceil(1_600).max(1)
}

impl Plan {
    /// The plan of a real spend against the embedded table.
    pub async fn of_a_real_spend() -> Self {
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
            "one plain update sets credit aside, and takes off what was committed before"
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
                other => panic!("a spend writes {other}"),
            }
        }
        // What the table charged is what the plan says.
        let sum = plan.reserve + plan.entry + plan.redemption + plan.card;
        assert_eq!(found.write_units, sum.into(), "{plan:?}");
        plan
    }
}
