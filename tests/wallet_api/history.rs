//! The transaction history with its filters and pages, the summary and the statistics.

use serde_json::json;
use std::time::Duration;
use tests::{World, customer, staff};

async fn busy() -> World {
    let world = World::new().await;
    world.open_wallet("a", "500").await;
    for n in 1..=30 {
        world.clock.advance(Duration::from_secs(3_600));
        let source = if n % 3 == 0 { "promotion" } else { "purchase" };
        world.credit("a", &n.to_string(), source, "2027-06-30").await;
        world.post(&staff(), "/api/wallet/a/deduct-credits", r#"{"amount":1}"#).await.expect(201);
    }
    world
}

fn seqs(answer: &tests::Answer) -> Vec<u64> {
    answer.json()["transactions"].as_array().unwrap().iter().map(|t| t["seq"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn history_is_newest_first_with_an_exact_total_and_pages_without_gaps() {
    let world = busy().await;
    let path = "/api/wallet/a/transactions";
    let first = world.get(&customer("a"), path).await.expect(200);
    assert_eq!(
        (first.field("/total"), first.field("/limit"), first.field("/skip")),
        (61.into(), 50.into(), 0.into())
    );
    assert_eq!(seqs(&first), (12..=61).rev().collect::<Vec<_>>());
    let rest =
        world.get(&customer("a"), &format!("{path}?cursor={}", first.text("/next_cursor"))).await.expect(200);
    assert_eq!((seqs(&rest), rest.field("/next_cursor")), ((1..=11).rev().collect::<Vec<_>>(), json!(null)));
    let skipped = world.get(&customer("a"), &format!("{path}?limit=5&skip=58")).await.expect(200);
    assert_eq!(seqs(&skipped), [3, 2, 1]);
    let both = format!("{path}?cursor={}&skip=9", first.text("/next_cursor"));
    assert_eq!(seqs(&world.get(&customer("a"), &both).await.expect(200)), [2, 1]);
    assert_eq!(seqs(&world.get(&customer("a"), &format!("{path}?skip=61")).await.expect(200)), [0_u64; 0]);
    world.prove().await;
}

#[tokio::test]
async fn every_filter_finds_exactly_what_matches() {
    let world = busy().await;
    let count = async |query: &str| {
        let answer =
            world.get(&staff(), &format!("/api/wallet/a/transactions?limit=100&{query}")).await.expect(200);
        assert_eq!(answer.field("/total"), seqs(&answer).len(), "{query}");
        seqs(&answer).len()
    };
    assert_eq!(count("type=DEBIT").await, 30);
    assert_eq!(count("type=CREDIT").await, 31);
    assert_eq!(count("source=promotion").await, 10);
    assert_eq!(count("type=CREDIT&source=purchase").await, 20);
    assert_eq!(count("status=COMPLETED").await, 61);
    assert_eq!(count("status=PENDING").await, 0);
    // Thirteen hours of the fifteenth remain after the first credit at 11:00; a date includes its whole day.
    assert_eq!(count("end_date=2026-01-15").await, 1 + 2 * 13);
    assert_eq!(count("start_date=2026-01-16").await, 2 * 17);
    assert_eq!(count("start_date=2026-01-15T11:00:00Z&end_date=2026-01-15T12:00:00Z").await, 4);
    assert_eq!(count("start_date=2026-01-17&end_date=2026-01-16").await, 0);
}

#[tokio::test]
async fn filtered_pages_follow_each_other_without_gaps() {
    let world = busy().await;
    let (mut path, mut found) = ("/api/wallet/a/transactions?type=DEBIT&limit=7".to_owned(), vec![]);
    loop {
        let page = world.get(&staff(), &path).await.expect(200);
        assert_eq!(page.field("/total"), 30);
        found.extend(seqs(&page));
        let Some(cursor) = page.field("/next_cursor").as_str().map(str::to_owned) else { break };
        path = format!("/api/wallet/a/transactions?type=DEBIT&limit=7&cursor={cursor}");
    }
    assert_eq!(found, (1..=30).rev().map(|n| 2 * n + 1).collect::<Vec<u64>>());
    let skipped =
        world.get(&staff(), "/api/wallet/a/transactions?type=DEBIT&limit=2&skip=28").await.expect(200);
    assert_eq!(seqs(&skipped), [5, 3]);
}

#[tokio::test]
async fn a_cursor_opens_only_the_list_it_was_made_for() {
    let world = busy().await;
    world.open_wallet("b", "5").await;
    let path = "/api/wallet/a/transactions?limit=5";
    let cursor = world.get(&staff(), path).await.expect(200).text("/next_cursor");
    let mut forged = cursor.clone().into_bytes();
    forged[3] = if forged[3] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();
    for bad in [
        format!("/api/wallet/a/transactions?cursor={forged}"),
        format!("/api/wallet/a/transactions?type=DEBIT&cursor={cursor}"),
        format!("/api/wallet/b/transactions?cursor={cursor}"),
        format!("/api/wallet/a/expiry-history?cursor={cursor}"),
        "/api/wallet/a/transactions?cursor=".to_owned(),
        "/api/wallet/a/transactions?cursor=AAAA".to_owned(),
        format!("/api/wallet/a/transactions?cursor={cursor}AAAA"),
    ] {
        world.get(&staff(), &bad).await.expect_problem(400, "invalid_cursor");
    }
    // The cursor is valid with another page size.
    world.get(&staff(), &format!("/api/wallet/a/transactions?limit=9&cursor={cursor}")).await.expect(200);
}

#[tokio::test]
async fn each_unknown_repeated_or_invalid_parameter_is_reported() {
    let world = World::new().await;
    world.open_wallet("a", "5").await;
    for (query, pointers) in [
        ("limit=0", vec!["/limit"]),
        ("limit=101", vec!["/limit"]),
        ("limit=x", vec!["/limit"]),
        ("skip=10001", vec!["/skip"]),
        ("skip=-1", vec!["/skip"]),
        ("type=debit&source=cash", vec!["/type", "/source"]),
        ("status=DONE", vec!["/status"]),
        ("start_date=yesterday&end_date=2026-13-01", vec!["/start_date", "/end_date"]),
        ("sort=asc", vec!["/sort"]),
        ("limit=5&limit=5", vec!["/limit"]),
    ] {
        let answer = world.get(&staff(), &format!("/api/wallet/a/transactions?{query}")).await;
        assert_eq!(answer.expect_problem(400, "invalid_request").offending(), pointers, "{query}");
    }
}

#[tokio::test]
async fn the_summary_counts_and_sums_by_type_and_source() {
    let world = busy().await;
    let answer = world.get(&customer("a"), "/api/wallet/a/transaction-summary").await.expect(200);
    insta::assert_json_snapshot!(answer.json());
}

#[tokio::test]
async fn statistics_give_totals_averages_and_a_series_by_month() {
    let world = busy().await;
    world.clock.set("2026-02-03T00:00:00Z");
    world.post(&staff(), "/api/wallet/a/deduct-credits", r#"{"amount":10.01}"#).await.expect(201);
    let answer = world.get(&customer("a"), "/api/wallet/a/statistics").await.expect(200);
    insta::assert_json_snapshot!(answer.json());
}

#[tokio::test]
async fn a_transaction_is_found_by_its_id_and_only_in_its_own_wallet() {
    let world = busy().await;
    world.open_wallet("b", "5").await;
    let list = world.get(&staff(), "/api/wallet/a/transactions?limit=1").await;
    let id = list.text("/transactions/0/id");
    world.get(&customer("a"), &format!("/api/wallet/a/transactions/{id}")).await.expect(200);
    for path in [format!("/api/wallet/b/transactions/{id}"), "/api/wallet/a/transactions/txn_1_00".to_owned()]
    {
        world.get(&staff(), &path).await.expect_problem(404, "transaction_not_found");
    }
}
