//! Events of purchases as records of Kafka.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tests::World;
use tests::loyal::run_events;

fn record(partition: u32, offset: u64, text: &str) -> Value {
    json!({"topic": "orders", "partition": partition, "offset": offset, "timestamp": 1_769_594_400_000_u64,
        "timestampType": "CREATE_TIME", "key": "YQ==", "value": STANDARD.encode(text), "headers": []})
}

#[tokio::test]
async fn a_partition_waits_for_its_first_failed_record_and_other_partitions_go_on() {
    let world = World::new().await;
    let booked = |booking: &str| {
        json!({"type": "booking.confirmed", "data": {"booking_id": booking, "user_id": "a", "amount": 1000}})
            .to_string()
    };
    let event = json!({"eventSource": "aws:kafka", "eventSourceArn": "arn:aws:kafka:local", "bootstrapServers": "b:9092",
    "records": {
        "orders-0": [record(0, 7, &booked("b1")), record(0, 8, "{"), record(0, 9, &booked("b2"))],
        "orders-1": [record(1, 3, &booked("b3"))],
    }});
    let failures = run_events(&world, &event).await.unwrap();
    let first = json!({"itemIdentifier": {"partition": "orders-0", "offset": 8}});
    assert_eq!(failures, json!({"batchItemFailures": [first]}));
    assert_eq!(world.standing("a").await, [20, 0, 0, 0], "the record after the failed one waits");
    world.prove().await;
}
