//! The same request, the same rows and the same wallet more than once: at once, on another day, in several parts.

use futures::future::join_all;
use serde_json::{Value, json};
use std::time::Duration;
use tests::jobs::{BULK, bulk, credits, job, message, run_parts, standing, try_bulk, with_wallets, work};
use tests::{Fault, admin, staff};

#[tokio::test]
async fn ten_requests_with_one_key_at_once_make_one_job() {
    let (world, names) = with_wallets(30).await;
    let body = format!(r#"{{"credits":{}}}"#, credits(&names, 7));
    // The reply to the first send is lost: its repetition finds what it has made itself.
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    let admin = admin();
    let answers = join_all((0..10).map(|_| world.post_keyed(&admin, "k", BULK, &body))).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (202, &answers[0].body));
    }
    let id = answers[0].text("/job_id");
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed".into(), [30, 0, 0, 0]));
    world.expect_available("c000", "7.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_job_made_again_on_purpose_takes_no_protection_away() {
    let (world, names) = with_wallets(3).await;
    let first = bulk(&world, &credits(&names, 7), "").await;
    work(&world).await;
    let again = bulk(&world, &credits(&names, 7), r#","again":true"#).await;
    world.post(&admin(), &format!("/api/jobs/{again}/cancel"), "").await.expect(200);
    assert_eq!(standing(&world, &again).await.0, "cancelled");
    let refused = try_bulk(&world, &credits(&names, 7), "").await.expect_problem(409, "job_repeated");
    assert_eq!(refused.json()["job_id"], first);
    world.prove().await;
}

#[tokio::test]
async fn a_repetition_is_answered_although_a_row_would_be_too_late_by_now() {
    let (world, _) = with_wallets(1).await;
    for options in ["", r#","on_invalid":"skip""#] {
        let body = format!(
            r#"{{"credits":[{{"customer_id":"c000","amount":5,"expires_on":"2026-01-18"}}],"again":true{options}}}"#
        );
        let machine = world.another_machine(tests::ManualClock::at("2026-01-16T00:00:00Z"));
        let key = format!("k{}", options.len());
        let first = machine.post_keyed(&admin(), &key, BULK, &body).await.expect(202);
        let later = world.another_machine(tests::ManualClock::at("2026-01-20T00:00:00Z"));
        let repeated = later.post_keyed(&admin(), &key, BULK, &body).await.expect(202);
        assert_eq!((&repeated.body, repeated.is_replay()), (&first.body, true));
        let other = later.post_keyed(&admin(), "other", BULK, &body).await;
        if options.is_empty() {
            other.expect_problem(400, "invalid_request");
        }
    }
    // The same rows as a file have other lines: they are another request, also with this key.
    let key = "lines";
    let body = r#"{"credits":[{"customer_id":"c000","amount":5}]}"#;
    world.post_keyed(&admin(), key, BULK, body).await.expect(202);
    let mut headers = http::HeaderMap::new();
    headers.insert("content-type", "text/csv".parse().unwrap());
    headers.insert("idempotency-key", key.parse().unwrap());
    let file = tests::world::request(http::Method::POST, BULK, "customer_id,amount\nc000,5\n", headers);
    world.send(Some(&admin()), file).await.expect_problem(422, "idempotency_key_reused");
    world.prove().await;
}

#[tokio::test]
async fn rows_are_recognised_on_a_day_on_which_some_of_them_are_too_late() {
    let (world, names) = with_wallets(2).await;
    let mut list = credits(&names, 7);
    list[1]["expires_on"] = json!("2026-01-18");
    let skip = r#","on_invalid":"skip""#;
    let first = bulk(&world, &list, skip).await;
    work(&world).await;
    assert_eq!(standing(&world, &first).await, ("completed".into(), [2, 0, 0, 0]));
    world.clock.set("2026-01-19T00:00:00Z");
    let refused = try_bulk(&world, &list, skip).await.expect_problem(409, "job_repeated");
    assert_eq!(refused.json()["job_id"], first);
    world.expect_available("c000", "7.00").await;
    world.prove().await;
}

#[tokio::test]
async fn one_wallet_in_many_rows_of_many_parts_gets_each_of_them() {
    let (world, _) = with_wallets(2).await;
    let list: Value = (0..60)
        .map(|n| json!({"customer_id": if n % 3 == 0 { "c001" } else { "c000" }, "amount": 1, "reason": n.to_string()}))
        .collect();
    let id = bulk(&world, &list, "").await;
    let (one, two, three) = (message(&id, 0), message(&id, 1), message(&id, 2));
    tokio::join!(run_parts(&world, &one, "a"), run_parts(&world, &two, "b"), run_parts(&world, &three, "c"));
    assert_eq!(standing(&world, &id).await, ("completed".into(), [60, 0, 0, 0]));
    world.expect_available("c000", "40.00").await;
    world.expect_available("c001", "20.00").await;
    assert_eq!(job(&world, &id).await["warnings"], json!([{"code": "duplicate_customer", "count": 58}]));
    world.prove().await;
}

#[tokio::test]
async fn a_job_credits_wallets_that_moved_last_in_another_month_and_have_something_due() {
    let (world, names) = with_wallets(3).await;
    for day in 16..30 {
        world.credit("c000", "1", "promotion", &format!("2026-01-{day}")).await;
    }
    for name in &names {
        world.credit(name, "5", "promotion", "2026-02-10").await;
    }
    let tried = bulk(&world, &credits(&names, 7), r#","dry_run":true"#).await;
    world.clock.set("2026-02-20T00:00:00Z");
    let id = bulk(&world, &credits(&names, 7), "").await;
    work(&world).await;
    for id in [tried, id] {
        assert_eq!(standing(&world, &id).await, ("completed".into(), [3, 0, 0, 0]));
    }
    for name in &names {
        world.expect_available(name, "7.00").await;
    }
    world.prove().await;
}

#[tokio::test]
async fn a_dry_run_and_its_job_are_each_true_of_their_time() {
    let (world, names) = with_wallets(2).await;
    let tried = bulk(&world, &credits(&names, 7), r#","dry_run":true"#).await;
    work(&world).await;
    world.post(&admin(), "/api/wallet/c001/suspend", r#"{"reason":"test"}"#).await.expect(200);
    let id = bulk(&world, &credits(&names, 7), "").await;
    work(&world).await;
    assert_eq!(standing(&world, &tried).await, ("completed".into(), [2, 0, 0, 0]));
    assert_eq!(standing(&world, &id).await, ("completed_with_errors".into(), [1, 1, 0, 0]));
    assert!(job(&world, &tried).await["finished_at"].is_string());
    world.prove().await;
}

#[tokio::test]
async fn jobs_are_listed_by_kind_and_status_newest_first() {
    let (world, names) = with_wallets(3).await;
    let mut made = vec![];
    for n in 0..5 {
        made.push(bulk(&world, &credits(&names, 7 + n), "").await);
        world.clock.advance(Duration::from_secs(1));
    }
    let body = r#"{"adjustments":[{"user_id":"a","points":5,"reason":"r"}]}"#;
    let points = world.post(&admin(), "/api/loyalty/bulk/points", body).await.expect(202).text("/job_id");
    world.post(&admin(), &format!("/api/jobs/{}/cancel", made[2]), "").await.expect(200);
    let listed = async |query: &str| {
        let page = world.get(&staff(), &format!("/api/jobs{query}")).await.expect(200).json();
        let ids =
            page["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].as_str().unwrap().to_owned());
        (ids.collect::<Vec<_>>(), page["next_cursor"].as_str().map(str::to_owned))
    };
    made.reverse();
    assert_eq!(listed("?kind=bulk_credit").await.0, made);
    assert_eq!(listed("?status=cancelled").await.0, std::slice::from_ref(&made[2]));
    assert_eq!(listed("?kind=bulk_points").await.0, std::slice::from_ref(&points));
    let (mut seen, mut query) = (vec![], "?limit=2".to_owned());
    loop {
        let (page, next) = listed(&query).await;
        seen.extend(page);
        let Some(next) = next else { break };
        query = format!("?limit=2&cursor={next}");
    }
    assert_eq!(seen[0], points);
    assert_eq!(seen[1..], made);
    world.get(&tests::service("wallet:credit"), "/api/jobs").await.expect_problem(403, "forbidden");
    work(&world).await;
    world.prove().await;
}
