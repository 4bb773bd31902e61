//! Orders that are delivered, refunded and cancelled: the credit that they give and lose.

use futures::future::join_all;
use serde_json::{Value, json};
use tests::loyal::{backend, queued, run_events, send_events};
use tests::rewards::{claim, create_reward, open, order, try_claim};
use tests::{Answer, World, admin, customer, staff};

fn delivered(order: &str, total: &str) -> Value {
    json!({"type": "order.delivered", "data": {"order_id": order, "customer_id": "a", "total": total}})
}

fn cancelled(order: &str) -> Value {
    json!({"type": "order.cancelled", "data": {"order_id": order, "customer_id": "a", "reason": "out of stock"}})
}

fn refunded(order: &str, refund: &str, amount: &str) -> Value {
    json!({"type": "payment.refunded", "data": {"order_id": order, "refund_id": refund, "amount": amount}})
}

fn failed(order: &str, refund: &str) -> Value {
    json!({"type": "payment.refund_failed", "data": {"order_id": order, "refund_id": refund}})
}

async fn apply(world: &World, messages: &[Value]) {
    for message in messages {
        assert_eq!(send_events(world, std::slice::from_ref(message)).await, queued(&[]), "{message}");
    }
}

async fn reward(world: &World, order: &str) -> Value {
    let path = format!("/api/loyalty/purchases/order/{order}");
    world.get(&staff(), &path).await.expect(200).json()["delivery_reward"].clone()
}

async fn report(world: &World, body: &str) -> Answer {
    world.post(&backend(), "/api/loyalty/refunds", body).await
}

#[tokio::test]
async fn a_delivered_order_gives_credit_once_and_counts_in_the_wallet() {
    let world = World::new().await;
    open(&world, "a").await;
    apply(&world, &[delivered("o1", "200"), delivered("o1", "200.00"), delivered("o2", "0.19")]).await;
    world.expect_available("a", "10.00").await;
    let entry = world.get(&customer("a"), "/api/wallet/a/transactions").await.expect(200).json();
    let entries = entry["transactions"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{entry}");
    assert_eq!(
        (&entries[0]["source"], &entries[0]["reference"]),
        (&json!("purchase"), &json!("order:o1:delivered"))
    );
    let wallet = world.get(&customer("a"), "/api/wallet/a").await.expect(200).json();
    assert_eq!(wallet["metadata"]["total_purchases_eligible"], 1);
    let expected = json!({"amount": 10.0, "kept": 10.0, "reversed": 0.0, "owed": 0.0});
    assert_eq!(reward(&world, "o1").await, expected);
    let read = world.get(&customer("a"), "/api/loyalty/purchases/order/o1").await.expect(200).json();
    assert_eq!(
        (&read["kind"], &read["status"], &read["id"]),
        (&json!("order"), &json!("EARNED"), &json!("o1"))
    );
    assert_eq!(read["expires_on"], "2027-01-15");
    assert_eq!(read["transactions"], json!([entries[0]["id"]]));
    world
        .get(&customer("b"), "/api/loyalty/purchases/order/o1")
        .await
        .expect_problem(404, "purchase_not_found");
    // Another amount contradicts it: acknowledged, with an alert.
    apply(&world, &[delivered("o1", "300")]).await;
    let alerts = world.get(&staff(), "/api/alerts").await.expect(200).json();
    assert_eq!(alerts["alerts"][0]["kind"], "purchase_mismatch");
    world.expect_available("a", "10.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_delivery_fails_without_a_wallet_or_for_a_suspended_one_and_lands_in_a_frozen_one() {
    let world = World::new().await;
    assert_eq!(send_events(&world, &[delivered("o1", "200")]).await, queued(&[0]));
    open(&world, "a").await;
    let why = r#"{"reason":"r"}"#;
    world.post(&admin(), "/api/wallet/a/freeze", why).await.expect(200);
    assert_eq!(send_events(&world, &[delivered("o1", "200")]).await, queued(&[]));
    assert_eq!(world.balances("a").await.0, "10.00");
    world.post(&admin(), "/api/wallet/a/suspend", why).await.expect(200);
    assert_eq!(send_events(&world, &[delivered("o4", "200")]).await, queued(&[0]));
    assert_eq!(world.balances("a").await.0, "10.00");
    // Nothing is given while the program gives nothing, or for nothing.
    world.change_program(1, r#""delivery_reward":{"percent":0,"expiry_days":365}"#).await;
    apply(&world, &[delivered("o2", "200"), delivered("o3", "0")]).await;
    assert_eq!(world.balances("a").await.0, "10.00");
    world.prove().await;
}

#[tokio::test]
async fn refunds_of_an_order_take_back_what_the_rest_would_not_have_given() {
    let world = World::new().await;
    open(&world, "a").await;
    world.change_program(1, r#""delivery_reward":{"percent":5,"expiry_days":365,"max_amount":8}"#).await;
    apply(&world, &[delivered("o1", "200")]).await;
    world.expect_available("a", "8.00").await;
    report(&world, r#"{"order_id":"none","refund_id":"r","amount":1}"#)
        .await
        .expect_problem(404, "purchase_not_found");
    report(&world, r#"{"order_id":"o1","booking_id":"b","refund_id":"r","amount":1}"#)
        .await
        .expect_problem(400, "invalid_request");
    // 160 and more give 8 at most.
    let first = report(&world, r#"{"order_id":"o1","refund_id":"r1","amount":40}"#).await.expect(201);
    assert_eq!((first.raw("credit_reversed"), world.balances("a").await.0), ("0.00".into(), "8.00".into()));
    let second = report(&world, r#"{"order_id":"o1","refund_id":"r2","amount":60.10}"#).await.expect(201);
    assert_eq!((second.raw("credit_reversed"), world.balances("a").await.0), ("3.01".into(), "4.99".into()));
    assert_eq!(second.header("location"), Some("/api/loyalty/purchases/order/o1"));
    // What was spent is owed.
    world.post(&customer("a"), "/api/wallet/a/deduct-credits", r#"{"amount":4.50}"#).await.expect(201);
    let third = report(&world, r#"{"order_id":"o1","refund_id":"r3","amount":99.90}"#).await.expect(201);
    assert_eq!(third.raw("credit_reversed"), "4.99");
    let expected = json!({"amount": 8.0, "kept": 0.0, "reversed": 8.0, "owed": 4.5});
    assert_eq!(third.json()["purchase"]["delivery_reward"], expected);
    report(&world, r#"{"order_id":"o1","refund_id":"r4","amount":1}"#)
        .await
        .expect_problem(409, "refund_exceeds_payment");
    report(&world, r#"{"order_id":"o1","refund_id":"r3","amount":1}"#)
        .await
        .expect_problem(409, "refund_exists");
    let again = report(&world, r#"{"order_id":"o1","refund_id":"r2","amount":60.10}"#).await.expect(201);
    assert_eq!(
        (again.body.as_str(), again.header("idempotent-replayed")),
        (second.body.as_str(), Some("true"))
    );
    // A refund that fails gives back: what is owed first.
    let path = "/api/loyalty/refunds/r3/fail";
    let back = world.post(&backend(), path, r#"{"order_id":"o1"}"#).await.expect(200);
    assert_eq!((back.raw("credit_reversed"), world.balances("a").await.0), ("-4.99".into(), "0.49".into()));
    assert_eq!(
        reward(&world, "o1").await,
        json!({"amount": 8.0, "kept": 4.99, "reversed": 3.01, "owed": 0.0})
    );
    world.prove().await;
}

/// Applies messages in this order, each twice; returns the balance and what the delivery gave then.
async fn end_of(messages: &[Value], order: &[usize]) -> (String, Value) {
    let world = World::new().await;
    open(&world, "a").await;
    for at in order {
        apply(&world, &[messages[*at].clone(), messages[*at].clone()]).await;
    }
    world.prove().await;
    (world.balances("a").await.0, reward(&world, "o1").await)
}

#[tokio::test]
async fn any_order_of_a_delivery_its_refunds_and_their_failures_ends_alike() {
    let messages =
        [delivered("o1", "200"), refunded("o1", "r1", "50"), refunded("o1", "r2", "70"), failed("o1", "r1")];
    let orders: Vec<Vec<usize>> = (0..4)
        .flat_map(|a| {
            (0..4).flat_map(move |b| (0..4).flat_map(move |c| (0..4).map(move |d| vec![a, b, c, d])))
        })
        .filter(|order| order.iter().collect::<std::collections::BTreeSet<_>>().len() == 4)
        .collect();
    assert_eq!(orders.len(), 24);
    let ends = join_all(orders.iter().map(|order| end_of(&messages, order))).await;
    let expected = json!({"amount": 10.0, "kept": 6.5, "reversed": 3.5, "owed": 0.0});
    for (end, order) in ends.iter().zip(&orders) {
        assert_eq!(*end, ("6.50".to_owned(), expected.clone()), "{order:?}");
    }
}

#[tokio::test]
async fn a_cancelled_order_gives_the_wallet_back_what_it_paid_and_keeps_no_credit() {
    let world = World::new().await;
    world.open_wallet("a", "500").await;
    let id = create_reward(&world, r#""name":"A","credit_amount":30,"min_purchase_amount":100"#).await;
    order(&world, "o1", "a", 300, "").await;
    let pay = r#"{"order_id":"o1","customer_id":"a","amount":120}"#;
    world.post(&customer("a"), "/api/integration/order/pay-with-wallet", pay).await.expect(201);
    claim(&world, "a", &id, r#","order_id":"o1""#).await;
    apply(&world, &[delivered("o1", "300")]).await;
    world.expect_available("a", "425.00").await;
    apply(&world, &[cancelled("o1"), cancelled("o1")]).await;
    world.expect_available("a", "500.00").await;
    let types = world.types("a").await;
    assert_eq!(types.iter().filter(|kind| *kind == "REFUND").count(), 1, "{types:?}");
    let other = create_reward(&world, r#""name":"B","credit_amount":30,"min_purchase_amount":1"#).await;
    try_claim(&world, "a", &other, r#","order_id":"o1""#).await.expect_problem(409, "reward_not_applicable");
    // Of another customer's order nothing is known.
    let other = json!({"type": "order.cancelled", "data": {"order_id": "o1", "customer_id": "b"}});
    apply(&world, &[other]).await;
    world.expect_available("a", "500.00").await;
    world.prove().await;
}

#[tokio::test]
async fn what_is_paid_of_an_order_that_was_cancelled_before_comes_back_at_once() {
    for (is_registered, how) in [
        (true, "pay"),
        (false, "pay"),
        (true, "debit"),
        (false, "debit"),
        (true, "capture"),
        (false, "capture"),
    ] {
        let world = World::new().await;
        world.open_wallet("a", "500").await;
        let hold = match how {
            "capture" if !is_registered => Some(place(&world).await),
            _ => None,
        };
        if is_registered {
            order(&world, "o1", "a", 120, "").await;
        }
        apply(&world, &[cancelled("o1"), delivered("o1", "120")]).await;
        match how {
            "pay" => {
                let pay = r#"{"order_id":"o1","customer_id":"a","amount":120}"#;
                let path = "/api/integration/order/pay-with-wallet";
                let answer = world.post_keyed(&admin(), "k1", path, pay).await.expect(201);
                assert_eq!(world.post_keyed(&admin(), "k1", path, pay).await.body, answer.body);
            }
            "debit" => {
                let debit = r#"{"order_id":"o1","amount":120}"#;
                world.post_keyed(&admin(), "k1", "/api/wallet/a/deduct-credits", debit).await.expect(201);
            }
            _ => {
                let hold = match hold {
                    Some(hold) => hold,
                    None => place(&world).await,
                };
                let path = format!("/api/wallet/holds/{hold}/capture");
                world.post(&admin(), &path, "{}").await.expect(200);
            }
        }
        world.expect_available("a", "500.00").await;
        let types = world.types("a").await;
        assert_eq!(types.last().map(String::as_str), Some("REFUND"), "{is_registered} {how} {types:?}");
        world.prove().await;
    }
}

async fn place(world: &World) -> String {
    let body = r#"{"amount":120,"order_id":"o1"}"#;
    world.post(&admin(), "/api/wallet/a/holds", body).await.expect(201).text("/hold_id")
}

#[tokio::test]
async fn a_reward_is_taken_back_when_refunds_reported_of_its_order_leave_too_little() {
    let world = World::new().await;
    open(&world, "a").await;
    let least = r#""name":"A","credit_amount":30,"min_purchase_amount":100"#;
    let (first, second) = (create_reward(&world, least).await, create_reward(&world, least).await);
    order(&world, "o1", "a", 150, "").await;
    claim(&world, "a", &first, r#","order_id":"o1""#).await;
    report(&world, r#"{"order_id":"o1","refund_id":"r1","amount":50}"#).await.expect(201);
    world.expect_available("a", "30.00").await;
    let taken = report(&world, r#"{"order_id":"o1","refund_id":"r2","amount":1}"#).await.expect(201);
    assert_eq!(taken.json()["purchase"]["status"], "PARKED");
    world.expect_available("a", "0.00").await;
    try_claim(&world, "a", &second, r#","order_id":"o1""#).await.expect_problem(409, "reward_not_applicable");
    // Reported before the order was registered.
    apply(&world, &[refunded("o2", "r1", "60")]).await;
    order(&world, "o2", "a", 150, "").await;
    try_claim(&world, "a", &second, r#","order_id":"o2""#).await.expect_problem(409, "reward_not_applicable");
    world.prove().await;
}

#[tokio::test]
async fn a_refund_names_a_payment_and_an_order_and_counts_for_both() {
    let world = World::new().await;
    open(&world, "a").await;
    world.earn("a", "b1", "1000").await;
    apply(&world, &[delivered("o1", "1000")]).await;
    let both = json!({"type": "payment.refunded", "data": {"order_id": "o1", "booking_id": "b1", "refund_id": "r1", "amount": 500}});
    apply(&world, &[both.clone(), both]).await;
    assert_eq!(world.standing("a").await, [5, 0, 0, 0]);
    world.expect_available("a", "25.00").await;
    // Unreadable without an order, or with an amount that is none.
    let bad = [
        json!({"type": "order.delivered", "data": {"customer_id": "a", "total": 1}}),
        json!({"type": "order.delivered", "data": {"order_id": "o", "total": 1}}),
        json!({"type": "order.delivered", "data": {"order_id": "o", "customer_id": "a", "total": -1}}),
        json!({"type": "order.cancelled", "data": {"order_id": "o"}}),
    ];
    assert_eq!(send_events(&world, &bad).await, queued(&[0, 1, 2, 3]));
    let bridge = json!({"id": "1", "detail-type": "order.delivered", "time": "2026-01-15T10:00:00Z",
        "detail": {"order_id": "o3", "customer_id": "a", "total": 100}});
    run_events(&world, &bridge).await.unwrap();
    world.expect_available("a", "30.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_delivery_costs_seven_write_units_and_two_round_trips() {
    let world = World::new().await;
    open(&world, "a").await;
    apply(&world, &[delivered("o0", "100")]).await;
    world.meter.take();
    apply(&world, &[delivered("o1", "100")]).await;
    let found = world.meter.take();
    assert_eq!((found.round_trips, found.write_units), (2, rust_decimal::Decimal::from(7)));
}
