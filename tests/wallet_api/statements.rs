//! Statements: what has changed a balance, as JSON, as a file and as a page.

use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tests::{Answer, World, admin, customer, service, staff};

async fn as_kind(world: &World, kind: &str, path: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("accept", kind.parse().unwrap());
    world.send(Some(&staff()), tests::world::request(Method::GET, path, "", headers)).await
}

async fn statement(world: &World, query: &str) -> Value {
    world.get(&customer("a"), &format!("/api/wallet/a/statement{query}")).await.expect(200).json()
}

/// A wallet in January and February: credits, payments, a hold, a transfer, a refund, an expiry.
async fn story() -> World {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.open_wallet("b", "50").await;
    world.credit("a", "20", "promotion", "2026-01-31").await;
    let pay = r#"{"amount":30,"order_id":"o","reason":"<b>Book & pen</b>"}"#;
    world.post(&staff(), "/api/wallet/a/deduct-credits", pay).await.expect(201);
    let hold = world.post(&admin(), "/api/wallet/a/holds", r#"{"amount":10}"#).await.text("/hold_id");
    world.clock.set("2026-01-20T12:00:00Z");
    world.post(&admin(), &format!("/api/wallet/holds/{hold}/capture"), r#"{"amount":4}"#).await.expect(200);
    let send = r#"{"to_customer_id":"a","amount":7}"#;
    world.post(&customer("b"), "/api/wallet/b/transfer", send).await.expect(201);
    world.clock.set("2026-02-02T12:00:00Z");
    world.post(&admin(), "/api/wallet/a/refund", r#"{"amount":5,"order_id":"o"}"#).await.expect(201);
    world.credit("a", "2000.50", "purchase", "2026-02-20").await;
    world
}

#[tokio::test]
async fn a_statement_sums_up_and_its_months_follow_each_other() {
    let world = story().await;
    let january = statement(&world, "?from=2026-01-01&to=2026-01-31").await;
    let february = statement(&world, "").await;
    assert_eq!(
        (&january["opening"], &january["closing"], &february["opening"]),
        (&json!(0.0), &json!(93.0), &json!(93.0))
    );
    assert_eq!((&february["from"], &february["to"]), (&json!("2026-02-01"), &json!("2026-02-02")));
    assert_eq!(february["closing"], world.get(&staff(), "/api/wallet/a/balance").await.json()["balance"]);
    let totals = &january["totals"];
    for (name, sum) in
        [("credited", 120.0), ("spent", 34.0), ("transferred_in", 7.0), ("expired", 0.0), ("refunded", 0.0)]
    {
        assert_eq!(totals[name], json!(sum), "{name}");
    }
    assert_eq!(
        (&february["totals"]["refunded"], &february["totals"]["credited"]),
        (&json!(5.0), &json!(2000.5))
    );
    let kinds: Vec<&str> =
        january["lines"].as_array().unwrap().iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["CREDIT", "CREDIT", "DEBIT", "CAPTURE", "TRANSFER_IN"], "holds are no lines");
    assert_eq!(january["lines"][2]["amount"], json!(-30.0));
    assert_eq!(
        (&january["lines"][2]["reason"], &january["lines"][2]["order_id"]),
        (&json!("<b>Book & pen</b>"), &json!("o"))
    );
    assert_eq!(february["expiring"], json!([{"amount": 2000.5, "expires_on": "2026-02-20"}]));
    assert_eq!(february["sealed"], Value::Null);
    let quiet = statement(&world, "?from=2026-01-25&to=2026-01-28").await;
    assert_eq!(
        (&quiet["opening"], &quiet["closing"], &quiet["lines"]),
        (&json!(93.0), &json!(93.0), &json!([]))
    );
    let before = statement(&world, "?from=2025-12-01&to=2025-12-31").await;
    assert_eq!((&before["opening"], &before["closing"]), (&json!(0.0), &json!(0.0)));
    // What falls due before the end is in the statement although no sweep has run.
    world.clock.set("2026-03-01T00:00:00Z");
    let late = statement(&world, "?from=2026-02-01&to=2026-02-28").await;
    assert_eq!((&late["totals"]["expired"], &late["closing"]), (&json!(2000.5), &json!(98.0)));
    world.prove().await;
}

#[tokio::test]
async fn a_statement_is_a_file_or_a_page_that_runs_and_loads_nothing() {
    let world = story().await;
    let path = "/api/wallet/a/statement?from=2026-01-01&to=2026-02-28";
    let file = as_kind(&world, "text/csv", path).await.expect(200);
    let lines: Vec<&str> = file.body.lines().collect();
    assert_eq!(lines[0], "date,transaction_id,type,reason,order_id,amount,balance_after");
    assert!(
        lines[3].starts_with("2026-01-15,txn_")
            && lines[3].ends_with(",DEBIT,<b>Book & pen</b>,o,-30.00,90.00"),
        "{}",
        lines[3]
    );
    let page = as_kind(&world, "text/html,application/xhtml+xml", path).await.expect(200);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    for text in ["<html lang=\"en\">", "Wallet statement", "1 Jan 2026 – 28 Feb 2026", "₹2,098.50", "−₹30.00"]
    {
        assert!(page.body.contains(text), "{text} {}", page.body);
    }
    assert!(page.body.contains("&lt;b&gt;Book &amp; pen&lt;/b&gt;") && !page.body.contains("<b>"));
    for banned in ["<script", "http://", "https://", "src=", "url("] {
        assert!(!page.body.contains(banned), "{banned}");
    }
    world.prove().await;
}

#[tokio::test]
async fn who_may_read_a_statement_and_of_which_dates() {
    let world = story().await;
    let path = "/api/wallet/a/statement";
    world.get(&customer("b"), path).await.expect_problem(404, "wallet_not_found");
    world.get(&service("wallet:read"), path).await.expect_problem(403, "forbidden");
    world.get(&staff(), "/api/wallet/nobody/statement").await.expect_problem(404, "wallet_not_found");
    for query in [
        "?from=2026-02-02&to=2026-02-01",
        "?from=2025-02-01&to=2026-02-02",
        "?from=x",
        "?to=2026-02-30",
        "?until=2026-02-01",
    ] {
        world.get(&staff(), &format!("{path}{query}")).await.expect_problem(400, "invalid_request");
    }
    world.get(&staff(), &format!("{path}?from=2025-02-02&to=2026-02-02")).await.expect(200);
    world.prove().await;
}

#[test]
fn amounts_and_dates_are_written_as_people_of_a_language_write_them() {
    use domain::language::{Language, written};
    let money = |text: &str| domain::money::Money::try_new(text.parse().unwrap()).unwrap();
    let currency = |code: &str| domain::currency::Currency::parse(code).unwrap();
    for (amount, code, expected) in [
        ("0", "INR", "₹0.00"),
        ("999", "INR", "₹999.00"),
        ("1000", "INR", "₹1,000.00"),
        ("100000", "INR", "₹1,00,000.00"),
        ("123456789.5", "INR", "₹12,34,56,789.50"),
        ("5000", "VND", "VND 5,000"),
        ("1234567.891", "BHD", "BHD 1,234,567.891"),
    ] {
        assert_eq!(written(money(amount), currency(code)), expected);
    }
    let date = domain::time::parse_date("2026-11-24").unwrap();
    assert_eq!(Language::English.date(date), "24 Nov 2026");
    assert_eq!(Language::Hindi.date(date), "24 नवंबर 2026");
}
