//! Wallets of another system: opened with their lots in one transaction each, once, and reconciled with their file.

use serde_json::{Value, json};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;
use tests::jobs::{job, outcomes, run_steps, standing, step, upload, work};
use tests::{Answer, Fault, World, admin, service, staff};
use tokio::sync::Notify;

const HEADER: &str =
    "customer_id,currency,balance,lots,status,tier,referral_code,referral_count,created_at,metadata\n";

async fn try_import(world: &World, query: &str, rows: &str) -> Answer {
    world.post_csv(&admin(), &format!("/api/imports?kind=wallets{query}"), &format!("{HEADER}{rows}")).await
}

async fn import(world: &World, query: &str, rows: &str) -> Value {
    let id = try_import(world, query, rows).await.expect(202).text("/job_id");
    work(world).await;
    job(world, &id).await
}

#[tokio::test]
async fn a_part_of_an_import_that_cannot_be_read_stops_no_other() {
    let world = World::new().await;
    let rows: String = (0..30).map(|n| format!("c{n},INR,0,,,,,,,\n")).collect();
    let id = try_import(&world, "", &rows).await.expect(202).text("/job_id");
    world.poison(&store::keys::part(&domain::ids::JobId::parse(&id).unwrap(), 0), "rows").await;
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("running".into(), [5, 0, 0, 25]));
    world.prove().await;
}

#[tokio::test]
async fn a_wallet_comes_with_its_lots_status_code_and_metadata_in_one_transaction() {
    let world = World::new().await;
    world.meter.take();
    let rows = "cust_1,INR,100.50,50.50|2026-12-31|promotion;50|never|topup,SUSPENDED,BRONZE,FRIEND99,3,2020-02-29,\"{\"\"a\"\":\"\"b\"\"}\"\r\ncust_2,INR,0,,,,,,,\n";
    let done = import(&world, "", rows).await;
    assert_eq!(
        (&done["status"], &done["succeeded"], &done["kind"]),
        (&json!("completed"), &json!(2), &json!("import_wallets")),
        "{done}"
    );
    assert_eq!(
        (&done["amount_total"], &done["amount_applied"], &done["currency"]),
        (&json!(100.5), &json!(100.5), &json!("INR"))
    );
    let sums =
        json!({"rows": 2, "wallets": 2, "lots": 2, "balances": [{"currency": "INR", "amount": 100.5}]});
    let reconciled = &done["reconciliation"];
    assert_eq!(
        (&reconciled["file"], &reconciled["books"], &reconciled["agrees"]),
        (&sums, &sums, &json!(true))
    );
    assert_eq!(reconciled["differences"], json!([]));
    assert_eq!(outcomes(&world, &done).await, [(2, "created".to_owned()), (3, "created".to_owned())]);
    let wallet = world.get(&staff(), "/api/wallet/cust_1").await.expect(200).json();
    assert_eq!((&wallet["balance"], &wallet["status"]), (&json!(100.5), &json!("SUSPENDED")), "{wallet}");
    let metadata = &wallet["metadata"];
    for (name, value) in [
        ("a", json!("b")),
        ("original_created_at", json!("2020-02-29")),
        ("referral_code", json!("FRIEND99")),
        ("referral_count", json!(3)),
    ] {
        assert_eq!(metadata[name], value, "{metadata}");
    }
    let listed = world.get(&staff(), "/api/wallet/cust_1/transactions").await.expect(200).json();
    let entries = listed["transactions"].as_array().unwrap();
    assert_eq!(entries.len(), 2);
    for (entry, (amount, source, n)) in entries.iter().rev().zip([(50.5, "promotion", 1), (50.0, "topup", 2)])
    {
        let reference = format!("import:{}:2:{n}", done["job_id"].as_str().unwrap());
        assert_eq!(
            (&entry["type"], &entry["amount"], &entry["source"], &entry["reason"], &entry["reference"]),
            (&json!("CREDIT"), &json!(amount), &json!(source), &json!("Opening balance"), &json!(reference))
        );
    }
    // Its friends find it by the code that they know.
    world.prove().await;
}

#[tokio::test]
async fn the_same_file_again_adds_nothing_and_another_one_says_what_differs() {
    let world = World::new().await;
    let rows = "a,INR,30,10|2026-12-31|promotion;20|2026-12-31|loyalty,,,CODEA,,,\nb,INR,5,5|never|manual,FROZEN,,,,,\n";
    import(&world, "", rows).await;
    let again = import(&world, "", rows).await;
    assert_eq!(
        (&again["status"], &again["reconciliation"]["agrees"]),
        (&json!("completed"), &json!(true)),
        "{again}"
    );
    assert_eq!(outcomes(&world, &again).await, [(2, "exists".to_owned()), (3, "exists".to_owned())]);
    assert_eq!(world.types("a").await, ["CREDIT", "CREDIT"]);
    world.credit("a", "1", "manual", "").await;
    let rows = rows.replace("CODEA", "");
    let rows = format!("{rows}c,INR,7,7|never|manual,,,CODEA,,,\nd,USD,7,7|never|manual,,,,,,\n");
    let dry = import(&world, "&dry_run=true", &rows).await;
    let other = import(&world, "", &rows).await;
    assert_eq!((&other["status"], &other["failed"]), (&json!("completed_with_errors"), &json!(2)), "{other}");
    for job in [&dry, &other] {
        let codes: Vec<String> = outcomes(&world, job).await.into_iter().map(|(_, code)| code).collect();
        assert_eq!(codes, ["exists_differently", "exists", "referral_code_taken", "created"]);
    }
    let reconciled = &other["reconciliation"];
    assert_eq!(reconciled["agrees"], true);
    assert_eq!(
        reconciled["failed"],
        json!({"rows": 2, "wallets": 2, "lots": 3, "balances": [{"currency": "INR", "amount": 37.0}]})
    );
    // Rows of two currencies have no common sum.
    assert_eq!((&other["amount_total"], &other["currency"]), (&Value::Null, &Value::Null));
    assert_eq!(
        reconciled["books"]["balances"],
        json!([{"currency": "INR", "amount": 5.0}, {"currency": "USD", "amount": 7.0}])
    );
    world.get(&staff(), "/api/wallet/c").await.expect_problem(404, "wallet_not_found");
    world.prove().await;
}

#[tokio::test]
async fn what_a_file_alone_shows_is_a_bad_row_under_its_own_code() {
    let world = World::new().await;
    let rows = "a,INR,30,10|never|manual,,,,,,\n\
                b,INR,10,10|2026-01-14|manual,,,,,,\n\
                c,INR,10,,,,,,,\n\
                d,INR,5,5|never|manual,,,SAME,,,\n\
                e,INR,5,5|never|manual,,,SAME,,,\n\
                d,INR,5,5|never|manual,,,,,,\n\
                9.19E+11,INR,5,5|never|manual,,,,,,\n\
                f,INR,\"1,50\",,,,,,,\n\
                g,XYZ,5,5|never|manual,,,,,,\n\
                h,INR,5,5|never|luck,,,,,,\n\
                i,INR,1,1|never|manual,ASLEEP,,abc,-1,yesterday,[]\n\
                j,INR,5,5|2026-01-15|manual,,GOLD,,,,\n";
    let refused = try_import(&world, "", rows).await.expect_problem(400, "invalid_request");
    let pointers = refused.offending();
    for pointer in
        ["/lines/2/lots", "/lines/3/lots", "/lines/7/customer_id", "/lines/12/status", "/lines/12/metadata"]
    {
        assert!(pointers.contains(&pointer.to_owned()), "{pointer} {pointers:?}");
    }
    world.get(&staff(), "/api/wallet/d").await.expect_problem(404, "wallet_not_found");
    let taken = try_import(&world, "&on_invalid=skip", rows).await.expect(202).json();
    let lines: Vec<(u64, &str)> = taken["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["line"].as_u64().unwrap(), line["status"].as_str().unwrap()))
        .collect();
    assert_eq!(
        lines,
        [
            (2, "lots_differ_from_balance"),
            (3, "lot_expired"),
            (4, "lots_differ_from_balance"),
            (6, "referral_code_taken"),
            (7, "invalid_row"),
            (8, "invalid_row"),
            (9, "invalid_row"),
            (10, "invalid_row"),
            (11, "invalid_row"),
            (12, "invalid_row"),
        ]
    );
    work(&world).await;
    let done = job(&world, taken["job_id"].as_str().unwrap()).await;
    assert_eq!((&done["succeeded"], &done["failed"]), (&json!(2), &json!(10)));
    assert_eq!(done["warnings"], json!([{"code": "tier_differs", "count": 1}]));
    assert_eq!(done["reconciliation"]["agrees"], true, "{done}");
    assert_eq!(done["errors"][0]["code"], "lots_differ_from_balance");
    world.prove().await;
}

#[tokio::test]
async fn credit_that_has_expired_is_left_out_and_counted_if_the_caller_says_so() {
    let world = World::new().await;
    let rows = "a,INR,30,10|2026-01-14|manual;20|2026-01-15|manual,,,,,,\n";
    for query in ["&skip_expired=true&dry_run=true", "&skip_expired=true", "&skip_expired=true"] {
        let done = import(&world, query, rows).await;
        let skipped =
            json!({"rows": 0, "wallets": 0, "lots": 1, "balances": [{"currency": "INR", "amount": 10.0}]});
        assert_eq!(done["reconciliation"]["skipped"], skipped, "{done}");
        if query.contains("dry_run") {
            assert_eq!(done["reconciliation"]["books"], Value::Null);
            world.get(&staff(), "/api/wallet/a").await.expect_problem(404, "wallet_not_found");
        } else {
            assert_eq!(done["reconciliation"]["agrees"], true);
            world.expect_available("a", "20.00").await;
        }
    }
    // The rest has expired, too, before the job is carried out.
    let rows = "b,INR,20,20|2026-01-15|manual,,,,,,\n";
    let id = try_import(&world, "", rows).await.expect(202).text("/job_id");
    world.clock.advance(Duration::from_secs(86_400));
    work(&world).await;
    let done = job(&world, &id).await;
    assert_eq!(
        (&done["errors"][0]["code"], &done["reconciliation"]["agrees"]),
        (&json!("lot_expired"), &json!(true))
    );
    world.prove().await;
}

/// Covers case 15.
#[tokio::test]
async fn an_import_that_is_killed_goes_on_as_the_same_job_and_as_another_one() {
    let world = Arc::new(World::new().await);
    let mut file = HEADER.to_owned();
    for n in 0..1_100 {
        writeln!(file, "c{n:04},INR,{n}.25,{n}.25|never|manual,,,,,,").unwrap();
    }
    let id = upload(&world, "import_wallets", &file).await;
    let body = format!(r#"{{"kind":"wallets","upload_id":"{id}","control_rows":1100}}"#);
    let made = world.post(&admin(), "/api/imports", &body).await.expect(202).text("/job_id");
    let done = run_steps(&world, &step(&made, "split", 0), "split").await;
    assert_eq!(done, json!({"batchItemFailures": []}));
    assert_eq!(world.queues.books.counts()["visible"], 3, "the file, and two segments");
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 437, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("TransactWriteItems", 1, Fault::StopAfter(arrived.clone()));
    let (machine, event) = (world.clone(), step(&made, "apply", 0));
    let process = tokio::spawn(async move { run_steps(&machine, &event, "killed").await });
    tests::stopped(process, &arrived).await;
    world.faults.clear();
    // A wallet that the killed process had opened changes before its row is applied again.
    let mut last = 399;
    while world.get(&staff(), &format!("/api/wallet/c{:04}", last + 1)).await.status == 200 {
        last += 1;
    }
    let owner = format!("c{last:04}");
    world.post(&admin(), &format!("/api/wallet/{owner}/suspend"), r#"{"reason":"r"}"#).await.expect(200);
    world.clock.advance(Duration::from_secs(46));
    world.post(&admin(), &format!("/api/jobs/{made}/resume"), "").await.expect(200);
    work(&world).await;
    world.post(&admin(), &format!("/api/wallet/{owner}/unfreeze"), r#"{"reason":"r"}"#).await.expect(200);
    assert_eq!(standing(&world, &made).await, ("completed".into(), [1_100, 0, 0, 0]));
    let done = job(&world, &made).await;
    assert_eq!(done["reconciliation"]["agrees"], true, "{}", done["reconciliation"]);
    assert_eq!(done["reconciliation"]["books"]["balances"][0]["amount"], 604_725.0);
    let again =
        world.post_csv(&admin(), "/api/imports?kind=wallets", &file).await.expect(202).text("/job_id");
    work(&world).await;
    let again = job(&world, &again).await;
    assert_eq!((&again["succeeded"], &again["reconciliation"]["agrees"]), (&json!(1_100), &json!(true)));
    world.expect_available("c0042", "42.25").await;
    world.prove().await;
}

#[tokio::test]
async fn only_admins_and_services_with_the_scope_import() {
    let world = World::new().await;
    let file = format!("{HEADER}a,INR,0,,,,,,,\n");
    for caller in [staff(), service("wallet:credit"), tests::customer("a")] {
        world.post_csv(&caller, "/api/imports?kind=wallets", &file).await.expect_problem(403, "forbidden");
    }
    world.post_csv(&service("books:import"), "/api/imports?kind=wallets", &file).await.expect(202);
    let problem =
        world.post_csv(&admin(), "/api/imports", &file).await.expect_problem(400, "invalid_request");
    assert_eq!(problem.offending(), ["/kind"]);
    world.post_csv(&admin(), "/api/imports?kind=planets", &file).await.expect_problem(400, "invalid_request");
    world
        .post(&admin(), "/api/imports", r#"{"kind":"wallets"}"#)
        .await
        .expect_problem(400, "invalid_request");
    let unknown = "customer_id,currency,balance,colour\na,INR,0,red\n";
    world.post_csv(&admin(), "/api/imports?kind=wallets", unknown).await.expect_problem(400, "invalid_file");
}

#[tokio::test]
async fn a_repetition_on_another_day_gets_the_first_answer() {
    let world = World::new().await;
    let file = format!("{HEADER}a,INR,5,5|2026-01-15|topup,,,,,,\n");
    let send = async |query: &str| {
        let path = format!("/api/imports?kind=wallets{query}");
        let mut headers = http::HeaderMap::new();
        headers.insert("idempotency-key", "rep-1".parse().unwrap());
        headers.insert("content-type", "text/csv".parse().unwrap());
        let request = tests::world::request(http::Method::POST, &path, &file, headers);
        world.send(Some(&admin()), request).await
    };
    let first = send("").await.expect(202);
    work(&world).await;
    world.clock.advance_days(2);
    let again = send("").await.expect(202);
    assert_eq!((&again.body, again.is_replay()), (&first.body, true));
    send("&on_invalid=skip").await.expect_problem(422, "idempotency_key_reused");
    world.prove().await;
}

#[tokio::test]
async fn what_a_job_has_applied_is_what_its_entries_add() {
    let world = World::new().await;
    let rows = "a,INR,100,60|2026-01-14|manual;40|never|manual,,,,,,\nb,USD,7.25,7.25|never|manual,,,,,,\n";
    let first =
        import(&world, "&skip_expired=true", "a,INR,100,60|2026-01-14|manual;40|never|manual,,,,,,\n").await;
    assert_eq!((&first["amount_total"], &first["amount_applied"]), (&json!(100.0), &json!(40.0)), "{first}");
    let mixed = import(&world, "&skip_expired=true&control_amount=107.25", rows).await;
    assert_eq!((&mixed["amount_applied"], &mixed["control"]["amount"]), (&Value::Null, &json!(107.25)));
    let path = format!("/api/jobs/{}/rows", mixed["job_id"].as_str().unwrap());
    let listed = world.get(&staff(), &path).await.expect(200).json();
    assert_eq!((&listed["rows"][0]["amount"], &listed["rows"][1]["amount"]), (&json!(100.0), &json!(7.25)));
    let again = import(&world, "&skip_expired=true", "a,INR,40,40|never|manual,,,,,,\n").await;
    assert_eq!((&again["amount_applied"], &again["succeeded"]), (&json!(0.0), &json!(1)), "{again}");
    world.prove().await;
}

#[tokio::test]
async fn a_referral_code_or_customer_that_a_bad_row_names_is_taken() {
    let world = World::new().await;
    let rows = "a,INR,5,4|never|manual,,,CODEA,,,\n\
                b,INR,5,5|never|manual,,,CODEA,,,\n\
                a,INR,5,5|never|manual,,,CODEB,,,\n\
                c,INR,5,5|never|manual,,,CODEB,,,\n";
    let done = import(&world, "&on_invalid=skip", rows).await;
    let codes: Vec<String> = outcomes(&world, &done).await.into_iter().map(|(_, code)| code).collect();
    let expected = ["lots_differ_from_balance", "referral_code_taken", "invalid_row", "referral_code_taken"];
    assert_eq!(codes, expected, "{done}");
}
