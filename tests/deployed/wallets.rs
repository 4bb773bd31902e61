//! Wallets, orders and refunds through the API.

use serde_json::json;
use tests::{World, admin, customer, service, staff, unique};

/// Opens a wallet that only one test uses.
async fn unique_wallet(world: &World, balance: &str) -> String {
    let owner = unique("cust");
    world.open_wallet(&owner, balance).await;
    owner
}

#[tokio::test]
async fn credit_is_spent_once_however_often_the_request_is_repeated() {
    let world = World::shared().await;
    let owner = unique_wallet(&world, "500").await;
    let path = format!("/api/wallet/{owner}/deduct-credits");
    let body = r#"{"amount":120.50,"reason":"Breakfast"}"#;
    let first = world.post_keyed(&customer(&owner), "once", &path, body).await.expect(201);
    let again = world.post_keyed(&customer(&owner), "once", &path, body).await.expect(201);
    assert!(!first.is_replay() && again.is_replay() && first.body == again.body);
    let dear = r#"{"amount":400}"#;
    world.post(&customer(&owner), &path, dear).await.expect_problem(402, "insufficient_funds");
    world.expect_available(&owner, "379.50").await;
    assert_eq!(world.types(&owner).await, ["CREDIT", "DEBIT"]);
    world.prove().await;
}

#[tokio::test]
async fn of_requests_at_once_only_those_that_are_covered_succeed() {
    let world = World::shared().await;
    let owner = unique_wallet(&world, "50").await;
    let path = format!("/api/wallet/{owner}/deduct-credits");
    let caller = customer(&owner);
    let all = (0..8).map(|_| world.post(&caller, &path, r#"{"amount":10}"#));
    let answers = futures::future::join_all(all).await;
    let paid = answers.iter().filter(|answer| answer.status == 201).count();
    let refused = answers.iter().filter(|answer| matches!(answer.status, 402 | 409 | 503)).count();
    assert!(paid <= 5 && paid + refused == 8, "{answers:?}");
    let (balance, ..) = world.balances(&owner).await;
    assert_eq!(balance, format!("{}.00", 50 - 10 * paid));
    world.prove().await;
}

#[tokio::test]
async fn callers_reach_what_their_token_permits_and_nothing_else() {
    let world = World::shared().await;
    let (mine, other) = (unique_wallet(&world, "5").await, unique_wallet(&world, "5").await);
    let path = format!("/api/wallet/{other}/balance");
    world.get(&customer(&mine), &path).await.expect_problem(404, "wallet_not_found");
    world.get(&service("wallet:credit"), &path).await.expect_problem(403, "forbidden");
    world.get(&service("wallet:credit wallet:read"), &path).await.expect(200);
    let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
    assert_eq!(world.send(None, request).await.status, 401);
    let health = http::Request::get("/health").body(axum::body::Body::empty()).unwrap();
    world.send(None, health).await.expect(200);
    world.prove().await;
}

#[tokio::test]
async fn an_order_is_paid_from_the_wallet_and_refunded_to_it() {
    let world = World::shared().await;
    let (owner, order) = (unique_wallet(&world, "100").await, unique("order"));
    let shop = service("order:write wallet:debit wallet:refund wallet:read");
    let register = json!({"order_id": order, "customer_id": owner, "total": 60});
    world.post(&shop, "/api/integration/order", &register.to_string()).await.expect(201);
    let pay = json!({"order_id": order, "customer_id": owner, "amount": 60});
    world.post(&shop, "/api/integration/order/pay-with-wallet", &pay.to_string()).await.expect(201);
    world.expect_available(&owner, "40.00").await;
    let refund = json!({"order_id": order, "customer_id": owner, "amount": 15});
    world.post(&shop, "/api/integration/order/refund-to-wallet", &refund.to_string()).await.expect(201);
    world.expect_available(&owner, "55.00").await;
    let status = world.get(&staff(), &format!("/api/integration/order/{order}")).await.expect(200);
    assert_eq!(status.text("/order_id"), order);
    world.get(&staff(), &format!("/api/integration/status/{owner}")).await.expect(200);
    world.prove().await;
}

#[tokio::test]
async fn credit_that_is_held_is_captured_in_part_and_the_rest_returns() {
    let world = World::shared().await;
    let owner = unique_wallet(&world, "80").await;
    let hold = world.post(&customer(&owner), &format!("/api/wallet/{owner}/holds"), r#"{"amount":50}"#).await;
    let hold = hold.expect(201).text("/hold_id");
    let capture = format!("/api/wallet/holds/{hold}/capture");
    world.post(&admin(), &capture, r#"{"amount":30}"#).await.expect(200);
    assert_eq!(world.balances(&owner).await, ("50.00".into(), "50.00".into(), "0.00".into()));
    let path = format!("/api/wallet/{owner}/statistics");
    world.get(&staff(), &path).await.expect(200);
    world.prove().await;
}
