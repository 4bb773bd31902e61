//! What may go wrong with a job: processes that stop, replies that are lost, messages that come twice, too early or
//! never, and rows that cannot be read.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::keys;
use tests::jobs::{BULK, bulk, credits, job, message, run_parts, standing, try_bulk, with_wallets, work};
use tests::{Fault, World, admin};
use tokio::sync::Notify;

const AFTER_LEASE: Duration = Duration::from_secs(domain::jobs::part::LEASE_SECONDS as u64 + 1);

/// Has a process work on a part; it stops when it sends its `after`th transaction.
async fn stopped(world: &Arc<World>, id: &str, after: u64, fault: fn(Arc<Notify>) -> Fault) {
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", after, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("TransactWriteItems", 1, fault(arrived.clone()));
    let (machine, event) = (world.clone(), message(id, 0));
    let process = tokio::spawn(async move { run_parts(&machine, &event, "stopped").await });
    tests::stopped(process, &arrived).await;
    world.faults.clear();
}

fn done() -> Value {
    json!({"batchItemFailures": []})
}

fn again() -> Value {
    json!({"batchItemFailures": [{"itemIdentifier": "m"}]})
}

#[tokio::test]
async fn a_process_that_stops_in_the_middle_of_a_part_is_followed_by_another_that_finishes_it_once() {
    for (after, fault) in [
        (12, Fault::StopBefore as fn(Arc<Notify>) -> Fault),
        (12, Fault::StopAfter),
        (25, Fault::StopBefore),
        (25, Fault::StopAfter),
    ] {
        let (world, names) = with_wallets(25).await;
        let id = bulk(&world, &credits(&names, 7), "").await;
        stopped(&world, &id, after, fault).await;
        let is_ended = after == 25 && matches!(fault(Arc::new(Notify::new())), Fault::StopAfter(_));
        if is_ended {
            // The part had ended; nobody has said yet that the job has.
            assert_eq!(standing(&world, &id).await, ("completed".into(), [25, 0, 0, 0]));
        } else {
            assert_eq!(standing(&world, &id).await, ("running".into(), [0, 0, 0, 25]));
            assert_eq!(run_parts(&world, &message(&id, 0), "too early").await, again());
            // A job that is cancelled meanwhile finishes what was begun.
            world.post(&admin(), &format!("/api/jobs/{id}/cancel"), "").await.expect(200);
            assert_eq!(standing(&world, &id).await, ("cancelling".into(), [0, 0, 0, 25]));
            world.clock.advance(AFTER_LEASE);
        }
        assert_eq!(run_parts(&world, &message(&id, 0), "follower").await, done());
        assert_eq!(standing(&world, &id).await, ("completed".into(), [25, 0, 0, 0]));
        assert_eq!(job(&world, &id).await["amount_applied"], json!(175.0));
        for name in &names {
            world.expect_available(name, "7.00").await;
        }
        world.prove().await;
    }
}

#[tokio::test]
async fn a_lost_reply_of_a_part_or_of_a_row_counts_it_once() {
    for (operation, passed) in [("TransactWriteItems", 0), ("TransactWriteItems", 3), ("UpdateItem", 0)] {
        for fault in [Fault::LostReply, Fault::ErrorAfterCommit] {
            let (world, names) = with_wallets(3).await;
            let id = bulk(&world, &credits(&names, 7), "").await;
            world.faults.plan(operation, passed, Fault::Rewrite(Arc::new(|body| body)));
            world.faults.plan(operation, 1, fault);
            assert_eq!(run_parts(&world, &message(&id, 0), "r").await, done());
            assert_eq!(world.faults.fired(), passed + 1);
            assert_eq!(standing(&world, &id).await, ("completed".into(), [3, 0, 0, 0]));
            world.prove().await;
        }
    }
}

#[tokio::test]
async fn of_two_processes_with_one_message_one_applies_and_its_outcome_stands() {
    let (world, names) = with_wallets(25).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    world.post(&admin(), "/api/wallet/c005/suspend", r#"{"reason":"test"}"#).await.expect(200);
    // The first has refused the row of the suspended wallet, and is about to end the part.
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("TransactWriteItems", 24, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), go_on.clone()));
    let (machine, event) = (world.clone(), message(&id, 0));
    let first = tokio::spawn(async move { run_parts(&machine, &event, "first").await });
    arrived.notified().await;
    let other = world.another_machine(world.clock.clone());
    other.post(&admin(), "/api/wallet/c005/unfreeze", r#"{"reason":"test"}"#).await.expect(200);
    assert_eq!(run_parts(&other, &message(&id, 0), "second").await, again());
    go_on.notify_one();
    assert_eq!(first.await.unwrap(), done());
    assert_eq!(run_parts(&other, &message(&id, 0), "second").await, done());
    assert_eq!(standing(&world, &id).await, ("completed_with_errors".into(), [24, 1, 0, 0]));
    world.expect_available("c005", "0.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_process_whose_lease_is_over_does_not_end_the_part_that_another_has_taken() {
    let (world, names) = with_wallets(25).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    world.post(&admin(), "/api/wallet/c005/suspend", r#"{"reason":"test"}"#).await.expect(200);
    // The first has refused the row of the suspended wallet, and is about to end the part.
    let (first_waits, first_goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("TransactWriteItems", 24, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("TransactWriteItems", 1, Fault::Wait(first_waits.clone(), first_goes_on.clone()));
    let (machine, event) = (world.clone(), message(&id, 0));
    let first = tokio::spawn(async move { run_parts(&machine, &event, "first").await });
    first_waits.notified().await;
    world.clock.advance(AFTER_LEASE);
    let other = Arc::new(world.another_machine(world.clock.clone()));
    other.post(&admin(), "/api/wallet/c005/unfreeze", r#"{"reason":"test"}"#).await.expect(200);
    // The second has taken the part, and is about to apply a row.
    let (second_waits, second_goes_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    other.faults.plan("TransactWriteItems", 1, Fault::Wait(second_waits.clone(), second_goes_on.clone()));
    let (machine, event) = (other.clone(), message(&id, 0));
    let second = tokio::spawn(async move { run_parts(&machine, &event, "second").await });
    second_waits.notified().await;
    first_goes_on.notify_one();
    assert_eq!(first.await.unwrap(), again());
    second_goes_on.notify_one();
    assert_eq!(second.await.unwrap(), done());
    assert_eq!(standing(&world, &id).await, ("completed".into(), [25, 0, 0, 0]));
    world.expect_available("c005", "7.00").await;
    world.prove().await;
}

#[tokio::test]
async fn the_same_message_ten_times_at_once_credits_once() {
    let (world, names) = with_wallets(10).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    let all: Vec<_> = (0..10)
        .map(|n| {
            let (machine, event) = (world.clone(), message(&id, 0));
            tokio::spawn(async move { run_parts(&machine, &event, &format!("r{n}")).await })
        })
        .collect();
    for one in all {
        one.await.unwrap();
    }
    assert_eq!(standing(&world, &id).await, ("completed".into(), [10, 0, 0, 0]));
    for name in &names {
        world.expect_available(name, "7.00").await;
    }
    world.prove().await;
}

#[tokio::test]
async fn a_job_whose_maker_stops_is_made_once_by_the_same_request_and_never_in_part() {
    let (world, names) = with_wallets(60).await;
    let body = format!(r#"{{"credits":{}}}"#, credits(&names, 7));
    for (operation, passed) in [("PutItem", 1), ("PutItem", 3), ("UpdateItem", 0)] {
        let key = format!("{operation}-{passed}");
        let arrived = Arc::new(Notify::new());
        world.faults.plan(operation, passed, Fault::Rewrite(Arc::new(|body| body)));
        world.faults.plan(operation, 1, Fault::StopBefore(arrived.clone()));
        let (machine, sent, name) = (world.clone(), body.replace("}]", r#"}],"again":true"#), key.clone());
        let process = tokio::spawn(async move { machine.post_keyed(&admin(), &name, BULK, &sent).await });
        if (operation, passed) == ("PutItem", 3) {
            // There are three parts: the fourth is never sent.
            process.await.unwrap().expect(202);
            world.faults.clear();
            work(&world).await;
            continue;
        }
        tests::stopped(process, &arrived).await;
        world.faults.clear();
        // Somebody sends a message although the job is not stored whole.
        let id = first_job(&world, &key).await;
        assert_eq!(run_parts(&world, &message(&id, 0), "early").await, again());
        let again = world
            .post_keyed(&admin(), &key, BULK, &body.replace("}]", r#"}],"again":true"#))
            .await
            .expect(202);
        assert_eq!(again.text("/job_id"), id);
        work(&world).await;
        assert_eq!(standing(&world, &id).await, ("completed".into(), [60, 0, 0, 0]));
    }
    world.expect_available("c000", "21.00").await;
    world.prove().await;
}

/// Makes a job with the key `k`; the process stops when all rows are stored, before the job is let go.
async fn make_and_stop(world: &Arc<World>, body: &str) {
    let arrived = Arc::new(Notify::new());
    world.faults.plan("UpdateItem", 1, Fault::StopBefore(arrived.clone()));
    let (machine, sent) = (world.clone(), body.to_owned());
    let process = tokio::spawn(async move { machine.post_keyed(&admin(), "k", BULK, &sent).await });
    tests::stopped(process, &arrived).await;
    world.faults.clear();
}

/// Returns the id of the job that this key makes.
async fn first_job(_: &World, key: &str) -> String {
    let key = domain::ids::IdempotencyKey::parse(key).unwrap();
    let request = domain::ids::RequestId::new("any");
    let cause = domain::cause::Cause::of_request(domain::cause::Operation::BulkCredits, Some(&key), &request);
    domain::ids::JobId::mint(&cause).to_string()
}

#[tokio::test]
async fn a_job_that_was_never_stored_whole_fails_after_a_quarter_of_an_hour_and_can_be_made_again() {
    let (world, names) = with_wallets(30).await;
    let body = format!(r#"{{"credits":{}}}"#, credits(&names, 7));
    make_and_stop(&world, &body).await;
    let id = first_job(&world, "k").await;
    for change in ["cancel", "resume"] {
        world
            .post(&admin(), &format!("/api/jobs/{id}/{change}"), "")
            .await
            .expect_problem(409, "job_finished");
    }
    assert_eq!(standing(&world, &id).await, ("queued".into(), [0, 0, 0, 30]));
    world.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(standing(&world, &id).await, ("failed".into(), [0, 0, 0, 30]));
    assert_eq!(run_parts(&world, &message(&id, 0), "late").await, done());
    world.expect_available("c000", "0.00").await;
    // Nothing of it was applied: the same rows can be paid by another job, and then not by this one.
    let other = try_bulk(&world, &credits(&names, 7), "").await.expect(202).text("/job_id");
    world.post_keyed(&admin(), "k", BULK, &body).await.expect_problem(409, "job_repeated");
    work(&world).await;
    assert_eq!(standing(&world, &other).await, ("completed".into(), [30, 0, 0, 0]));
    world.prove().await;
}

#[tokio::test]
async fn a_job_that_is_made_again_while_its_failure_is_written_down_keeps_its_rows() {
    let (world, names) = with_wallets(3).await;
    let body = format!(r#"{{"credits":{}}}"#, credits(&names, 7));
    make_and_stop(&world, &body).await;
    let id = first_job(&world, "k").await;
    world.clock.advance(Duration::from_secs(15 * 60));
    // It has failed, and its rows are about to be forgotten when it is made again.
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = Arc::new(world.another_machine(world.clock.clone()));
    slow.faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), go.clone()));
    let (machine, path) = (slow.clone(), format!("/api/jobs/{id}"));
    let reading = tokio::spawn(async move { machine.get(&admin(), &path).await.expect(200).json() });
    arrived.notified().await;
    world.post_keyed(&admin(), "k", BULK, &body).await.expect(202);
    go.notify_one();
    reading.await.unwrap();
    let refused = try_bulk(&world, &credits(&names, 7), "").await.expect_problem(409, "job_repeated");
    assert_eq!(refused.json()["job_id"], id);
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed".into(), [3, 0, 0, 0]));
    world.expect_available("c000", "7.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_cancelled_job_finishes_what_was_begun_and_nothing_else() {
    let (world, names) = with_wallets(100).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    assert_eq!(run_parts(&world, &message(&id, 1), "one").await, done());
    let cancelled = world.post(&admin(), &format!("/api/jobs/{id}/cancel"), "").await.expect(200);
    assert_eq!(cancelled.text("/status"), "cancelled");
    assert_eq!(standing(&world, &id).await, ("cancelled".into(), [25, 0, 75, 0]));
    let twice = world.post(&admin(), &format!("/api/jobs/{id}/cancel"), "").await.expect(200);
    assert_eq!(twice.body, cancelled.body);
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("cancelled".into(), [25, 0, 75, 0]));
    world.post(&admin(), &format!("/api/jobs/{id}/resume"), "").await.expect_problem(409, "job_finished");
    world.expect_available("c000", "0.00").await;
    world.expect_available("c025", "7.00").await;
    let (other, names) = (bulk(&world, &credits(&names[..3], 8), "").await, names);
    work(&world).await;
    world.post(&admin(), &format!("/api/jobs/{other}/cancel"), "").await.expect_problem(409, "job_finished");
    assert_eq!(world.types(&names[0]).await, ["CREDIT"]);
    world.prove().await;
}

#[tokio::test]
async fn a_part_that_cannot_be_read_stops_no_other_and_messages_that_mean_nothing_fail_alone() {
    let (world, names) = with_wallets(100).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    world.poison(&keys::part(&domain::ids::JobId::parse(&id).unwrap(), 2), "rows").await;
    let body = |job: &str, v: u32| json!({"v": v, "job_id": job, "part": 0}).to_string();
    world.queues.jobs.send(vec![
        body(&id, 2),
        body("job_00000000000000000000", 1),
        json!({"v": 1, "job_id": id, "part": 0, "more": 1}).to_string(),
        "not a message".to_owned(),
    ]);
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("running".into(), [75, 0, 0, 25]));
    let counts = world.queues.jobs.counts();
    assert_eq!((&counts["visible"], &counts["in_flight"]), (&json!(0), &json!(5)));
    world.expect_available("c000", "7.00").await;
    world.expect_available("c050", "0.00").await;
    // The others are shown, and the message of the poisoned one is sent as often as any.
    let rows = world.get(&admin(), &format!("/api/jobs/{id}/rows?limit=100")).await.expect(200).json();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 75);
    world.post(&admin(), &format!("/api/jobs/{id}/resume"), "").await.expect(200);
    for _ in 0..4 {
        while world.queues.jobs.handle_batch(&|_| async { Ok(Value::Null) }).await {}
        world.clock.advance(Duration::from_secs(600));
        world.run("monitor").await;
    }
    let alerts = world.get(&admin(), "/api/alerts").await.expect(200).json()["alerts"].clone();
    assert_eq!((&alerts[0]["kind"], &alerts[0]["subject"]), (&json!("bulk_stalled"), &json!(id)));
    let cancelled = world.post(&admin(), &format!("/api/jobs/{id}/cancel"), "").await.expect(200);
    assert_eq!(cancelled.text("/status"), "cancelling");
    world.prove().await;
}

#[tokio::test]
async fn a_row_whose_outcome_is_not_certain_has_none_and_is_applied_later() {
    let (world, names) = with_wallets(3).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    let budget = Duration::from_millis(50);
    let hurried = world.another_machine(world.clock.clone());
    let store =
        hurried.app.store.clone().with_retry_policy(store::RetryPolicy { budget, ..Default::default() });
    let app = edge::App { store, ..hurried.app.clone() };
    hurried.faults.always("TransactWriteItems", Fault::exception("InternalServerError"));
    let event = serde_json::from_value(message(&id, 0)).unwrap();
    let event = lambda_runtime::LambdaEvent::new(event, lambda_runtime::Context::default());
    let failures = serde_json::to_value(bulk_credit::handle(&app, event).await).unwrap();
    assert_eq!(failures, again());
    assert_eq!(standing(&world, &id).await, ("running".into(), [0, 0, 0, 3]));
    // Though the message is lost, and the part was begun, the job can be resumed.
    world.queues.jobs.handle_batch(&|_| async { Ok(Value::Null) }).await;
    world.clock.advance(AFTER_LEASE);
    world.post(&admin(), &format!("/api/jobs/{id}/resume"), "").await.expect(200);
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed".into(), [3, 0, 0, 0]));
    world.post(&admin(), &format!("/api/jobs/{id}/resume"), "").await.expect(200);
    for name in &names {
        world.expect_available(name, "7.00").await;
    }
    world.prove().await;
}

#[tokio::test]
async fn a_bulk_row_costs_six_and_a_half_write_units_and_little_more_than_one_read_unit() {
    let world = World::new().await;
    let names: Vec<String> = (0..100).map(|n| format!("c{n:03}")).collect();
    for name in &names {
        world.open_wallet(name, "100").await;
    }
    let list: Value = names.iter().map(|name| json!({"customer_id": name, "amount": 7})).collect();
    world.meter.take();
    bulk(&world, &list, "").await;
    let made = world.meter.take();
    work(&world).await;
    let applied = world.meter.take();
    let rows = rust_decimal::Decimal::from(100);
    let written = (made.write_units + applied.write_units) / rows;
    let read = (made.read_units + applied.read_units) / rows;
    assert!(written <= rust_decimal::Decimal::new(65, 1), "{written}");
    assert!(read <= rust_decimal::Decimal::new(12, 1), "{read}");
    world.prove().await;
}
