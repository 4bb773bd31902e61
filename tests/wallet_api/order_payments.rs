//! Orders: registered, paid from wallets, refunded, and read.

use std::sync::Arc;
use tests::{Answer, Caller, World, admin, customer, service, staff};

const ORDER: &str = "/api/integration/order";
const PAY: &str = "/api/integration/order/pay-with-wallet";
const REFUND: &str = "/api/integration/order/refund-to-wallet";

async fn register(world: &World, order: &str, customer: &str, total: &str) -> Answer {
    let body = format!(r#"{{"order_id":"{order}","customer_id":"{customer}","total":{total}}}"#);
    world.post(&service("order:write"), ORDER, &body).await
}

async fn pay(world: &World, caller: &Caller, order: &str, customer: &str, amount: &str) -> Answer {
    let body = format!(r#"{{"order_id":"{order}","customer_id":"{customer}","amount":{amount}}}"#);
    world.post(caller, PAY, &body).await
}

async fn refund(world: &World, order: &str, customer: &str, amount: &str) -> Answer {
    let body = format!(r#"{{"order_id":"{order}","customer_id":"{customer}","amount":{amount}}}"#);
    world.post(&service("wallet:refund"), REFUND, &body).await
}

async fn status(world: &World, order: &str) -> String {
    world.get(&staff(), &format!("{ORDER}/{order}")).await.expect(200).text("/status")
}

#[tokio::test]
async fn an_order_is_registered_once_and_registering_it_again_gives_the_first_answer() {
    let world = World::new().await;
    world.open_wallet("a", "500").await;
    let first = register(&world, "o", "a", "120.5").await.expect(201);
    assert_eq!(first.header("location"), Some("/api/integration/order/o"));
    assert_eq!(
        first.body,
        r#"{"order_id":"o","customer_id":"a","total":120.50,"paid":0.00,"refunded":0.00,"currency":"INR","status":"OPEN","payment_method":"wallet","transactions":[]}"#
    );
    pay(&world, &customer("a"), "o", "a", "120.50").await.expect(201);
    let again = register(&world, "o", "a", "120.50").await.expect(201);
    assert!(again.is_replay() && again.body == first.body);
    register(&world, "o", "a", "120.51").await.expect_problem(409, "order_exists");
    register(&world, "o", "b", "120.50").await.expect_problem(409, "order_exists");
    let bad = register(&world, "o2", "a", "1.001").await.expect_problem(400, "invalid_request");
    assert_eq!(bad.offending(), ["/total"]);
    let dollars = r#"{"order_id":"o3","customer_id":"a","total":1,"currency":"USD"}"#;
    world.post(&admin(), ORDER, dollars).await.expect_problem(400, "currency_mismatch");
    world.post(&customer("a"), ORDER, dollars).await.expect_problem(403, "forbidden");
    world.prove().await;
}

#[tokio::test]
async fn an_owner_pays_a_registered_order_once_and_a_repetition_is_the_first_answer() {
    let world = World::new().await;
    world.open_wallet("a", "500").await;
    pay(&world, &customer("a"), "o", "a", "10").await.expect_problem(404, "order_not_found");
    register(&world, "o", "a", "100").await.expect(201);
    pay(&world, &customer("a"), "o", "a", "100.01").await.expect_problem(409, "payment_exceeds_due");
    let first = pay(&world, &customer("a"), "o", "a", "60").await.expect(201);
    let transaction = first.text("/transaction/id");
    assert_eq!(first.header("location").unwrap(), format!("/api/wallet/a/transactions/{transaction}"));
    assert_eq!(
        (first.text("/order/status"), first.field("/order/transactions/0")),
        ("PARTIALLY_PAID".into(), transaction.clone().into())
    );
    assert_eq!(first.text("/transaction/reference"), "order:o:pay");
    // The natural cause applies, whatever key is sent and whichever caller sends it.
    let body = r#"{"order_id":"o","customer_id":"a","amount":"60.00"}"#;
    let again = world.post_keyed(&service("wallet:debit"), "other", PAY, body).await.expect(201);
    assert!(again.is_replay() && again.body == first.body);
    pay(&world, &customer("a"), "o", "a", "40").await.expect_problem(409, "order_already_paid");
    // Several payments with keys add up to the total.
    let rest = r#"{"order_id":"o","amount":40}"#;
    world.post_keyed(&customer("a"), "k", "/api/wallet/a/deduct-credits", rest).await.expect(201);
    let read = world.get(&customer("a"), &format!("{ORDER}/o")).await.expect(200);
    assert_eq!((read.text("/status"), read.raw("paid")), ("PAID".into(), "100.00".into()));
    assert_eq!(read.field("/transactions").as_array().unwrap().len(), 2);
    world.expect_available("a", "400.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_service_makes_an_order_known_by_paying_it_and_too_little_credit_leaves_no_trace() {
    let world = World::new().await;
    world.open_wallet("a", "50").await;
    let short = pay(&world, &service("wallet:debit"), "o", "a", "50.01").await;
    short.expect_problem(402, "insufficient_funds");
    world.get(&staff(), &format!("{ORDER}/o")).await.expect_problem(404, "order_not_found");
    pay(&world, &service("wallet:debit"), "o", "a", "50").await.expect(201);
    assert_eq!(status(&world, "o").await, "PAID");
    pay(&world, &service("wallet:read"), "p", "a", "1").await.expect_problem(403, "forbidden");
    pay(&world, &staff(), "p", "a", "1").await.expect_problem(403, "forbidden");
    world.prove().await;
}

#[tokio::test]
async fn another_customers_order_is_as_one_that_does_not_exist() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    register(&world, "o", "a", "10").await.expect(201);
    pay(&world, &customer("b"), "o", "b", "10").await.expect_problem(404, "order_not_found");
    pay(&world, &customer("b"), "o", "a", "10").await.expect(404);
    pay(&world, &service("wallet:debit"), "o", "b", "10").await.expect_problem(404, "order_not_found");
    world.get(&customer("b"), &format!("{ORDER}/o")).await.expect_problem(404, "order_not_found");
    world.get(&tests::caller::role("agency"), &format!("{ORDER}/o")).await.expect_problem(403, "forbidden");
    world.get(&service(""), &format!("{ORDER}/o")).await.expect(200);
    refund(&world, "o", "b", "1").await.expect_problem(404, "order_not_found");
    world.prove().await;
}

#[tokio::test]
async fn partial_refunds_add_up_to_what_was_paid_and_name_their_movements() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    register(&world, "o", "a", "80").await.expect(201);
    pay(&world, &customer("a"), "o", "a", "80").await.expect(201);
    let first = refund(&world, "o", "a", "30").await.expect(201);
    assert_eq!(
        (first.text("/order/status"), first.text("/transaction/type")),
        ("PARTIALLY_REFUNDED".into(), "REFUND".into())
    );
    refund(&world, "o", "a", "50.01").await.expect_problem(409, "refund_exceeds_payment");
    let body = r#"{"order_id":"o","customer_id":"a","amount":50}"#;
    let last = world.post_keyed(&admin(), "r", REFUND, body).await.expect(201);
    let again = world.post_keyed(&admin(), "r", REFUND, body).await.expect(201);
    assert!(again.is_replay() && again.body == last.body);
    // The refund operation of the wallet API is the same operation with the same scope of keys.
    let wallet = r#"{"order_id":"o","amount":50}"#;
    assert!(world.post_keyed(&admin(), "r", "/api/wallet/a/refund", wallet).await.expect(201).is_replay());
    assert_eq!(status(&world, "o").await, "REFUNDED");
    let shown = world.get(&staff(), &format!("{ORDER}/o")).await;
    assert_eq!(shown.field("/transactions").as_array().unwrap().len(), 3);
    world.post(&customer("a"), REFUND, body).await.expect_problem(403, "forbidden");
    world.expect_available("a", "100.00").await;
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_refunds_at_once_never_exceed_the_payment_and_fifty_payments_pay_once() {
    let world = Arc::new(World::new().await);
    world.open_wallet("a", "100").await;
    register(&world, "o", "a", "70").await.expect(201);
    let race = |refunds: bool| {
        let world = world.clone();
        async move {
            let one = |world: Arc<World>| async move {
                if refunds {
                    refund(&world, "o", "a", "3").await
                } else {
                    pay(&world, &customer("a"), "o", "a", "70").await
                }
            };
            let all: Vec<_> = (0..50).map(|_| tokio::spawn(one(world.clone()))).collect();
            let mut answers = vec![];
            for task in all {
                answers.push(task.await.unwrap());
            }
            answers
        }
    };
    let paid = race(false).await;
    assert!(paid.iter().all(|answer| answer.status == 201 && answer.body == paid[0].body));
    assert_eq!(paid.iter().filter(|answer| !answer.is_replay()).count(), 1);
    let refunds = race(true).await;
    let given = refunds.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(given, 23, "70 / 3");
    assert!(refunds.iter().all(|answer| answer.status == 201 || answer.status == 409));
    world.expect_available("a", "99.00").await;
    world.prove().await;
}

#[tokio::test]
async fn the_status_of_a_customer_shows_the_newest_orders() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    register(&world, "open", "a", "80").await.expect(201);
    world.clock.advance_days(1);
    pay(&world, &service("wallet:debit"), "paid", "a", "5").await.expect(201);
    pay(&world, &service("wallet:debit"), "theirs", "b", "5").await.expect(201);
    let shown = world.get(&customer("a"), "/api/integration/status/a").await.expect(200);
    let ids: Vec<String> = shown.json()["orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|order| format!("{} {}", order["order_id"].as_str().unwrap(), order["status"].as_str().unwrap()))
        .collect();
    assert_eq!(ids, ["paid PAID", "open OPEN"]);
    world.get(&customer("b"), "/api/integration/status/a").await.expect_problem(404, "wallet_not_found");
    world.get(&staff(), "/api/integration/status/nobody").await.expect_problem(404, "wallet_not_found");
    world.prove().await;
}
