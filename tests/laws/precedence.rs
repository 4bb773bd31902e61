//! If several refusals apply, the answer is the first one in the order of the taxonomy.

use crate::wallet_api::orders;
use tests::{World, admin, customer, service, staff};

#[tokio::test]
async fn an_unknown_wallet_is_reported_before_any_other_problem() {
    let world = World::new().await;
    let body = r#"{"amount":"0.001","order_id":"o"}"#;
    let answer = world.post(&customer("nobody"), "/api/wallet/nobody/deduct-credits", body).await;
    answer.expect_problem(404, "wallet_not_found");
}

#[tokio::test]
async fn a_mistake_in_the_request_comes_before_the_order_the_status_and_the_funds() {
    let world = World::new().await;
    world.open_wallet("a", "10").await;
    world.post(&admin(), "/api/wallet/a/freeze", r#"{"reason":"r"}"#).await.expect(200);
    let debit = "/api/wallet/a/deduct-credits";
    let too_precise = r#"{"amount":"99.001","order_id":"unknown"}"#;
    assert_eq!(world.post(&customer("a"), debit, too_precise).await.expect(400).offending(), ["/amount"]);
    let unknown_order = r#"{"amount":99,"order_id":"unknown"}"#;
    world.post(&customer("a"), debit, unknown_order).await.expect_problem(404, "order_not_found");
    world.post(&customer("a"), debit, r#"{"amount":99}"#).await.expect_problem(409, "account_frozen");
    world.post(&admin(), "/api/wallet/a/unfreeze", r#"{"reason":"r"}"#).await.expect(200);
    world.post(&customer("a"), debit, r#"{"amount":99}"#).await.expect_problem(402, "insufficient_funds");
    world.prove().await;
}

#[tokio::test]
async fn a_closed_hold_is_reported_before_the_amount_and_the_side_before_both() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let hold = world
        .post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":60}"#)
        .await
        .expect(201)
        .text("/hold_id");
    let capture = format!("/api/wallet/holds/{hold}/capture");
    let much = r#"{"amount":999}"#;
    world.post(&customer("a"), &capture, much).await.expect_problem(409, "capture_exceeds_hold");
    world.post(&customer("a"), &capture, "").await.expect(200);
    world.post(&customer("a"), &capture, much).await.expect_problem(409, "hold_closed");
    world.post(&service("wallet:hold"), &capture, much).await.expect_problem(403, "forbidden");
    world.prove().await;
}

#[tokio::test]
async fn too_many_holds_are_said_before_the_order_and_the_order_before_the_funds() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    orders::pay(&world, "a", "o1", "10").await.expect(201);
    let holds = "/api/wallet/a/holds";
    let over = r#"{"amount":500,"order_id":"o1"}"#;
    world.post(&staff(), holds, over).await.expect_problem(409, "payment_exceeds_due");
    for _ in 0..20 {
        world.post(&staff(), holds, r#"{"amount":1}"#).await.expect(201);
    }
    world.post(&staff(), holds, over).await.expect_problem(409, "too_many_holds");
    world.prove().await;
}
