//! Reports of orders that meet payments, and each other.

use futures::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use tests::loyal::{backend, queued, send_events};
use tests::rewards::{create_reward, open, order, try_claim};
use tests::{Fault, World, admin, service};
use tokio::sync::Notify;

/// Runs work whose first write waits until other work is done.
async fn overtaken<T>(world: &World, work: impl Future<Output = T>, other: impl Future<Output = ()>) -> T {
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), go_on.clone()));
    let between = async {
        arrived.notified().await;
        Box::pin(other).await;
        go_on.notify_one();
    };
    tokio::join!(Box::pin(work), Box::pin(between)).0
}

async fn cancel(world: &World) {
    let message = json!({"type": "order.cancelled", "data": {"order_id": "o1", "customer_id": "a"}});
    while send_events(world, std::slice::from_ref(&message)).await != queued(&[]) {}
}

async fn pay(world: &World, key: &str) {
    let body = r#"{"order_id":"o1","amount":120}"#;
    world.post_keyed(&service("wallet:debit"), key, "/api/wallet/a/deduct-credits", body).await.expect(201);
}

#[tokio::test]
async fn a_cancellation_and_a_payment_that_meet_give_everything_back_whichever_is_first() {
    for (is_registered, is_payment_first) in [(true, true), (true, false), (false, true), (false, false)] {
        let world = World::new().await;
        world.open_wallet("a", "500").await;
        let id = create_reward(&world, r#""name":"A","credit_amount":30,"min_purchase_amount":1"#).await;
        if is_registered {
            order(&world, "o1", "a", 240, "").await;
        }
        if is_payment_first {
            let first = async {
                order(&world, "o1", "a", 240, "").await;
                pay(&world, "k1").await;
            };
            overtaken(&world, cancel(&world), first).await;
        } else {
            overtaken(&world, pay(&world, "k1"), cancel(&world)).await;
        }
        let how = format!("registered: {is_registered}, payment first: {is_payment_first}");
        world.expect_available("a", "500.00").await;
        // The order knows of its cancellation: what is paid of it comes back, and it proves no purchase.
        try_claim(&world, "a", &id, r#","order_id":"o1""#).await.expect_problem(409, "reward_not_applicable");
        if is_registered || is_payment_first {
            pay(&world, "k2").await;
        }
        let types = world.types("a").await;
        let count = |kind: &str| types.iter().filter(|found| *found == kind).count();
        assert_eq!(count("DEBIT"), count("REFUND"), "{how}: {types:?}");
        world.expect_available("a", "500.00").await;
        world.prove().await;
    }
}

#[tokio::test]
async fn of_twenty_deliveries_of_an_order_at_once_one_gives_credit() {
    let world = World::new().await;
    open(&world, "a").await;
    let message =
        json!({"type": "order.delivered", "data": {"order_id": "o1", "customer_id": "a", "total": 200}});
    let sent = (0..20)
        .map(|_| async { while send_events(&world, std::slice::from_ref(&message)).await != queued(&[]) {} });
    join_all(sent).await;
    world.expect_available("a", "10.00").await;
    assert_eq!(world.types("a").await, ["CREDIT"]);
    world.prove().await;
}

#[tokio::test]
async fn a_delivery_and_a_refund_that_meet_leave_what_the_rest_gives() {
    let refund = async |world: &World| {
        let refund =
            json!({"type": "payment.refunded", "data": {"order_id": "o1", "refund_id": "r1", "amount": 50}});
        while send_events(world, std::slice::from_ref(&refund)).await != queued(&[]) {}
    };
    let deliver = async |world: &World| {
        let data = json!({"order_id": "o1", "customer_id": "a", "total": 200});
        let delivery: Value = json!({"type": "order.delivered", "data": data});
        while send_events(world, std::slice::from_ref(&delivery)).await != queued(&[]) {}
    };
    for is_refund_first in [true, false] {
        let world = World::new().await;
        open(&world, "a").await;
        if is_refund_first {
            overtaken(&world, deliver(&world), refund(&world)).await;
        } else {
            overtaken(&world, refund(&world), deliver(&world)).await;
        }
        world.expect_available("a", "7.50").await;
        world.prove().await;
    }
}

#[tokio::test]
async fn ten_refunds_of_a_delivered_order_at_once_take_back_exactly_their_part() {
    let world = World::new().await;
    open(&world, "a").await;
    let delivery =
        json!({"type": "order.delivered", "data": {"order_id": "o1", "customer_id": "a", "total": "199.90"}});
    assert_eq!(send_events(&world, &[delivery]).await, queued(&[]));
    world.expect_available("a", "9.99").await;
    let refunds = (0..10).map(|n| {
        let (world, body) = (&world, format!(r#"{{"order_id":"o1","refund_id":"r{n}","amount":9.99}}"#));
        async move { while world.post(&backend(), "/api/loyalty/refunds", &body).await.status == 503 {} }
    });
    join_all(refunds).await;
    // 5 % of 100.00.
    world.expect_available("a", "5.00").await;
    let read = world.get(&admin(), "/api/loyalty/purchases/order/o1").await.expect(200).json();
    assert_eq!(read["refunds"].as_array().unwrap().len(), 10);
    world.prove().await;
}

#[tokio::test]
async fn refunds_that_meet_before_their_delivery_all_count() {
    let world = World::new().await;
    open(&world, "a").await;
    let refund = async |id: &str| {
        let data = json!({"order_id": "o1", "refund_id": id, "amount": 50});
        let refund = json!({"type": "payment.refunded", "data": data});
        while send_events(&world, std::slice::from_ref(&refund)).await != queued(&[]) {}
    };
    refund("r1").await;
    overtaken(&world, refund("r2"), refund("r3")).await;
    let delivery =
        json!({"type": "order.delivered", "data": {"order_id": "o1", "customer_id": "a", "total": 200}});
    assert_eq!(send_events(&world, &[delivery]).await, queued(&[]));
    world.expect_available("a", "2.50").await;
    world.prove().await;
}
