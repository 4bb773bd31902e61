//! Pools: filled from files and by suppliers, monitored, and counted.

use scrip::fakes::supply::Switch;
use serde_json::json;
use std::time::Duration;
use tests::agency::{create_pool, file, open};
use tests::{Agency, admin, staff};

const RELOADLY: &str = r#""supplier":"reloadly","supplier_product_id":"4711""#;

#[tokio::test]
async fn importing_a_file_again_adds_nothing_and_every_refused_line_is_reported() {
    let agency = Agency::new("100", 0).await;
    let world = agency.world();
    let path = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    let body = "\u{feff}code,number,pin,expires_on\r\nAAAA-1,1,9,2027-01-01\r\n\"BB,BB-2\",2,,\r\n=cmd|' /C calc'!A0,,,\r\n\
                AAAA-1,,,\r\nCCCC-3,,,2025-01-01\r\nDD,,,\r\nEEEE-5,,,,,,\r\nFFFF-6,,,tomorrow\r\nGG\u{2028}GG-é\r\n \"AAAA-1\" ,\r\n";
    let first = world.post_csv(&admin(), &path, body).await.expect(200);
    assert_eq!(["accepted", "duplicates", "invalid"].map(|name| first.raw(name)), ["3", "2", "5"]);
    let report =
        |n: usize| (first.field(&format!("/lines/{n}/line")), first.text(&format!("/lines/{n}/detail")));
    assert_eq!(report(0), (json!(4), "code starts like a formula".into()));
    assert_eq!(report(1), (json!(5), "appears earlier in this file".into()));
    assert_eq!(report(2), (json!(6), "expires_on has passed".into()));
    assert_eq!(report(3), (json!(7), "code must be 4 to 500 characters".into()));
    assert_eq!(report(4), (json!(9), "expires_on must be a date such as 2026-01-28".into()));
    assert_eq!(report(5), (json!(10), "code must be printable ASCII".into()));
    let again = world.post_csv(&admin(), &path, body).await.expect(200);
    assert_eq!(["accepted", "duplicates", "invalid"].map(|name| again.raw(name)), ["0", "5", "5"]);
    // A card is known in all pools: another pool does not accept it either.
    let other = create_pool(world, &agency.brand, "csv").await;
    let path = format!("/api/gift-cards/pools/{other}/cards");
    let elsewhere = world.post_csv(&admin(), &path, "code\nAAAA-1\nZZZZ-9\n").await.expect(200);
    assert_eq!(
        (elsewhere.raw("accepted"), elsewhere.text("/lines/0/detail")),
        ("1".into(), "is already known".into())
    );
    for bad in ["", "number\n1\n", "code,code\nAAAA,AAAA\n", "code,secret\nAAAA,x\n", "code;pin\nAAAA-1;2\n"]
    {
        world.post_csv(&admin(), &path, bad).await.expect_problem(400, "invalid_request");
    }
    world.post(&admin(), &path, r#"{"code":"AAAA-1"}"#).await.expect_problem(415, "unsupported_media_type");
    let large = format!("code\n{}", "AAAA-BBBB-CCCC-DDDD\n".repeat(220_000));
    world.post_csv(&admin(), &path, &large).await.expect_problem(413, "body_too_large");
    world.post_csv(&staff(), &path, "code\nAAAA-7\n").await.expect_problem(403, "forbidden");
    world.prove().await;
}

#[tokio::test]
async fn a_file_is_taken_once_though_replies_are_lost() {
    let agency = Agency::new("100", 0).await;
    let world = agency.world();
    let path = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    world.faults.plan("TransactWriteItems", 2, tests::Fault::LostReply);
    let taken = world.post_csv(&admin(), &path, &file("c", 120)).await.expect(200);
    assert_eq!(
        (taken.raw("accepted"), taken.raw("duplicates"), world.faults.fired()),
        ("120".into(), "0".into(), 2)
    );
    assert_eq!(world.prove().await.budgets.cards, (120, 120, 0));
}

#[tokio::test]
async fn stock_and_credit_that_are_low_raise_alerts_that_close_when_they_recover() {
    let agency = Agency::new("50", 2).await;
    let world = agency.world();
    let path = format!("/api/credit/accounts/{}", agency.client);
    world.patch(&admin(), &path, r#"{"low_credit_threshold":100}"#).await.expect(200);
    agency.provision("CODE-1").await.expect(201);
    let looked = agency.shop.monitor().await;
    assert_eq!((&looked["breakdown"]["csv_pools"], &looked["breakdown"]["clients"]), (&json!(1), &json!(1)));
    assert_eq!(looked["alerts_generated"], 2, "{looked}");
    assert_eq!(agency.shop.monitor().await["alerts_generated"], 0, "an alert is raised once");
    agency.provision("CODE-2").await.expect(201);
    let looked = agency.shop.monitor().await;
    assert_eq!(looked["breakdown"]["campaigns"], 1);
    let open = async |status: &str| {
        let answer = world.get(&staff(), &format!("/api/alerts?status={status}")).await.expect(200);
        let alerts = answer.json()["alerts"].as_array().unwrap().clone();
        let mut kinds: Vec<String> = alerts.iter().map(|a| a["kind"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        (kinds, answer)
    };
    let (kinds, answer) = open("open").await;
    assert_eq!(kinds, ["budget_depleted", "low_credit", "low_stock"]);
    let id = answer.text("/alerts/0/alert_id");
    let mine = world.post(&staff(), &format!("/api/alerts/{id}/acknowledge"), "").await.expect(200);
    assert_eq!(
        (mine.text("/status"), mine.text("/acknowledged_by")),
        ("acknowledged".into(), "staff-1".into())
    );
    assert_eq!((open("open").await.0.len(), open("acknowledged").await.0.len()), (2, 1));
    agency.stock("more", 10).await;
    tests::agency::allocate(world, "platform", &agency.agency, "500").await;
    tests::agency::allocate(world, &agency.agency, &agency.client, "500").await;
    tests::agency::allocate(world, &agency.client, &agency.campaign, "100").await;
    agency.shop.monitor().await;
    assert_eq!((open("open").await.0.len(), open("closed").await.0.len()), (2, 0), "one check is not enough");
    world.clock.advance(Duration::from_mins(5));
    agency.shop.monitor().await;
    assert_eq!(open("open").await.0, Vec::<String>::new());
    assert_eq!(open("closed").await.0, ["budget_depleted", "low_credit", "low_stock"]);
    world.get(&tests::customer("c"), "/api/alerts").await.expect_problem(403, "forbidden");
    world
        .post(&staff(), "/api/alerts/alert_00000000000000000000/acknowledge", "")
        .await
        .expect_problem(404, "alert_not_found");
    world.prove().await;
}

#[tokio::test]
async fn a_buffer_pool_is_refilled_ahead_of_need_one_order_for_each_card() {
    let agency = Agency::with("500", 0, (r#""budget_mode":"isolated""#, RELOADLY), Default::default()).await;
    let world = agency.world();
    let buffer = create_pool(world, &agency.brand, "buffer").await;
    let fakes = &agency.shop.fakes;
    fakes.supply("reloadly", Switch::ReplyLost);
    agency.shop.monitor().await;
    fakes.supply("reloadly", Switch::Well);
    world.clock.advance(Duration::from_secs(60));
    agency.shop.monitor().await;
    assert_eq!(fakes.issued("reloadly").len(), 6, "twice the threshold, though replies were lost");
    let inventory = world.get(&admin(), "/api/gift-cards/inventory").await.expect(200);
    assert_eq!(inventory.field("/buffer/available"), 6);
    assert_eq!(inventory.field("/api/open_refills"), 0);
    let pools = inventory.json()["pools"].as_array().unwrap().clone();
    let shown = pools.iter().find(|pool| pool["pool_id"] == buffer.as_str()).unwrap();
    assert_eq!((&shown["health"], &shown["pool_type"]), (&json!("green"), &json!("buffer")));
    let card = agency.provision("CODE-1").await.expect(201);
    assert_eq!((card.text("/source"), fakes.issued("reloadly").len()), ("buffer".into(), 6));
    // Cards from files first, then the buffer, then the supplier.
    agency.stock("c", 1).await;
    let mut sources = vec![];
    for n in 2..10 {
        sources.push(agency.provision(&format!("CODE-{n}")).await.expect(201).text("/source"));
    }
    assert_eq!(sources, ["csv", "buffer", "buffer", "buffer", "buffer", "buffer", "api", "api"]);
    world.prove().await;
}

#[tokio::test]
async fn profit_is_what_budgets_paid_less_what_cards_had_cost() {
    let agency = Agency::with(
        "500",
        3,
        (r#""budget_mode":"shared""#, r#""price":{"25":"26.50"}"#),
        Default::default(),
    )
    .await;
    let world = agency.world();
    for n in 0..3 {
        agency.provision(&format!("CODE-{n}")).await.expect(201);
    }
    let rival = open(world, "agency", "platform", "").await;
    for (group, id) in [
        ("brand", &agency.brand),
        ("campaign", &agency.campaign),
        ("client", &agency.client),
        ("agency", &agency.agency),
    ] {
        let path = format!("/api/gift-cards/profit?from=2026-01-15&to=2026-01-15&group_by={group}");
        let profit = world.get(&admin(), &path).await.expect(200);
        assert_eq!(profit.field("/groups").as_array().unwrap().len(), 1);
        assert_eq!(
            (profit.text("/groups/0/id"), profit.field("/groups/0/redemptions")),
            (id.clone(), json!(3))
        );
        assert!(profit.body.contains(r#""revenue":79.50,"cost":60.00,"profit":19.50"#), "{}", profit.body);
        assert!(!profit.body.contains(&rival));
    }
    let none = world.get(&admin(), "/api/gift-cards/profit?from=2026-02-01").await;
    assert_eq!(none.expect(200).field("/total/redemptions"), 0, "a period that begins after today is empty");
    let path = "/api/gift-cards/profit?from=2025-01-01&to=2025-12-31";
    assert_eq!(world.get(&admin(), path).await.expect(200).field("/total/redemptions"), 0);
    world.get(&staff(), path).await.expect_problem(403, "forbidden");
    world.prove().await;
}

#[tokio::test]
async fn a_brand_that_the_agency_may_not_use_is_refused_until_it_may() {
    let agency = Agency::new("100", 3).await;
    let world = agency.world();
    let path = format!("/api/credit/accounts/{}", agency.agency);
    world.patch(&admin(), &path, r#"{"brands":[]}"#).await.expect(200);
    agency.provision("CODE-1").await.expect_problem(403, "forbidden");
    let alerts = world.get(&admin(), "/api/alerts").await.expect(200);
    assert_eq!(alerts.text("/alerts/0/kind"), "provision_failed");
    let own = tests::acts_for("agency", &agency.agency);
    let grant = format!(r#"{{"brands":["{}"]}}"#, agency.brand);
    world.patch(&own, &path, &grant).await.expect_problem(403, "forbidden");
    world.patch(&admin(), &path, &grant).await.expect(200);
    agency.provision("CODE-1").await.expect(201);
    world.prove().await;
}

#[tokio::test]
async fn a_long_file_that_was_imported_before_is_looked_up_and_its_new_cards_are_added() {
    let agency = Agency::new("", 0).await;
    let path = format!("/api/gift-cards/pools/{}/cards", agency.pool);
    let world = agency.world();
    let first = world.post_csv(&admin(), &path, &file("long", 250)).await.expect(200);
    assert_eq!(first.raw("accepted"), "250");
    let again = world.post_csv(&admin(), &path, &file("long", 260)).await.expect(200);
    assert_eq!(again.raw("accepted"), "10");
    world.prove().await;
}

/// Covers case 36 of the background design.
#[tokio::test]
async fn a_budget_that_goes_below_its_threshold_again_and_again_has_one_alert() {
    let agency = Agency::new("", 5).await;
    let world = agency.world();
    let path = format!("/api/credit/accounts/{}", agency.agency);
    world.patch(&admin(), &path, r#"{"low_credit_threshold":100}"#).await.expect(200);
    let minutes = Duration::from_mins;
    let too_late = minutes(15) + Duration::from_millis(1);
    // Credit of the agency, time until the check, and then: status and count of the alert, number of alerts
    // that the check has opened.
    let steps = [
        (0, minutes(5), "open", 1, 1),
        (150, minutes(5), "open", 1, 0),
        (0, minutes(5), "open", 2, 0),
        (150, minutes(5), "open", 2, 0),
        (0, minutes(5), "open", 3, 0),
        (0, minutes(5), "open", 3, 0),
        (150, minutes(5), "open", 3, 0),
        // An event of the schedule that comes twice is one check.
        (150, minutes(0), "open", 3, 0),
        (150, minutes(5), "closed", 3, 0),
        (0, minutes(15), "open", 4, 0),
        (150, minutes(5), "open", 4, 0),
        (150, minutes(5), "closed", 4, 0),
        (0, too_late, "open", 1, 1),
    ];
    let (mut credit, mut opened) = (0, vec![]);
    for (step, (wanted, time, status, count, alerts)) in steps.into_iter().enumerate() {
        if wanted > credit {
            tests::agency::allocate(world, "platform", &agency.agency, "150").await;
        } else if wanted < credit {
            let body = json!({"account_id": agency.agency, "amount": 150}).to_string();
            world.post(&admin(), "/api/credit/reclaim", &body).await.expect(201);
        }
        credit = wanted;
        world.clock.advance(time);
        let looked = agency.shop.monitor().await;
        assert_eq!(looked["alerts_generated"], alerts, "step {step}: {looked}");
        let found = world.get(&staff(), "/api/alerts").await.expect(200).json();
        let mut found = found["alerts"].as_array().unwrap().clone();
        found.retain(|alert| alert["kind"] == "low_credit");
        let found = found.first().unwrap();
        assert_eq!((&found["status"], &found["count"]), (&json!(status), &json!(count)), "step {step}");
        opened.push(found["opened_at"].as_str().unwrap().to_owned());
    }
    let last = opened.pop().unwrap();
    assert!(opened.iter().all(|at| *at == opened[0]) && last > opened[0], "{opened:?}, {last}");
    world.prove().await;
}
