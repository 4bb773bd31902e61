//! Failures of the table and of processes that loyalty must survive, and changes behind its back that the audit finds.

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use store::RetryPolicy;
use store::keys::Key;
use tests::loyal::{backend, queued, send_events};
use tests::{Fault, World, admin};
use tokio::sync::Notify;

/// Runs a request whose process stops at the fault.
async fn crashed(
    world: &Arc<World>,
    path: &'static str,
    body: &'static str,
    fault: impl Fn(Arc<Notify>) -> Fault,
) {
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 1, fault(arrived.clone()));
    let machine = world.clone();
    let process = tokio::spawn(async move { machine.post(&backend(), path, body).await });
    tests::stopped(process, &arrived).await;
}

#[tokio::test]
async fn a_crash_or_a_lost_reply_of_an_earning_a_refund_or_a_confirmation_applies_it_once() {
    const EARN: (&str, &str) = ("/api/loyalty/wallets/a/earn", r#"{"booking_id":"b1","amount":1000}"#);
    const REFUND: (&str, &str) =
        ("/api/loyalty/refunds", r#"{"booking_id":"b1","refund_id":"r1","amount":500}"#);
    for fault in [Fault::StopBefore, Fault::StopAfter] {
        let world = Arc::new(World::new().await);
        for (path, body) in [EARN, REFUND] {
            crashed(&world, path, body, fault).await;
            let answer = world.post(&backend(), path, body).await.expect(201);
            let again = world.post(&backend(), path, body).await.expect(201);
            assert_eq!(again.body, answer.body);
        }
        assert_eq!(world.standing("a").await, [5, 0, 0, 0]);
        world.prove().await;
    }
    let world = World::new().await;
    for (booking, fault) in [("b1", Fault::LostReply), ("b3", Fault::ErrorAfterCommit)] {
        world.faults.plan("TransactWriteItems", 1, fault.clone());
        world.earn("a", booking, "1000").await;
        world.faults.plan("TransactWriteItems", 1, fault);
        world.refund_booking(booking, "r1", r#""amount":500"#).await;
    }
    let token = world.redeem("a", 3, "b2", "100").await;
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    world.close(&token, "confirm", "{}").await.expect(200);
    assert_eq!(world.standing("a").await, [7, 0, 0, 0]);
    assert_eq!(world.faults.fired(), 5);
    world.prove().await;
}

#[tokio::test]
async fn of_twenty_reports_of_a_booking_and_its_payment_at_once_one_earns() {
    let world = World::new().await;
    let report = |n: usize| {
        let world = &world;
        async move {
            let body = if n.is_multiple_of(2) {
                r#"{"booking_id":"b1","payment_id":"p1","amount":1000}"#
            } else {
                r#"{"payment_id":"p1","amount":1000}"#
            };
            loop {
                let answer = world.post(&backend(), "/api/loyalty/wallets/a/earn", body).await;
                if answer.status != 503 {
                    return answer.expect(201).text("/transaction/id");
                }
            }
        }
    };
    let ids = join_all((0..20).map(report)).await;
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(world.standing("a").await, [10, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn of_two_changes_of_the_program_at_once_one_is_made_and_a_lost_reply_makes_it_once() {
    let world = World::new().await;
    let change = |days: u32| {
        let world = &world;
        async move {
            let body = format!(r#"{{"version":1,"refund_grace_days":{days}}}"#);
            world.patch(&admin(), "/api/loyalty/program", &body).await.status
        }
    };
    let mut statuses = join_all([change(10), change(20)]).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    world.change_program(2, r#""refund_grace_days":30"#).await;
    let versions = world.get(&admin(), "/api/loyalty/program/versions").await.expect(200);
    assert_eq!(versions.field("/versions").as_array().unwrap().len(), 3);
    world.prove().await;
}

#[tokio::test]
async fn points_a_purchase_or_a_tier_changed_by_hand_is_found_and_named() {
    let changes = [
        ("A#p:a", "A", "SET lifetime = :v", AttributeValue::N("7".into()), "p:a"),
        ("A#p:a", "A", "SET pending_sum = :v", AttributeValue::N("7".into()), "p:a"),
        ("E#p:a", "purchase:booking:b1:earn", "SET amount = :v", AttributeValue::N("7".into()), "txn_1"),
        ("PU#b:b1", "U", "SET steps = :v", AttributeValue::S("[]".into()), "b:b1"),
    ];
    for (pk, sk, expression, value, named) in changes {
        let world = World::new().await;
        world.earn("a", "b1", "1000").await;
        world.refund_booking("b1", "r1", r#""amount":500"#).await;
        world.prove().await;
        let key = Key { pk: pk.to_owned(), sk: sk.to_owned() };
        let update =
            world.raw().update_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
        update.update_expression(expression).expression_attribute_values(":v", value).send().await.unwrap();
        let found = world.audit().await;
        assert!(!found.is_proved(), "{pk} {sk} {expression}");
        assert!(found.to_string().contains(named), "{found}");
    }
    let world = World::new().await;
    world.earn("a", "b1", "60000").await;
    let key = Key { pk: "A#p:a".to_owned(), sk: "A".to_owned() };
    let update =
        world.raw().update_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
    let item = world.raw().get_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
    let item = item.send().await.unwrap().item.unwrap();
    let gold = item["tier"].as_s().unwrap().replace("\"tier\":\"SILVER\"", "\"tier\":\"GOLD\"");
    let update = update.update_expression("SET #t = :v").expression_attribute_names("#t", "tier");
    update.expression_attribute_values(":v", AttributeValue::S(gold)).send().await.unwrap();
    let found = world.audit().await.to_string();
    assert!(found.contains("its tier is stored as GOLD, its entries give SILVER"), "{found}");
}

#[tokio::test]
async fn a_confirmation_whose_outcome_is_unknown_is_applied_once_by_its_repetition_and_the_event() {
    // The first is applied before its reply is lost, the other not; neither caller can know which.
    for fault in [Fault::ErrorAfterCommit, Fault::exception("InternalServerError")] {
        let budget = Duration::from_millis(300);
        let world = World::with_retry_policy(RetryPolicy { budget, ..RetryPolicy::default() }).await;
        world.earn("a", "b1", "1000").await;
        let token = world.redeem("a", 5, "b2", "100").await;
        world.faults.plan("TransactWriteItems", 1, fault.clone());
        world.faults.always("GetItem", Fault::exception("InternalServerError"));
        world.faults.always("BatchGetItem", Fault::exception("InternalServerError"));
        world.faults.always("TransactWriteItems", Fault::exception("InternalServerError"));
        world.close(&token, "confirm", "{}").await.expect_problem(503, "unavailable");
        world.faults.clear();
        let event = json!({"type": "payment.succeeded", "data": {"payment_id": "p1", "booking_id": "b2",
            "user_id": "a", "amount": 95, "redemption_token": token}});
        let events = [event];
        let (answer, sent) = tokio::join!(world.close(&token, "confirm", "{}"), send_events(&world, &events));
        assert_eq!(sent, queued(&[]));
        let again = world.close(&token, "confirm", "{}").await.expect(200);
        assert_eq!((&again.body, again.is_replay()), (&answer.expect(200).body, true));
        assert_eq!(world.point_types("a").await, ["EARN", "HOLD", "BURN", "EARN"]);
        assert_eq!(world.standing("a").await, [5, 0, 0, 0]);
        world.prove().await;
    }
}
