//! Transfers from one wallet to another.

use serde_json::json;
use tests::{World, admin, customer, staff};

#[tokio::test]
async fn a_transfer_moves_lots_with_their_dates_and_shows_both_entries() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.open_wallet("b", "1").await;
    world.credit("a", "30", "promotion", "2026-02-01").await;
    world.credit("a", "30", "purchase", "2026-03-01").await;
    let body = r#"{"to_customer_id":"b","amount":40,"reason":"lunch"}"#;
    let answer = world.post_keyed(&customer("a"), "t", "/api/wallet/a/transfer", body).await.expect(201);
    insta::assert_json_snapshot!(answer.json());
    assert_eq!(
        answer.field("/in_transaction/balance_after"),
        json!(null),
        "the sender must not see the recipient's balance"
    );
    let inflow = world.get(&customer("b"), "/api/wallet/b/transactions?type=TRANSFER_IN").await.expect(200);
    assert_eq!(inflow.field("/transactions/0/id"), answer.field("/in_transaction/id"));
    assert_eq!(inflow.field("/transactions/0/lots"), answer.field("/out_transaction/lots"));
    let expiring = world.get(&customer("b"), "/api/wallet/b/expiring?days_ahead=60").await;
    assert_eq!(expiring.field("/lots/1/expires_on"), "2026-03-01");
    let again = world.post_keyed(&customer("a"), "t", "/api/wallet/a/transfer", body).await.expect(201);
    assert!(again.is_replay() && again.body == answer.body);
    world.prove().await;
}

#[tokio::test]
async fn staff_see_the_recipients_balance_of_their_own_transfers_and_a_replay_never_shows_more() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "5").await;
    let body = r#"{"to_customer_id":"b","amount":10}"#;
    let answer = world.post_keyed(&staff(), "t", "/api/wallet/a/transfer", body).await.expect(201);
    assert_eq!(answer.field("/in_transaction/balance_after"), json!(15.0));
    let again = world.post_keyed(&customer("a"), "t", "/api/wallet/a/transfer", body).await.expect(201);
    assert_eq!(again.field("/in_transaction/balance_after"), json!(null));
    world.prove().await;
}

#[tokio::test]
async fn transfers_to_oneself_to_nobody_and_into_another_currency_are_refused() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let vnd = r#"{"customer_id":"v","currency":"VND"}"#;
    world.post(&admin(), "/api/wallet/create", vnd).await.expect(201);
    for (to, status, code) in
        [("a", 400, "self_transfer"), ("nobody", 404, "wallet_not_found"), ("v", 400, "currency_mismatch")]
    {
        let body = format!(r#"{{"to_customer_id":"{to}","amount":1}}"#);
        world.post(&customer("a"), "/api/wallet/a/transfer", &body).await.expect_problem(status, code);
    }
    let much = r#"{"to_customer_id":"b","amount":100.01}"#;
    world.open_wallet("b", "").await;
    world
        .post(&customer("a"), "/api/wallet/a/transfer", much)
        .await
        .expect_problem(402, "insufficient_funds");
    world.prove().await;
}

#[tokio::test]
async fn what_is_due_on_either_side_is_written_down_with_the_transfer() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    for id in ["a", "b"] {
        world.credit(id, "10", "promotion", "2026-01-16").await;
    }
    world.clock.advance_days(2);
    let body = r#"{"to_customer_id":"b","amount":10}"#;
    world.post(&customer("a"), "/api/wallet/a/transfer", body).await.expect(201);
    assert_eq!(world.types("a").await, ["CREDIT", "CREDIT", "EXPIRY", "TRANSFER_OUT"]);
    assert_eq!(world.types("b").await, ["CREDIT", "CREDIT", "EXPIRY", "TRANSFER_IN"]);
    world.prove().await;
}
