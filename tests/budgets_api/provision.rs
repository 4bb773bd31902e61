//! Gift cards issued on budgets.

use serde_json::json;
use tests::agency::issuer;
use tests::{Agency, Fault, acts_for, admin, customer};

#[tokio::test]
async fn a_code_results_in_one_card_and_the_budget_pays_once() {
    let agency = Agency::new("100", 10).await;
    let first = agency.provision("ABC-123-XYZ").await.expect(201);
    assert_eq!((first.text("/source"), first.raw("credit_remaining")), ("csv".into(), "75.00".into()));
    assert!(first.text("/card/card_code").starts_with("c-0000"));
    assert_eq!(first.text("/redemption/status"), "ISSUED");
    assert_eq!(agency.figures(&agency.campaign).await, ["75.00", "0.00", "25.00"]);
    let again = agency.provision("ABC-123-XYZ").await.expect(201);
    assert!(again.is_replay() && again.body == first.body);
    let other = agency.provision_body("ABC-123-XYZ").replace("\"denomination\":25", "\"denomination\":50");
    let path = "/api/gift-cards/provision";
    agency.world().post(&issuer(), path, &other).await.expect_problem(409, "already_redeemed");
    for code in ["CODE-2", "CODE-3", "CODE-4"] {
        agency.provision(code).await.expect(201);
    }
    agency.provision("CODE-5").await.expect_problem(402, "insufficient_funds");
    assert_eq!(agency.account(&agency.campaign).await.text("/status"), "auto_paused");
    assert!(agency.provision("ABC-123-XYZ").await.expect(201).is_replay(), "a replay needs no credit");
    let alerts = agency.world().get(&admin(), "/api/alerts?status=open").await.expect(200);
    assert_eq!(alerts.text("/alerts/0/kind"), "budget_depleted");
    assert_eq!(alerts.text("/alerts/0/subject"), agency.campaign);
    agency.world().prove().await;
}

#[tokio::test]
async fn a_redemption_is_read_and_revealed_only_by_permitted_callers_and_each_reveal_is_recorded() {
    let agency = Agency::new("100", 3).await;
    let world = agency.world();
    let provision = agency.provision_body("CODE-1").replace(
        '}',
        r#","recipient_id":"cust_9","delivery_method":"email","delivery_address":"asha@example.com"}"#,
    );
    let made = world.post(&issuer(), "/api/gift-cards/provision", &provision).await.expect(201);
    assert_eq!(made.text("/redemption/delivery/address"), "a***@example.com");
    let path = format!("/api/gift-cards/redemptions/{}", made.text("/redemption/redemption_id"));
    let seen = world.get(&admin(), &path).await.expect(200);
    assert_eq!((seen.raw("cost_basis"), seen.raw("profit")), ("20.00".into(), "5.00".into()));
    let client = acts_for("client", &agency.client);
    assert!(world.get(&client, &path).await.expect(200).json().get("profit").is_none());
    world
        .get(&acts_for("client", "acct_c00000000000000000000"), &path)
        .await
        .expect_problem(404, "redemption_not_found");
    world.get(&customer("cust_9"), &path).await.expect(200);
    world.get(&customer("cust_8"), &path).await.expect_problem(404, "redemption_not_found");
    let reveal = format!("{path}/reveal");
    let card = world.post(&customer("cust_9"), &reveal, "").await.expect(200);
    assert_eq!(card.text("/card_code"), made.text("/card/card_code"));
    assert_eq!(card.header("cache-control"), Some("no-store"));
    world.post(&customer("cust_8"), &reveal, "").await.expect_problem(404, "redemption_not_found");
    let id = domain::ids::budget::RedemptionId::parse(&made.text("/redemption/redemption_id")).unwrap();
    let reveals = world.partition(&store::keys::redemption(&id).pk, "R#").await;
    let text = |name: &str| reveals[0][name].as_s().unwrap().as_str();
    assert_eq!((reveals.len(), text("sub"), text("ip")), (1, "cust_9", "203.0.113.7"));
    world.prove().await;
}

#[tokio::test]
async fn end_customers_redeem_registered_codes_and_everything_wrong_is_one_answer() {
    let agency = Agency::new("50", 10).await;
    let world = agency.world();
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let body = format!(r#"{{"count":3,"brand_id":"{}","denomination":25}}"#, agency.brand);
    let minted = world.post(&acts_for("client", &agency.client), &codes, &body).await.expect(201);
    let code = |n: usize| minted.text(&format!("/codes/{n}"));
    assert_eq!(code(0).len(), 19);
    // As people write the code.
    let written = code(0).to_lowercase().replace('-', " ");
    let redeem = async |code: &str| {
        let body = json!({"redemption_code": code}).to_string();
        world
            .send(
                None,
                tests::world::request(
                    http::Method::POST,
                    "/api/gift-cards/redeem",
                    &body,
                    Default::default(),
                ),
            )
            .await
    };
    let got = redeem(&code(0)).await.expect(201);
    assert!(
        got.json().pointer("/redemption/cost_basis").is_none()
            && got.json().get("credit_remaining").is_none()
    );
    assert!(redeem(&code(0)).await.expect(201).is_replay());
    assert_eq!(redeem(&written).await.expect(201).text("/card/card_code"), got.text("/card/card_code"));
    redeem(&code(1)).await.expect(201);
    let short = redeem(&code(2)).await.expect_problem(404, "code_not_found");
    let wrong = redeem("NO-SUCH-CODE").await.expect_problem(404, "code_not_found");
    assert_eq!(short.text("/detail"), wrong.text("/detail"));
    futures::future::join_all((0..29).map(|_| redeem("GUESS-GUESS"))).await;
    let limited = redeem(&code(0)).await.expect_problem(429, "rate_limited");
    assert!(limited.header("retry-after").is_some());
    let alerts = world.get(&admin(), "/api/alerts").await.expect(200);
    assert!(alerts.body.contains("code_guessing") && !alerts.body.contains("203.0.113.7"));
    world.prove().await;
}

#[tokio::test]
async fn a_request_that_mints_codes_mints_the_same_when_it_is_repeated_with_its_key() {
    let agency = Agency::new("100", 10).await;
    let world = agency.world();
    let path = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let body = format!(r#"{{"count":150,"brand_id":"{}","denomination":25}}"#, agency.brand);
    let codes = |answer: &tests::Answer| answer.json()["codes"].as_array().unwrap().clone();
    world.faults.plan("TransactWriteItems", 2, Fault::LostReply);
    let first = world.post_keyed(&admin(), "mint-1", &path, &body).await.expect(201);
    let again = world.post_keyed(&admin(), "mint-1", &path, &body).await.expect(201);
    assert!(!first.is_replay() && again.is_replay() && again.body == first.body);
    let other = body.replace("150", "151");
    world.post_keyed(&admin(), "mint-1", &path, &other).await.expect_problem(422, "idempotency_key_reused");
    let second = world.post_keyed(&admin(), "mint-2", &path, &body).await.expect(201);
    let third = world.post(&admin(), &path, &body).await.expect(201);
    let mut all: Vec<String> =
        [&first, &second, &third].into_iter().flat_map(codes).map(|code| code.to_string()).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 450, "all codes differ");
    // In another campaign, the same key creates other codes.
    let sister = tests::agency::open(world, "campaign", &agency.client, "").await;
    let path = format!("/api/gift-cards/campaigns/{sister}/codes");
    let theirs = world.post_keyed(&admin(), "mint-1", &path, &body).await.expect(201);
    assert!(!theirs.is_replay() && codes(&theirs)[0] != codes(&first)[0]);
    world.prove().await;
}
