//! Claims of rewards for purchases: which orders prove one, and what a refund of such an order takes back.

use serde_json::Value;
use std::sync::{Arc, Mutex};
use tests::rewards::{claim, create_reward, open, order, try_claim};
use tests::{Fault, World, admin, customer, service};
use tokio::sync::Notify;

#[tokio::test]
async fn a_purchase_is_proved_by_an_order_or_stated_by_a_backend() {
    let world = World::new().await;
    let terms =
        r#""name":"A","credit_amount":10,"min_purchase_amount":100,"applicable_to":["shoes","sku_1"]"#;
    let id = create_reward(&world, terms).await;
    let shop = service("wallet:reward");
    for name in ["a", "b", "c"] {
        world.open_wallet(name, "200").await;
    }
    let state = |name: &str, more: &str| {
        let body = format!(r#"{{"reward_id":"{id}"{more}}}"#);
        let (path, shop, world) = (format!("/api/wallet/{name}/rewards/apply"), &shop, &world);
        async move { world.post(shop, &path, &body).await }
    };
    state("a", r#","purchase_amount":99.99,"product_ids":["sku_1"]"#)
        .await
        .expect_problem(409, "reward_not_applicable");
    state("a", r#","purchase_amount":100,"product_ids":["sku_2"]"#)
        .await
        .expect_problem(409, "reward_not_applicable");
    state("a", r#","purchase_amount":100"#).await.expect_problem(409, "reward_not_applicable");
    state("a", r#","purchase_amount":100.001,"product_ids":["sku_1"]"#)
        .await
        .expect_problem(400, "invalid_request");
    state("a", r#","purchase_amount":100,"product_ids":["sku_2","sku_1"]"#).await.expect(201);
    order(&world, "small", "b", 99, r#","categories":["shoes"]"#).await;
    try_claim(&world, "b", &id, r#","order_id":"small""#).await.expect_problem(409, "reward_not_applicable");
    order(&world, "hats", "b", 200, r#","categories":["hats"]"#).await;
    try_claim(&world, "b", &id, r#","order_id":"hats""#).await.expect_problem(409, "reward_not_applicable");
    order(&world, "good", "b", 100, r#","product_ids":["x"],"categories":["shoes"]"#).await;
    let claimed = claim(&world, "b", &id, r#","order_id":"good""#).await;
    assert_eq!(claimed.json()["transaction"]["order_id"], "good");
    // An order that was refunded proves nothing.
    order(&world, "back", "c", 100, r#","categories":["shoes"]"#).await;
    let pay = r#"{"order_id":"back","customer_id":"c","amount":100}"#;
    world.post(&customer("c"), "/api/integration/order/pay-with-wallet", pay).await.expect(201);
    world.post(&admin(), "/api/integration/order/refund-to-wallet", pay).await.expect(201);
    try_claim(&world, "c", &id, r#","order_id":"back""#).await.expect_problem(409, "reward_not_applicable");
    // Registered again with other products, it is another order.
    let other = r#"{"order_id":"good","customer_id":"b","total":100,"categories":["hats"]}"#;
    world.post(&admin(), "/api/integration/order", other).await.expect_problem(409, "order_exists");
    world.prove().await;
}

#[tokio::test]
async fn a_claim_is_taken_back_when_less_than_its_minimum_is_left_of_its_order() {
    let world = World::new().await;
    let least = create_reward(&world, r#""name":"A","credit_amount":30,"min_purchase_amount":100"#).await;
    let shoes = create_reward(&world, r#""name":"B","credit_amount":20,"applicable_to":["shoes"]"#).await;
    open(&world, "a").await;
    world.credit("a", "200", "manual", "2026-05-01").await;
    order(&world, "o1", "a", 150, r#","categories":["shoes"]"#).await;
    for id in [&least, &shoes] {
        claim(&world, "a", id, r#","order_id":"o1""#).await;
    }
    let pay = r#"{"order_id":"o1","customer_id":"a","amount":150}"#;
    world.post(&customer("a"), "/api/integration/order/pay-with-wallet", pay).await.expect(201);
    let refund = |key: &'static str, amount: u32| {
        let body = format!(r#"{{"order_id":"o1","customer_id":"a","amount":{amount}}}"#);
        let world = &world;
        async move { world.post_keyed(&admin(), key, "/api/integration/order/refund-to-wallet", &body).await }
    };
    // 200 and both rewards, less 150, and what comes back.
    refund("r1", 50).await.expect(201);
    world.expect_available("a", "150.00").await;
    refund("r2", 1).await.expect(201);
    world.expect_available("a", "121.00").await;
    let again = refund("r2", 1).await.expect(201);
    assert!(again.is_replay());
    world.expect_available("a", "121.00").await;
    world.faults.plan("TransactWriteItems", 2, Fault::LostReply);
    let rest = r#"{"order_id":"o1","amount":99}"#;
    world.post(&admin(), "/api/wallet/a/refund", rest).await.expect(201);
    world.expect_available("a", "200.00").await;
    let taken = world.types("a").await.iter().filter(|kind| *kind == "CLAWBACK").count();
    assert_eq!((taken, world.faults.fired()), (2, 2));
    // The uses stay used, and are not claimed again.
    try_claim(&world, "a", &least, r#","order_id":"o1""#).await.expect(201);
    world.expect_available("a", "200.00").await;
    world.prove().await;
}

#[tokio::test]
async fn many_claims_of_one_order_are_taken_back_also_after_the_refund_was_interrupted() {
    let world = Arc::new(World::new().await);
    world.open_wallet("a", "100").await;
    order(&world, "o1", "a", 100, "").await;
    for n in 0..45 {
        let id = create_reward(&world, &format!(r#""name":"R{n}","credit_amount":2,"max_uses":1"#)).await;
        claim(&world, "a", &id, r#","order_id":"o1""#).await;
    }
    let pay = r#"{"order_id":"o1","customer_id":"a","amount":100}"#;
    world.post(&customer("a"), "/api/integration/order/pay-with-wallet", pay).await.expect(201);
    // The process stops between the refund and the reversal of the claims.
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 1, Fault::StopAfter(arrived.clone()));
    let machine = world.clone();
    let path = "/api/integration/order/refund-to-wallet";
    let process = tokio::spawn(async move { machine.post(&admin(), path, pay).await });
    tests::stopped(process, &arrived).await;
    world.expect_available("a", "190.00").await;
    // Without a key the repetition is one refund too many, and completes the first.
    world.post(&admin(), path, pay).await.expect_problem(409, "refund_exceeds_payment");
    world.expect_available("a", "100.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_claim_and_the_refund_of_its_order_at_once_end_alike() {
    for _ in 0..10 {
        let world = World::new().await;
        let id = create_reward(&world, r#""name":"A","credit_amount":30,"min_purchase_amount":100"#).await;
        world.open_wallet("a", "150").await;
        order(&world, "o1", "a", 150, "").await;
        let pay = r#"{"order_id":"o1","customer_id":"a","amount":150}"#;
        world.post(&customer("a"), "/api/integration/order/pay-with-wallet", pay).await.expect(201);
        let (world, id) = (&world, &id);
        let claims = async {
            loop {
                let answer = try_claim(world, "a", id, r#","order_id":"o1""#).await;
                if answer.status != 503 {
                    return answer.status;
                }
            }
        };
        let refunds = async {
            loop {
                let path = "/api/integration/order/refund-to-wallet";
                let answer = world.post_keyed(&admin(), "r1", path, pay).await;
                if answer.status != 503 {
                    return answer.expect(201);
                }
            }
        };
        futures::future::join(claims, refunds).await;
        world.expect_available("a", "150.00").await;
        world.prove().await;
    }
}

#[tokio::test]
async fn a_claim_that_read_its_order_before_a_refund_and_its_wallet_after_it_is_refused() {
    let world = World::new().await;
    let least = |least| format!(r#""name":"A","credit_amount":30,"min_purchase_amount":{least}"#);
    let (id, too_much) =
        (create_reward(&world, &least(100)).await, create_reward(&world, &least(1000)).await);
    world.open_wallet("a", "150").await;
    order(&world, "o1", "a", 150, "").await;
    let pay = r#"{"order_id":"o1","customer_id":"a","amount":150}"#;
    world.post(&customer("a"), "/api/integration/order/pay-with-wallet", pay).await.expect(201);
    // A claim that is refused shows the order as it was before the refund.
    let before = Arc::new(Mutex::new(None));
    let saved = before.clone();
    let save = move |reply: Value| {
        *saved.lock().unwrap() = order_in(&mut reply.clone()).cloned();
        reply
    };
    world.faults.plan("BatchGetItem", 1, Fault::Rewrite(Arc::new(save)));
    let refused = try_claim(&world, "a", &too_much, r#","order_id":"o1""#).await;
    refused.expect_problem(409, "reward_not_applicable");
    let refund = world.post(&admin(), "/api/integration/order/refund-to-wallet", pay).await;
    refund.expect(201);
    // A batch is no snapshot: the claim gets that order with the wallet as it is now.
    let restore = move |mut reply: Value| {
        *order_in(&mut reply).unwrap() = before.lock().unwrap().clone().unwrap();
        reply
    };
    world.faults.plan("BatchGetItem", 1, Fault::Rewrite(Arc::new(restore)));
    let claimed = try_claim(&world, "a", &id, r#","order_id":"o1""#).await;
    claimed.expect_problem(409, "reward_not_applicable");
    assert_eq!(world.faults.fired(), 2);
    world.expect_available("a", "150.00").await;
    world.prove().await;
}

fn order_in(reply: &mut Value) -> Option<&mut Value> {
    let tables = reply["Responses"].as_object_mut()?;
    let mut items = tables.values_mut().filter_map(Value::as_array_mut).flatten();
    items.find(|item| item["pk"]["S"] == "O#o1")
}
