//! Reports of orders that come early, name somebody else, or are of refunds that have failed.

use serde_json::{Value, json};
use tests::loyal::{backend, queued, send_events};
use tests::rewards::{claim, create_reward, open, order, try_claim};
use tests::{World, admin, customer};

async fn apply(world: &World, messages: &[(&str, Value)]) {
    for (kind, data) in messages {
        let message = json!({"type": kind, "data": data});
        assert_eq!(send_events(world, &[message]).await, queued(&[]), "{kind} {data}");
    }
}

async fn alerts(world: &World) -> Vec<(Value, Value)> {
    let listed = world.get(&admin(), "/api/alerts").await.expect(200).json();
    let all = listed["alerts"].as_array().unwrap().iter();
    all.map(|alert| (alert["kind"].clone(), alert["count"].clone())).collect()
}

#[tokio::test]
async fn an_order_gives_credit_to_its_own_customer_only() {
    let world = World::new().await;
    world.open_wallet("a", "500").await;
    open(&world, "b").await;
    order(&world, "o1", "a", 300, "").await;
    let pay = r#"{"order_id":"o1","customer_id":"a","amount":120}"#;
    world.post(&customer("a"), "/api/integration/order/pay-with-wallet", pay).await.expect(201);
    apply(&world, &[("order.delivered", json!({"order_id": "o1", "customer_id": "b", "total": 300}))]).await;
    world.expect_available("b", "0.00").await;
    assert_eq!(alerts(&world).await, [(json!("purchase_mismatch"), json!(1))]);
    apply(&world, &[("order.cancelled", json!({"order_id": "o1", "customer_id": "a"}))]).await;
    world.expect_available("a", "500.00").await;
    world.prove().await;
}

#[tokio::test]
async fn what_names_another_customer_than_the_order_counts_for_nothing() {
    let world = World::new().await;
    world.open_wallet("a", "500").await;
    open(&world, "b").await;
    apply(&world, &[("order.cancelled", json!({"order_id": "o1", "customer_id": "b"}))]).await;
    order(&world, "o1", "a", 120, "").await;
    let pay = r#"{"order_id":"o1","customer_id":"a","amount":120}"#;
    world.post(&customer("a"), "/api/integration/order/pay-with-wallet", pay).await.expect(201);
    world.expect_available("a", "380.00").await;
    apply(&world, &[("order.delivered", json!({"order_id": "o1", "customer_id": "a", "total": 120}))]).await;
    assert_eq!(alerts(&world).await, [(json!("purchase_mismatch"), json!(1))]);
    world.prove().await;
}

#[tokio::test]
async fn a_reward_comes_back_when_the_refund_that_took_it_has_failed() {
    let refund = ("payment.refunded", json!({"order_id": "o1", "refund_id": "r1", "amount": 100}));
    let failure = ("payment.refund_failed", json!({"order_id": "o1", "refund_id": "r1"}));
    for (spent, messages) in [
        ("", [refund.clone(), failure.clone()]),
        ("12", [refund.clone(), failure.clone()]),
        ("", [failure.clone(), refund.clone()]),
    ] {
        let world = World::new().await;
        open(&world, "a").await;
        let id =
            create_reward(&world, r#""name":"A","credit_amount":30,"min_purchase_amount":100,"max_uses":5"#)
                .await;
        order(&world, "o1", "a", 150, "").await;
        claim(&world, "a", &id, r#","order_id":"o1""#).await;
        if !spent.is_empty() {
            let body = format!(r#"{{"amount":{spent}}}"#);
            world.post(&customer("a"), "/api/wallet/a/deduct-credits", &body).await.expect(201);
        }
        apply(&world, &messages[..1]).await;
        let is_taken = messages[0].0 == refund.0;
        let left = if spent.is_empty() { "30.00" } else { "18.00" };
        world.expect_available("a", if is_taken { "0.00" } else { left }).await;
        apply(&world, &[messages[1].clone(), messages[1].clone(), messages[0].clone()]).await;
        world.expect_available("a", left).await;
        let wallet = world.get(&customer("a"), "/api/wallet/a").await.expect(200).json();
        assert_eq!(wallet["owed"], 0.0);
        let other = create_reward(&world, r#""name":"B","credit_amount":1,"min_purchase_amount":100"#).await;
        claim(&world, "a", &other, r#","order_id":"o1""#).await;
        // A further refund takes both back.
        let more = ("payment.refunded", json!({"order_id": "o1", "refund_id": "r2", "amount": 90}));
        apply(&world, &[more.clone(), more]).await;
        let wallet = world.get(&customer("a"), "/api/wallet/a").await.expect(200).json();
        assert_eq!(wallet["owed"], if spent.is_empty() { 0.0 } else { 12.0 });
        world.expect_available("a", "0.00").await;
        // The use stays used.
        let again = try_claim(&world, "a", &id, r#","order_id":"o1""#).await.expect(201);
        assert!(again.is_replay());
        world.expect_available("a", "0.00").await;
        world.prove().await;
    }
}

#[tokio::test]
async fn refunds_beyond_an_order_raise_an_alert_whenever_they_come_and_their_failure_is_always_accepted() {
    let delivery = ("order.delivered", json!({"order_id": "o1", "customer_id": "a", "total": 200}));
    let refund = ("payment.refunded", json!({"order_id": "o1", "refund_id": "r1", "amount": 300}));
    for messages in [[delivery.clone(), refund.clone()], [refund, delivery]] {
        let world = World::new().await;
        open(&world, "a").await;
        apply(&world, &messages).await;
        assert_eq!(alerts(&world).await, [(json!("purchase_mismatch"), json!(1))]);
        let more = ("payment.refunded", json!({"order_id": "o1", "refund_id": "r2", "amount": 300}));
        apply(&world, &[more]).await;
        let path = "/api/loyalty/refunds/r2/fail";
        let failed = world.post(&backend(), path, r#"{"order_id":"o1"}"#).await.expect(200);
        assert_eq!(failed.raw("credit_reversed"), "0.00", "r1 is more than the order");
        let path = "/api/loyalty/refunds/r1/fail";
        let failed = world.post(&backend(), path, r#"{"order_id":"o1"}"#).await.expect(200);
        assert_eq!(failed.raw("credit_reversed"), "-10.00");
        world.expect_available("a", "10.00").await;
        assert_eq!(alerts(&world).await, [(json!("purchase_mismatch"), json!(2))]);
        world.prove().await;
    }
}

#[tokio::test]
async fn an_answer_stays_what_it_was_when_the_order_is_delivered_later() {
    let world = World::new().await;
    open(&world, "a").await;
    let id = create_reward(&world, r#""name":"A","credit_amount":30,"min_purchase_amount":100"#).await;
    order(&world, "o1", "a", 300, "").await;
    claim(&world, "a", &id, r#","order_id":"o1""#).await;
    let report = async |refund: &str, amount: u32| {
        let body = format!(r#"{{"order_id":"o1","refund_id":"{refund}","amount":{amount}}}"#);
        world.post(&backend(), "/api/loyalty/refunds", &body).await.expect(201)
    };
    let first = report("r1", 50).await;
    apply(&world, &[("order.delivered", json!({"order_id": "o1", "customer_id": "a", "total": 300}))]).await;
    let second = report("r2", 60).await;
    assert_eq!(second.raw("credit_reversed"), "3.00");
    for (refund, amount, answer) in [("r1", 50, &first), ("r2", 60, &second)] {
        let again = report(refund, amount).await;
        assert!(again.is_replay() && again.body == answer.body, "{}\n{}", answer.body, again.body);
    }
    let read = world.get(&customer("a"), "/api/loyalty/purchases/order/o1").await.expect(200).json();
    let refunds: Vec<&Value> =
        read["refunds"].as_array().unwrap().iter().map(|refund| &refund["refund_id"]).collect();
    assert_eq!(refunds, ["r1", "r2"]);
    world.prove().await;
}

#[tokio::test]
async fn a_refund_that_is_reported_before_its_order_is_registered_is_the_customers() {
    let world = World::new().await;
    open(&world, "a").await;
    let refund = ("payment.refunded", json!({"order_id": "o1", "refund_id": "r1", "amount": 50}));
    apply(&world, std::slice::from_ref(&refund)).await;
    order(&world, "o1", "a", 120, "").await;
    let read = world.get(&customer("a"), "/api/loyalty/purchases/order/o1").await.expect(200);
    assert_eq!(read.raw("refunded"), "50.00");
    world
        .get(&customer("b"), "/api/loyalty/purchases/order/o1")
        .await
        .expect_problem(404, "purchase_not_found");
    let id = create_reward(&world, r#""name":"A","credit_amount":30,"min_purchase_amount":100"#).await;
    try_claim(&world, "a", &id, r#","order_id":"o1""#).await.expect_problem(409, "reward_not_applicable");
    world.prove().await;
}

#[tokio::test]
async fn the_credit_of_a_delivery_is_rounded_down_and_so_is_what_a_refund_leaves() {
    let world = World::new().await;
    open(&world, "a").await;
    apply(&world, &[("order.delivered", json!({"order_id": "o1", "customer_id": "a", "total": "333.33"}))])
        .await;
    world.expect_available("a", "16.66").await;
    let body = r#"{"order_id":"o1","refund_id":"r1","amount":100}"#;
    let refund = world.post(&backend(), "/api/loyalty/refunds", body).await.expect(201);
    assert_eq!(refund.raw("credit_reversed"), "5.00");
    let expected = json!({"amount": 16.66, "kept": 11.66, "reversed": 5.0, "owed": 0.0});
    assert_eq!(refund.json()["purchase"]["delivery_reward"], expected);
    world.prove().await;
}

#[tokio::test]
async fn a_refund_whose_order_does_not_come_within_a_week_raises_one_alert_and_still_counts() {
    let world = World::new().await;
    open(&world, "a").await;
    order(&world, "o4", "a", 100, "").await;
    let refund =
        |order: &str| ("payment.refunded", json!({"order_id": order, "refund_id": "r1", "amount": 40}));
    let delivery =
        |order: &str| ("order.delivered", json!({"order_id": order, "customer_id": "a", "total": 100}));
    apply(&world, &["o1", "o2", "o3", "o4"].map(refund)).await;
    apply(&world, &[delivery("o2")]).await;
    order(&world, "o3", "a", 100, "").await;
    world.clock.advance_days(6);
    assert_eq!(world.run("monitor").await["alerts_generated"], 0);
    world.clock.advance_days(1);
    assert_eq!(world.run("monitor").await["alerts_generated"], 1);
    let listed = world.get(&admin(), "/api/alerts").await.expect(200).json()["alerts"].clone();
    assert_eq!(
        (&listed[0]["kind"], &listed[0]["subject"]),
        (&json!("refund_without_purchase"), &json!("o1"))
    );
    world.clock.advance_days(8);
    assert_eq!(world.run("monitor").await["alerts_generated"], 0);
    apply(&world, &[delivery("o1")]).await;
    world.expect_available("a", "6.00").await;
    world.prove().await;
}
