//! Exports: files of what is in the table, which an import reads as they were written.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tests::jobs::{get_file, job, run_steps, standing, step, work};
use tests::{Fault, World, admin, customer, service, staff};
use tokio::sync::Notify;

async fn export(world: &World, body: &Value) -> Value {
    let made = world.post(&admin(), "/api/exports", &body.to_string()).await.expect(202);
    assert_eq!(
        (made.json()["status"].clone(), made.json()["accepted"].clone()),
        (json!("queued"), Value::Null)
    );
    work(world).await;
    let path = format!("/api/jobs/{}", made.text("/job_id"));
    world.get(&admin(), &path).await.expect(200).json()
}

/// Returns the lines of all files of an export, sorted, without the first of each.
async fn lines(world: &World, done: &Value) -> Vec<String> {
    let mut lines = vec![];
    for file in done["files"].as_array().unwrap() {
        let text = get_file(world, file["url"].as_str().unwrap()).await;
        assert_eq!(file["bytes"], text.len());
        assert_eq!(file["sha256"], domain::hash::Hash::of(&text).to_string());
        let own: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
        assert_eq!(file["rows"], own.len());
        lines.extend(own);
    }
    lines.sort();
    lines
}

async fn shop() -> World {
    let world = World::new().await;
    for (name, credits) in [("a", 3), ("b", 1), ("c", 0), ("d", 2)] {
        world.open_wallet(name, "100").await;
        for n in 0..credits {
            world.credit(name, "12.50", "promotion", &format!("2026-0{}-01", n + 2)).await;
        }
    }
    world.post(&admin(), "/api/wallet/a/holds", r#"{"amount":30}"#).await.expect(201);
    world.post(&admin(), "/api/wallet/b/freeze", r#"{"reason":"test"}"#).await.expect(200);
    let body = r#"{"customer_id":"e","metadata":{"name":"=cmd"}}"#;
    world.post(&admin(), "/api/wallet/create", body).await.expect(201);
    world
}

#[tokio::test]
async fn the_wallets_of_an_export_are_the_same_after_their_import_elsewhere() {
    let world = shop().await;
    let done = export(&world, &json!({"kind": "wallets"})).await;
    assert_eq!(
        (&done["status"], &done["kind"], &done["pending"]),
        (&json!("completed"), &json!("export_wallets"), &json!(0))
    );
    let exported = lines(&world, &done).await;
    assert_eq!(exported.len(), 5);
    assert!(exported[0].starts_with("a,INR,137.50,12.50|2026-02-01|promotion;12.50|2026-03-01|promotion;12.50|2026-04-01|promotion;100.00|"), "{}", exported[0]);
    assert!(exported[1].contains(",FROZEN,"), "{}", exported[1]);
    let header =
        "customer_id,currency,balance,lots,status,tier,referral_code,referral_count,created_at,metadata";
    let file = format!("{header}\n{}\n", exported.join("\n"));
    // Here they are as the file says, but for the one with a hold: that is value held.
    let again =
        world.post_csv(&admin(), "/api/imports?kind=wallets", &file).await.expect(202).text("/job_id");
    work(&world).await;
    assert_eq!(standing(&world, &again).await.1, [4, 1, 0, 0]);
    let other = World::new().await;
    let made = other.post_csv(&admin(), "/api/imports?kind=wallets", &file).await.expect(202).text("/job_id");
    work(&other).await;
    let imported = job(&other, &made).await;
    assert_eq!(
        (&imported["status"], &imported["reconciliation"]["agrees"]),
        (&json!("completed"), &json!(true))
    );
    let back = export(&other, &json!({"kind": "wallets"})).await;
    assert_eq!(lines(&other, &back).await, exported);
    let one = export(&other, &json!({"kind": "wallets", "customer_id": "d"})).await;
    assert_eq!(lines(&other, &one).await, [exported[3].clone()]);
    world.prove().await;
    other.prove().await;
}

#[tokio::test]
async fn every_wallet_of_an_export_can_be_imported_however_full_it_is() {
    let world = World::new().await;
    let pairs: serde_json::Map<String, Value> = (0..20).map(|n| (format!("k{n}"), json!("v"))).collect();
    let body = json!({"customer_id": "full", "metadata": pairs}).to_string();
    world.post(&admin(), "/api/wallet/create", &body).await.expect(201);
    let body =
        json!({"customer_id": "named", "metadata": {"original_created_at": "last summer"}}).to_string();
    world.post(&admin(), "/api/wallet/create", &body).await.expect(201);
    world.open_wallet("lots", "").await;
    for n in 0..95_u64 {
        let date = world.app.clock.now().plus_seconds(u32::try_from(n + 2).unwrap() * 86_400).unwrap().date();
        world.credit("lots", "1", "promotion", &date.to_string()).await;
    }
    let exported = lines(&world, &export(&world, &json!({"kind": "wallets"})).await).await;
    let header =
        "customer_id,currency,balance,lots,status,tier,referral_code,referral_count,created_at,metadata";
    let file = format!("{header}\n{}\n", exported.join("\n"));
    let other = World::new().await;
    let made = other.post_csv(&admin(), "/api/imports?kind=wallets", &file).await.expect(202).text("/job_id");
    work(&other).await;
    let imported = job(&other, &made).await;
    assert_eq!((&imported["succeeded"], &imported["failed"]), (&json!(3), &json!(0)), "{imported}");
    other.expect_available("lots", "95.00").await;
    assert_eq!(lines(&other, &export(&other, &json!({"kind": "wallets"})).await).await, exported);
    world.prove().await;
    other.prove().await;
}

#[tokio::test]
async fn those_who_may_read_a_job_and_not_export_see_its_files_without_urls() {
    let world = shop().await;
    let done = export(&world, &json!({"kind": "wallets"})).await;
    let path = format!("/api/jobs/{}", done["job_id"].as_str().unwrap());
    let seen = world.get(&staff(), &path).await.expect(200).json();
    let (seen, named) = (&seen["files"][0], &world.get(&admin(), &path).await.expect(200).json()["files"][0]);
    assert_eq!((&seen["url"], &seen["sha256"]), (&Value::Null, &named["sha256"]));
    assert!(named["url"].is_string());
}

#[tokio::test]
async fn movements_are_exported_by_their_days_and_customer() {
    let world = shop().await;
    world.clock.advance_days(1);
    world.credit("a", "5", "manual", "").await;
    let all = lines(&world, &export(&world, &json!({"kind": "transactions"})).await).await;
    assert_eq!(all.len(), 4 + 6 + 1 + 1);
    assert!(all[0].starts_with("w:a,txn_1_"), "{}", all[0]);
    assert!(all[0].contains(",1,2026-01-15T10:00:00.000Z,CREDIT,100.00,INR,100.00,,manual,,,"), "{}", all[0]);
    let day = json!({"kind": "transactions", "from": "2026-01-16", "to": "2026-01-16"});
    assert_eq!(lines(&world, &export(&world, &day).await).await.len(), 1);
    let of_b = json!({"kind": "transactions", "customer_id": "b"});
    assert_eq!(lines(&world, &export(&world, &of_b).await).await.len(), 2);
    let none = export(&world, &json!({"kind": "redemptions"})).await;
    assert_eq!((lines(&world, &none).await.len(), none["files"].as_array().unwrap().len()), (0, 1));
    world.prove().await;
}

/// Covers case 14.
#[tokio::test]
async fn two_processes_on_one_segment_write_two_files_and_the_job_names_one() {
    let world = Arc::new(shop().await);
    let made =
        world.post(&admin(), "/api/exports", r#"{"kind":"wallets"}"#).await.expect(202).text("/job_id");
    for segment in 1..4 {
        run_steps(&world, &step(&made, "export", segment), "rest").await;
    }
    // The first has written its file, and is about to end the segment.
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), go_on.clone()));
    let (machine, event) = (world.clone(), step(&made, "export", 0));
    let first = tokio::spawn(async move { run_steps(&machine, &event, "first").await });
    arrived.notified().await;
    world.clock.advance(Duration::from_secs(46));
    let done = json!({"batchItemFailures": []});
    assert_eq!(run_steps(&world, &step(&made, "export", 0), "second").await, done);
    go_on.notify_one();
    assert_ne!(first.await.unwrap(), done);
    assert_eq!(standing(&world, &made).await, ("completed".into(), [4, 0, 0, 0]));
    let named = world.get(&admin(), &format!("/api/jobs/{made}")).await.expect(200).json();
    assert_eq!(lines(&world, &named).await.len(), 5);
    world.prove().await;
}

#[tokio::test]
async fn who_exports_is_an_admin_or_a_service_with_the_scope() {
    let world = World::new().await;
    let body = r#"{"kind":"wallets"}"#;
    for caller in [staff(), customer("a"), service("books:import")] {
        world.post(&caller, "/api/exports", body).await.expect_problem(403, "forbidden");
    }
    let exporter = service("books:export");
    let made = world.post_keyed(&exporter, "k", "/api/exports", body).await.expect(202);
    let again = world.post_keyed(&exporter, "k", "/api/exports", body).await.expect(202);
    assert_eq!((&again.body, again.is_replay()), (&made.body, true));
    let other = world.post_keyed(&exporter, "k", "/api/exports", r#"{"kind":"transactions"}"#).await;
    other.expect_problem(422, "idempotency_key_reused");
    for (body, pointer) in [
        (r#"{"kind":"planets"}"#, "/kind"),
        (r#"{"kind":"wallets","from":"2026-01-01"}"#, "/from"),
        (r#"{"kind":"transactions","from":"2026-01-02","to":"2026-01-01"}"#, "/to"),
        (r#"{"kind":"redemptions","customer_id":"a"}"#, "/customer_id"),
    ] {
        let problem = world.post(&admin(), "/api/exports", body).await.expect_problem(400, "invalid_request");
        assert_eq!(problem.offending(), [pointer], "{body}");
    }
    // Who cancels an export before it was begun gets no file.
    world.post(&exporter, &format!("/api/jobs/{}/cancel", made.text("/job_id")), "").await.expect(200);
    work(&world).await;
    let cancelled = job(&world, &made.text("/job_id")).await;
    assert_eq!((&cancelled["status"], &cancelled["files"]), (&json!("cancelled"), &json!([])));
}
