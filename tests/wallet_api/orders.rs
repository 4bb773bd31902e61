//! Orders in the debits and refunds of the wallet API.

use tests::{Answer, World, admin, customer, service, staff};

pub async fn pay(world: &World, wallet: &str, order: &str, amount: &str) -> Answer {
    let body = format!(r#"{{"amount":{amount},"order_id":"{order}"}}"#);
    world.post(&service("wallet:debit"), &format!("/api/wallet/{wallet}/deduct-credits"), &body).await
}

async fn refund(world: &World, wallet: &str, order: &str, amount: &str) -> Answer {
    let body = format!(r#"{{"amount":{amount},"order_id":"{order}"}}"#);
    world.post(&admin(), &format!("/api/wallet/{wallet}/refund"), &body).await
}

#[tokio::test]
async fn without_a_key_a_debit_is_the_one_payment_of_its_order() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let paid = pay(&world, "a", "o", "40").await.expect(201);
    assert_eq!(paid.text("/reference"), "order:o:pay");
    let again = pay(&world, "a", "o", "40.00").await.expect(201);
    assert!(again.is_replay() && again.body == paid.body);
    pay(&world, "a", "o", "41").await.expect_problem(409, "order_already_paid");
    world.expect_available("a", "60.00").await;
    world.prove().await;
}

#[tokio::test]
async fn with_keys_several_payments_add_up_to_at_most_the_total() {
    let world = World::new().await;
    world.open_wallet("a", "500").await;
    let path = "/api/wallet/a/deduct-credits";
    let keyed = async |key: &str, amount: &str| {
        let body = format!(r#"{{"amount":{amount},"order_id":"o"}}"#);
        world.post_keyed(&service("wallet:debit"), key, path, &body).await
    };
    // A trusted caller registers the order implicitly, with the amount as its total.
    keyed("k1", "40").await.expect(201);
    keyed("k2", "0.01").await.expect_problem(409, "payment_exceeds_due");
    assert!(keyed("k1", "40").await.expect(201).is_replay());
    keyed("k1", "41").await.expect_problem(422, "idempotency_key_reused");
    // The same key for another order is a different request.
    let other = world.post_keyed(&staff(), "k1", path, r#"{"amount":40,"order_id":"p"}"#).await;
    other.expect_problem(422, "idempotency_key_reused");
    world.prove().await;
}

#[tokio::test]
async fn an_owner_pays_only_orders_that_are_registered_as_theirs() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    let body = r#"{"amount":10,"order_id":"o"}"#;
    let path = "/api/wallet/a/deduct-credits";
    world.post(&customer("a"), path, body).await.expect_problem(404, "order_not_found");
    let hold = world.post(&customer("a"), "/api/wallet/a/holds", body).await;
    hold.expect_problem(404, "order_not_found");
    pay(&world, "b", "o", "10").await.expect(201);
    world.post(&customer("a"), path, body).await.expect_problem(404, "order_not_found");
    pay(&world, "a", "o", "10").await.expect_problem(404, "order_not_found");
    world.prove().await;
}

#[tokio::test]
async fn refunds_go_back_in_reverse_burn_order_and_never_exceed_the_payment() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.credit("a", "30", "promotion", "2026-02-01").await;
    world.credit("a", "50", "purchase", "2026-03-01").await;
    pay(&world, "a", "o", "70").await.expect(201);
    let first = refund(&world, "a", "o", "50").await.expect(201);
    let lots: Vec<String> = first.json()["lots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lot| format!("{} {}", lot["expires_on"].as_str().unwrap(), lot["amount"]))
        .collect();
    assert_eq!(lots, ["2026-03-01 40.0", "2026-02-01 10.0"]);
    assert_eq!((first.text("/type"), first.text("/source")), ("REFUND".into(), "refund".into()));
    refund(&world, "a", "o", "20.01").await.expect_problem(409, "refund_exceeds_payment");
    refund(&world, "a", "o", "20").await.expect(201);
    refund(&world, "a", "o", "0.01").await.expect_problem(409, "refund_exceeds_payment");
    world.expect_available("a", "80.00").await;
    world.prove().await;
}

#[tokio::test]
async fn there_is_no_refund_of_a_refund_of_nothing_or_of_anothers_order() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    pay(&world, "a", "o", "40").await.expect(201);
    refund(&world, "b", "o", "40").await.expect_problem(404, "order_not_found");
    refund(&world, "a", "unknown", "40").await.expect_problem(404, "order_not_found");
    refund(&world, "a", "o", "40").await.expect(201);
    refund(&world, "a", "o", "40").await.expect_problem(409, "refund_exceeds_payment");
    world.prove().await;
}

#[tokio::test]
async fn a_keyed_refund_is_given_once() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    pay(&world, "a", "o", "40").await.expect(201);
    let body = r#"{"amount":15,"order_id":"o"}"#;
    let first = world.post_keyed(&admin(), "r", "/api/wallet/a/refund", body).await.expect(201);
    let again = world.post_keyed(&admin(), "r", "/api/wallet/a/refund", body).await.expect(201);
    assert!(again.is_replay() && again.body == first.body);
    refund(&world, "a", "o", "15").await.expect(201);
    world.expect_available("a", "90.00").await;
    world.prove().await;
}
