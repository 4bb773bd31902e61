//! Frozen and suspended wallets, and what they still receive.

use tests::{World, admin, customer, service, staff};

const WHY: &str = r#"{"reason":"chargeback"}"#;

async fn world() -> (World, String) {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    super::orders::pay(&world, "a", "o", "10").await.expect(201);
    let hold = world.post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":20}"#).await.expect(201);
    (world, hold.text("/hold_id"))
}

async fn nothing_leaves(world: &World, code: &str) {
    for caller in [customer("a"), staff(), admin()] {
        for (path, body) in [
            ("deduct-credits", r#"{"amount":1}"#),
            ("holds", r#"{"amount":1}"#),
            ("transfer", r#"{"amount":1,"to_customer_id":"b"}"#),
        ] {
            world.post(&caller, &format!("/api/wallet/a/{path}"), body).await.expect_problem(409, code);
        }
    }
    world
        .post(&service("wallet:debit"), "/api/wallet/a/deduct-credits", r#"{"amount":1}"#)
        .await
        .expect_problem(409, code);
}

#[tokio::test]
async fn a_frozen_wallet_gives_nothing_but_still_receives() {
    let (world, hold) = world().await;
    let frozen = world.post(&admin(), "/api/wallet/a/freeze", WHY).await.expect(200);
    assert_eq!(frozen.text("/status"), "FROZEN");
    nothing_leaves(&world, "account_frozen").await;
    world.credit("a", "5", "manual", "").await;
    world.post(&admin(), "/api/wallet/a/refund", r#"{"amount":1,"order_id":"o"}"#).await.expect(201);
    world
        .post(&customer("b"), "/api/wallet/b/transfer", r#"{"amount":1,"to_customer_id":"a"}"#)
        .await
        .expect(201);
    let part = r#"{"amount":5,"final":false}"#;
    world.post(&customer("a"), &format!("/api/wallet/holds/{hold}/capture"), part).await.expect(200);
    world.post(&customer("a"), &format!("/api/wallet/holds/{hold}/release"), "").await.expect(200);
    world.prove().await;
}

#[tokio::test]
async fn a_suspended_wallet_also_refuses_credits_and_transfers_in() {
    let (world, _) = world().await;
    world.post(&admin(), "/api/wallet/a/suspend", WHY).await.expect(200);
    nothing_leaves(&world, "account_suspended").await;
    let credit = world.post(&admin(), "/api/wallet/a/add-credits", r#"{"amount":1}"#).await;
    credit.expect_problem(409, "account_suspended");
    let transfer = r#"{"amount":1,"to_customer_id":"a"}"#;
    let by_staff = world.post(&admin(), "/api/wallet/b/transfer", transfer).await;
    by_staff.expect_problem(409, "account_suspended");
    let by_owner = world.post(&customer("b"), "/api/wallet/b/transfer", transfer).await;
    by_owner.expect_problem(404, "wallet_not_found");
    world.post(&admin(), "/api/wallet/a/refund", r#"{"amount":1,"order_id":"o"}"#).await.expect(201);
    let lifted = world.post(&admin(), "/api/wallet/a/unfreeze", WHY).await.expect(200);
    assert_eq!(lifted.text("/status"), "ACTIVE");
    world.post(&customer("a"), "/api/wallet/a/deduct-credits", r#"{"amount":1}"#).await.expect(201);
    world.prove().await;
}

#[tokio::test]
async fn asking_for_the_status_it_has_changes_nothing_and_every_change_is_recorded() {
    let (world, _) = world().await;
    world.post(&admin(), "/api/wallet/a/freeze", WHY).await.expect(200);
    let once = world.get(&staff(), "/api/wallet/a").await;
    let again = world.post(&admin(), "/api/wallet/a/freeze", r#"{"reason":"again"}"#).await.expect(200);
    assert_eq!(again.body, once.body);
    world.post(&admin(), "/api/wallet/a/unfreeze", WHY).await.expect(200);
    let records = world
        .raw()
        .query()
        .table_name(world.app.store.table())
        .key_condition_expression("pk = :pk AND begins_with(sk, :s)")
        .expression_attribute_values(":pk", aws_sdk_dynamodb::types::AttributeValue::S("A#w:a".into()))
        .expression_attribute_values(":s", aws_sdk_dynamodb::types::AttributeValue::S("S#".into()));
    let records = records.send().await.unwrap().items.unwrap();
    let changes: Vec<String> = records
        .iter()
        .map(|r| ["from", "to", "reason", "sub"].map(|name| r[name].as_s().unwrap().as_str()).join(" "))
        .collect();
    assert_eq!(changes, ["ACTIVE FROZEN chargeback admin-1", "FROZEN ACTIVE chargeback admin-1"]);
    world.prove().await;
}

#[tokio::test]
async fn a_freeze_does_not_weaken_a_suspension() {
    let (world, _) = world().await;
    world.post(&admin(), "/api/wallet/a/suspend", WHY).await.expect(200);
    let frozen = world.post(&admin(), "/api/wallet/a/freeze", WHY).await.expect(200);
    assert_eq!(frozen.text("/status"), "SUSPENDED");
    let credit = world.post(&admin(), "/api/wallet/a/add-credits", r#"{"amount":1}"#).await;
    credit.expect_problem(409, "account_suspended");
    for bad in [r#"{"reason":""}"#, r#"{"reason":"  "}"#, "{}"] {
        assert_eq!(
            world.post(&admin(), "/api/wallet/a/unfreeze", bad).await.expect(400).offending(),
            ["/reason"]
        );
    }
    world
        .post_keyed(&admin(), "\"\"", "/api/wallet/a/unfreeze", WHY)
        .await
        .expect_problem(400, "invalid_request");
    world.prove().await;
}
