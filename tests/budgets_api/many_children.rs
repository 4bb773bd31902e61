//! Accounts with very many children: how many may be open, and what reading them costs.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::actor::Actor;
use domain::context::Context;
use domain::ids::RequestId;
use domain::ids::budget::AccountId;
use issuing::{AccountBounds, Issuer, WatchBounds, WatchSummary};
use std::time::Duration;
use tests::agency::{allocate, open};
use tests::{Agency, Answer, World, admin, patient};

async fn set(world: &World, account: &str, expression: &str, value: Option<u32>) {
    let key = store::keys::slice(&AccountId::parse(account).unwrap(), 0);
    let update = world.raw().update_item().table_name(world.app.store.table());
    let mut update = update.set_key(Some(key.attributes())).update_expression(expression);
    if let Some(value) = value {
        update = update.expression_attribute_values(":v", AttributeValue::N(value.to_string()));
    }
    update.send().await.unwrap();
}

async fn open_campaign(world: &World, client: &str, more: &str) -> Answer {
    let body = format!(r#"{{"kind":"campaign","parent_id":"{client}","name":"n"{more}}}"#);
    world.post(&admin(), "/api/credit/accounts", &body).await
}

async fn children(world: &World, account: &str, query: &str) -> Answer {
    world.get(&admin(), &format!("/api/credit/accounts/{account}/children?{query}")).await.expect(200)
}

fn ids(answer: &Answer) -> Vec<String> {
    let children = answer.json()["children"].as_array().unwrap().clone();
    children.iter().map(|child| child["account_id"].as_str().unwrap().to_owned()).collect()
}

/// Covers fault 48 of the requirements.
#[tokio::test]
async fn an_account_has_at_most_1000_open_children_however_many_requests_come_at_once() {
    let agency = Agency::new("", 0).await;
    let (world, client) = (agency.world(), agency.client.as_str());
    // As if 997 others were open.
    set(world, client, "SET children_open = :v", Some(998)).await;
    let answers = futures::future::join_all((0..6).map(|_| open_campaign(world, client, ""))).await;
    let opened: Vec<String> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.text("/account_id"))
        .collect();
    assert_eq!(opened.len(), 2, "{answers:?}");
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.expect_problem(409, "too_many_open");
    }
    // A closed one makes room for another.
    let path = format!("/api/credit/accounts/{}", opened[0]);
    for _ in 0..2 {
        let closed = world.patch(&admin(), &path, r#"{"status":"closing"}"#).await.expect(200);
        assert_eq!(closed.text("/status"), "closed");
    }
    open_campaign(world, client, "").await.expect(201);
    open_campaign(world, client, "").await.expect_problem(409, "too_many_open");
    assert_eq!(children(world, client, "").await.raw("total"), "4");
    world.prove().await;
}

#[tokio::test]
async fn the_children_of_an_account_from_an_earlier_version_are_counted_when_that_is_needed() {
    let agency = Agency::new("", 0).await;
    let (world, client) = (agency.world(), agency.client.as_str());
    let second = open_campaign(world, client, "").await.expect(201).text("/account_id");
    let forget = async || set(world, client, "REMOVE children_open, children_total", None).await;
    forget().await;
    assert_eq!(children(world, client, "").await.raw("total"), "2");
    forget().await;
    let closing = r#"{"status":"closing"}"#;
    world
        .patch(&admin(), &format!("/api/credit/accounts/{client}"), closing)
        .await
        .expect_problem(409, "account_not_empty");
    forget().await;
    let path = format!("/api/credit/accounts/{second}");
    assert_eq!(world.patch(&admin(), &path, closing).await.expect(200).text("/status"), "closed");
    forget().await;
    open_campaign(world, client, "").await.expect(201);
    let found = world.app.store.budgets().child_count(&AccountId::parse(client).unwrap()).await.unwrap();
    assert_eq!((found.open, found.total), (2, 3));
    world.prove().await;
}

#[tokio::test]
async fn a_page_of_children_reads_what_it_shows_and_pages_follow_each_other() {
    let agency = Agency::new("", 0).await;
    let (world, client) = (agency.world(), agency.client.as_str());
    for _ in 0..30 {
        world.clock.advance(Duration::from_millis(1));
        open_campaign(world, client, "").await.expect(201);
    }
    let all = ids(&children(world, client, "limit=100").await);
    assert_eq!((all.len(), all[0].as_str()), (31, agency.campaign.as_str()));
    world.faults.take_log();
    let page = children(world, client, "limit=4&skip=3").await;
    let keys = |body: &serde_json::Value| -> usize {
        let tables = body["RequestItems"].as_object().into_iter().flat_map(|tables| tables.values());
        tables.map(|table| table["Keys"].as_array().map_or(0, Vec::len)).sum()
    };
    let log = world.faults.take_log();
    let read: usize = log.iter().map(|(_, body)| keys(body)).sum();
    assert!(read < 10, "{read} items: {log:?}");
    assert_eq!(ids(&page), all[3..7]);
    let (mut seen, mut cursor) = (ids(&page), page.text("/next_cursor"));
    while !cursor.is_empty() {
        let page = children(world, client, &format!("limit=7&cursor={cursor}")).await;
        seen.extend(ids(&page));
        cursor = page.field("/next_cursor").as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(seen, all[3..]);
    assert_eq!(ids(&children(world, client, "skip=31").await), Vec::<String>::new());
}

/// Covers fault 48 of the requirements.
#[tokio::test]
async fn a_tree_has_at_most_4000_slices_and_the_entries_of_a_client_are_read_once() {
    let agency = Agency::with("500", 8, ("", ""), patient()).await;
    let (world, client) = (agency.world(), agency.client.as_str());
    for code in ["CODE-1", "CODE-2"] {
        agency.provision(code).await.expect(201);
    }
    world.clock.advance(Duration::from_millis(1));
    let opened = (0..90).map(|_| open_campaign(world, client, ""));
    for answer in futures::future::join_all(opened).await {
        answer.expect(201);
    }
    let tree = async |account: &str| {
        world.get(&admin(), &format!("/api/credit/accounts/{account}/tree")).await.expect(200)
    };
    world.faults.take_log();
    let whole = tree(client).await;
    let queries = world.faults.take_log().iter().filter(|(operation, _)| operation == "Query").count();
    assert!(queries < 40, "{queries} queries");
    assert_eq!(whole.field("/children").as_array().unwrap().len(), 91);
    assert_eq!(whole.text("/children/0/account_id"), agency.campaign);
    let first = whole.field("/children/0");
    assert_eq!((first["spent"].to_string(), first["available"].to_string()), ("50.0".into(), "450.0".into()));
    assert_eq!(whole.field("/truncated"), false);
    let other = open(world, "client", &agency.agency, "").await;
    let sliced = (0..64).map(|_| open_campaign(world, &other, r#","slices":64"#));
    for answer in futures::future::join_all(sliced).await {
        answer.expect(201);
    }
    let cut = tree(&other).await;
    assert_eq!(
        (cut.field("/truncated"), cut.field("/children").as_array().unwrap().len()),
        (true.into(), 62)
    );
    assert_eq!(children(world, &other, "limit=100").await.raw("total"), "64");
    world.prove().await;
}

/// Runs the check of accounts, at most this many, of each agency at most `share` in turn.
async fn watch(agency: &Agency, limit: usize, share: usize) -> WatchSummary {
    let parts = &agency.world().parts;
    let issuer = Issuer {
        store: parts.app.store.clone(),
        vault: parts.vault.clone(),
        suppliers: parts.suppliers.clone(),
    };
    let (now, policy) = (parts.app.clock.now(), parts.app.policy.clone());
    let context = Context { now, actor: Actor::system("test"), request: RequestId::new("watch"), policy };
    let accounts = AccountBounds { time: Duration::from_secs(60), limit, share };
    let bounds = WatchBounds { accounts, alerts: Duration::from_secs(60), refills: Duration::from_secs(60) };
    issuer.watch(&context, bounds).await
}

/// Covers fault 48 of the requirements.
#[tokio::test]
async fn the_accounts_of_one_agency_do_not_delay_the_check_of_anothers_and_the_next_run_goes_on() {
    let agency = Agency::new("", 0).await;
    let world = agency.world();
    let threshold = r#""low_credit_threshold":5"#;
    // The first agency has 3 clients with 4 campaigns each; those after it have one client.
    let mut clients = vec![];
    for _ in 0..3 {
        world.clock.advance(Duration::from_millis(1));
        let client = open(world, "client", &agency.agency, threshold).await;
        for _ in 0..4 {
            open_campaign(world, &client, "").await.expect(201);
        }
        clients.push(client);
    }
    let mut small = vec![];
    for _ in 0..2 {
        world.clock.advance(Duration::from_millis(1));
        let other = open(world, "agency", "platform", "").await;
        small.push(open(world, "client", &other, threshold).await);
    }
    let low = async || -> Vec<String> {
        let alerts = world.get(&admin(), "/api/alerts?status=open").await.expect(200).json();
        let mut low: Vec<String> = alerts["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|alert| alert["kind"] == "low_credit")
            .map(|alert| alert["subject"].as_str().unwrap().to_owned())
            .collect();
        low.sort();
        low
    };
    // 3 agencies and 2 clients of the others, and the share of the first: its first client and campaign.
    let found = watch(&agency, 7, 2).await;
    assert_eq!((found.failed, found.clients), (0, 2));
    let mut expected = small.clone();
    expected.sort();
    assert_eq!(low().await, expected);
    // Each run goes on where the one before ended, and all are checked in the end.
    let mut runs = 0;
    while low().await.len() < 5 {
        watch(&agency, 7, 2).await;
        runs += 1;
        assert!(runs < 12, "{:?}", low().await);
    }
    // What was low and is not any more is closed, wherever the runs have come to.
    allocate(world, "platform", &agency.agency, "100").await;
    allocate(world, &agency.agency, &clients[2], "50").await;
    let mut runs = 0;
    while low().await.contains(&clients[2]) {
        world.clock.advance(Duration::from_mins(5));
        watch(&agency, 7, 2).await;
        runs += 1;
        assert!(runs < 24);
    }
    // Without a limit, a run checks all that are left, and the next one all.
    watch(&agency, usize::MAX, 2).await;
    let all = watch(&agency, usize::MAX, 2).await;
    assert_eq!((all.failed, all.clients), (0, 4));
    world.prove().await;
}
