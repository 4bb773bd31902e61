//! Bulk credits: taken whole, applied row by row, and shown exactly.

use serde_json::{Value, json};
use tests::jobs::{BULK, bulk, credits, job, message, run_parts, standing, try_bulk, wallets, work};
use tests::rewards::open;
use tests::{World, admin, customer, service, staff};

async fn rows(world: &World, id: &str, query: &str) -> Value {
    world.get(&staff(), &format!("/api/jobs/{id}/rows{query}")).await.expect(200).json()
}

#[tokio::test]
async fn every_row_is_credited_once_however_often_its_message_comes() {
    let world = World::new().await;
    let names = wallets(&world, 60).await;
    let body = format!(r#"{{"credits":{}}}"#, credits(&names, 7));
    let first = world.post_keyed(&admin(), "k", BULK, &body).await.expect(202);
    let id = first.text("/job_id");
    assert_eq!(first.header("location"), Some(format!("/api/jobs/{id}").as_str()));
    let taken = first.json();
    assert_eq!(
        (&taken["status"], &taken["accepted"], &taken["rejected"]),
        (&json!("queued"), &json!(60), &json!(0))
    );
    assert_eq!(standing(&world, &id).await, ("queued".into(), [0, 0, 0, 60]));
    world.expect_available("c000", "0.00").await;
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed".into(), [60, 0, 0, 0]));
    let again = world.post_keyed(&admin(), "k", BULK, &body).await.expect(202);
    assert_eq!((&again.body, again.is_replay()), (&first.body, true));
    assert_eq!(world.queues.jobs.redeliver(10), 30);
    work(&world).await;
    let done = job(&world, &id).await;
    assert_eq!(
        (&done["amount_total"], &done["amount_applied"], &done["progress"]),
        (&json!(420.0), &json!(420.0), &json!(100))
    );
    assert!(done["started_at"].is_string() && done["finished_at"].is_string(), "{done}");
    for name in &names {
        world.expect_available(name, "7.00").await;
        assert_eq!(world.types(name).await, ["CREDIT"]);
    }
    let listed = rows(&world, &id, "?limit=100").await;
    let transaction = world
        .get(
            &staff(),
            &format!(
                "/api/wallet/c059/transactions/{}",
                listed["rows"][59]["transaction_id"].as_str().unwrap()
            ),
        )
        .await
        .expect(200)
        .json();
    assert_eq!(transaction["reference"], format!("bulk:{id}:60"));
    assert_eq!(transaction["actor"]["role"], "admin");
    let other = format!(r#"{{"credits":{}}}"#, credits(&names, 8));
    world.post_keyed(&admin(), "k", BULK, &other).await.expect_problem(422, "idempotency_key_reused");
    world.prove().await;
}

#[tokio::test]
async fn rows_are_listed_by_line_and_status_and_as_a_file() {
    let world = World::new().await;
    let names = wallets(&world, 60).await;
    let mut list = credits(&names, 7);
    for at in [3, 30, 59] {
        list[at]["customer_id"] = json!(format!("nobody{at}"));
    }
    let id = bulk(&world, &list, "").await;
    assert_eq!(rows(&world, &id, "?status=pending").await["total"], 60);
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed_with_errors".into(), [57, 3, 0, 0]));
    let errors = job(&world, &id).await["errors"].clone();
    assert_eq!(
        errors[0],
        json!({"line": 4, "customer_id": "nobody3", "code": "wallet_not_found", "detail": errors[0]["detail"]})
    );
    assert_eq!(errors.as_array().unwrap().len(), 3);
    let failed = rows(&world, &id, "?status=failed&limit=2").await;
    assert_eq!((&failed["total"], &failed["rows"][1]["line"]), (&json!(3), &json!(31)));
    let next = failed["next_cursor"].as_str().unwrap();
    let last = rows(&world, &id, &format!("?status=failed&limit=2&cursor={next}")).await;
    assert_eq!((last["rows"].as_array().unwrap().len(), &last["next_cursor"]), (1, &Value::Null));
    let mut seen = vec![];
    let mut query = "?limit=25&status=succeeded".to_owned();
    loop {
        let page = rows(&world, &id, &query).await;
        seen.extend(page["rows"].as_array().unwrap().iter().map(|row| row["line"].as_u64().unwrap()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        query = format!("?limit=25&status=succeeded&cursor={next}");
    }
    let expected: Vec<u64> = (1..=60).filter(|line| ![4, 31, 60].contains(line)).collect();
    assert_eq!(seen, expected);
    assert_eq!(rows(&world, &id, "?skip=50&limit=5").await["rows"][0]["line"], 51);
    let path = format!("/api/wallet/bulk/{id}/rows?status=failed");
    let mut headers = http::HeaderMap::new();
    headers.insert("accept", "text/csv".parse().unwrap());
    let asked = tests::world::request(http::Method::GET, &path, "", headers);
    let file = world.send(Some(&staff()), asked).await.expect(200);
    let text = &file.body;
    assert_eq!(text.lines().next(), Some("line,customer_id,amount,status,code,detail,transaction_id"));
    assert!(text.lines().nth(1).unwrap().starts_with("4,nobody3,7.00,failed,wallet_not_found,"), "{text}");
    world.prove().await;
}

#[tokio::test]
async fn a_bad_row_refuses_the_whole_job_or_is_a_row_that_has_failed() {
    let world = World::new().await;
    wallets(&world, 2).await;
    let list = json!([
        {"customer_id": "c000", "amount": 5},
        {"customer_id": "c 1", "amount": 5.001, "x": 1},
        {"customer_id": "c001", "amount": 6, "expiry_days": 3, "expires_on": "2026-12-31"},
        7,
    ]);
    let refused = try_bulk(&world, &list, "").await.expect_problem(400, "invalid_request");
    let pointers: Vec<Value> =
        refused.json()["errors"].as_array().unwrap().iter().map(|error| error["pointer"].clone()).collect();
    assert_eq!(
        pointers,
        [
            "/credits/1/customer_id",
            "/credits/1/amount",
            "/credits/1/x",
            "/credits/2/expires_on",
            "/credits/3"
        ]
    );
    let taken = try_bulk(&world, &list, r#","on_invalid":"skip""#).await.expect(202).json();
    assert_eq!((&taken["accepted"], &taken["rejected"]), (&json!(1), &json!(3)));
    assert_eq!(taken["lines"][0]["line"], 2);
    let id = taken["job_id"].as_str().unwrap();
    work(&world).await;
    assert_eq!(standing(&world, id).await, ("completed_with_errors".into(), [1, 3, 0, 0]));
    assert_eq!(job(&world, id).await["errors"][2]["code"], "invalid_row");
    world.expect_available("c000", "5.00").await;
    world.expect_available("c001", "0.00").await;
    for (options, code) in [
        (r#","control_rows":3"#, "control_mismatch"),
        (r#","control_amount":15.99"#, "control_mismatch"),
        (r#","control_amount":1.001"#, "invalid_request"),
        (r#","currency":"XXX""#, "invalid_request"),
    ] {
        let options = format!(r#","on_invalid":"skip","again":true{options}"#);
        try_bulk(&world, &list, &options).await.expect_problem(400, code);
    }
    try_bulk(&world, &json!([]), "").await.expect_problem(400, "invalid_request");
    let controls = r#","on_invalid":"skip","again":true,"control_rows":4,"control_amount":"11.00""#;
    try_bulk(&world, &list, controls).await.expect(202);
    work(&world).await;
    world.prove().await;
}

#[tokio::test]
async fn a_file_is_read_as_spreadsheets_write_it() {
    let world = World::new().await;
    wallets(&world, 3).await;
    let file = "\u{feff}customer_id,amount,reason,source,expiry_days,expires_on,order_id\r\n\
        c000,5.50,\"Late, sorry\",promotion,30,,o1\r\n\
        c001,6,'=1+1,,,,\r\n\
        9.19E+11,7,,,,,\r\n\
        c002,x,,,,,\r\n";
    let path = format!("{BULK}?on_invalid=reject");
    let refused = world.post_csv(&admin(), &path, file).await.expect_problem(400, "invalid_request");
    let errors = refused.json()["errors"].clone();
    assert_eq!(
        (&errors[0]["pointer"], &errors[1]["pointer"]),
        (&json!("/lines/4/customer_id"), &json!("/lines/5/amount"))
    );
    let path = format!("{BULK}?on_invalid=skip&control_rows=4&control_amount=18.5");
    let id = world.post_csv(&admin(), &path, file).await.expect(202).text("/job_id");
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed_with_errors".into(), [2, 2, 0, 0]));
    let listed = world.get(&staff(), "/api/wallet/c001/transactions").await.json();
    assert_eq!(listed["transactions"][0]["reason"], "=1+1");
    let listed = world.get(&staff(), "/api/wallet/c000/transactions").await.json();
    let credit = &listed["transactions"][0];
    assert_eq!(
        (&credit["reason"], &credit["order_id"], &credit["expiry_date"]),
        (&json!("Late, sorry"), &json!("o1"), &json!("2026-02-14"))
    );
    for bad in ["customer_id\nc000\n", "customer_id,amount\n", "customer_id,amount,other\nc000,1,x\n", ""] {
        world.post_csv(&admin(), BULK, bad).await.expect_problem(400, "invalid_file");
    }
    world.prove().await;
}

#[tokio::test]
async fn the_same_rows_are_not_paid_twice_unless_the_caller_says_so() {
    let world = World::new().await;
    let names = wallets(&world, 3).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    let again = try_bulk(&world, &credits(&names, 7), "").await.expect_problem(409, "job_repeated");
    assert_eq!(again.json()["job_id"], id);
    let file = "customer_id,amount,source\nc000,7.00,promotion\nc001,7,promotion\nc002,7,promotion\n";
    world.post_csv(&admin(), BULK, file).await.expect_problem(409, "job_repeated");
    try_bulk(&world, &credits(&names, 8), "").await.expect(202);
    try_bulk(&world, &credits(&names, 7), r#","dry_run":true"#).await.expect(202);
    bulk(&world, &credits(&names, 7), r#","again":true"#).await;
    work(&world).await;
    world.expect_available("c000", "22.00").await;
    // A job that has applied nothing is forgotten.
    let strangers = vec!["nobody".to_owned()];
    let failed = bulk(&world, &credits(&strangers, 7), "").await;
    work(&world).await;
    assert_eq!(standing(&world, &failed).await, ("completed_with_errors".into(), [0, 1, 0, 0]));
    open(&world, "nobody").await;
    bulk(&world, &credits(&strangers, 7), "").await;
    work(&world).await;
    world.expect_available("nobody", "7.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_dry_run_tells_what_would_be_and_applies_nothing() {
    let world = World::new().await;
    let names = wallets(&world, 3).await;
    world.post(&admin(), "/api/wallet/c001/suspend", r#"{"reason":"test"}"#).await.expect(200);
    let mut list = credits(&names, 7);
    list.as_array_mut().unwrap().push(json!({"customer_id": "c000", "amount": 1}));
    let id = bulk(&world, &list, r#","dry_run":true"#).await;
    work(&world).await;
    let tried = job(&world, &id).await;
    assert_eq!(
        (&tried["status"], &tried["succeeded"], &tried["failed"]),
        (&json!("completed_with_errors"), &json!(3), &json!(1))
    );
    assert_eq!((&tried["amount_total"], &tried["amount_applied"]), (&json!(22.0), &json!(0.0)));
    assert_eq!(tried["warnings"], json!([{"code": "duplicate_customer", "count": 1}]));
    assert_eq!(tried["errors"][0]["code"], "account_suspended");
    assert_eq!(rows(&world, &id, "").await["rows"][0]["transaction_id"], Value::Null);
    world.expect_available("c000", "0.00").await;
    world.prove().await;
}

#[tokio::test]
async fn rows_in_another_currency_or_of_a_wallet_that_may_not_receive_fail_alone() {
    let world = World::new().await;
    let names = wallets(&world, 3).await;
    world
        .post(&admin(), "/api/wallet/create", r#"{"customer_id":"dollar","currency":"USD"}"#)
        .await
        .expect(201);
    let id = bulk(&world, &credits(names.iter().chain([&"dollar".to_owned()]), 7), "").await;
    // What was right when the job was made may not be when a row is applied.
    world.post(&admin(), "/api/wallet/c001/suspend", r#"{"reason":"test"}"#).await.expect(200);
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed_with_errors".into(), [2, 2, 0, 0]));
    let codes: Vec<Value> = job(&world, &id).await["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["code"].clone())
        .collect();
    assert_eq!(codes, ["account_suspended", "currency_mismatch"]);
    world.prove().await;
}

#[tokio::test]
async fn who_may_make_read_and_cancel_a_job() {
    let world = World::new().await;
    let names = wallets(&world, 2).await;
    let body = format!(r#"{{"credits":{}}}"#, credits(&names, 7));
    for caller in [customer("c000"), staff(), service("wallet:debit")] {
        world.post(&caller, BULK, &body).await.expect_problem(403, "forbidden");
    }
    let mine = service("wallet:credit");
    let id = world.post(&mine, BULK, &body).await.expect(202).text("/job_id");
    let path = format!("/api/jobs/{id}");
    for caller in [admin(), staff(), mine.clone()] {
        world.get(&caller, &path).await.expect(200);
        world.get(&caller, &format!("/api/wallet/bulk/{id}")).await.expect(200);
    }
    let mut other = mine.clone();
    other.0.insert("sub".to_owned(), "another".to_owned());
    world.get(&other, &path).await.expect_problem(404, "job_not_found");
    world.get(&customer("c000"), &path).await.expect_problem(403, "forbidden");
    world.get(&admin(), "/api/jobs/job_00000000000000000000").await.expect_problem(404, "job_not_found");
    world.post(&staff(), &format!("{path}/cancel"), "").await.expect_problem(403, "forbidden");
    world.post(&other, &format!("{path}/cancel"), "").await.expect_problem(404, "job_not_found");
    world.post(&mine, &format!("{path}/cancel"), "").await.expect(200);
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("cancelled".into(), [0, 0, 2, 0]));
    world.prove().await;
}

#[tokio::test]
async fn points_are_added_for_many_customers() {
    let world = World::new().await;
    let path = "/api/loyalty/bulk/points";
    let body = r#"{"adjustments":[{"user_id":"a","points":50,"reason":"Sorry"},
        {"user_id":"b","points":70,"reason":"Sorry","qualifying":true,"expiry_days":10}],"control_amount":120}"#;
    let id = world.post(&service("loyalty:adjust"), path, body).await.expect(202).text("/job_id");
    world.post(&service("wallet:credit"), path, body).await.expect_problem(403, "forbidden");
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed".into(), [2, 0, 0, 0]));
    let done = job(&world, &id).await;
    assert_eq!(
        (&done["kind"], &done["currency"], &done["amount_applied"]),
        (&json!("bulk_points"), &Value::Null, &json!(120))
    );
    assert_eq!((world.standing("a").await, world.standing("b").await), ([50, 0, 0, 0], [70, 0, 0, 0]));
    let file = "user_id,points,reason,expiry_days,expires_on,qualifying\na,5,Again,,,true\nb,x,Again,,,\n";
    let errors =
        world.post_csv(&admin(), path, file).await.expect_problem(400, "invalid_request").json()["errors"]
            .clone();
    assert_eq!(errors[0]["pointer"], "/lines/3/points");
    world.post_csv(&admin(), &format!("{path}?on_invalid=skip"), file).await.expect(202);
    work(&world).await;
    assert_eq!(world.standing("a").await, [55, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn points_of_a_job_lift_tiers_and_a_row_that_is_too_late_fails_alone() {
    let world = World::new().await;
    let campaign = r#"{"name":"c","bonus_points":1,"valid_until":"2026-04-01T00:00:00Z"}"#;
    world.post(&admin(), "/api/loyalty/campaigns", campaign).await.expect(201);
    let tiers = r#""tiers":[{"name":"BRONZE","multiplier":1,"max_points_per_booking":10,"max_share":0.1},
        {"name":"SILVER","lifetime_points":100,"multiplier":2,"max_points_per_booking":10,"max_share":0.1}]"#;
    world.change_program(1, tiers).await;
    world.clock.advance(std::time::Duration::from_secs(60));
    world.give("a", 10, r#","qualifying":true"#).await;
    let body = r#"{"adjustments":[{"user_id":"a","points":90,"reason":"r","qualifying":true},
        {"user_id":"b","points":90,"reason":"r","expires_on":"2026-01-18"}]}"#;
    let id = world.post(&admin(), "/api/loyalty/bulk/points", body).await.expect(202).text("/job_id");
    world.clock.advance_days(5);
    // The process that applies the rows has not read the rules yet.
    let process = world.another_machine(world.clock.clone());
    assert_eq!(run_parts(&process, &message(&id, 0), "r").await, json!({"batchItemFailures": []}));
    assert_eq!(standing(&world, &id).await, ("completed_with_errors".into(), [1, 1, 0, 0]));
    assert_eq!(job(&world, &id).await["errors"][0]["code"], "invalid_request");
    assert_eq!(world.points("a").await["tier"]["name"], "SILVER");
    world.prove().await;
}
