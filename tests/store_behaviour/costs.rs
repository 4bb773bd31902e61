//! The cost of wallet operations: capacity units and round trips.

use rust_decimal::Decimal;
use store::Reading;
use tests::{Answer, World, admin, customer, service, staff};

/// Sends one request and returns its cost.
async fn cost(world: &World, request: impl Future<Output = Answer>) -> Reading {
    world.meter.take();
    let answer = request.await;
    assert!(answer.status < 300, "{}", answer.body);
    let mut found = world.meter.take();
    let silent = found.round_trips > 0 && found.read_units.is_zero() && found.write_units > Decimal::ZERO;
    if silent && edge::wiring::optional("SCRIP_TEST_DYNAMODB_ENDPOINT").is_some() {
        // Some servers do not report the cost of a batch read. DynamoDB does: one unit for each small item. Here the first
        // batch reads two items, and each further one reads one.
        found.read_units = Decimal::from(found.round_trips);
    }
    found
}

fn reading(round_trips: u64, write_units: i64, read_units: i64) -> Reading {
    Reading { round_trips, write_units: Decimal::from(write_units), read_units: Decimal::from(read_units) }
}

async fn world() -> World {
    let world = World::new().await;
    world.open_wallet("a", "500").await;
    world.open_wallet("b", "500").await;
    world
}

#[tokio::test]
async fn a_debit_costs_five_write_units_and_one_read_unit_in_two_round_trips() {
    let world = world().await;
    assert_eq!(
        cost(
            &world,
            world.post_keyed(
                &customer("a"),
                "k",
                "/api/wallet/a/deduct-credits",
                r#"{"amount":1,"reason":"tea"}"#,
            )
        )
        .await,
        reading(2, 5, 1)
    );
}

#[tokio::test]
async fn a_debit_for_an_order_costs_seven_write_units_and_nine_if_it_registers_it() {
    let world = world().await;
    let path = "/api/wallet/a/deduct-credits";
    let order = r#"{"order_id":"o1","customer_id":"a","total":9}"#;
    world.post(&service("order:write"), "/api/integration/order", order).await.expect(201);
    let debit = r#"{"amount":1,"order_id":"o1"}"#;
    assert_eq!(cost(&world, world.post(&service("wallet:debit"), path, debit)).await, reading(2, 7, 2));
    // The check that nothing was reported of it before: 2, and its read.
    assert_eq!(
        cost(&world, world.post(&service("wallet:debit"), path, r#"{"amount":1,"order_id":"order_789"}"#))
            .await,
        reading(3, 9, 3)
    );
}

#[tokio::test]
async fn a_balance_costs_one_read_unit_and_a_replay_two_round_trips() {
    let world = world().await;
    assert_eq!(cost(&world, world.get(&customer("a"), "/api/wallet/a/balance")).await, reading(1, 0, 1));
    let body = r#"{"amount":1}"#;
    let path = "/api/wallet/a/deduct-credits";
    world.post_keyed(&customer("a"), "k", path, body).await.expect(201);
    let replay = cost(&world, world.post_keyed(&customer("a"), "k", path, body)).await;
    assert_eq!(replay.round_trips, 2);
}

#[tokio::test]
async fn a_capture_for_an_order_reads_the_order_that_its_hold_names_in_a_third_round_trip() {
    let world = world().await;
    let body = r#"{"amount":5,"order_id":"o"}"#;
    let hold = world.post(&service("wallet:hold"), "/api/wallet/a/holds", body).await.text("/hold_id");
    let path = format!("/api/wallet/holds/{hold}/capture");
    let found = cost(&world, world.post(&service("wallet:hold"), &path, "")).await;
    assert_eq!((found.round_trips, found.write_units), (3, Decimal::from(9)));
}

#[tokio::test]
async fn a_refusal_costs_five_read_units_in_two_round_trips() {
    let world = world().await;
    world.meter.take();
    world.post(&customer("a"), "/api/wallet/a/deduct-credits", r#"{"amount":5000}"#).await.expect(402);
    assert_eq!(world.meter.take(), reading(2, 0, 5));
}

#[tokio::test]
async fn credits_holds_captures_and_transfers_take_two_round_trips() {
    let world = world().await;
    assert_eq!(
        cost(
            &world,
            world.post(&admin(), "/api/wallet/a/add-credits", r#"{"amount":1,"expires_on":"2027-06-01"}"#)
        )
        .await,
        reading(2, 5, 1)
    );
    // The first hold makes the next visit of the sweep earlier: the index entry moves (two units).
    assert_eq!(
        cost(&world, world.post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":5}"#)).await,
        reading(2, 9, 1)
    );
    let later = r#"{"amount":5,"expires_in_seconds":700000}"#;
    assert_eq!(
        cost(&world, world.post(&customer("a"), "/api/wallet/a/holds", later)).await,
        reading(2, 7, 1)
    );
    let hold = world.post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":5}"#).await.text("/hold_id");
    assert_eq!(
        cost(&world, world.post(&customer("a"), &format!("/api/wallet/holds/{hold}/capture"), "")).await,
        reading(2, 7, 2)
    );
    assert_eq!(
        cost(&world, world.post(&staff(), "/api/wallet/a/transfer", r#"{"amount":1,"to_customer_id":"b"}"#))
            .await,
        reading(2, 10, 2)
    );
}

#[tokio::test]
async fn a_wallet_of_the_usual_size_and_its_entries_stay_under_a_kilobyte() {
    let world = world().await;
    let body = r#"{"amount":123.45,"reason":"Order payment for breakfast","order_id":"order_1234567"}"#;
    world.post_keyed(&staff(), "0b3c5f1e-9d63-4a55", "/api/wallet/a/deduct-credits", body).await.expect(201);
    let scan = world.raw().scan().table_name(world.app.store.table()).send().await.unwrap();
    for item in scan.items() {
        let size: usize = item.iter().map(|(name, value)| name.len() + format!("{value:?}").len()).sum();
        // The debug text of an attribute is longer than the attribute, so this is an upper bound.
        assert!(size < 1_800, "{size} {item:?}");
    }
    world.prove().await;
}
