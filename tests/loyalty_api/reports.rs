//! The report of all customers' points, added up every night.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use std::sync::Arc;
use tests::loyal::backend;
use tests::{Fault, ManualClock, World, admin, staff};
use tokio::sync::Notify;

async fn night(world: &World) -> Value {
    let event = json!({}).to_string();
    let run = scrip::invoke::invoke(&world.parts, "evaluate-tiers", &event);
    tests::uses::by("evaluate-tiers", run).await.unwrap()
}

async fn report(world: &World, query: &str) -> Value {
    world.get(&admin(), &format!("/api/loyalty/reports/points?{query}")).await.expect(200).json()
}

/// Picks figures of a row.
fn pick(row: &Value, names: &[&str]) -> Vec<i64> {
    names.iter().map(|name| row[*name].as_i64().unwrap_or_else(|| panic!("{name} {row}"))).collect()
}

#[tokio::test]
async fn the_report_adds_up_and_each_opening_is_the_closing_before() {
    let world = World::new().await;
    world.change_program(1, r#""pending_days":2,"expiry":{"policy":"rolling","days":30}"#).await;
    world.earn("a", "b1", "10000").await;
    world.earn("b", "b2", "5000").await;
    world.refund_booking("b2", "r1", r#""amount":1000,"points_instead":7"#).await;
    world.clock.set("2026-01-17T12:00:00Z");
    let token = world.redeem("a", 40, "b3", "1000").await;
    world.close(&token, "confirm", r#"{"points":30}"#).await.expect(200);
    world.redeem("a", 5, "b4", "1000").await;
    world.give("b", 3, "").await;
    let out = r#"{"direction":"out","points":1,"reason":"test"}"#;
    world.post(&admin(), "/api/loyalty/wallets/b/transactions", out).await.expect(201);
    let before = report(&world, "from=2026-01-01").await;
    assert_eq!(
        (&before["as_of"], pick(&before["rows"][14], &["earned", "closing"])),
        (&json!(null), vec![0, 0])
    );
    world.clock.set("2026-01-18T00:20:00Z");
    assert_eq!(night(&world).await["remaining"], 0);
    let all = report(&world, "from=2026-01-14&to=2026-01-18").await;
    let rows = all["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &all["as_of"]), (5, &json!("2026-01-17")));
    let names =
        ["opening", "earned", "adjusted", "given_for_refunds", "redeemed", "reversed", "closing", "pending"];
    assert_eq!(pick(&rows[1], &names), [0, 150, 0, 7, 0, 10, 147, 140]);
    assert_eq!(pick(&rows[2], &names), [147, 0, 0, 0, 0, 0, 147, 140]);
    assert_eq!(pick(&rows[3], &names), [147, 0, 2, 0, 30, 0, 119, 0]);
    assert_eq!(pick(&rows[3], &["held", "owed", "expired", "refunded"]), [0, 0, 0, 0]);
    assert_eq!((&rows[3]["closing_value"], &all["closing_value_now"]), (&json!(119.0), &json!(119.0)));
    // Points are worth half: what was booked stays as it was.
    world.change_program(2, r#""point_value":0.5"#).await;
    world.clock.set("2026-02-20T00:20:00Z");
    night(&world).await;
    let months = report(&world, "from=2026-01-01&to=2026-02-28&group_by=month").await;
    let rows = months["rows"].as_array().unwrap();
    assert_eq!((&rows[0]["month"], &rows[1]["month"], rows.len()), (&json!("2026-01"), &json!("2026-02"), 2));
    assert_eq!(pick(&rows[0], &["opening", "earned", "closing", "held"]), [0, 150, 119, 0]);
    let total = pick(&rows[1], &["opening", "expired", "closing"]);
    assert_eq!(total[0] - total[1], total[2]);
    assert!(total[1] > 0, "{rows:?}");
    let half = months["closing_value_now"].as_f64().unwrap();
    assert_eq!(half * 2.0, f64::from(i32::try_from(total[2]).unwrap()));
    world.prove().await;
}

#[tokio::test]
async fn a_campaign_shows_the_points_of_the_purchases_to_which_it_applied() {
    let world = World::new().await;
    let body = r#"{"name":"Double","multiplier":2,"valid_until":"2026-02-01T00:00:00Z","min_amount":1000}"#;
    let made = world.post(&admin(), "/api/loyalty/campaigns", body).await.expect(201);
    world.clock.set("2026-01-15T11:00:00Z");
    world.earn("a", "b1", "2000").await;
    world.earn("a", "b2", "500").await;
    world.clock.set("2026-01-16T00:20:00Z");
    night(&world).await;
    let rows = report(&world, "from=2026-01-01&group_by=campaign").await["rows"].clone();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["campaign_id"], made.text("/campaign_id"));
    assert_eq!((&rows[0]["earned"], &rows[0]["earned_value"]), (&json!(40), &json!(40.0)));
    assert_eq!((&rows[0]["opening"], &rows[0]["day"]), (&json!(null), &json!(null)));
    world.prove().await;
}

#[tokio::test]
async fn a_night_that_is_interrupted_repeated_or_missed_counts_every_entry_once() {
    let world = World::new().await;
    for day in 15..25 {
        world.clock.set(&format!("2026-01-{day}T10:00:00Z"));
        world.earn("a", &format!("a{day}"), "1000").await;
        world.earn("b", &format!("b{day}"), "2000").await;
    }
    world.clock.set("2026-01-25T00:20:00Z");
    // The reply to the first addition is lost, the next is refused for a while.
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    world.faults.plan("TransactWriteItems", 3, Fault::exception("ThrottlingException"));
    night(&world).await;
    assert_eq!(world.faults.fired(), 4);
    let total = async || {
        let rows = report(&world, "from=2026-01-15&to=2026-01-25").await["rows"].clone();
        let earned: i64 = rows.as_array().unwrap().iter().map(|row| row["earned"].as_i64().unwrap()).sum();
        (earned, rows[10]["closing"].as_i64().unwrap())
    };
    assert_eq!(total().await, (300, 300));
    night(&world).await;
    assert_eq!(total().await, (300, 300));
    // Two machines at once.
    world.clock.set("2026-01-26T10:00:00Z");
    world.earn("a", "last", "1000").await;
    world.clock.set("2026-01-27T00:20:00Z");
    let other = world.another_machine(world.clock.clone());
    futures::future::join(night(&world), night(&other)).await;
    assert_eq!(report(&world, "from=2026-01-26&to=2026-01-26").await["rows"][0]["closing"], 310);
    assert_eq!(world.partition("L#d:a", "").await.len(), 0, "nothing is left on the list");
    world.prove().await;
}

#[tokio::test]
async fn a_report_changed_by_hand_is_found_and_its_period_and_readers_are_checked() {
    let world = World::new().await;
    world.earn("a", "b1", "1000").await;
    world.clock.set("2026-01-16T00:20:00Z");
    night(&world).await;
    world.prove().await;
    let path = "/api/loyalty/reports/points";
    world.get(&staff(), path).await.expect_problem(403, "forbidden");
    world.get(&backend(), path).await.expect_problem(403, "forbidden");
    for query in
        ["from=2026-02-01&to=2026-01-01", "from=2020-01-01&to=2026-01-01", "group_by=year", "to=tomorrow"]
    {
        world.get(&admin(), &format!("{path}?{query}")).await.expect_problem(400, "invalid_request");
    }
    let mut changed = 0;
    for shard in 0..16 {
        for mut item in world.partition(&format!("RP#{shard}"), "").await {
            item.insert("p_earned".to_owned(), AttributeValue::N("11".to_owned()));
            let put = world.raw().put_item().table_name(world.app.store.table()).set_item(Some(item));
            put.send().await.unwrap();
            changed += 1;
        }
    }
    assert_eq!(changed, 1);
    let audit = scrip::audit::audit(&world.app.store, world.app.policy.currency()).await.unwrap();
    assert_eq!(audit.differences.len(), 1, "{audit}");
    assert!(audit.differences[0].to_string().contains("2026-01-15"), "{audit}");
}

#[tokio::test]
async fn points_that_could_not_be_added_are_added_the_night_after() {
    let world = World::new().await;
    for user in ["a", "b"] {
        world.earn(user, &format!("b-{user}"), "1000").await;
    }
    world.clock.set("2026-01-16T00:20:00Z");
    world.faults.plan("TransactWriteItems", 1, Fault::exception("ValidationException"));
    assert_eq!(night(&world).await["success"], false);
    let first = report(&world, "to=2026-01-15").await;
    assert_eq!((&first["as_of"], &first["rows"][14]["closing"]), (&json!(null), &json!(10)));
    world.clock.set("2026-01-17T00:20:00Z");
    assert_eq!(night(&world).await["success"], true);
    let next = report(&world, "to=2026-01-15").await;
    assert_eq!((&next["as_of"], &next["rows"][14]["closing"]), (&json!("2026-01-16"), &json!(20)));
    world.prove().await;
}

#[tokio::test]
async fn what_is_written_before_a_decision_or_long_after_its_day_is_added_too() {
    let world = World::new().await;
    world.earn("a", "b1", "10000").await;
    let out = r#"{"direction":"out","points":100,"reason":"spent"}"#;
    world.post(&admin(), "/api/loyalty/wallets/a/transactions", out).await.expect(201);
    world.refund_booking("b1", "r1", r#""amount":10000"#).await;
    world.change_program(1, r#""pending_days":1,"expiry":{"policy":"rolling","days":10}"#).await;
    world.clock.set("2026-01-15T11:00:00Z");
    world.earn("a", "b2", "15000").await;
    assert_eq!(world.standing("a").await, [0, 0, 150, 100]);
    world.clock.set("2026-01-16T00:20:00Z");
    // The activation pays the debt, which is written by itself.
    night(&world).await;
    assert_eq!(world.partition("L#d:a", "").await.len(), 1, "the day of the activation");
    world.clock.set("2026-01-17T00:20:00Z");
    night(&world).await;
    let rows = report(&world, "from=2026-01-15&to=2026-01-16").await["rows"].clone();
    let names = ["earned", "adjusted", "reversed", "closing", "pending", "owed"];
    assert_eq!(pick(&rows[0], &names), [250, -100, 0, 150, 150, 100]);
    assert_eq!(pick(&rows[1], &names), [0, 0, 100, 50, 0, 0]);
    assert_eq!((&rows[0]["pending_value"], &rows[1]["owed_value"]), (&json!(150.0), &json!(0.0)));
    world.prove().await;
    // The expiry is written weeks after its date, on a day that was complete long before.
    world.clock.set("2026-02-20T00:20:00Z");
    night(&world).await;
    world.give("a", 1, "").await;
    night(&world).await;
    let day = report(&world, "from=2026-01-20&to=2026-02-19").await["rows"].clone();
    let expired: Vec<&Value> = day.as_array().unwrap().iter().filter(|row| row["expired"] != 0).collect();
    assert_eq!((expired.len(), &expired[0]["expired"]), (1, &json!(50)));
    world.prove().await;
}

#[tokio::test]
async fn an_entry_that_is_written_while_its_day_leaves_the_list_is_added() {
    let world = World::new().await;
    world.earn("a", "b1", "1000").await;
    let late = world.another_machine(ManualClock::at("2026-01-15T23:59:00Z"));
    world.clock.set("2026-01-16T00:20:00Z");
    // The first transaction adds the entry, the second takes the day off the list, and the process stops after it.
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let stopped = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 1, Fault::Rewrite(Arc::new(|reply| reply)));
    world.faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), go_on.clone()));
    let write = async {
        arrived.notified().await;
        late.give("a", 5, "").await;
        world.faults.plan("BatchGetItem", 1, Fault::StopBefore(stopped.clone()));
        go_on.notify_one();
        stopped.notified().await;
    };
    tokio::select! {
        done = night(&world) => panic!("{done}"),
        () = write => {}
    }
    assert_eq!(world.partition("L#d:a", "").await.len(), 1);
    let other = world.another_machine(world.clock.clone());
    assert_eq!(night(&other).await["success"], true);
    assert_eq!(report(&other, "to=2026-01-15").await["rows"][14]["closing"], 15);
    assert_eq!(other.partition("L#d:a", "").await.len(), 0);
    other.prove().await;
}
