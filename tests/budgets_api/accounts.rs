//! Accounts: opened, funded, read, paused and closed.

use serde_json::json;
use tests::agency::{allocate, open};
use tests::{Agency, World, acts_for, admin, customer, service, staff};

#[tokio::test]
async fn credit_goes_down_step_by_step_and_every_level_adds_up() {
    let world = World::new().await;
    let agency = open(&world, "agency", "platform", "").await;
    let client = open(&world, "client", &agency, "").await;
    let campaign =
        open(&world, "campaign", &client, r#""budget_mode":"isolated","low_credit_threshold":100"#).await;
    let first = allocate(&world, "platform", &agency, "1000").await;
    assert_eq!(first.field("/from_account_balance"), json!(null));
    assert_eq!(first.raw("to_account_balance"), "1000.00");
    assert_eq!(first.text("/out_transaction/type"), "ALLOCATION_OUT");
    assert_eq!(first.text("/in_transaction/account_id"), agency);
    allocate(&world, &agency, &client, "400.50").await;
    world.clock.advance(std::time::Duration::from_secs(1));
    allocate(&world, &client, &campaign, "150").await;
    let get = async |id: &str| world.get(&admin(), &format!("/api/credit/accounts/{id}")).await.expect(200);
    let platform = get("platform").await;
    assert_eq!((platform.field("/available"), platform.raw("issued")), (json!(null), "1000.00".to_owned()));
    let shown = get(&client).await;
    assert_eq!(
        ["available", "reserved", "allocated", "received", "spent"].map(|name| shown.raw(name)),
        ["250.50", "0.00", "150.00", "400.50", "0.00"]
    );
    assert_eq!((shown.text("/status"), shown.text("/parent_id")), ("active".into(), agency.clone()));
    assert_eq!(get(&campaign).await.text("/budget_mode"), "isolated");
    world.clock.advance(std::time::Duration::from_secs(1));
    let body = format!(r#"{{"account_id":"{campaign}"}}"#);
    let back = world.post(&admin(), "/api/credit/reclaim", &body).await.expect(201);
    assert_eq!(
        (back.raw("from_account_balance"), back.raw("to_account_balance")),
        ("0.00".into(), "400.50".into())
    );
    assert_eq!(get(&campaign).await.text("/status"), "auto_paused");
    let tree = world.get(&admin(), "/api/credit/accounts/platform/tree").await.expect(200);
    assert_eq!(tree.text("/children/0/children/0/children/0/account_id"), campaign);
    let history =
        world.get(&staff(), &format!("/api/credit/accounts/{client}/transactions?limit=2")).await.expect(200);
    assert_eq!(history.text("/transactions/0/type"), "RECLAIM_IN");
    let cursor = history.text("/next_cursor");
    let path = format!("/api/credit/accounts/{client}/transactions?limit=2&cursor={cursor}");
    assert_eq!(world.get(&staff(), &path).await.text("/transactions/0/type"), "ALLOCATION_IN");
    let location =
        format!("/api/credit/accounts/{client}/transactions/{}", history.text("/transactions/0/id"));
    assert_eq!(world.get(&staff(), &location).await.expect(200).text("/type"), "RECLAIM_IN");
    world.prove().await;
}

#[tokio::test]
async fn an_allocation_is_served_once_and_needs_cover_and_a_child() {
    let world = World::new().await;
    let agency = open(&world, "agency", "platform", "").await;
    let client = open(&world, "client", &agency, "").await;
    let other = open(&world, "agency", "platform", "").await;
    allocate(&world, "platform", &agency, "100").await;
    let body = format!(r#"{{"from_account_id":"{agency}","to_account_id":"{client}","amount":100}}"#);
    let first = world.post_keyed(&admin(), "k", "/api/credit/allocate", &body).await.expect(201);
    assert!(first.header("location").is_some());
    // The credit is spent by now: a replay takes precedence over every rule, and 100.00 equals 100.
    let same = body.replace("100}", "\"100.00\"}");
    let again = world.post_keyed(&admin(), "k", "/api/credit/allocate", &same).await.expect(201);
    assert!(again.is_replay() && again.body == first.body);
    let less = body.replace("100}", "99}");
    world
        .post_keyed(&admin(), "k", "/api/credit/allocate", &less)
        .await
        .expect_problem(422, "idempotency_key_reused");
    let short =
        world.post(&admin(), "/api/credit/allocate", &body).await.expect_problem(402, "insufficient_funds");
    assert_eq!((short.raw("available"), short.raw("required")), ("0.00".into(), "100.00".into()));
    for (from, to) in [(&agency, &other), (&client, &agency), (&agency, &agency)] {
        let body = format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":1}}"#);
        world.post(&admin(), "/api/credit/allocate", &body).await.expect_problem(400, "not_a_child");
    }
    let body = format!(r#"{{"from_account_id":"{agency}","to_account_id":"{client}","amount":1.001}}"#);
    world.post(&admin(), "/api/credit/allocate", &body).await.expect_problem(400, "invalid_request");
    world.prove().await;
}

#[tokio::test]
async fn everyone_reaches_their_own_and_what_is_below_and_nothing_else() {
    let agency = Agency::new("500", 0).await;
    let world = agency.world();
    let rival = open(world, "agency", "platform", "").await;
    let (own, theirs) = (acts_for("agency", &agency.agency), acts_for("agency", &rival));
    let client = acts_for("client", &agency.client);
    let path = |id: &str| format!("/api/credit/accounts/{id}");
    world.get(&own, &path(&agency.campaign)).await.expect(200);
    world.get(&theirs, &path(&agency.campaign)).await.expect_problem(404, "account_not_found");
    world.get(&client, &path(&agency.agency)).await.expect_problem(404, "account_not_found");
    world.get(&staff(), &path(&agency.agency)).await.expect(200);
    world.get(&customer("c"), &path(&agency.agency)).await.expect_problem(403, "forbidden");
    world.get(&service("wallet:read"), &path(&agency.agency)).await.expect_problem(403, "forbidden");
    world
        .get(&acts_for("client", &agency.agency), &path(&agency.agency))
        .await
        .expect_problem(404, "account_not_found");
    let open = |kind: &str, parent: &str| format!(r#"{{"kind":"{kind}","parent_id":"{parent}","name":"n"}}"#);
    world.post(&own, "/api/credit/accounts", &open("client", &agency.agency)).await.expect(201);
    world
        .post(&own, "/api/credit/accounts", &open("agency", "platform"))
        .await
        .expect_problem(403, "forbidden");
    world
        .post(&theirs, "/api/credit/accounts", &open("client", &agency.agency))
        .await
        .expect_problem(404, "account_not_found");
    world.post(&client, "/api/credit/accounts", &open("campaign", &agency.client)).await.expect(201);
    world
        .post(&admin(), "/api/credit/accounts", &open("campaign", &agency.agency))
        .await
        .expect_problem(400, "invalid_request");
    // A client allocates to its campaigns. It can neither take from its agency nor return credit itself.
    let give = format!(
        r#"{{"from_account_id":"{}","to_account_id":"{}","amount":1}}"#,
        agency.agency, agency.client
    );
    world.post(&client, "/api/credit/allocate", &give).await.expect_problem(404, "account_not_found");
    let back = format!(r#"{{"account_id":"{}","amount":1}}"#, agency.client);
    world.post(&client, "/api/credit/reclaim", &back).await.expect_problem(404, "account_not_found");
    world.post(&theirs, "/api/credit/reclaim", &back).await.expect_problem(404, "account_not_found");
    let give = format!(r#"{{"from_account_id":"{rival}","to_account_id":"{}","amount":1}}"#, agency.client);
    world.post(&theirs, "/api/credit/allocate", &give).await.expect_problem(400, "not_a_child");
    world.post(&staff(), "/api/credit/allocate", &give).await.expect_problem(403, "forbidden");
    world.prove().await;
}

#[tokio::test]
async fn closing_hands_what_is_left_to_the_parent_and_is_for_good() {
    let agency = Agency::new("500", 2).await;
    let world = agency.world();
    agency.provision("CODE-1").await.expect(201);
    let path = format!("/api/credit/accounts/{}", agency.campaign);
    let client = format!("/api/credit/accounts/{}", agency.client);
    world.patch(&admin(), &client, r#"{"status":"closing"}"#).await.expect_problem(409, "account_not_empty");
    let closed = world.patch(&admin(), &path, r#"{"status":"closing"}"#).await.expect(200);
    assert_eq!(
        (closed.text("/status"), closed.raw("available"), closed.raw("spent")),
        ("closed".into(), "0.00".into(), "25.00".into())
    );
    assert_eq!(agency.account(&agency.client).await.raw("available"), "475.00");
    agency.provision("CODE-2").await.expect_problem(409, "budget_paused");
    world.patch(&admin(), &path, r#"{"status":"active"}"#).await.expect_problem(409, "budget_paused");
    let give = format!(
        r#"{{"from_account_id":"{}","to_account_id":"{}","amount":1}}"#,
        agency.client, agency.campaign
    );
    world.post(&admin(), "/api/credit/allocate", &give).await.expect_problem(409, "budget_paused");
    // What was issued can still be read.
    assert!(agency.provision("CODE-1").await.expect(201).is_replay());
    world.prove().await;
}

#[tokio::test]
async fn a_mode_changes_only_with_nothing_available_or_reserved() {
    let agency = Agency::new("100", 4).await;
    let world = agency.world();
    let path = format!("/api/credit/accounts/{}", agency.campaign);
    let shared = r#"{"budget_mode":"shared"}"#;
    world.patch(&admin(), &path, shared).await.expect_problem(409, "account_not_empty");
    let body = format!(r#"{{"account_id":"{}"}}"#, agency.campaign);
    world.post(&admin(), "/api/credit/reclaim", &body).await.expect(201);
    let changed = world.patch(&admin(), &path, shared).await.expect(200);
    assert_eq!(
        (changed.text("/funded_by"), changed.raw("available")),
        (agency.client.clone(), "100.00".into())
    );
    world.clock.advance(std::time::Duration::from_secs(1));
    agency.provision("CODE-1").await.expect(201);
    assert_eq!(agency.figures(&agency.client).await, ["75.00", "0.00", "25.00"]);
    assert_eq!(agency.figures(&agency.campaign).await, ["75.00", "0.00", "25.00"]);
    let history = world.get(&admin(), &format!("{path}/transactions")).await.expect(200);
    assert_eq!(history.text("/transactions/0/type"), "REDEMPTION");
    assert_eq!(history.text("/transactions/0/campaign_id"), agency.campaign);
    let give = format!(
        r#"{{"from_account_id":"{}","to_account_id":"{}","amount":1}}"#,
        agency.client, agency.campaign
    );
    world.post(&admin(), "/api/credit/allocate", &give).await.expect_problem(400, "invalid_request");
    world.prove().await;
}
