//! Accounts that change while they are spent from: an acknowledged change applies to every process, and
//! nothing is lost.

use scrip::fakes::supply::Switch;
use std::sync::Arc;
use std::time::Duration;
use tests::agency::{issuer, open};
use tests::{Agency, Answer, Fault, World, admin};
use tokio::sync::Notify;

async fn patch(world: &World, account: &str, body: &str) -> Answer {
    world.patch(&admin(), &format!("/api/credit/accounts/{account}"), body).await
}

async fn give(world: &World, from: &str, to: &str, amount: u64) -> Answer {
    let body = format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":{amount}}}"#);
    world.post(&admin(), "/api/credit/allocate", &body).await
}

async fn monitor(agency: &Agency) {
    agency.world().clock.advance(Duration::from_secs(400));
    let looked = agency.shop.monitor().await;
    assert_eq!(looked["breakdown"]["failed"], 0, "{looked}");
}

/// Sends a request whose process stops after credit is reserved and before anything is committed.
async fn stop_before_commit(agency: &Arc<Agency>, code: &str) {
    let arrived = Arc::new(Notify::new());
    agency.world().faults.plan("TransactWriteItems", 1, Fault::StopBefore(arrived.clone()));
    let (machine, code) = (agency.clone(), code.to_owned());
    let process = tokio::spawn(async move { machine.provision(&code).await });
    tests::stopped(process, &arrived).await;
}

#[tokio::test]
async fn a_process_that_has_cached_the_old_mode_charges_the_account_of_the_new_mode() {
    let agency = Agency::with("100", 6, ("", ""), Default::default()).await;
    let world = agency.world();
    let other = world.another_machine(world.clock.clone());
    let there = async |code: &str| {
        other.post(&issuer(), "/api/gift-cards/provision", &agency.provision_body(code)).await
    };
    there("SHARED-1").await.expect(201);
    patch(world, &agency.campaign, r#"{"budget_mode":"isolated"}"#).await.expect(200);
    there("NOT-YET").await.expect_problem(402, "insufficient_funds");
    assert_eq!(agency.figures(&agency.client).await, ["75.00", "0.00", "25.00"]);
    give(world, &agency.client, &agency.campaign, 25).await.expect(201);
    let own = there("OWN-1").await.expect(201);
    assert_eq!(own.text("/redemption/account_charged"), agency.campaign);
    assert_eq!(agency.figures(&agency.client).await, ["50.00", "0.00", "25.00"]);
    patch(world, &agency.campaign, r#"{"budget_mode":"shared"}"#).await.expect(200);
    let shared = there("SHARED-2").await.expect(201);
    assert_eq!(shared.text("/redemption/account_charged"), agency.client);
    assert_eq!(agency.figures(&agency.client).await, ["25.00", "0.00", "50.00"]);
    world.prove().await;
}

#[tokio::test]
async fn credit_that_arrives_while_a_campaign_becomes_shared_is_not_lost() {
    for first in ["credit", "mode"] {
        let agency =
            Arc::new(Agency::with("", 0, (r#""budget_mode":"isolated""#, ""), Default::default()).await);
        let world = agency.world();
        give(world, "platform", &agency.agency, 100).await.expect(201);
        give(world, &agency.agency, &agency.client, 100).await.expect(201);
        let other = Arc::new(world.another_machine(world.clock.clone()));
        let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mode = r#"{"budget_mode":"shared"}"#;
        let (given, changed) = if first == "mode" {
            other.faults.plan("TransactWriteItems", 1, Fault::Wait(reached.clone(), go.clone()));
            let (machine, at) = (other.clone(), agency.clone());
            let giving = tokio::spawn(async move { give(&machine, &at.client, &at.campaign, 40).await });
            reached.notified().await;
            let changed = patch(world, &agency.campaign, mode).await;
            go.notify_one();
            (giving.await.unwrap(), changed)
        } else {
            other.faults.plan("TransactWriteItems", 1, Fault::Wait(reached.clone(), go.clone()));
            let (machine, at) = (other.clone(), agency.clone());
            let changing = tokio::spawn(async move { patch(&machine, &at.campaign, mode).await });
            reached.notified().await;
            let given = give(world, &agency.client, &agency.campaign, 40).await;
            go.notify_one();
            (given, changing.await.unwrap())
        };
        assert_eq!(other.faults.fired(), 1);
        // One of the two is refused, and the other takes effect.
        match (given.status, changed.status) {
            (201, 409) => assert_eq!(agency.figures(&agency.campaign).await, ["40.00", "0.00", "0.00"]),
            (400, 200) => assert_eq!(agency.figures(&agency.client).await, ["100.00", "0.00", "0.00"]),
            both => panic!("{first} first: {both:?}"),
        }
        world.prove().await;
    }
}

#[tokio::test]
async fn a_campaign_with_several_slices_becomes_shared_only_when_all_of_them_are_empty() {
    let fields = r#""budget_mode":"isolated","slices":4"#;
    let agency = Agency::with("100", 0, (fields, ""), Default::default()).await;
    let (world, shared) = (agency.world(), r#"{"budget_mode":"shared"}"#);
    patch(world, &agency.campaign, shared).await.expect_problem(409, "account_not_empty");
    let back = format!(r#"{{"account_id":"{}","amount":100}}"#, agency.campaign);
    world.post(&admin(), "/api/credit/reclaim", &back).await.expect(201);
    world.faults.take_log();
    patch(world, &agency.campaign, shared).await.expect(200);
    let sent = world.faults.take_log();
    let checks = sent.iter().filter(|(_, body)| body.to_string().contains(r#""ConditionCheck":{"#)).count();
    assert_eq!(checks, 1, "the other slices are checked in the transaction that changes the mode");
    world.prove().await;
}

#[tokio::test]
async fn slices_that_are_added_with_a_stop_are_stopped_and_go_on_together() {
    let agency = Agency::new("400", 30).await;
    let world = agency.world();
    agency.provision("BEFORE").await.expect(201);
    let stopped = patch(world, &agency.campaign, r#"{"status":"paused","slices":16}"#).await.expect(200);
    assert_eq!((stopped.text("/status"), stopped.raw("slices")), ("paused".into(), "16".into()));
    for n in 0..20 {
        agency.provision(&format!("STOPPED-{n}")).await.expect_problem(409, "budget_paused");
    }
    patch(world, &agency.campaign, r#"{"status":"active"}"#).await.expect(200);
    for n in 0..15 {
        agency.provision(&format!("STOPPED-{n}")).await.expect(201);
    }
    agency.provision("STOPPED-19").await.expect_problem(402, "insufficient_funds");
    world.prove().await;
}

#[tokio::test]
async fn a_closing_waits_for_what_is_undecided_on_any_slice_and_then_hands_over_all() {
    for mode in [r#""budget_mode":"isolated","slices":8"#, ""] {
        let agency = Arc::new(Agency::with("100", 6, (mode, ""), Default::default()).await);
        let world = agency.world();
        // On whichever slice the code selects.
        stop_before_commit(&agency, "CUT-SHORT").await;
        let closing = patch(world, &agency.campaign, r#"{"status":"closing"}"#).await.expect(200);
        assert_eq!(closing.text("/status"), "closing");
        agency.provision("AFTER").await.expect_problem(409, "budget_paused");
        monitor(&agency).await;
        let closed = agency.account(&agency.campaign).await;
        assert_eq!((closed.text("/status"), closed.raw("reserved")), ("closed".into(), "0.00".into()));
        assert_eq!(agency.figures(&agency.client).await, ["100.00", "0.00", "0.00"]);
        agency.provision("AFTER").await.expect_problem(409, "budget_paused");
        world.prove().await;
    }
}

#[tokio::test]
async fn no_account_is_opened_below_one_that_was_closed_meanwhile() {
    let agency = Arc::new(Agency::new("", 0).await);
    let world = agency.world();
    let empty = open(world, "client", &agency.agency, "").await;
    let other = Arc::new(world.another_machine(world.clock.clone()));
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    other.faults.plan("TransactWriteItems", 1, Fault::Wait(reached.clone(), go.clone()));
    let (machine, parent) = (other.clone(), empty.clone());
    let opening = tokio::spawn(async move {
        let body = format!(r#"{{"kind":"campaign","parent_id":"{parent}","name":"Late"}}"#);
        machine.post(&admin(), "/api/credit/accounts", &body).await
    });
    reached.notified().await;
    let closed = patch(world, &empty, r#"{"status":"closing"}"#).await.expect(200);
    assert_eq!(closed.text("/status"), "closed");
    go.notify_one();
    opening.await.unwrap().expect_problem(409, "budget_paused");
    let children = world.get(&admin(), &format!("/api/credit/accounts/{empty}/children")).await.expect(200);
    assert_eq!(children.field("/total"), 0, "{}", children.body);
    world.prove().await;
}

#[tokio::test]
async fn a_delivery_is_in_the_outbox_once_with_its_address_sealed() {
    let agency = Agency::new("100", 3).await;
    let world = agency.world();
    let provision = agency
        .provision_body("CODE-1")
        .replace('}', r#","delivery_method":"sms","delivery_address":"+919876543210"}"#);
    let path = "/api/gift-cards/provision";
    let made = world.post(&issuer(), path, &provision).await.expect(201);
    assert!(world.post(&issuer(), path, &provision).await.expect(201).is_replay());
    agency.provision("CODE-2").await.expect(201);
    let scan = world.raw().scan().table_name(world.app.store.table()).send().await.unwrap();
    let text = |item: &std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>,
                name: &str| {
        item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
    };
    let queued: Vec<_> = scan.items().iter().filter(|item| text(item, "pk").starts_with("Q#")).collect();
    let id = made.text("/redemption/redemption_id");
    assert_eq!(queued.len(), 1);
    assert_eq!((text(queued[0], "pk"), text(queued[0], "sk")), (format!("Q#{id}"), "sms".to_owned()));
    assert!(!format!("{:?}", queued[0]).contains("9876543210"));
    world.prove().await;
}

#[tokio::test]
async fn a_late_card_is_stocked_under_its_own_denomination_although_the_code_was_retried_with_another() {
    let agency = Agency::with(
        "100",
        0,
        (r#""budget_mode":"isolated""#, r#""supplier":"reloadly","supplier_product_id":"4711""#),
        Default::default(),
    )
    .await;
    let (world, fakes) = (agency.world(), &agency.shop.fakes);
    fakes.supply("reloadly", Switch::LateDelivery);
    agency.provision("CODE").await.expect_problem(409, "supplier_rejected");
    fakes.supply("reloadly", Switch::Well);
    let reference = fakes.issued("reloadly").first().unwrap().clone();
    let fifty = agency.provision_body("CODE").replace("\"denomination\":25", "\"denomination\":50");
    world.post(&issuer(), "/api/gift-cards/provision", &fifty).await.expect(201);
    agency.webhook("reloadly", &reference, false).await.expect(200);
    let inventory = world.get(&admin(), "/api/gift-cards/inventory").await.expect(200);
    let stocked: Vec<(String, u64)> = inventory.json()["pools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pool| (pool["denomination"].to_string(), pool["available"].as_u64().unwrap()))
        .collect();
    assert!(stocked.iter().any(|(worth, cards)| worth.starts_with("25") && *cards == 1), "{stocked:?}");
    assert!(stocked.iter().all(|(worth, cards)| worth.starts_with("25") || *cards == 0), "{stocked:?}");
    // The next redemption of 25 receives it.
    assert_eq!(agency.provision("NEXT").await.expect(201).text("/source"), "csv");
    world.prove().await;
}

#[tokio::test]
async fn a_card_that_a_supplier_does_not_show_stays_pending_until_it_does() {
    let agency = Agency::with(
        "100",
        0,
        (r#""budget_mode":"isolated""#, r#""supplier":"reloadly","supplier_product_id":"4711""#),
        Default::default(),
    )
    .await;
    agency.shop.fakes.supply("reloadly", Switch::Withheld);
    agency.provision("CODE").await.expect(202);
    assert_eq!(agency.figures(&agency.campaign).await, ["75.00", "25.00", "0.00"]);
    monitor(&agency).await;
    assert_eq!(agency.figures(&agency.campaign).await, ["75.00", "25.00", "0.00"]);
    agency.shop.fakes.supply("reloadly", Switch::Well);
    agency.world().clock.advance(Duration::from_secs(900));
    monitor(&agency).await;
    assert_eq!(agency.provision("CODE").await.expect(201).text("/source"), "api");
    assert_eq!(agency.figures(&agency.campaign).await, ["75.00", "0.00", "25.00"]);
    assert_eq!(agency.shop.fakes.issued("reloadly").len(), 1);
    agency.world().prove().await;
}

#[tokio::test]
async fn the_spend_of_a_shared_campaign_is_not_summed_from_the_beginning_each_time() {
    let agency = Agency::with("5000", 130, (r#""slices":4"#, ""), Default::default()).await;
    let world = agency.world();
    let second = open(world, "campaign", &agency.client, "").await;
    let spend = async |campaign: &str, from: usize, until: usize| {
        for n in from..until {
            let provision = agency.provision_body(&format!("CODE-{n}")).replace(&agency.campaign, campaign);
            world.post(&issuer(), "/api/gift-cards/provision", &provision).await.expect(201);
            world.clock.advance(Duration::from_secs(1));
        }
    };
    let spent = async |campaign: &str| agency.account(campaign).await.raw("spent");
    spend(&agency.campaign, 0, 60).await;
    spend(&second, 60, 70).await;
    assert_eq!((spent(&agency.campaign).await, spent(&second).await), ("1500.00".into(), "250.00".into()));
    // Reads before and after the instants up to which running totals are stored.
    for n in 0..40 {
        world.clock.advance(Duration::from_secs(29));
        let campaign = if n % 4 == 0 { &second } else { &agency.campaign };
        spend(campaign, 70 + n, 71 + n).await;
        let now = (spent(&agency.campaign).await, spent(&second).await);
        let (first, other) = (60 + n + 1 - (n / 4 + 1), 10 + n / 4 + 1);
        assert_eq!(now, (format!("{}.00", first * 25), format!("{}.00", other * 25)), "{n}");
    }
    world.prove().await;
    // Entries before a stored running total are not read again.
    let raw = world.raw();
    let table = world.app.store.table();
    let scan = raw.scan().table_name(table).send().await.unwrap();
    let text = |item: &std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue>,
                name: &str| {
        item.get(name).and_then(|value| value.as_s().ok()).cloned().unwrap_or_default()
    };
    let mut entries: Vec<_> = scan
        .items()
        .iter()
        .filter(|item| text(item, "pk").starts_with(&format!("E#b:{}#", agency.client)))
        .filter(|item| text(item, "campaign_id") == agency.campaign)
        .collect();
    entries.sort_by_key(|item| text(item, "hs"));
    let oldest = entries[0];
    let delete = raw.delete_item().table_name(table).key("pk", oldest["pk"].clone());
    delete.key("sk", oldest["sk"].clone()).send().await.unwrap();
    assert_eq!(spent(&agency.campaign).await, format!("{}.00", 90 * 25));
}
