//! Failures of the table, the process and the network that a function must survive; a counter shows that each
//! one fired.

use futures::FutureExt;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::RetryPolicy;
use tests::{Answer, Fault, World, admin, customer, patient, service, staff};
use tokio::sync::Notify;

const DEBIT: &str = "/api/wallet/a/deduct-credits";
const TEN: &str = r#"{"amount":10}"#;

/// Creates a world whose requests do not give up on a slow machine.
async fn world() -> Arc<World> {
    world_that_gives_up_after(patient().budget).await
}

/// Creates a world for faults that do not end.
async fn impatient_world() -> Arc<World> {
    world_that_gives_up_after(Duration::from_millis(400)).await
}

async fn world_that_gives_up_after(budget: Duration) -> Arc<World> {
    let (base, cap) = (Duration::from_millis(2), Duration::from_millis(20));
    let world = World::with_retry_policy(RetryPolicy { budget, base, cap }).await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "100").await;
    Arc::new(world)
}

async fn debit(world: &World, key: &str) -> Answer {
    world.post_keyed(&customer("a"), key, DEBIT, TEN).await
}

/// Sends a request whose process stops at the fault.
async fn crashed(world: &Arc<World>, fault: impl Fn(Arc<Notify>) -> Fault) {
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 1, fault(arrived.clone()));
    let machine = world.clone();
    let process = tokio::spawn(async move { debit(&machine, "k").await });
    tests::stopped(process, &arrived).await;
    assert_eq!(world.faults.fired(), 1);
}

#[tokio::test]
async fn a_crash_before_the_write_applies_nothing_and_a_retry_applies_it_once() {
    let world = world().await;
    crashed(&world, Fault::StopBefore).await;
    world.expect_available("a", "100.00").await;
    assert!(!debit(&world, "k").await.expect(201).is_replay());
    world.expect_available("a", "90.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_crash_or_time_out_after_the_commit_applied_it_once_and_locks_nothing() {
    let world = world().await;
    crashed(&world, Fault::StopAfter).await;
    // Other requests continue at once; the retry is a replay.
    debit(&world, "other").await.expect(201);
    assert!(debit(&world, "k").await.expect(201).is_replay());
    world.expect_available("a", "80.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_lost_reply_and_an_error_after_the_commit_resolve_to_exactly_once() {
    for fault in [Fault::LostReply, Fault::ErrorAfterCommit] {
        let world = world().await;
        world.faults.plan("TransactWriteItems", 1, fault);
        let answer = debit(&world, "k").await.expect(201);
        assert!(!answer.is_replay(), "this request itself applied the write");
        assert_eq!(world.faults.fired(), 1);
        let again = debit(&world, "k").await.expect(201);
        assert!(again.is_replay() && again.body == answer.body);
        world.expect_available("a", "90.00").await;
        world.prove().await;
    }
}

#[tokio::test]
async fn an_unknown_outcome_resolves_for_every_operation() {
    let world = world().await;
    let hold = world.post(&admin(), "/api/wallet/a/holds", TEN).await.expect(201).text("/hold_id");
    world.post(&staff(), DEBIT, r#"{"amount":20,"order_id":"o"}"#).await.expect(201);
    let capture = format!("/api/wallet/holds/{hold}/capture");
    for (path, body) in [
        ("/api/wallet/create", r#"{"customer_id":"c","initial_balance":5}"#),
        ("/api/wallet/create", r#"{"customer_id":"d"}"#),
        ("/api/wallet/a/add-credits", TEN),
        (DEBIT, TEN),
        ("/api/wallet/a/refund", r#"{"amount":5,"order_id":"o"}"#),
        ("/api/wallet/a/holds", TEN),
        ("/api/wallet/a/transfer", r#"{"amount":5,"to_customer_id":"b"}"#),
        (&capture, ""),
        ("/api/wallet/a/freeze", r#"{"reason":"r"}"#),
    ] {
        let before = world.faults.fired();
        world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
        let answer = world.post(&admin(), path, body).await;
        assert!(answer.status < 300 && !answer.is_replay(), "{path} {}", answer.body);
        assert_eq!(world.faults.fired(), before + 1, "{path}");
    }
    world.prove().await;
}

#[tokio::test]
async fn without_a_key_a_lost_reply_still_applies_once_within_its_request() {
    let world = world().await;
    world.faults.plan("TransactWriteItems", 3, Fault::LostReply);
    world.post(&customer("a"), DEBIT, TEN).await.expect(201);
    assert_eq!(world.faults.fired(), 1, "the account has changed, and the request finds its own cause");
    world.expect_available("a", "90.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_refusal_after_an_unknown_outcome_is_not_believed() {
    // The debit takes the whole balance and its reply is lost. The retry finds too little credit, but also
    // its own cause.
    let world = world().await;
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    let answer = world.post_keyed(&customer("a"), "k", DEBIT, r#"{"amount":100}"#).await.expect(201);
    assert_eq!(answer.raw("balance_after"), "0.00");
    world.prove().await;
}

#[tokio::test]
async fn an_outcome_that_stays_unknown_is_a_503_and_a_repetition_of_the_request_resolves_it() {
    let world = impatient_world().await;
    // The write is applied, but its reply is lost, and so is every later read but one.
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    world.faults.plan("GetItem", 1, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.always("GetItem", Fault::Unreachable);
    let unknown = debit(&world, "k").await.expect_problem(503, "unavailable");
    assert!(unknown.header("retry-after").is_some());
    assert!(world.faults.fired() > 3);
    world.faults.clear();
    assert!(debit(&world, "k").await.expect(201).is_replay());
    world.expect_available("a", "90.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_send_that_may_still_arrive_is_never_called_contention() {
    let world = impatient_world().await;
    // It is unknown whether the first send is applied; after it there are only conflicts.
    let silence = Fault::Answer(500, json!({"__type": "InternalServerError", "message": "injected"}));
    world.faults.plan("TransactWriteItems", 1, silence);
    world.faults.always("TransactWriteItems", Fault::cancelled(&["TransactionConflict", "None"]));
    debit(&world, "k").await.expect_problem(503, "unavailable");
    world.faults.clear();
    assert!(!debit(&world, "k").await.expect(201).is_replay());
    world.prove().await;
}

#[tokio::test]
async fn what_was_applied_is_never_called_contention_though_only_conflicts_follow() {
    let world = impatient_world().await;
    let storm = Fault::cancelled(&["TransactionConflict", "None"]);
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    world.faults.always("TransactWriteItems", storm.clone());
    // Without a key, only this request can find what it applied, so it must.
    world.post(&customer("a"), DEBIT, TEN).await.expect(201);
    world.faults.clear();
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    world.faults.always("TransactWriteItems", storm);
    world.faults.always("TransactGetItems", Fault::exception("ThrottlingException"));
    debit(&world, "k").await.expect_problem(503, "unavailable");
    world.faults.clear();
    assert!(debit(&world, "k").await.expect(201).is_replay());
    world.expect_available("a", "80.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_storm_of_conflicts_ends_in_contention_with_nothing_applied() {
    for storm in [
        Fault::cancelled(&["TransactionConflict", "None"]),
        Fault::cancelled(&["None", "TransactionConflict"]),
        Fault::exception("TransactionConflictException"),
    ] {
        let world = impatient_world().await;
        world.faults.always("TransactWriteItems", storm);
        let answer = debit(&world, "k").await.expect_problem(503, "contention");
        assert_eq!(answer.header("retry-after"), Some("1"));
        let tries = world.faults.fired();
        assert!((5..500).contains(&tries), "{tries} tries in 400 ms are not bounded or not jittered");
        world.faults.clear();
        world.expect_available("a", "100.00").await;
        assert!(!debit(&world, "k").await.expect(201).is_replay());
        world.prove().await;
    }
}

#[tokio::test]
async fn throttling_of_table_index_or_partition_ends_in_contention_with_nothing_applied() {
    for (operation, fault) in [
        ("TransactWriteItems", Fault::exception("ProvisionedThroughputExceededException")),
        ("TransactWriteItems", Fault::exception("ThrottlingException")),
        ("TransactWriteItems", Fault::exception("RequestLimitExceeded")),
        ("TransactWriteItems", Fault::cancelled(&["None", "ThrottlingError"])),
        ("TransactWriteItems", Fault::cancelled(&["ProvisionedThroughputExceeded", "None"])),
        ("GetItem", Fault::exception("ProvisionedThroughputExceededException")),
    ] {
        let world = impatient_world().await;
        world.faults.always(operation, fault);
        debit(&world, "k").await.expect_problem(503, "contention");
        assert!(world.faults.fired() > 3);
        world.faults.clear();
        world.expect_available("a", "100.00").await;
        world.prove().await;
    }
    let world = impatient_world().await;
    world.faults.always("Query", Fault::exception("ThrottlingException"));
    world.get(&staff(), "/api/wallet/a/transactions").await.expect_problem(503, "contention");
}

#[tokio::test]
async fn a_query_that_is_throttled_twice_is_answered() {
    let world = world().await;
    world.faults.plan("Query", 2, Fault::exception("ThrottlingException"));
    world.get(&staff(), "/api/wallet/a/transactions").await.expect(200);
    assert_eq!(world.faults.fired(), 2);
}

#[tokio::test]
async fn of_mixed_reasons_the_true_cause_is_reported() {
    let world = world().await;
    let first = debit(&world, "k").await.expect(201);
    let rewrite = |mut body: Value| {
        // The entry exists; beside it, the table reports a conflict on the account.
        let reasons = body["CancellationReasons"].as_array_mut().unwrap();
        assert_eq!(reasons[0]["Code"], "ConditionalCheckFailed");
        reasons[1] = json!({"Code": "TransactionConflict", "Message": "injected"});
        body
    };
    world.faults.plan("TransactWriteItems", 1, Fault::Rewrite(Arc::new(rewrite)));
    let again = debit(&world, "k").await.expect(201);
    assert!(again.is_replay() && again.body == first.body);
    assert_eq!(world.faults.fired(), 1);
    world.prove().await;
}

#[tokio::test]
async fn a_batch_read_that_is_left_unprocessed_is_resumed() {
    let world = world().await;
    let body = r#"{"amount":10,"order_id":"o"}"#;
    world.faults.plan("BatchGetItem", 3, Fault::Unprocessed);
    world.post(&service("wallet:debit"), DEBIT, body).await.expect(201);
    assert_eq!(world.faults.fired(), 3);
    world.expect_available("a", "90.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_batch_read_that_stays_unprocessed_ends_in_contention_with_nothing_applied() {
    let world = impatient_world().await;
    world.faults.always("BatchGetItem", Fault::Unprocessed);
    let stuck = world.post_keyed(&staff(), "k", DEBIT, r#"{"amount":1,"order_id":"p"}"#).await;
    stuck.expect_problem(503, "contention");
    world.faults.clear();
    world.expect_available("a", "100.00").await;
    world.prove().await;
}

#[tokio::test]
async fn items_read_at_different_moments_are_caught_by_their_versions() {
    let world = world().await;
    let hold = world.post(&admin(), "/api/wallet/a/holds", r#"{"amount":60}"#).await.text("/hold_id");
    let path = format!("/api/wallet/holds/{hold}/capture");
    // The hold as it is in a first read is kept …
    let kept = Arc::new(std::sync::Mutex::new(Value::Null));
    let keep = kept.clone();
    let table = world.app.store.table().to_owned();
    let is_hold = |item: &&mut Value| item["sk"]["S"].as_str().unwrap().starts_with("H#");
    let name = table.clone();
    world.faults.plan(
        "BatchGetItem",
        1,
        Fault::Rewrite(Arc::new(move |mut body| {
            *keep.lock().unwrap() =
                body["Responses"][&name].as_array_mut().unwrap().iter_mut().find(is_hold).unwrap().clone();
            body
        })),
    );
    world.post(&admin(), &path, r#"{"amount":50,"final":false}"#).await.expect(200);
    // … and returned beside the account as it is now: 60 seem to remain, but only 10 do.
    world.faults.plan(
        "BatchGetItem",
        1,
        Fault::Rewrite(Arc::new(move |mut body| {
            *body["Responses"][&table].as_array_mut().unwrap().iter_mut().find(is_hold).unwrap() =
                kept.lock().unwrap().clone();
            body
        })),
    );
    world.post(&admin(), &path, r#"{"amount":60}"#).await.expect_problem(409, "capture_exceeds_hold");
    assert_eq!(world.faults.fired(), 2);
    assert_eq!(world.balances("a").await, ("50.00".into(), "40.00".into(), "10.00".into()));
    world.prove().await;
}

#[tokio::test]
async fn a_write_that_is_delayed_past_anothers_is_refused_and_decided_again() {
    let world = world().await;
    let (arrived, sign) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), sign.clone()));
    let machine = world.clone();
    let slow = tokio::spawn(async move { machine.post(&customer("a"), DEBIT, r#"{"amount":60}"#).await });
    arrived.notified().await;
    world.post(&customer("a"), DEBIT, r#"{"amount":50}"#).await.expect(201);
    sign.notify_one();
    slow.await.unwrap().expect_problem(402, "insufficient_funds");
    world.expect_available("a", "50.00").await;
    world.prove().await;
}

#[tokio::test]
async fn no_decision_reads_an_index_or_eventually() {
    let world = world().await;
    world.faults.take_log();
    let hold =
        world.post(&admin(), "/api/wallet/a/holds", r#"{"amount":10,"order_id":"o"}"#).await.text("/hold_id");
    world.post(&admin(), &format!("/api/wallet/holds/{hold}/capture"), "").await.expect(200);
    world.post(&admin(), "/api/wallet/a/transfer", r#"{"amount":5,"to_customer_id":"b"}"#).await.expect(201);
    world.post(&admin(), DEBIT, r#"{"amount":500}"#).await.expect(402);
    world.post(&admin(), "/api/wallet/a/refund", r#"{"amount":5,"order_id":"o"}"#).await.expect(201);
    world.get(&staff(), "/api/wallet/a/balance").await.expect(200);
    let log = world.faults.take_log();
    assert!(log.len() > 10);
    for (operation, body) in log {
        let consistent = match operation.as_str() {
            "GetItem" => body["ConsistentRead"] == true,
            "BatchGetItem" => {
                body["RequestItems"].as_object().unwrap().values().all(|t| t["ConsistentRead"] == true)
            }
            "Query" => body["ConsistentRead"] == true && body["IndexName"].is_null(),
            "TransactGetItems" | "TransactWriteItems" => true,
            _ => false,
        };
        assert!(consistent, "{operation} {body}");
    }
}

#[tokio::test]
async fn an_unreachable_table_fails_closed_and_recovers_by_itself() {
    let world = impatient_world().await;
    world.faults.always("*", Fault::Unreachable);
    debit(&world, "k").await.expect_problem(503, "unavailable");
    world.get(&staff(), "/api/wallet/a/balance").await.expect_problem(503, "unavailable");
    let health = http::Request::get("/health").body(axum::body::Body::empty()).unwrap();
    world.send(None, health).await.expect_problem(503, "unavailable");
    assert!(world.faults.fired() > 10);
    world.faults.clear();
    debit(&world, "k").await.expect(201);
    world.expect_available("a", "90.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_panic_in_a_handler_is_a_500_and_the_next_request_is_served() {
    let panics = axum::Router::new()
        .route(
            "/boom",
            axum::routing::get(|| async {
                if true {
                    panic!("injected")
                }
            }),
        )
        .layer(axum::middleware::from_fn(edge::telemetry::layer));
    let request = || http::Request::get("/boom").body(axum::body::Body::empty()).unwrap();
    for _ in 0..2 {
        let response = tower::ServiceExt::oneshot(panics.clone(), request()).await.unwrap();
        assert_eq!(response.status(), 500);
        let body = http_body_util::BodyExt::collect(response.into_body())
            .now_or_never()
            .unwrap()
            .unwrap()
            .to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("injected"), "the response contains internal text");
    }
}
