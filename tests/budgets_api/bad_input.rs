//! Requests that are malformed, forbidden, or about something that the caller must not see.

use http::{HeaderMap, Method};
use serde_json::json;
use tests::agency::issuer;
use tests::{Agency, World, acts_for, admin, customer, service};

#[tokio::test]
async fn invalid_amounts_fields_and_ids_are_reported_by_name() {
    let agency = Agency::new("100", 1).await;
    let world = agency.world();
    let allocate = |amount: &str| {
        let (from, to) = (&agency.agency, &agency.client);
        format!(r#"{{"from_account_id":"{from}","to_account_id":"{to}","amount":{amount}}}"#)
    };
    for amount in ["0", "-1", "1e3", "1e400", "0.001", "\"NaN\"", "true", "[]", "99999999999999999"] {
        let answer = world.post(&admin(), "/api/credit/allocate", &allocate(amount)).await;
        assert_eq!(answer.expect_problem(400, "invalid_request").offending(), ["/amount"], "{amount}");
    }
    let cases: [(&str, &str, &[&str]); 9] = [
        (
            "/api/credit/accounts",
            r#"{"kind":"platform","parent_id":"x","name":""}"#,
            &["/kind", "/parent_id", "/name"],
        ),
        (
            "/api/credit/accounts",
            r#"{"kind":"client","parent_id":"platform","name":"n","balance":5}"#,
            &["/balance"],
        ),
        (
            "/api/credit/accounts",
            r#"{"kind":"agency","parent_id":"platform","name":"","low_credit_threshold":"1.001"}"#,
            &["/name", "/low_credit_threshold"],
        ),
        ("/api/credit/accounts", r#"{"kind":"client","parent_id":"platform","name":"n"}"#, &["/parent_id"]),
        (
            "/api/credit/accounts",
            r#"{"kind":"agency","parent_id":"platform","name":"n","slices":65}"#,
            &["/slices"],
        ),
        (
            "/api/credit/accounts",
            r#"{"kind":"agency","parent_id":"platform","name":"n","budget_mode":"shared"}"#,
            &["/budget_mode"],
        ),
        ("/api/gift-cards/brands", r#"{"name":"n","denominations":[25,25]}"#, &["/denominations"]),
        (
            "/api/gift-cards/brands",
            r#"{"name":"n","denominations":[25],"supplier":"reloadly","supplier_product_id":"abc"}"#,
            &["/supplier_product_id"],
        ),
        (
            "/api/gift-cards/provision",
            r#"{"campaign_id":"platform","brand_id":"b","denomination":25,"redemption_code":"x","delivery_method":"email"}"#,
            &["/brand_id", "/redemption_code", "/delivery_address"],
        ),
    ];
    for (path, body, offending) in cases {
        let answer = world.post(&admin(), path, body).await.expect_problem(400, "invalid_request");
        assert_eq!(answer.offending(), offending, "{body}");
    }
    let provision = agency.provision_body("CODE-1");
    let path = "/api/gift-cards/provision";
    let none = provision.replace(&agency.brand, "brand_00000000000000000000");
    world.post(&issuer(), path, &none).await.expect_problem(404, "brand_not_found");
    let none = provision.replace(&agency.campaign, "acct_m00000000000000000000");
    world.post(&issuer(), path, &none).await.expect_problem(404, "account_not_found");
    let client = provision.replace(&agency.campaign, &agency.client);
    world.post(&issuer(), path, &client).await.expect_problem(404, "account_not_found");
    let none = provision.replace("\"denomination\":25", "\"denomination\":30");
    let answer = world.post(&issuer(), path, &none).await.expect_problem(404, "denomination_not_found");
    assert_eq!(answer.offending(), ["/denomination"]);
    let priced = r#"{"name":"n","denominations":[25],"price":{"50":1}}"#;
    let answer = world.post(&admin(), "/api/gift-cards/brands", priced).await;
    assert_eq!(answer.expect_problem(404, "denomination_not_found").offending(), ["/price"]);
    let client = format!("/api/credit/accounts/{}", agency.client);
    let answer = world.patch(&admin(), &client, r#"{"budget_mode":"shared"}"#).await;
    assert_eq!(answer.expect_problem(409, "not_a_campaign").offending(), ["/budget_mode"]);
    let answer = world.patch(&admin(), &client, r#"{"brands":[]}"#).await;
    assert_eq!(answer.expect_problem(409, "not_an_agency").offending(), ["/brands"]);
    let answer = world.patch(&admin(), &client, "").await.expect_problem(400, "invalid_request");
    assert!(answer.body.contains("body is missing"), "{}", answer.body);
    for id in ["acct_a%23x", "acct_z00000000000000000000", "%22"] {
        let answer = world.get(&admin(), &format!("/api/credit/accounts/{id}")).await;
        assert_eq!(answer.expect_problem(400, "invalid_request").offending(), ["/account_id"], "{id}");
    }
    let above = world.get(&admin(), "/api/credit/accounts/platform%2F..").await;
    above.expect_problem(400, "invalid_request");
    world
        .get(&admin(), "/api/credit/accounts/acct_a00000000000000000000")
        .await
        .expect_problem(404, "account_not_found");
    world.prove().await;
}

#[tokio::test]
async fn all_errors_of_a_brand_are_reported_at_once() {
    let world = World::new().await;
    let body = r#"{"name":"","denominations":[25.001],"price":{"25":"1.001"},"supplier":"tremendous"}"#;
    let answer = world.post(&admin(), "/api/gift-cards/brands", body).await;
    let answer = answer.expect_problem(400, "invalid_request");
    assert_eq!(answer.offending(), ["/name", "/denominations", "/price", "/supplier_product_id"]);
    let body = r#"{"name":"n","denominations":[25,"25","25.0"],"price":{"25":"24.50"}}"#;
    let added = world.post(&admin(), "/api/gift-cards/brands", body).await.expect(201);
    assert!(added.body.contains(r#""denominations":[25.00],"price":{"25":24.50}"#), "{}", added.body);
    world.prove().await;
}

#[tokio::test]
async fn callers_without_permission_learn_nothing() {
    let agency = Agency::new("100", 1).await;
    let world = agency.world();
    let path = "/api/gift-cards/provision";
    let provision = agency.provision_body("CODE-1");
    world.post(&customer("c"), path, &provision).await.expect_problem(403, "forbidden");
    world.post(&service("wallet:debit"), path, &provision).await.expect_problem(403, "forbidden");
    let rival = tests::agency::open(world, "agency", "platform", "").await;
    world.post(&acts_for("agency", &rival), path, &provision).await.expect_problem(404, "account_not_found");
    world.post(&acts_for("client", &agency.client), path, &provision).await.expect(201);
    for (path, body) in [
        ("/api/gift-cards/brands", r#"{"name":"n","denominations":[25]}"#.to_owned()),
        (
            "/api/gift-cards/pools",
            format!(
                r#"{{"brand_id":"{}","denomination":25,"pool_type":"csv","cost_per_card":1,"low_stock_threshold":0}}"#,
                agency.brand
            ),
        ),
    ] {
        world.post(&acts_for("agency", &agency.agency), path, &body).await.expect_problem(403, "forbidden");
        let first = world.post_keyed(&admin(), "k", path, &body).await.expect(201);
        let again = world.post_keyed(&admin(), "k", path, &body).await.expect(201);
        assert!(again.is_replay() && again.body == first.body);
        let other = body.replace("25", "50");
        let other = if path.ends_with("brands") {
            other
        } else {
            body.replace("\"cost_per_card\":1", "\"cost_per_card\":2")
        };
        world.post_keyed(&admin(), "k", path, &other).await.expect_problem(422, "idempotency_key_reused");
    }
    for path in [
        "/api/gift-cards/inventory",
        "/api/gift-cards/profit",
        "/api/gift-cards/brands",
        "/api/gift-cards/pools",
    ] {
        world.get(&acts_for("agency", &agency.agency), path).await.expect_problem(403, "forbidden");
        world.get(&admin(), path).await.expect(200);
    }
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let mint = format!(r#"{{"count":1,"brand_id":"{}","denomination":25}}"#, agency.brand);
    world.post(&acts_for("agency", &rival), &codes, &mint).await.expect_problem(404, "account_not_found");
    world.post(&acts_for("agency", &agency.agency), &codes, &mint).await.expect(201);
    world.prove().await;
}

/// Covers fault 45 of the requirements.
#[tokio::test]
async fn a_file_of_guesses_tells_nothing_of_other_campaigns_codes_takes_none_and_blocks_none() {
    let agency = Agency::new("100", 2).await;
    let world = agency.world();
    let path = |campaign: &str| format!("/api/gift-cards/campaigns/{campaign}/codes");
    let lines = |count: usize| {
        let line = |n: usize| format!("SUMMER-{n:03},{},25\n", agency.brand);
        format!("code,brand_id,denomination\n{}", (0..count).map(line).collect::<String>())
    };
    let first = world.post_csv(&admin(), &path(&agency.campaign), &lines(12)).await.expect(200);
    assert_eq!((first.raw("accepted"), first.raw("duplicates")), ("12".into(), "0".into()));
    let again = world.post_csv(&admin(), &path(&agency.campaign), &lines(13)).await.expect(200);
    assert_eq!((again.raw("accepted"), again.raw("duplicates")), ("1".into(), "12".into()));
    assert_eq!(again.text("/lines/0/detail"), "is already registered");
    // A rival's guesses are its own codes, whether others have registered the same ones or not.
    let client = tests::agency::open(world, "client", &agency.agency, "").await;
    let rival = tests::agency::open(world, "campaign", &client, "").await;
    let guesses = lines(13) + &format!("WINTER-1,{},25\n", agency.brand);
    let theirs = world.post_csv(&acts_for("client", &client), &path(&rival), &guesses).await.expect(200);
    assert_eq!((theirs.raw("accepted"), theirs.json()["lines"].clone()), ("14".into(), json!([])));
    let redeem = async |campaign: Option<&str>| {
        let body = json!({"redemption_code": "summer 003", "campaign_id": campaign}).to_string();
        let request = tests::world::request(Method::POST, "/api/gift-cards/redeem", &body, HeaderMap::new());
        world.send(None, request).await
    };
    // The rival has no credit: its own code pays nothing out, and nothing on another's budget.
    redeem(Some(&rival)).await.expect_problem(404, "code_not_found");
    redeem(None).await.expect_problem(404, "code_not_found");
    assert_eq!(agency.figures(&agency.campaign).await, ["100.00", "0.00", "0.00"]);
    redeem(Some(&agency.campaign)).await.expect(201);
    assert_eq!(agency.figures(&agency.campaign).await, ["75.00", "0.00", "25.00"]);
    // A minted code is known by itself, but not under another campaign's name.
    let mint = format!(r#"{{"count":1,"brand_id":"{}","denomination":25}}"#, agency.brand);
    let minted = world.post(&admin(), &path(&agency.campaign), &mint).await.expect(201).text("/codes/0");
    let taken = format!("code,brand_id,denomination\n{minted},{},25\n", agency.brand);
    assert_eq!(world.post_csv(&admin(), &path(&rival), &taken).await.expect(200).raw("accepted"), "1");
    let body = json!({"redemption_code": minted}).to_string();
    let request = tests::world::request(Method::POST, "/api/gift-cards/redeem", &body, HeaderMap::new());
    world.send(None, request).await.expect(201);
    assert_eq!(agency.figures(&agency.campaign).await, ["50.00", "0.00", "50.00"]);
    let bad = format!(
        "code,brand_id,denomination\nx,{0},25\nGOOD-1,{0},30\n+cmd,{0},25\nGOOD-2,brand,25\n",
        agency.brand
    );
    let report = world.post_csv(&admin(), &path(&agency.campaign), &bad).await.expect(200);
    assert_eq!((report.raw("accepted"), report.raw("invalid")), ("0".into(), "4".into()));
    world.prove().await;
}
