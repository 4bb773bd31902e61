//! Cards that arrive late, twice or expired, and suppliers that report one thing and do another: no card is
//! lost or sold twice.

use scrip::fakes::supply::Switch;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tests::agency::{create_pool, issuer, open};
use tests::{Agency, Fault, Outage, admin, patient};
use tokio::sync::Notify;

const RELOADLY: &str = r#""supplier":"reloadly","supplier_product_id":"4711""#;
const TREMENDOUS: &str = r#""supplier":"tremendous","supplier_product_id":"PRODUCT1""#;

async fn agency(budget: &str, cards: usize, brand: &str) -> Agency {
    Agency::with(budget, cards, (r#""budget_mode":"isolated""#, brand), patient()).await
}

async fn monitor(agency: &Agency) -> serde_json::Value {
    agency.world().clock.advance(Duration::from_secs(400));
    agency.shop.monitor().await
}

#[tokio::test]
async fn a_webhook_about_a_late_card_is_refused_until_the_supplier_shows_the_card() {
    for (brand, supplier) in [(RELOADLY, "reloadly"), (TREMENDOUS, "tremendous")] {
        let agency = agency("100", 0, brand).await;
        let fakes = &agency.shop.fakes;
        fakes.supply(supplier, Switch::LateDelivery);
        agency.provision("CODE").await.expect_problem(409, "supplier_rejected");
        let reference = fakes.issued(supplier).first().unwrap().clone();
        fakes.supply(supplier, Switch::Withheld);
        // The webhook is not acknowledged, so it is sent again.
        agency.webhook(supplier, &reference, false).await.expect_problem(503, "unavailable");
        fakes.supply(supplier, Switch::Well);
        for _ in 0..2 {
            agency.webhook(supplier, &reference, false).await.expect(200);
        }
        assert_eq!(agency.provision("NEXT").await.expect(201).text("/source"), "csv");
        assert_eq!(fakes.issued(supplier).len(), 1, "{supplier}");
        assert_eq!(agency.world().prove().await.budgets.cards, (1, 0, 1));
    }
}

#[tokio::test]
async fn a_late_card_of_a_refill_is_kept_though_others_of_its_pool_come_meanwhile() {
    let agency = agency("100", 0, RELOADLY).await;
    let (world, fakes) = (agency.world(), &agency.shop.fakes);
    create_pool(world, &agency.brand, "buffer").await;
    fakes.supply("reloadly", Switch::LateDelivery);
    monitor(&agency).await;
    let refused = fakes.issued("reloadly");
    assert_eq!(refused.len(), 1, "a supplier that rejects an order gets no other order in this run");
    fakes.supply("reloadly", Switch::ReplyLost);
    monitor(&agency).await;
    assert_eq!(fakes.issued("reloadly").len(), 2, "nor does a supplier that does not answer");
    fakes.supply("reloadly", Switch::Well);
    world.clock.advance(Duration::from_secs(30));
    agency.webhook("reloadly", &refused[0], false).await.expect(200);
    let inventory = world.get(&admin(), "/api/gift-cards/inventory").await.expect(200);
    assert_eq!(inventory.field("/buffer/available"), 1, "the card that the webhook reported");
    assert_eq!(inventory.field("/api/open_refills"), 1);
    monitor(&agency).await;
    let inventory = world.get(&admin(), "/api/gift-cards/inventory").await.expect(200);
    assert_eq!(inventory.field("/buffer/available"), fakes.issued("reloadly").len());
    assert_eq!(inventory.field("/api/open_refills"), 0);
    world.prove().await;
}

#[tokio::test]
async fn a_repetition_that_is_refused_does_not_end_an_order_that_may_be_on_its_way() {
    for (brand, supplier) in [(RELOADLY, "reloadly"), (TREMENDOUS, "tremendous")] {
        let agency = agency("100", 0, brand).await;
        agency.shop.fakes.supply(supplier, Switch::ReplyLost);
        agency.provision("CODE").await.expect(202);
        // The order was accepted. Now something between this system and the supplier refuses every request.
        agency.shop.outage(Outage::Refusing);
        for _ in 0..3 {
            monitor(&agency).await;
            assert_eq!(agency.figures(&agency.campaign).await, ["75.00", "25.00", "0.00"]);
        }
        agency.shop.outage(Outage::None);
        agency.shop.fakes.supply(supplier, Switch::Well);
        agency.world().clock.advance(Duration::from_secs(900));
        monitor(&agency).await;
        assert_eq!(agency.provision("CODE").await.expect(201).text("/source"), "api");
        assert_eq!(agency.shop.fakes.issued(supplier).len(), 1, "{supplier}");
        agency.world().prove().await;
    }
}

#[tokio::test]
async fn one_reward_is_one_card_however_often_its_link_is_made() {
    let agency = agency("100", 0, TREMENDOUS).await;
    agency.shop.fakes.supply("tremendous", Switch::Duplicate);
    let first = agency.provision("FIRST").await.expect(201);
    assert!(first.text("/card/card_url").starts_with("https://reward.example.com/"), "{}", first.body);
    assert!(first.text("/card/card_number").starts_with('R'));
    agency.provision("SECOND").await.expect_problem(409, "supplier_rejected");
    // The supplier reports a reward's cost in dollars, and this account is in rupees: the face value is used.
    let id = first.text("/redemption/redemption_id");
    let shown = agency.world().get(&admin(), &format!("/api/gift-cards/redemptions/{id}")).await.expect(200);
    assert_eq!(shown.raw("cost_basis"), "25.00");
    agency.world().prove().await;
}

#[tokio::test]
async fn cards_that_expire_soonest_are_issued_first_and_expired_cards_block_nothing() {
    let agency = agency("2000", 0, RELOADLY).await;
    let world = agency.world();
    let path = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    let dated = |prefix: &str, cards: usize, date: &str| {
        (0..cards).map(|n| format!("{prefix}-{n:04},{date}\n")).collect::<String>()
    };
    let lines = [dated("never", 2, ""), dated("later", 2, "2026-02-20"), dated("soon", 2, "2026-01-16")];
    let file = format!("code,expires_on\n{}", lines.concat());
    world.post_csv(&admin(), &path, &file).await.expect(200);
    let mut dates = vec![];
    for n in 0..6 {
        let issued = agency.provision(&format!("CODE-{n}")).await.expect(201);
        assert_eq!(issued.text("/source"), "csv");
        dates.push(issued.raw("expires_on").replace('"', ""));
    }
    assert_eq!(dates, ["2026-01-16", "2026-01-16", "2026-02-20", "2026-02-20", "null", "null"]);
    // Five hundred cards that expire today.
    let file = format!("code,expires_on\n{}", dated("today", 500, "2026-01-15"));
    world.post_csv(&admin(), &path, &file).await.expect(200);
    assert_eq!(agency.provision("TODAY").await.expect(201).text("/card/expires_on"), "2026-01-15");
    world.post_csv(&admin(), &path, &format!("code,expires_on\n{}", dated("far", 1, ""))).await.expect(200);
    // They can be issued until the end of the day, those that expire soonest first.
    assert_eq!(agency.provision("STILL").await.expect(201).text("/card/expires_on"), "2026-01-15");
    world.clock.set("2026-01-16T00:00:00Z");
    let inventory = world.get(&admin(), "/api/gift-cards/inventory").await.expect(200);
    assert_eq!(inventory.field("/csv/available"), 1, "{}", inventory.body);
    let requests = async |code: &str| {
        world.faults.take_log();
        let issued = agency.provision(code).await.expect(201);
        let queries = world.faults.take_log().iter().filter(|(operation, _)| operation == "Query").count();
        (issued.text("/source"), queries)
    };
    let (source, queries) = requests("LAST").await;
    assert!(source == "csv" && queries <= 4, "{source} {queries}");
    let (source, queries) = requests("NONE").await;
    assert!(source == "api" && queries <= 4, "{source} {queries}");
    world.prove().await;
}

#[tokio::test]
async fn a_silent_supplier_does_not_stop_the_other_checks_of_the_monitor() {
    let agency = agency("100", 5, RELOADLY).await;
    let world = agency.world();
    create_pool(world, &agency.brand, "buffer").await;
    let path = format!("/api/credit/accounts/{}", agency.client);
    world.patch(&admin(), &path, r#"{"low_credit_threshold":100}"#).await.expect(200);
    agency.shop.outage(Outage::Down);
    agency.shop.requests();
    let looked = agency.shop.monitor().await;
    assert_eq!(looked["breakdown"]["clients"], 1, "{looked}");
    let requests = agency.shop.requests();
    assert!(requests.len() <= 3, "more than one order was sent: {requests:?}");
    let inventory = world.get(&admin(), "/api/gift-cards/inventory").await.expect(200);
    assert_eq!(inventory.field("/api/open_refills"), 1);
    agency.shop.outage(Outage::None);
    monitor(&agency).await;
    let inventory = world.get(&admin(), "/api/gift-cards/inventory").await.expect(200);
    assert_eq!(
        (inventory.field("/buffer/available"), inventory.field("/api/open_refills")),
        (json!(6), json!(0))
    );
    world.prove().await;
}

#[tokio::test]
async fn alerts_stay_open_as_long_as_their_reason_and_show_when_it_becomes_worse() {
    let agency = agency("35", 3, "").await;
    let world = agency.world();
    let kinds = async || {
        let open = world.get(&admin(), "/api/alerts?status=open").await.expect(200).json();
        let alerts = open["alerts"].as_array().unwrap().clone();
        let word = |alert: &serde_json::Value, name: &str| alert[name].as_str().unwrap().to_owned();
        let mut kinds: Vec<_> = alerts.iter().map(|a| (word(a, "kind"), word(a, "severity"))).collect();
        kinds.sort();
        kinds
    };
    let alert = |kind: &str, severity: &str| (kind.to_owned(), severity.to_owned());
    agency.provision("CODE-1").await.expect(201);
    agency.provision("CODE-2").await.expect_problem(402, "insufficient_funds");
    // 10 are left, and a card costs 25: the monitor has no reason to close the alert.
    for _ in 0..3 {
        monitor(&agency).await;
        assert_eq!(kinds().await, [alert("budget_depleted", "critical"), alert("low_stock", "warning")]);
    }
    agency.fund("100").await;
    for code in ["CODE-2", "CODE-3"] {
        agency.provision(code).await.expect(201);
    }
    for _ in 0..2 {
        monitor(&agency).await;
    }
    assert_eq!(kinds().await, [alert("low_stock", "critical")], "the pool is empty now");
    world.prove().await;
}

#[tokio::test]
async fn closed_alerts_are_listed_page_by_page_and_counted() {
    let agency = agency("25", 40, "").await;
    let world = agency.world();
    for n in 0..5 {
        let campaign = open(world, "campaign", &agency.client, r#""budget_mode":"isolated""#).await;
        let provision = agency.provision_body(&format!("CODE-{n}")).replace(&agency.campaign, &campaign);
        world.clock.advance(Duration::from_secs(1));
        world
            .post(&issuer(), "/api/gift-cards/provision", &provision)
            .await
            .expect_problem(402, "insufficient_funds");
    }
    let list = async |query: &str| {
        let mut ids = vec![];
        let mut cursor = String::new();
        loop {
            let path = format!("/api/alerts?limit=2{query}{cursor}");
            let page = world.get(&admin(), &path).await.expect(200).json();
            assert_eq!(page["total"], 5, "{page}");
            let alerts = page["alerts"].as_array().unwrap().clone();
            ids.extend(alerts.iter().map(|alert| alert["opened_at"].as_str().unwrap().to_owned()));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return ids,
            }
        }
    };
    let open = list("&status=open").await;
    assert_eq!(list("").await, open);
    // Nothing is redeemed on these campaigns, so the monitor finds nothing wrong.
    for _ in 0..2 {
        monitor(&agency).await;
    }
    let closed = list("&status=closed").await;
    assert_eq!((closed.len(), &closed), (5, &list("").await));
    assert!(closed.windows(2).all(|pair| pair[0] > pair[1]), "newest first: {closed:?}");
    let skipped = world.get(&admin(), "/api/alerts?status=closed&skip=4").await.expect(200).json();
    assert_eq!(skipped["alerts"].as_array().unwrap().len(), 1);
    world.prove().await;
}

#[tokio::test]
async fn pending_supplier_orders_are_limited_and_pools_continue_meanwhile() {
    let agency = agency("1000", 0, RELOADLY).await;
    let world = agency.world();
    agency.shop.fakes.supply("reloadly", Switch::Slow);
    for n in 0..32 {
        agency.provision(&format!("SLOW-{n}")).await.expect(202);
    }
    world.faults.take_log();
    agency.provision("ONE-TOO-MANY").await.expect_problem(503, "contention");
    let reserves = world.faults.take_log().iter().filter(|(name, _)| name == "UpdateItem").count();
    assert!(reserves <= 8, "a retry at once would not help: {reserves}");
    assert_eq!(agency.figures(&agency.campaign).await, ["200.00", "800.00", "0.00"]);
    let alerts = world.get(&admin(), "/api/alerts?status=open").await.expect(200);
    assert!(alerts.body.contains("too many orders are waiting"), "{}", alerts.body);
    agency.stock("c", 1).await;
    assert_eq!(agency.provision("FROM-A-POOL").await.expect(201).text("/source"), "csv");
    world.prove().await;
}

#[tokio::test]
async fn a_shared_campaigns_threshold_looks_at_its_clients_credit_and_can_be_taken_away() {
    let agency = Agency::with("100", 5, (r#""low_credit_threshold":80"#, ""), patient()).await;
    let world = agency.world();
    let path = format!("/api/credit/accounts/{}", agency.campaign);
    let low = async || {
        let open = world.get(&admin(), "/api/alerts?status=open").await.expect(200);
        open.body.contains("low_credit")
    };
    agency.shop.monitor().await;
    assert!(!low().await);
    agency.provision("CODE-1").await.expect(201);
    assert!(low().await, "75 are left");
    monitor(&agency).await;
    assert!(low().await);
    let changed = world.patch(&admin(), &path, r#"{"low_credit_threshold":null}"#).await.expect(200);
    assert_eq!(changed.raw("low_credit_threshold"), "null");
    world.patch(&admin(), &path, r#"{"low_credit_threshold":50}"#).await.expect(200);
    for _ in 0..2 {
        monitor(&agency).await;
    }
    assert!(!low().await);
    // An agency's restriction to certain brands can be removed again.
    let path = format!("/api/credit/accounts/{}", agency.agency);
    world.patch(&admin(), &path, r#"{"brands":[]}"#).await.expect(200);
    agency.provision("CODE-2").await.expect_problem(403, "forbidden");
    let open = world.patch(&admin(), &path, r#"{"brands":null}"#).await.expect(200);
    assert_eq!(open.raw("brands"), "null");
    agency.provision("CODE-2").await.expect(201);
    world.prove().await;
}

#[tokio::test]
async fn no_request_waits_for_credit_that_is_reserved_for_a_supplier_order() {
    let agency = agency("25", 0, RELOADLY).await;
    let world = agency.world();
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let body = format!(r#"{{"count":1,"brand_id":"{}","denomination":25}}"#, agency.brand);
    let code = world.post(&admin(), &codes, &body).await.expect(201).text("/codes/0");
    agency.shop.fakes.supply("reloadly", Switch::Slow);
    agency.provision("SLOW").await.expect(202);
    world.faults.take_log();
    let short = agency.provision("NEXT").await.expect_problem(402, "insufficient_funds");
    assert_eq!(short.raw("available"), "0.00");
    let take = format!(r#"{{"account_id":"{}","amount":25}}"#, agency.campaign);
    world.post(&admin(), "/api/credit/reclaim", &take).await.expect_problem(402, "insufficient_funds");
    let redeem = json!({"redemption_code": code}).to_string();
    let request =
        tests::world::request(http::Method::POST, "/api/gift-cards/redeem", &redeem, Default::default());
    world.send(None, request).await.expect_problem(404, "code_not_found");
    let requests = world.faults.take_log().len();
    assert!(requests < 60, "the request is not retried repeatedly: {requests}");
    let alerts = world.get(&admin(), "/api/alerts?status=open").await.expect(200);
    assert!(alerts.body.contains("budget_depleted"), "{}", alerts.body);
    agency.shop.fakes.supply("reloadly", Switch::Rejects);
    world.prove().await;
}

#[tokio::test]
async fn a_webhook_about_a_late_refill_card_is_refused_until_the_supplier_shows_the_card() {
    let agency = agency("100", 0, RELOADLY).await;
    let (world, fakes) = (agency.world(), &agency.shop.fakes);
    create_pool(world, &agency.brand, "buffer").await;
    fakes.supply("reloadly", Switch::LateDelivery);
    monitor(&agency).await;
    let refused = fakes.issued("reloadly");
    fakes.supply("reloadly", Switch::Withheld);
    agency.webhook("reloadly", &refused[0], false).await.expect_problem(503, "unavailable");
    fakes.supply("reloadly", Switch::Well);
    for _ in 0..2 {
        agency.webhook("reloadly", &refused[0], false).await.expect(200);
    }
    let inventory = world.get(&admin(), "/api/gift-cards/inventory").await.expect(200);
    assert_eq!(inventory.field("/buffer/available"), 1);
    world.prove().await;
}

#[tokio::test]
async fn a_rejected_order_of_a_stopped_process_is_resolved_without_the_monitor() {
    let agency = Arc::new(agency("25", 0, RELOADLY).await);
    let (world, fakes) = (agency.world(), &agency.shop.fakes);
    fakes.supply("reloadly", Switch::Rejects);
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 1, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("TransactWriteItems", 1, Fault::StopAfter(arrived.clone()));
    let machine = agency.clone();
    let process = tokio::spawn(async move { machine.provision("REFUSED").await });
    tests::stopped(process, &arrived).await;
    assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "25.00", "0.00"]);
    fakes.supply("reloadly", Switch::Well);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(agency.provision("NEXT").await.expect(201).text("/source"), "api");
    assert_eq!(agency.figures(&agency.campaign).await, ["0.00", "0.00", "25.00"]);
    world.prove().await;
}

#[tokio::test]
async fn an_attempt_that_was_fenced_before_its_order_is_tried_again_and_not_refused() {
    let agency = Arc::new(agency("25", 0, RELOADLY).await);
    let world = agency.world();
    let (reached, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("UpdateItem", 1, Fault::Rewrite(Arc::new(|body| body)));
    world.faults.plan("UpdateItem", 1, Fault::Wait(reached.clone(), go.clone()));
    let machine = agency.clone();
    let slow = tokio::spawn(async move { machine.provision("SLOW").await });
    reached.notified().await;
    monitor(&agency).await;
    assert_eq!(agency.figures(&agency.campaign).await, ["25.00", "0.00", "0.00"]);
    go.notify_one();
    assert_eq!(slow.await.unwrap().expect(201).text("/source"), "api");
    assert_eq!(agency.shop.fakes.issued("reloadly").len(), 1);
    world.prove().await;
}
