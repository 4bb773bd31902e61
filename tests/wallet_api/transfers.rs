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
        answer.field("/in_transaction"),
        json!(null),
        "an owner sees nothing of the recipient's wallet"
    );
    let inflow = world.get(&customer("b"), "/api/wallet/b/transactions?type=TRANSFER_IN").await.expect(200);
    let movement = answer.text("/out_transaction/id");
    assert_eq!(inflow.text("/transactions/0/reference"), format!("transfer:{movement}"));
    assert!(!inflow.body.contains("\"t\"") && !inflow.body.contains(":t\""), "the sender's key is not shown");
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
    assert_eq!(again.field("/in_transaction"), json!(null));
    world.prove().await;
}

#[tokio::test]
async fn an_owner_learns_nothing_of_a_recipient_and_staff_learn_why_it_cannot_receive() {
    let world = World::new().await;
    for id in ["a", "suspended"] {
        world.open_wallet(id, "100").await;
    }
    let vnd = r#"{"customer_id":"v","currency":"VND"}"#;
    world.post(&admin(), "/api/wallet/create", vnd).await.expect(201);
    world.post(&admin(), "/api/wallet/suspended/suspend", r#"{"reason":"r"}"#).await.expect(200);
    let path = "/api/wallet/a/transfer";
    let body = |to: &str, amount: u32| format!(r#"{{"to_customer_id":"{to}","amount":{amount}}}"#);
    let mut answers = vec![];
    for (to, status, code) in [
        ("unknown", 404, "wallet_not_found"),
        ("v", 400, "currency_mismatch"),
        ("suspended", 409, "account_suspended"),
    ] {
        world.post(&staff(), path, &body(to, 1)).await.expect_problem(status, code);
        let answer =
            world.post(&customer("a"), path, &body(to, 1)).await.expect_problem(404, "wallet_not_found");
        answers.push(answer.json()["detail"].clone());
        // The sender's own funds and state come first, for every recipient.
        world.post(&customer("a"), path, &body(to, 101)).await.expect_problem(402, "insufficient_funds");
    }
    assert!(answers.iter().all(|detail| *detail == answers[0]), "{answers:?}");
    world.post(&customer("a"), path, &body("a", 1)).await.expect_problem(400, "self_transfer");
    world.post(&customer("a"), path, &body("a", 101)).await.expect_problem(402, "insufficient_funds");
    world.post(&admin(), "/api/wallet/a/freeze", r#"{"reason":"r"}"#).await.expect(200);
    world.post(&customer("a"), path, &body("unknown", 1)).await.expect_problem(409, "account_frozen");
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
