//! Histories of very many entries: what reading them costs.

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use domain::ids::CustomerId;
use serde_json::json;
use std::collections::HashMap;
use std::time::Duration;
use store::keys;
use tests::{Answer, World, admin, customer, staff};

type Item = HashMap<String, AttributeValue>;

fn n(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

async fn account(world: &World) -> Item {
    world.partition("A#w:a", "A").await.remove(0)
}

async fn put(world: &World, item: Item) {
    let put = world.raw().put_item().table_name(world.app.store.table()).set_item(Some(item));
    put.send().await.unwrap();
}

async fn hold_and_release(world: &World) {
    let hold = world.post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":1}"#).await.expect(201);
    let path = format!("/api/wallet/holds/{}/release", hold.text("/hold_id"));
    world.post(&customer("a"), &path, "").await.expect(200);
}

/// Opens a wallet with a credit in January, and in March this many entries of an owner who holds and
/// releases. Copies of the first are written to the table, so the books cannot be proved.
async fn endless(entries: u64) -> World {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.clock.set("2026-03-03T00:00:00Z");
    hold_and_release(&world).await;
    let released = world.partition("E#w:a", "").await;
    let released = released.into_iter().max_by_key(|item| item["hs"].as_s().unwrap().clone()).unwrap();
    let requests: Vec<WriteRequest> = (4..=entries + 1)
        .map(|seq| {
            let mut item = released.clone();
            item.insert("sk".to_owned(), AttributeValue::S(format!("copy:{seq}")));
            item.insert("hs".to_owned(), AttributeValue::S(keys::history(seq)));
            WriteRequest::builder()
                .put_request(PutRequest::builder().set_item(Some(item)).build().unwrap())
                .build()
        })
        .collect();
    for some in requests.chunks(25) {
        let write = world.raw().batch_write_item().request_items(world.app.store.table(), some.to_vec());
        write.send().await.unwrap();
    }
    let mut account = account(&world).await;
    account.insert("seq".to_owned(), n(entries + 1));
    let AttributeValue::M(figures) = account.get_mut("figures").unwrap() else { panic!("no figures") };
    figures.insert("last_seq".to_owned(), n(entries + 1));
    let AttributeValue::M(tallies) = figures.get_mut("tallies").unwrap() else { panic!("no tallies") };
    let AttributeValue::M(releases) = tallies.get_mut("RELEASE").unwrap() else { panic!("no releases") };
    releases.insert("n".to_owned(), n(entries - 1));
    put(&world, account).await;
    world.faults.take_log();
    world
}

async fn read(world: &World, path: &str) -> (Answer, usize) {
    let answer = world.get(&customer("a"), &format!("/api/wallet/a/{path}")).await.expect(200);
    (answer, world.faults.take_log().len())
}

/// Covers fault 48 of the requirements.
#[tokio::test]
async fn statistics_and_summary_of_a_long_history_cost_what_those_of_a_short_one_do() {
    let world = endless(6_000).await;
    let (statistics, requests) = read(&world, "statistics").await;
    assert_eq!(statistics.raw("total_transactions"), "6001");
    assert_eq!(statistics.field("/by_month/1/month"), "2026-03");
    assert_eq!(statistics.field("/by_month/1/by_type/RELEASE/count"), 5_999);
    assert_eq!(statistics.text("/first_transaction_date"), "2026-01-15T10:00:00.000Z");
    assert!(requests <= 3, "{requests} requests");
    let (summary, requests) = read(&world, "transaction-summary").await;
    assert_eq!(summary.field("/by_source/manual/count"), 1);
    assert!(requests <= 2, "{requests} requests");
}

/// Covers fault 48 of the requirements.
#[tokio::test]
async fn a_search_in_a_long_history_reads_a_bounded_number_of_entries_and_goes_on_from_there() {
    let world = endless(6_000).await;
    // The only credit is in a month of its own.
    let (credits, requests) = read(&world, "transactions?type=CREDIT").await;
    assert_eq!((credits.raw("total"), credits.field("/transactions/0/seq")), ("1".into(), json!(1)));
    assert_eq!(credits.field("/next_cursor"), json!(null));
    assert!(requests <= 3, "{requests} requests");
    let (none, requests) = read(&world, "transactions?type=DEBIT").await;
    assert_eq!((none.raw("total"), requests), ("0".into(), 2));
    // The only hold is the oldest entry of its month.
    let (mut cursor, mut holds, mut pages) = (String::new(), vec![], 0);
    loop {
        let (page, requests) = read(&world, &format!("transactions?type=HOLD&limit=5{cursor}")).await;
        assert!(requests <= 14, "{requests} requests");
        assert_eq!(page.raw("total"), "1");
        holds.extend(page.json()["transactions"].as_array().unwrap().clone());
        pages += 1;
        let Some(next) = page.field("/next_cursor").as_str().map(str::to_owned) else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((holds.len(), pages, &holds[0]["seq"]), (1, 3, &json!(2)));
    // More matches than are counted; those that are skipped need not be read if their month has no others.
    let (many, _) = read(&world, "transactions?type=RELEASE&limit=1").await;
    assert_eq!((many.raw("total"), many.field("/transactions/0/seq")), ("null".into(), json!(6_001)));
    let (skipped, requests) = read(&world, "transactions?status=COMPLETED&skip=6000&limit=5").await;
    assert_eq!(skipped.field("/transactions/0/seq"), json!(1));
    assert!(requests <= 3, "{requests} requests");
    // A part of a month is searched, and counted as far as it was read.
    let (part, requests) = read(&world, "transactions?type=HOLD&start_date=2026-03-02").await;
    assert_eq!(part.raw("total"), "null");
    assert!(part.field("/next_cursor").is_string());
    assert!(requests <= 40, "{requests} requests");
}

#[tokio::test]
async fn the_ends_of_a_period_within_a_long_month_are_found_without_reading_the_month() {
    let world = endless(6_000).await;
    // All copies are of one instant; the wallet's next entries are of another.
    world.clock.set("2026-03-20T00:00:00Z");
    let mut stored = account(&world).await;
    stored.insert("updated_at".to_owned(), AttributeValue::S("2026-03-03T00:00:00.000Z".to_owned()));
    put(&world, stored).await;
    for n in 1..=3 {
        world.credit("a", &n.to_string(), "promotion", "2027-01-01").await;
    }
    world.faults.take_log();
    let (late, requests) = read(&world, "transactions?start_date=2026-03-10").await;
    assert_eq!((late.raw("total"), late.field("/next_cursor")), ("3".into(), json!(null)));
    assert!(requests <= 22, "{requests} requests");
    let (late, requests) = read(&world, "transactions?type=CREDIT&start_date=2026-03-10&limit=2").await;
    assert_eq!((late.raw("total"), late.json()["transactions"].as_array().unwrap().len()), ("3".into(), 2));
    assert!(requests <= 24, "{requests} requests");
    let (early, requests) = read(&world, "transactions?end_date=2026-03-02").await;
    assert_eq!((early.raw("total"), early.field("/transactions/0/seq")), ("1".into(), json!(1)));
    assert!(requests <= 22, "{requests} requests");
}

#[tokio::test]
async fn matches_that_are_skipped_before_a_page_ends_early_stay_skipped_on_the_next() {
    let world = endless(3_000).await;
    // Two holds among the oldest entries of the month, behind more releases than one request reads.
    let (first, _) = read(&world, "transactions?type=HOLD&skip=1&limit=1").await;
    assert_eq!(first.json()["transactions"], json!([]));
    assert_eq!(first.field("/next_cursor"), json!(null), "the only hold is skipped without being read");
    let mut account = account(&world).await;
    let AttributeValue::M(figures) = account.get_mut("figures").unwrap() else { panic!("no figures") };
    let AttributeValue::M(tallies) = figures.get_mut("tallies").unwrap() else { panic!("no tallies") };
    let AttributeValue::M(holds) = tallies.get_mut("HOLD").unwrap() else { panic!("no holds") };
    holds.insert("n".to_owned(), n(2));
    put(&world, account).await;
    // The figures promise another one, so the month is searched, and the one that exists is skipped.
    let (first, _) = read(&world, "transactions?type=HOLD&skip=1&limit=1").await;
    let cursor = first.text("/next_cursor");
    let (second, _) = read(&world, &format!("transactions?type=HOLD&limit=1&cursor={cursor}")).await;
    assert_eq!((&second.json()["transactions"], second.field("/next_cursor")), (&json!([]), json!(null)));
}

#[tokio::test]
async fn figures_are_kept_over_months_that_end_while_nothing_is_written() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    for date in ["2026-02-10", "2026-03-10", "2026-04-10"] {
        world.credit("a", "10", "promotion", date).await;
    }
    // All three expire in one write, each dated in its month.
    world.clock.set("2026-06-05T00:00:00Z");
    world.credit("a", "7", "purchase", "").await;
    let (statistics, _) = read(&world, "statistics").await;
    let months = statistics.json()["by_month"].as_array().unwrap().clone();
    let months: Vec<_> =
        months.iter().map(|month| (month["month"].clone(), month["by_type"].clone())).collect();
    let expiry = |amount: f64| json!({"EXPIRY": {"count": 1, "amount": amount}});
    assert_eq!(months[0].0, "2026-01");
    assert_eq!(
        months[1..4].iter().map(|month| month.0.clone()).collect::<Vec<_>>(),
        ["2026-02", "2026-03", "2026-04"]
    );
    assert!(months[1..4].iter().all(|month| month.1 == expiry(10.0)), "{months:?}");
    assert_eq!(months[4].1, json!({"CREDIT": {"count": 1, "amount": 7.0}}));
    world.prove().await;
}

#[tokio::test]
async fn the_figures_of_a_wallet_that_an_earlier_version_changed_are_counted_when_they_are_needed() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.clock.advance_days(40);
    hold_and_release(&world).await;
    let (before, _) = read(&world, "statistics").await;
    let forget = async |field: &str| {
        let mut account = account(&world).await;
        match account.get_mut("figures") {
            Some(AttributeValue::M(figures)) if !field.is_empty() => {
                // Left behind by an earlier version, which wrote an entry without counting it.
                figures.insert(field.to_owned(), n(2));
            }
            _ => {
                account.remove("figures");
            }
        }
        put(&world, account).await;
    };
    for field in ["", "last_seq"] {
        forget(field).await;
        let a = CustomerId::parse("a").unwrap();
        let found = world.app.store.wallets().wallet(&a, world.app.clock.now()).await.unwrap();
        assert!(found.unwrap().loaded.account.figures.is_none());
        let (after, _) = read(&world, "statistics").await;
        assert_eq!(after.body, before.body);
        let (_, requests) = read(&world, "statistics").await;
        assert!(requests <= 3, "they are stored: {requests} requests");
    }
    // Without figures, a wallet is used as ever, and the books are proved.
    forget("").await;
    world.clock.advance(Duration::from_secs(40 * 86_400));
    world.post(&staff(), "/api/wallet/a/deduct-credits", r#"{"amount":1}"#).await.expect(201);
    world.prove().await;
    let (after, _) = read(&world, "transactions?type=DEBIT").await;
    assert_eq!(after.raw("total"), "1");
    world.prove().await;
}

#[tokio::test]
async fn figures_that_are_changed_by_hand_are_found_by_the_audit() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.clock.advance_days(40);
    world.post(&admin(), "/api/wallet/a/deduct-credits", r#"{"amount":1}"#).await.expect(201);
    world.prove().await;
    let month = world.partition("A#w:a", "M#").await.remove(0);
    let mut other = month.clone();
    let AttributeValue::M(tallies) = other.get_mut("tallies").unwrap() else { panic!("no tallies") };
    let AttributeValue::M(credits) = tallies.get_mut("CREDIT manual").unwrap() else { panic!("no credits") };
    credits.insert("sum".to_owned(), n(101));
    let audit = async || world.audit().await.to_string();
    put(&world, other).await;
    assert!(audit().await.contains("w:a 2026-01: the figures of the month do not match its entries"));
    put(&world, month).await;
    let kept = account(&world).await;
    let mut other = kept.clone();
    let AttributeValue::M(figures) = other.get_mut("figures").unwrap() else { panic!("no figures") };
    figures.insert("month".to_owned(), AttributeValue::S("2026-03".to_owned()));
    put(&world, other).await;
    assert!(audit().await.contains("w:a 2026-03: the figures of the month do not match its entries"));
    put(&world, kept).await;
    world.prove().await;
}
