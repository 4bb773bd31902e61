//! Accounts whose spends meet contention get more slices by themselves.

use domain::ids::budget::AccountId;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tests::agency::Agency;
use tests::{Fault, World, admin};
use tokio::sync::Notify;

const WINDOW: Duration = Duration::from_secs(300);

/// Writes that spends of an account have met contention so often in the last window, and runs the monitor.
async fn after(world: &World, account: &str, count: u64) -> Value {
    heat(world, account, count).await;
    world.clock.advance(WINDOW);
    world.run("monitor").await["breakdown"].clone()
}

async fn heat(world: &World, account: &str, count: u64) {
    let now = world.app.clock.now();
    let window = domain::time::Timestamp::from_millis(now.millis() - now.millis() % 300_000).unwrap();
    for (shard, count) in [(0, count / 2), (7, count - count / 2)] {
        let value = aws_sdk_dynamodb::types::AttributeValue::N(count.to_string());
        let update = world.raw().update_item().table_name(world.app.store.table());
        let update = update.set_key(Some(store::keys::heat(window, shard).attributes()));
        let update = update.update_expression("ADD #a :n").expression_attribute_names("#a", account);
        update.expression_attribute_values(":n", value).send().await.unwrap();
    }
}

async fn slices(agency: &Agency) -> Value {
    agency.account(&agency.campaign).await.field("/slices")
}

async fn alerts(world: &World) -> Vec<(String, String)> {
    let listed = world.get(&admin(), "/api/alerts").await.expect(200).json();
    let text = |alert: &Value, name: &str| alert[name].as_str().unwrap().to_owned();
    let hot = listed["alerts"].as_array().unwrap().iter().filter(|alert| alert["kind"] == "budget_hot");
    hot.map(|alert| (text(alert, "severity"), text(alert, "status"))).collect()
}

#[tokio::test]
async fn spends_that_meet_contention_are_counted_and_others_write_nothing() {
    let agency = Agency::new("200", 4).await;
    let world = agency.world();
    world.faults.take_log();
    agency.provision("CODE-1").await.expect(201);
    let log = world.faults.take_log();
    assert!(log.iter().all(|(_, body)| !body.to_string().contains("heat")), "nothing was met");
    world.faults.plan("UpdateItem", 2, Fault::exception("ThrottlingException"));
    agency.provision("CODE-2").await.expect(201);
    world.clock.advance(WINDOW);
    let found = world.app.store.budgets().heat_before(world.app.clock.now()).await.unwrap();
    let campaign = AccountId::parse(&agency.campaign).unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [(campaign, 2)]);
    assert_eq!(world.run("monitor").await["breakdown"]["slices_raised"], 0);
    world.prove().await;
}

#[tokio::test]
async fn slices_are_doubled_once_for_a_window_up_to_64_unless_the_account_forbids_it() {
    let agency = Agency::new("200", 4).await;
    let (world, campaign) = (agency.world(), agency.campaign.as_str());
    assert_eq!(after(world, campaign, 60).await["slices_raised"], 0, "60 are not more than 60");
    assert_eq!(after(world, campaign, 61).await["slices_raised"], 1);
    assert_eq!(world.run("monitor").await["breakdown"]["slices_raised"], 0, "the same window");
    assert_eq!(slices(&agency).await, 2);
    assert_eq!(alerts(world).await, [("info".to_owned(), "open".to_owned())]);
    agency.provision("CODE-1").await.expect(201);
    for expected in [4, 8, 16, 32, 64] {
        after(world, campaign, 61).await;
        assert_eq!(slices(&agency).await, expected);
    }
    assert_eq!(after(world, campaign, 61).await["slices_raised"], 0);
    assert_eq!(alerts(world).await, [("warning".to_owned(), "open".to_owned())]);
    world.clock.advance(Duration::from_secs(86_400));
    world.run("monitor").await;
    assert_eq!(alerts(world).await, [("warning".to_owned(), "closed".to_owned())]);
    let (client, path) = (&agency.client, format!("/api/credit/accounts/{}", agency.client));
    assert_eq!(agency.account(client).await.field("/auto_slices"), true);
    let changed = world.patch(&admin(), &path, r#"{"auto_slices":false}"#).await.expect(200);
    assert_eq!(changed.field("/auto_slices"), false);
    assert_eq!(after(world, client, 1_000).await["slices_raised"], 0);
    world.patch(&admin(), &path, r#"{"auto_slices":true,"status":"paused"}"#).await.expect(200);
    assert_eq!(after(world, client, 1_000).await["slices_raised"], 0, "nothing is spent from it");
    assert_eq!(agency.account(client).await.field("/slices"), 1);
    world.prove().await;
}

/// Covers case 38.
#[tokio::test]
async fn of_the_monitors_change_and_a_callers_at_once_the_greater_number_stays() {
    let agency = Arc::new(Agency::new("200", 4).await);
    let world = agency.world();
    heat(world, &agency.campaign, 100).await;
    world.clock.advance(WINDOW);
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let caller = world.another_machine(world.clock.clone());
    world.faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), go.clone()));
    let machine = agency.clone();
    let run = tokio::spawn(async move { machine.world().run("monitor").await });
    arrived.notified().await;
    let path = format!("/api/credit/accounts/{}", agency.campaign);
    caller.patch(&admin(), &path, r#"{"slices":32}"#).await.expect(200);
    go.notify_one();
    assert_eq!(run.await.unwrap()["breakdown"]["failed"], 0);
    assert_eq!(slices(&agency).await, json!(32));
    world.prove().await;
}
