//! Jobs whose rows are in an uploaded file: announced, sent once, read whole, and only then applied.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tests::jobs::{
    BULK, announce, job, put_file, run_steps, standing, step, steps, try_bulk, upload, wallets, with_wallets,
    work,
};
use tests::{Answer, Fault, World, admin, service, service_named, staff};
use tokio::sync::Notify;

fn file(customers: &[String], amount: u32) -> String {
    let lines = customers.iter().map(|customer| format!("{customer},{amount},Diwali,promotion\n"));
    format!("customer_id,amount,reason,source\n{}", lines.collect::<String>())
}

async fn try_of(world: &World, upload: &str, options: &str) -> Answer {
    world.post(&admin(), BULK, &format!(r#"{{"upload_id":"{upload}"{options}}}"#)).await
}

async fn of(world: &World, upload: &str, options: &str) -> String {
    try_of(world, upload, options).await.expect(202).text("/job_id")
}

fn done() -> Value {
    json!({"batchItemFailures": []})
}

#[tokio::test]
async fn a_file_is_announced_sent_once_read_whole_and_applied_once() {
    let world = World::new().await;
    let names = wallets(&world, 60).await;
    let text = file(&names, 7);
    let announced = announce(&world, "bulk_credit", text.len()).await;
    assert_eq!(
        (&announced["method"], &announced["max_bytes"], &announced["expires_at"]),
        (&json!("PUT"), &json!(268_435_456), &json!("2026-01-15T11:00:00.000Z"))
    );
    let id = announced["upload_id"].as_str().unwrap();
    try_of(&world, id, "").await.expect_problem(409, "upload_incomplete");
    // Another number of bytes than was announced is refused, and so is a second file.
    assert_eq!(put_file(&world, &announced, &text.as_bytes()[1..]).await, 403);
    try_of(&world, id, "").await.expect_problem(409, "upload_incomplete");
    assert_eq!(put_file(&world, &announced, text.as_bytes()).await, 200);
    assert_eq!(put_file(&world, &announced, text.replace('7', "8").as_bytes()).await, 412);
    let first = try_of(&world, id, "").await.expect(202);
    let taken = first.json();
    assert_eq!(
        (&taken["status"], &taken["accepted"], &taken["rejected"], &taken["lines"]),
        (&json!("validating"), &Value::Null, &Value::Null, &json!([]))
    );
    let made = first.text("/job_id");
    assert_eq!(standing(&world, &made).await, ("validating".into(), [0, 0, 0, 0]));
    steps(&world).await;
    assert_eq!(standing(&world, &made).await, ("queued".into(), [0, 0, 0, 60]));
    world.expect_available("c000", "0.00").await;
    work(&world).await;
    assert_eq!(standing(&world, &made).await, ("completed".into(), [60, 0, 0, 0]));
    // Every message again, and the same call again.
    world.queues.books.redeliver(3);
    world.queues.jobs.redeliver(3);
    work(&world).await;
    let again = try_of(&world, id, "").await.expect(202);
    assert_eq!((&again.body, again.is_replay()), (&first.body, true));
    let other = try_of(&world, id, r#","again":true"#).await;
    assert_eq!(other.expect_problem(409, "upload_used").text("/job_id"), made);
    let done = job(&world, &made).await;
    assert_eq!((&done["amount_total"], &done["amount_applied"]), (&json!(420.0), &json!(420.0)));
    let rows = world.get(&staff(), &format!("/api/jobs/{made}/rows?limit=1")).await.expect(200).json();
    assert_eq!((&rows["rows"][0]["line"], &rows["total"]), (&json!(2), &json!(60)));
    for name in &names {
        world.expect_available(name, "7.00").await;
        assert_eq!(world.types(name).await, ["CREDIT"]);
    }
    world.prove().await;
}

#[tokio::test]
async fn an_upload_names_the_digest_of_its_file_and_no_other_file_is_taken() {
    let world = World::new().await;
    wallets(&world, 1).await;
    let text = file(&["c000".to_owned()], 7);
    let body = json!({"purpose": "bulk_credit", "bytes": text.len(), "sha256": domain::hash::Hash::of(&text).to_string()});
    let announced = world.post_keyed(&admin(), "k", "/api/uploads", &body.to_string()).await.expect(201);
    let again = world.post_keyed(&admin(), "k", "/api/uploads", &body.to_string()).await.expect(201);
    assert_eq!(again.text("/upload_id"), announced.text("/upload_id"));
    let more = json!({"purpose": "bulk_credit", "bytes": text.len() + 1});
    let reused = world.post_keyed(&admin(), "k", "/api/uploads", &more.to_string()).await;
    reused.expect_problem(422, "idempotency_key_reused");
    let announced = announced.json();
    assert_eq!(put_file(&world, &announced, text.replace('7', "8").as_bytes()).await, 400);
    assert_eq!(put_file(&world, &announced, text.as_bytes()).await, 200);
}

#[tokio::test]
async fn of_two_calls_at_once_for_one_upload_one_makes_a_job() {
    let (world, names) = with_wallets(2).await;
    let id = upload(&world, "bulk_credit", &file(&names, 7)).await;
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), go_on.clone()));
    let (machine, same) = (world.clone(), id.clone());
    let slow = tokio::spawn(async move { try_of(&machine, &same, r#","again":true"#).await });
    arrived.notified().await;
    let made = of(&world, &id, "").await;
    go_on.notify_one();
    assert_eq!(slow.await.unwrap().expect_problem(409, "upload_used").text("/job_id"), made);
    work(&world).await;
    world.expect_available("c000", "7.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_file_that_is_not_valid_is_rejected_whole_and_can_be_read_again() {
    let world = World::new().await;
    let names = wallets(&world, 3).await;
    let bad = "customer_id,amount\nc000,7\nc001,1.234\n9.19E+11,5\n";
    let id = upload(&world, "bulk_credit", bad).await;
    let made = of(&world, &id, "").await;
    work(&world).await;
    assert_eq!(standing(&world, &made).await, ("rejected".into(), [0, 2, 1, 0]));
    let rejected = job(&world, &made).await;
    assert_eq!(
        (&rejected["errors"][0]["line"], &rejected["errors"][0]["code"], &rejected["errors"][1]["line"]),
        (&json!(3), &json!("invalid_row"), &json!(4))
    );
    for change in ["cancel", "resume"] {
        let path = format!("/api/jobs/{made}/{change}");
        world.post(&admin(), &path, "").await.expect_problem(409, "job_finished");
    }
    // The upload was given back.
    let skipping = of(&world, &id, r#","on_invalid":"skip","control_rows":3,"control_amount":12"#).await;
    assert_ne!(skipping, made);
    work(&world).await;
    assert_eq!(standing(&world, &skipping).await, ("completed_with_errors".into(), [1, 2, 0, 0]));
    world.expect_available("c000", "7.00").await;
    for (text, options, code) in [
        (file(&names, 7), r#","control_rows":4"#, "control_mismatch"),
        (file(&names, 7), r#","control_amount":20"#, "control_mismatch"),
        ("customer_id,amount\n".to_owned(), "", "invalid_file"),
        ("customer_id\nc000\n".to_owned(), "", "invalid_file"),
        ("customer_id,amount,colour\nc000,7,red\n".to_owned(), "", "invalid_file"),
        (format!("customer_id,amount,reason\nc000,7,{}\n", "x".repeat(9 * 1024 * 1024)), "", "invalid_file"),
        ("customer_id,amount\nc000,7\n".to_owned(), "", "job_repeated"),
    ] {
        let id = upload(&world, "bulk_credit", &text).await;
        let made = of(&world, &id, options).await;
        work(&world).await;
        let rejected = job(&world, &made).await;
        assert_eq!(
            (&rejected["status"], &rejected["errors"][0]["code"], &rejected["errors"][0]["line"]),
            (&json!("rejected"), &json!(code), &Value::Null),
            "{rejected}"
        );
        assert_eq!(rejected["pending"], 0);
    }
    world.expect_available("c000", "7.00").await;
    world.expect_available("c001", "0.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_file_of_several_chunks_keeps_its_lines_whatever_ends_them() {
    for end in ["\n", "\r\n", "\r"] {
        let world = World::new().await;
        wallets(&world, 2).await;
        // Reasons of 250 characters: 20 000 lines are 5 MB, of which 4 MiB are read at once.
        let reason = "r".repeat(250);
        let lines = (0..20_000).map(|n| format!("c00{},1,{reason}{end}", n % 2)).collect::<String>();
        let text = format!("\u{feff}customer_id,amount,reason{end}{end}{lines}");
        let id = upload(&world, "bulk_credit", &text).await;
        let made = of(&world, &id, r#","dry_run":true,"control_rows":20000,"control_amount":20000"#).await;
        steps(&world).await;
        let read = job(&world, &made).await;
        assert_eq!((&read["status"], &read["total"]), (&json!("queued"), &json!(20_000)), "{read}");
        assert_eq!(read["warnings"], json!([{"code": "duplicate_customer", "count": 19_998}]));
        let cursor = format!("/api/jobs/{made}/rows?limit=1");
        let rows = world.get(&staff(), &cursor).await.expect(200).json();
        assert_eq!(rows["rows"][0]["line"], 3);
        let parts = world.app.store.jobs().parts(&made.parse_job(), 799, 800).await.unwrap();
        assert_eq!(parts[0].rows.last().unwrap().line, 20_002);
    }
}

trait ParseJob {
    fn parse_job(&self) -> domain::ids::JobId;
}

impl ParseJob for String {
    fn parse_job(&self) -> domain::ids::JobId {
        domain::ids::JobId::parse(self).unwrap()
    }
}

#[tokio::test]
async fn a_dry_run_takes_no_upload_and_a_real_run_after_it_does() {
    let world = World::new().await;
    let names = wallets(&world, 2).await;
    let id = upload(&world, "bulk_credit", &file(&names, 7)).await;
    let tried = of(&world, &id, r#","dry_run":true"#).await;
    work(&world).await;
    assert_eq!(standing(&world, &tried).await, ("completed".into(), [2, 0, 0, 0]));
    world.expect_available("c000", "0.00").await;
    let made = of(&world, &id, "").await;
    assert_ne!(tried, made);
    work(&world).await;
    world.expect_available("c000", "7.00").await;
    // A dry run of a file that was read by a job is one more look at it.
    let tried = of(&world, &id, r#","dry_run":true"#).await;
    work(&world).await;
    assert_eq!(standing(&world, &tried).await, ("completed".into(), [2, 0, 0, 0]));
    world.prove().await;
}

#[tokio::test]
async fn who_makes_a_job_of_an_upload_is_who_has_made_it_or_an_admin() {
    let world = World::new().await;
    wallets(&world, 1).await;
    let text = file(&["c000".to_owned()], 7);
    let body = json!({"purpose": "bulk_credit", "bytes": text.len()}).to_string();
    world.post(&staff(), "/api/uploads", &body).await.expect_problem(403, "forbidden");
    world.post(&service("wallet:read"), "/api/uploads", &body).await.expect_problem(403, "forbidden");
    world.post(&service("loyalty:adjust"), "/api/uploads", &body).await.expect_problem(403, "forbidden");
    let mine = service_named("mine", "wallet:credit");
    let announced = world.post(&mine, "/api/uploads", &body).await.expect(201).json();
    assert_eq!(put_file(&world, &announced, text.as_bytes()).await, 200);
    let id = announced["upload_id"].as_str().unwrap();
    let body = format!(r#"{{"upload_id":"{id}"}}"#);
    let other = service_named("other", "wallet:credit");
    world.post(&other, BULK, &body).await.expect_problem(404, "upload_not_found");
    let points = world.post(&admin(), "/api/loyalty/bulk/points", &body).await;
    assert_eq!(points.expect_problem(400, "invalid_request").text("/errors/0/pointer"), "/upload_id");
    let both = format!(r#"{{"upload_id":"{id}","credits":[{{"customer_id":"c000","amount":1}}]}}"#);
    let both = world.post(&mine, BULK, &both).await.expect_problem(400, "invalid_request");
    assert_eq!(both.text("/errors/0/pointer"), "/upload_id");
    let neither = world.post(&mine, BULK, "{}").await.expect_problem(400, "invalid_request");
    assert_eq!(neither.text("/errors/0/pointer"), "/credits");
    let none = "upl_00000000000000000000";
    try_of(&world, none, "").await.expect_problem(404, "upload_not_found");
    for (bytes, purpose) in [("0", "bulk_credit"), ("268435457", "bulk_credit"), ("5", "export_wallets")] {
        let body = format!(r#"{{"purpose":"{purpose}","bytes":{bytes}}}"#);
        world.post(&admin(), "/api/uploads", &body).await.expect_problem(400, "invalid_request");
    }
    let made = world.post(&mine, BULK, &body).await.expect(202).text("/job_id");
    work(&world).await;
    assert_eq!(world.get(&mine, &format!("/api/jobs/{made}")).await.expect(200).text("/status"), "completed");
    world.prove().await;
}

#[tokio::test]
async fn rows_of_a_job_that_is_cancelled_while_its_file_is_stored_are_cancelled() {
    let (world, names) = with_wallets(60).await;
    let id = upload(&world, "bulk_credit", &file(&names, 7)).await;
    let made = of(&world, &id, "").await;
    // Its rows are stored, and it is about to be let go.
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("UpdateItem", 2, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("UpdateItem", 1, Fault::Wait(arrived.clone(), go_on.clone()));
    let (machine, event) = (world.clone(), step(&made, "split", 0));
    let process = tokio::spawn(async move { run_steps(&machine, &event, "slow").await });
    arrived.notified().await;
    world.faults.clear();
    world.post(&admin(), &format!("/api/jobs/{made}/cancel"), "").await.expect(200);
    go_on.notify_one();
    assert_eq!(process.await.unwrap(), done());
    work(&world).await;
    assert_eq!(standing(&world, &made).await, ("cancelled".into(), [0, 0, 60, 0]));
    let listed = |status: &'static str| {
        let (world, path) = (world.clone(), format!("/api/jobs/{made}/rows?limit=100&status={status}"));
        async move { world.get(&staff(), &path).await.expect(200).json()["rows"].as_array().unwrap().len() }
    };
    assert_eq!((listed("cancelled").await, listed("pending").await), (60, 0));
    world.expect_available("c000", "0.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_process_that_stops_while_it_reads_or_stores_a_file_is_followed_by_another() {
    for (operation, passed) in
        [("UpdateItem", 0), ("TransactWriteItems", 0), ("PutItem", 0), ("PutItem", 3), ("UpdateItem", 1)]
    {
        for fault in [Fault::StopBefore as fn(Arc<Notify>) -> Fault, Fault::StopAfter] {
            let (world, names) = with_wallets(100).await;
            let id = upload(&world, "bulk_credit", &file(&names, 7)).await;
            let made = of(&world, &id, "").await;
            let arrived = Arc::new(Notify::new());
            world.faults.plan(operation, passed, Fault::Rewrite(Arc::new(|body| body)));
            world.faults.plan(operation, 1, fault(arrived.clone()));
            let (machine, event) = (world.clone(), step(&made, "split", 0));
            let process = tokio::spawn(async move { run_steps(&machine, &event, "stopped").await });
            tests::stopped(process, &arrived).await;
            world.faults.clear();
            let (status, _) = standing(&world, &made).await;
            assert!(["validating", "queued"].contains(&status.as_str()), "{status}");
            work(&world).await;
            assert_eq!(standing(&world, &made).await, ("completed".into(), [100, 0, 0, 0]));
            world.expect_available("c099", "7.00").await;
            world.prove().await;
        }
    }
}

#[tokio::test]
async fn a_replaced_file_is_never_read_as_the_one_that_was_valid() {
    let (world, names) = with_wallets(30).await;
    let id = upload(&world, "bulk_credit", &file(&names, 7)).await;
    let made = of(&world, &id, "").await;
    // The process stops after the file was found valid, before its rows are stored.
    let arrived = Arc::new(Notify::new());
    world.faults.plan("PutItem", 1, Fault::StopBefore(arrived.clone()));
    let (machine, event) = (world.clone(), step(&made, "split", 0));
    let process = tokio::spawn(async move { run_steps(&machine, &event, "stopped").await });
    tests::stopped(process, &arrived).await;
    world.faults.clear();
    let key = domain::jobs::upload::object(&domain::ids::UploadId::parse(&id).unwrap());
    world.parts.files.put(&key, "text/csv", file(&names, 9).into_bytes()).await.unwrap();
    work(&world).await;
    let failed = job(&world, &made).await;
    assert_eq!(
        (&failed["status"], &failed["errors"][0]["code"]),
        (&json!("failed"), &json!("upload_changed")),
        "{failed}"
    );
    world.expect_available("c000", "0.00").await;
    // The rows are free for another job.
    let other = upload(&world, "bulk_credit", &file(&names, 7)).await;
    let other = of(&world, &other, "").await;
    work(&world).await;
    assert_eq!(standing(&world, &other).await, ("completed".into(), [30, 0, 0, 0]));
    world.prove().await;
}

#[tokio::test]
async fn a_job_whose_file_nobody_reads_is_watched_cancelled_and_resumed() {
    let (world, names) = with_wallets(30).await;
    let id = upload(&world, "bulk_credit", &file(&names, 7)).await;
    let made = of(&world, &id, "").await;
    let books = |world: &World| world.queues.books.counts()["visible"].clone();
    assert_eq!(books(&world), 1);
    world.post(&admin(), &format!("/api/jobs/{made}/resume"), "").await.expect(200);
    assert_eq!(books(&world), 2);
    world.clock.advance(Duration::from_secs(601));
    assert_eq!(world.run("monitor").await["breakdown"]["jobs_requeued"], 1);
    assert_eq!(books(&world), 3);
    let cancelled = world.post(&admin(), &format!("/api/jobs/{made}/cancel"), "").await.expect(200);
    assert_eq!(cancelled.text("/status"), "cancelled");
    work(&world).await;
    assert_eq!(standing(&world, &made).await.0, "cancelled");
    world.expect_available("c000", "0.00").await;
    try_of(&world, &id, r#","again":true"#).await.expect_problem(409, "upload_used");
    world.prove().await;
}

#[tokio::test]
async fn the_same_rows_from_a_file_and_from_a_request_are_one_job() {
    let world = World::new().await;
    let names = wallets(&world, 3).await;
    let id = upload(&world, "bulk_credit", &file(&names, 7)).await;
    of(&world, &id, "").await;
    work(&world).await;
    let rows: Vec<Value> = names
        .iter()
        .map(|name| json!({"customer_id": name, "amount": 7, "reason": "Diwali", "source": "promotion"}))
        .collect();
    try_bulk(&world, &json!(rows), "").await.expect_problem(409, "job_repeated");
    let other = upload(&world, "bulk_credit", &file(&names, 7)).await;
    let made = of(&world, &other, r#","again":true"#).await;
    work(&world).await;
    assert_eq!(standing(&world, &made).await, ("completed".into(), [3, 0, 0, 0]));
    world.expect_available("c000", "14.00").await;
    assert_eq!(run_steps(&world, &step(&made, "split", 0), "late").await, done());
    world.prove().await;
}
