//! Statements of accounts: what has changed a balance within some dates.

use domain::budget::statement::sum;
use domain::ids::budget::AccountId;
use domain::time::{Period, Timestamp};
use http::{HeaderMap, Method};
use serde_json::{Value, json};
use tests::agency::{Agency, allocate};
use tests::{Answer, World, admin};

async fn read(world: &World, id: &str, query: &str) -> Value {
    let path = format!("/api/credit/accounts/{id}/statement{query}");
    world.get(&admin(), &path).await.expect(200).json()
}

async fn as_kind(world: &World, kind: &str, id: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("accept", kind.parse().unwrap());
    let path = format!("/api/credit/accounts/{id}/statement?from=2026-01-01&to=2026-02-28");
    world.send(Some(&admin()), tests::world::request(Method::GET, &path, "", headers)).await
}

/// January: 100 down to the campaign, one card; February: a card, 10 back up, 30 more for the agency.
async fn story() -> Agency {
    let agency = Agency::new("100", 5).await;
    let world = agency.world();
    agency.provision("CODE-1").await.expect(201);
    world.clock.set("2026-02-02T12:00:00Z");
    agency.provision("CODE-2").await.expect(201);
    world.clock.advance(std::time::Duration::from_secs(1));
    let body = format!(r#"{{"account_id":"{}","amount":10,"notes":"<b>"}}"#, agency.campaign);
    world.post(&admin(), "/api/credit/reclaim", &body).await.expect(201);
    allocate(world, "platform", &agency.agency, "30").await;
    agency
}

#[tokio::test]
async fn a_statement_of_an_account_sums_up_and_its_months_follow_each_other() {
    let agency = story().await;
    let world = agency.world();
    let january = read(world, &agency.campaign, "?from=2026-01-01&to=2026-01-31").await;
    let february = read(world, &agency.campaign, "").await;
    assert_eq!(
        [&january["opening"], &january["closing"], &february["opening"], &february["closing"]],
        [&json!(0.0), &json!(75.0), &json!(75.0), &json!(40.0)],
        "{january} {february}"
    );
    assert_eq!((&february["from"], &february["to"]), (&json!("2026-02-01"), &json!("2026-02-02")));
    assert_eq!(
        january["totals"],
        json!({"allocated_in": 100.0, "allocated_out": 0.0, "reclaimed_in": 0.0, "reclaimed_out": 0.0, "spent": 25.0})
    );
    assert_eq!(
        (&february["totals"]["spent"], &february["totals"]["reclaimed_out"]),
        (&json!(25.0), &json!(10.0))
    );
    let shown = |line: &Value| {
        (line["type"].as_str().unwrap().to_owned(), line["amount"].clone(), line["balance_after"].clone())
    };
    let lines: Vec<_> = february["lines"].as_array().unwrap().iter().map(shown).collect();
    let expected = [("REDEMPTION", -25.0, 50.0), ("RECLAIM_OUT", -10.0, 40.0)];
    assert_eq!(lines, expected.map(|(kind, amount, after)| (kind.to_owned(), json!(amount), json!(after))));
    assert_eq!((&february["sealed"], &february["expiring"]), (&Value::Null, &json!([])));
    // Of an account with many entries, the opening follows from what it has now.
    let id = AccountId::parse(&agency.campaign).unwrap();
    let from = Timestamp::parse("2026-02-01T00:00:00Z").unwrap();
    let later = Period { from, until: Timestamp::LAST };
    let budgets = world.app.store.budgets();
    assert!(budgets.entries_in(&id, later, 0).await.unwrap().is_none());
    let later = budgets.entries_in(&id, later, 2).await.unwrap().unwrap();
    let sliced = budgets.load_sliced(&id).await.unwrap().unwrap();
    let own = budgets.own_credit(&sliced).await.unwrap().value();
    assert_eq!((own - sum(&later).unwrap()).to_string(), "75");
    // The platform has issued 130.
    let platform = read(world, "platform", "?from=2026-02-01&to=2026-02-28").await;
    assert_eq!((&platform["opening"], &platform["closing"]), (&json!(-100.0), &json!(-130.0)));
    let agencys = read(world, &agency.agency, "?from=2026-01-01&to=2026-02-28").await;
    assert_eq!(
        (&agencys["totals"]["allocated_in"], &agencys["totals"]["allocated_out"], &agencys["closing"]),
        (&json!(130.0), &json!(100.0), &json!(30.0))
    );
    world.prove().await;
}

#[tokio::test]
async fn a_statement_of_an_account_is_a_file_and_a_page_and_for_those_who_may_read_the_account() {
    let agency = story().await;
    let world = agency.world();
    let file = as_kind(world, "text/csv", &agency.campaign).await.expect(200);
    assert_eq!(
        file.body.lines().next(),
        Some("date,transaction_id,type,reason,order_id,amount,balance_after")
    );
    assert_eq!(file.body.lines().count(), 5);
    let page = as_kind(world, "text/html", &agency.campaign).await.expect(200);
    assert!(page.body.contains("Account statement") && page.body.contains("&lt;b&gt;"), "{}", page.body);
    assert!(!page.body.contains("<script") && !page.body.contains("src="));
    let path = format!("/api/credit/accounts/{}/statement", agency.client);
    world.get(&tests::acts_for("agency", &agency.agency), &path).await.expect(200);
    let own = format!("/api/credit/accounts/{}/statement", agency.agency);
    world
        .get(&tests::acts_for("client", &agency.client), &own)
        .await
        .expect_problem(404, "account_not_found");
    world.get(&tests::customer("a"), &own).await.expect_problem(403, "forbidden");
    for query in ["?from=2026-02-02&to=2026-02-01", "?from=2025-01-01&to=2026-02-01", "?from=x"] {
        world.get(&admin(), &format!("{own}{query}")).await.expect_problem(400, "invalid_request");
    }
    world.prove().await;
}
