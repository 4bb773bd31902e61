//! What loyalty costs: capacity units and round trips.

use rust_decimal::Decimal;
use tests::loyal::backend;
use tests::{Answer, World, customer};

/// Sends one request and returns its round trips, write units and read units.
async fn cost(world: &World, request: impl Future<Output = Answer>) -> (u64, Decimal, Decimal) {
    world.meter.take();
    let answer = request.await;
    assert!(answer.status < 300, "{}", answer.body);
    let found = world.meter.take();
    (found.round_trips, found.write_units, found.read_units)
}

/// Asserts a cost; some servers do not report that of batch reads, and then it is not compared.
fn expect(found: (u64, Decimal, Decimal), round_trips: u64, write_units: i64, read_units: i64) {
    assert_eq!((found.0, found.1), (round_trips, Decimal::from(write_units)));
    if edge::wiring::optional("SCRIP_TEST_DYNAMODB_ENDPOINT").is_none() {
        assert_eq!(found.2, Decimal::from(read_units));
    }
}

/// A customer who has earned before, under rules that were changed once.
async fn world() -> World {
    let world = World::new().await;
    world.change_program(1, r#""refund_grace_days":31"#).await;
    world.earn("a", "b0", "30000").await;
    world
}

#[tokio::test]
async fn reading_points_a_quote_and_a_simulation_cost_one_round_trip_and_two_read_units() {
    let world = world().await;
    let a = customer("a");
    expect(cost(&world, world.get(&a, "/api/loyalty/wallets/a")).await, 1, 0, 2);
    expect(cost(&world, world.get(&a, "/api/loyalty/wallets/a/quote?charge=100")).await, 1, 0, 2);
    let body = r#"{"user_id":"a","amount":100}"#;
    expect(cost(&world, world.post(&a, "/api/loyalty/simulate", body)).await, 1, 0, 2);
}

#[tokio::test]
async fn an_earning_costs_two_round_trips_and_nine_write_units_with_its_explanation() {
    let world = world().await;
    // Account 2, entry 2, its index 1, purchase 2, explanation 2.
    let body = r#"{"booking_id":"b1","amount":100}"#;
    let found = cost(&world, world.post(&backend(), "/api/loyalty/wallets/a/earn", body)).await;
    expect(found, 2, 9, 3);
    let found = cost(&world, world.give("a", 10, "")).await;
    expect(found, 2, 5, 2);
    // The first movement of a day puts the day on the list of those to be reported: 2, and its index 1.
    world.clock.advance_days(1);
    let body = r#"{"booking_id":"b2","amount":100}"#;
    let found = cost(&world, world.post(&backend(), "/api/loyalty/wallets/a/earn", body)).await;
    expect(found, 2, 12, 3);
}

#[tokio::test]
async fn a_lock_costs_nine_write_units_its_confirmation_nine_and_its_release_seven() {
    let (world, shop) = (world().await, backend());
    let body = r#"{"points":10,"booking_id":"b1","charge":100}"#;
    let lock = world.post(&shop, "/api/loyalty/wallets/a/redeem", body);
    // 11: the next thing to fall due is the lock's end.
    expect(cost(&world, lock).await, 2, 11, 3);
    let body = r#"{"points":10,"booking_id":"b2","charge":100}"#;
    let lock = world.post(&shop, "/api/loyalty/wallets/a/redeem", body);
    expect(cost(&world, lock).await, 2, 9, 3);
    let token = world.redeem("a", 10, "b3", "100").await;
    // One round trip more: the token leads to the booking.
    expect(cost(&world, world.close(&token, "confirm", "{}")).await, 3, 9, 5);
    let token = world.redeem("a", 10, "b4", "100").await;
    expect(cost(&world, world.close(&token, "release", "{}")).await, 3, 7, 4);
}

#[tokio::test]
async fn a_refund_costs_seven_write_units() {
    let world = world().await;
    let body = r#"{"booking_id":"b0","refund_id":"r1","amount":100}"#;
    let found = cost(&world, world.post(&backend(), "/api/loyalty/refunds", body)).await;
    assert_eq!(found.1, Decimal::from(7));
    assert!(found.0 <= 5, "{found:?}");
}
