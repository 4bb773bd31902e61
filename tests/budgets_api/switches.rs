//! Changes of mode, slices and status that are interrupted, conflict with others, or lose their replies: all
//! of a change, or nothing.

use std::sync::Arc;
use std::time::Duration;
use store::RetryPolicy;
use tests::agency::{allocate, issuer, open};
use tests::{Agency, Answer, Fault, World, admin, patient};
use tokio::sync::Notify;

async fn patch(world: &World, account: &str, body: &str) -> Answer {
    world.patch(&admin(), &format!("/api/credit/accounts/{account}"), body).await
}

/// Opens an agency whose requests give up after 400 ms.
async fn impatient(budget: &str, cards: usize, campaign: &str) -> Agency {
    let retry_policy = RetryPolicy {
        budget: Duration::from_millis(400),
        base: Duration::from_millis(2),
        cap: Duration::from_millis(20),
    };
    Agency::with(budget, cards, (campaign, ""), retry_policy).await
}

/// Returns how many stops are stored on a client's first slice.
async fn stops(agency: &Agency) -> usize {
    let world = agency.world();
    let get = world.raw().get_item().table_name(world.app.store.table());
    let text = aws_sdk_dynamodb::types::AttributeValue::S;
    let get = get.key("pk", text(format!("A#b:{}", agency.client))).key("sk", text("A".to_owned()));
    let item = get.send().await.unwrap().item.unwrap();
    item["stops"].as_m().unwrap().len()
}

#[tokio::test]
async fn a_mode_that_cannot_change_leaves_nothing_of_its_request() {
    let agency = Arc::new(Agency::new("25", 3).await);
    let world = agency.world();
    // A process stops when all credit is reserved: nothing is available until the reservation is released.
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 1, Fault::StopBefore(arrived.clone()));
    let machine = agency.clone();
    let process = tokio::spawn(async move { machine.provision("CUT-SHORT").await });
    tests::stopped(process, &arrived).await;
    assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "25.00", "0.00"]);
    world.clock.advance(Duration::from_secs(61));
    let all = r#"{"budget_mode":"shared","status":"closing","name":"Another"}"#;
    patch(world, &agency.campaign, all).await.expect_problem(409, "account_not_empty");
    agency.shop.monitor().await;
    let after = agency.account(&agency.campaign).await;
    assert_eq!(
        ["budget_mode", "status", "name"].map(|field| after.text(&format!("/{field}"))),
        ["isolated", "active", "The campaign"]
    );
    assert_eq!(agency.figures(&agency.campaign).await, ["25.00", "0.00", "0.00"]);
    world.prove().await;
}

#[tokio::test]
async fn a_mode_and_slices_whose_reply_is_lost_are_changed_once_and_strand_nothing() {
    for fault in [Fault::LostReply, Fault::ErrorAfterCommit] {
        let agency = Agency::new("", 3).await;
        let world = agency.world();
        allocate(world, "platform", &agency.agency, "100").await;
        allocate(world, &agency.agency, &agency.client, "100").await;
        world.faults.plan("TransactWriteItems", 1, fault);
        let changed =
            patch(world, &agency.campaign, r#"{"budget_mode":"shared","slices":8}"#).await.expect(200);
        assert_eq!(world.faults.fired(), 1);
        assert_eq!((changed.text("/budget_mode"), changed.raw("slices")), ("shared".into(), "8".into()));
        agency.provision("CODE").await.expect(201);
        assert_eq!(agency.figures(&agency.client).await, ["75.00", "0.00", "25.00"]);
        world.prove().await;
    }
}

#[tokio::test]
async fn slices_of_a_slow_change_do_not_lift_a_stop_that_was_put_meanwhile() {
    // Another change has added the slices in the meantime, or not.
    for added in [true, false] {
        let agency = Arc::new(Agency::with("", 30, ("", ""), patient()).await);
        let world = agency.world();
        allocate(world, "platform", &agency.agency, "500").await;
        let other = Arc::new(world.another_machine(world.clock.clone()));
        let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        other.faults.plan("TransactWriteItems", 1, Fault::Wait(reached.clone(), go.clone()));
        let (machine, client) = (other.clone(), agency.client.clone());
        let slow = tokio::spawn(async move { patch(&machine, &client, r#"{"slices":8}"#).await });
        reached.notified().await;
        if added {
            patch(world, &agency.client, r#"{"slices":8}"#).await.expect(200);
        }
        patch(world, &agency.client, r#"{"status":"paused"}"#).await.expect(200);
        go.notify_one();
        slow.await.unwrap().expect(200);
        // Credit still arrives on any slice; none leaves.
        for _ in 0..12 {
            allocate(world, &agency.agency, &agency.client, "30").await;
        }
        for n in 0..20 {
            agency.provision(&format!("CODE-{n}")).await.expect_problem(409, "budget_paused");
        }
        world.prove().await;
    }
}

#[tokio::test]
async fn a_stop_is_removed_when_no_cached_status_can_be_older_and_an_isolated_campaign_leaves_none() {
    let agency = Agency::with("100", 3, ("", ""), patient()).await;
    let world = agency.world();
    let isolated = open(world, "campaign", &agency.client, r#""budget_mode":"isolated""#).await;
    patch(world, &isolated, r#"{"status":"closing"}"#).await.expect(200);
    assert_eq!(stops(&agency).await, 0, "no process can have cached that it spends its client's credit");
    patch(world, &agency.campaign, r#"{"status":"paused"}"#).await.expect(200);
    assert_eq!(stops(&agency).await, 1);
    agency.provision("CODE").await.expect_problem(409, "budget_paused");
    // The stop remains while a process may have cached the earlier status. Then the monitor removes it, even
    // if nothing is spent.
    let monitor_after = async |days: u64| {
        world.clock.advance_days(days);
        agency.shop.monitor().await;
        world.clock.advance(Duration::from_secs(600));
        agency.shop.monitor().await;
        stops(&agency).await
    };
    assert_eq!(monitor_after(6).await, 1);
    assert_eq!(monitor_after(1).await, 0);
    agency.provision("CODE").await.expect_problem(409, "budget_paused");
    patch(world, &agency.campaign, r#"{"status":"active"}"#).await.expect(200);
    assert_eq!((stops(&agency).await, monitor_after(1).await), (1, 0));
    agency.provision("CODE").await.expect(201);
    world.prove().await;
}

#[tokio::test]
async fn earlier_spends_still_count_after_a_change_of_the_budget_mode() {
    let agency = Agency::with("100", 6, ("", ""), patient()).await;
    let world = agency.world();
    agency.provision("SHARED").await.expect(201);
    patch(world, &agency.campaign, r#"{"budget_mode":"isolated"}"#).await.expect(200);
    allocate(world, &agency.client, &agency.campaign, "25").await;
    agency.provision("OWN-1").await.expect(201);
    // While the campaign spends its own credit, its figures cover only that credit, and add up.
    assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "0.00", "25.00"]);
    patch(world, &agency.campaign, r#"{"budget_mode":"shared"}"#).await.expect(200);
    let shared = agency.account(&agency.campaign).await;
    let figures = ["available", "received", "spent"].map(|name| shared.raw(name));
    assert_eq!(figures, ["50.00", "25.00", "50.00"]);
    let path = format!("/api/credit/accounts/{}/transactions", agency.campaign);
    let history = world.get(&admin(), &path).await.expect(200);
    let types: Vec<String> = history.json()["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(types.iter().filter(|kind| *kind == "REDEMPTION").count(), 2, "{types:?}");
    world.prove().await;
}

#[tokio::test]
async fn few_spends_among_many_of_others_are_found_page_by_page() {
    let agency = Agency::with("3000", 90, ("", ""), patient()).await;
    let world = agency.world();
    let second = open(world, "campaign", &agency.client, "").await;
    for n in 0..80 {
        let provision = agency.provision_body(&format!("CODE-{n}"));
        let provision = if n % 40 == 0 { provision.replace(&agency.campaign, &second) } else { provision };
        world.post(&issuer(), "/api/gift-cards/provision", &provision).await.expect(201);
        world.clock.advance(Duration::from_secs(1));
    }
    // Every page that is read for them ends after its first entry.
    let short = |mut body: serde_json::Value| {
        let items = body["Items"].as_array().cloned().unwrap_or_default();
        if items.len() > 1 && items[0].get("hs").is_some() {
            let last = &items[0];
            body["LastEvaluatedKey"] =
                serde_json::json!({"pk": last["pk"], "sk": last["sk"], "hs": last["hs"]});
            body["Items"] = serde_json::json!([last]);
        }
        body
    };
    let path = format!("/api/credit/accounts/{}/transactions?limit=50", agency.campaign);
    let (mut cursor, mut seen, mut pages) = (String::new(), vec![], 0);
    loop {
        world.faults.always("Query", Fault::Rewrite(Arc::new(short)));
        let page = world.get(&admin(), &format!("{path}{cursor}")).await.expect(200);
        world.faults.clear();
        let entries = page.json()["transactions"].as_array().unwrap().clone();
        seen.extend(entries.iter().map(|entry| entry["created_at"].as_str().unwrap().to_owned()));
        pages += 1;
        match page.json()["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(pages > 1, "one page reads a bounded number of entries");
    let mut sorted = seen.clone();
    sorted.sort_by(|a, b| b.cmp(a));
    assert_eq!((seen.len(), &seen), (78, &sorted), "each once, newest first");
    world.prove().await;
}

#[tokio::test]
async fn after_a_lost_reply_no_answer_claims_that_nothing_was_applied() {
    for what in ["allocate", "open", "rename", "pause"] {
        let agency = impatient("", 0, r#""budget_mode":"isolated""#).await;
        let world = agency.world();
        let account = format!("/api/credit/accounts/{}", agency.campaign);
        let allocate =
            format!(r#"{{"from_account_id":"platform","to_account_id":"{}","amount":70}}"#, agency.agency);
        // The operation whose reply is lost (None: no reply), how many reads succeed, and which reads are
        // throttled after that.
        let (path, body, lost, (reads, read)) = match what {
            "allocate" => (
                "/api/credit/allocate",
                allocate.as_str(),
                Some("TransactWriteItems"),
                (0, "TransactGetItems"),
            ),
            "open" => (
                "/api/credit/accounts",
                r#"{"kind":"agency","parent_id":"platform","name":"Second"}"#,
                Some("TransactWriteItems"),
                (1, "TransactGetItems"),
            ),
            "rename" => (account.as_str(), r#"{"name":"Renamed"}"#, Some("UpdateItem"), (2, "GetItem")),
            _ => (account.as_str(), r#"{"status":"paused"}"#, None, (2, "GetItem")),
        };
        if let Some(lost) = lost {
            world.faults.plan(lost, 1, Fault::LostReply);
        }
        if reads > 0 {
            world.faults.plan(read, reads, Fault::Rewrite(Arc::new(|body| body)));
        }
        world.faults.always(read, Fault::exception("ThrottlingException"));
        let is_new = lost == Some("TransactWriteItems");
        let ask = async || {
            if is_new {
                world.post_keyed(&admin(), "once", path, body).await
            } else {
                world.patch(&admin(), path, body).await
            }
        };
        ask().await.expect_problem(503, "unavailable");
        world.faults.clear();
        let again = ask().await.expect(if is_new { 201 } else { 200 });
        assert!(!is_new || again.is_replay(), "{what}: {}", again.body);
        if what == "allocate" {
            assert_eq!(agency.figures(&agency.agency).await, ["70.00", "0.00", "0.00"]);
        }
        world.prove().await;
    }
}

#[tokio::test]
async fn remaining_credit_is_the_sum_of_all_slices_and_one_low_slice_raises_no_alert() {
    let agency = Agency::with(
        "",
        12,
        (r#""budget_mode":"isolated","slices":16,"low_credit_threshold":40"#, ""),
        patient(),
    )
    .await;
    let world = agency.world();
    allocate(world, "platform", &agency.agency, "300").await;
    allocate(world, &agency.agency, &agency.client, "300").await;
    for n in 0..30 {
        let (from, to) = (&agency.client, &agency.campaign);
        let body = format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":10}}"#);
        world.post_keyed(&admin(), &format!("part-{n}"), "/api/credit/allocate", &body).await.expect(201);
    }
    for n in 1..=9 {
        world.clock.advance(Duration::from_secs(1));
        let issued = agency.provision(&format!("CODE-{n}")).await.expect(201);
        assert_eq!(issued.raw("credit_remaining"), format!("{}.00", 300 - 25 * n));
        let alerts = world.get(&admin(), "/api/alerts?status=open").await.expect(200);
        assert_eq!(alerts.field("/total"), 0, "{}", alerts.body);
    }
    // The same holds if one slice has enough credit.
    let sister = open(world, "campaign", &agency.client, r#""budget_mode":"isolated","slices":8"#).await;
    allocate(world, "platform", &agency.agency, "800").await;
    allocate(world, &agency.agency, &agency.client, "800").await;
    for n in 0..8 {
        let (from, to) = (&agency.client, &sister);
        let body = format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":100}}"#);
        world.post_keyed(&admin(), &format!("whole-{n}"), "/api/credit/allocate", &body).await.expect(201);
    }
    for n in 1..=2 {
        let provision = agency.provision_body(&format!("SISTER-{n}")).replace(&agency.campaign, &sister);
        let issued = world.post(&issuer(), "/api/gift-cards/provision", &provision).await.expect(201);
        assert_eq!(issued.raw("credit_remaining"), format!("{}.00", 800 - 25 * n));
    }
    let path = format!("/api/credit/accounts/{}/transactions?limit=1", agency.campaign);
    let last = world.get(&admin(), &path).await.expect(200);
    assert_eq!(last.raw("balance_after").as_str(), "75.00", "{}", last.body);
    world.prove().await;
}

#[tokio::test]
async fn an_attempt_of_a_killed_process_is_resolved_by_a_repetition_without_the_monitor() {
    let agency = Arc::new(Agency::new("25", 3).await);
    let world = agency.world();
    let stop_before_commit = async |code: &'static str| {
        let arrived = Arc::new(Notify::new());
        world.faults.plan("TransactWriteItems", 1, Fault::StopBefore(arrived.clone()));
        let machine = agency.clone();
        let process = tokio::spawn(async move { machine.provision(code).await });
        tests::stopped(process, &arrived).await;
        assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "25.00", "0.00"]);
    };
    stop_before_commit("CODE-1").await;
    world.clock.advance(Duration::from_secs(15));
    // The same code: no other process is working on it any more.
    assert!(!agency.provision("CODE-1").await.expect(201).is_replay());
    assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "0.00", "25.00"]);
    world.prove().await;
}

#[tokio::test]
async fn an_attempt_that_has_timed_out_is_resolved_for_any_other_request() {
    let agency = Arc::new(Agency::new("25", 3).await);
    let world = agency.world();
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 1, Fault::StopBefore(arrived.clone()));
    let machine = agency.clone();
    let process = tokio::spawn(async move { machine.provision("CODE-1").await });
    tests::stopped(process, &arrived).await;
    world.clock.advance(Duration::from_secs(60));
    agency.provision("CODE-2").await.expect(201);
    agency.provision("CODE-1").await.expect_problem(402, "insufficient_funds");
    world.prove().await;
}
