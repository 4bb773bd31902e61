//! Any order of the events of a purchase, any number of times, ends alike.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tests::loyal::send_events;
use tests::{World, admin};

fn events() -> Vec<Value> {
    let event = |kind: &str, data: Value| json!({"type": kind, "data": data});
    vec![
        event("booking.confirmed", json!({"booking_id": "b1", "user_id": "a", "amount": 1000})),
        event(
            "payment.succeeded",
            json!({"payment_id": "p1", "booking_id": "b1", "user_id": "a", "amount": 1000}),
        ),
        event("payment.refunded", json!({"payment_id": "p1", "refund_id": "r1", "amount": 120})),
        event(
            "payment.refunded",
            json!({"booking_id": "b1", "payment_id": "p1", "refund_id": "r2", "refunded_total": 340}),
        ),
        event("payment.refunded", json!({"booking_id": "b1", "refund_id": "r3", "amount": 77.77})),
        event("payment.refund_failed", json!({"payment_id": "p1", "refund_id": "r1"})),
        event("booking.cancelled", json!({"booking_id": "b1", "user_id": "a", "amount_kept": 655})),
    ]
}

/// Returns what a customer and the purchase are left with.
async fn end(world: &World, order: &[usize]) -> Value {
    let events = events();
    for at in order {
        send_events(world, &[events[*at].clone()]).await;
    }
    let points = world.points("a").await;
    let mut found = json!({"points": [points["balance"], points["owed"], points["lifetime_points"], points["progress"]["spend_12m"]]});
    for (kind, id) in [("booking", "b1"), ("payment", "p1")] {
        let purchase =
            world.get(&admin(), &format!("/api/loyalty/purchases/{kind}/{id}")).await.expect(200).json();
        found[kind] = ["points_kept", "refunded", "status", "spend", "booking_id"]
            .map(|name| purchase[name].clone())
            .into();
    }
    world.prove().await;
    found
}

#[test]
fn any_order_and_any_repetition_of_the_events_ends_alike() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let count = events().len();
    let expected =
        runtime.block_on(async { end(&World::new().await, &(0..count).collect::<Vec<_>>()).await });
    let orders = proptest::collection::vec(0..count, 0..4)
        .prop_map(move |again| (0..count).chain(again).collect::<Vec<usize>>())
        .prop_shuffle();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let result = runner.run(&orders, |order| {
        let found = runtime.block_on(async { end(&World::new().await, &order).await });
        prop_assert_eq!(&found, &expected, "{:?}", order);
        Ok(())
    });
    result.unwrap();
}
