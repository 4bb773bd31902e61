//! Requests that are malformed, forbidden, or about something that the caller must not see.

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

#[tokio::test]
async fn a_code_of_another_campaign_cannot_be_registered_again_and_guessing_raises_an_alert() {
    let agency = Agency::new("100", 1).await;
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
    // A client's own codes may appear in several of its files.
    let second = tests::agency::open(world, "campaign", &agency.client, "").await;
    let own = world.post_csv(&admin(), &path(&second), &lines(13)).await.expect(200);
    assert_eq!(own.text("/lines/0/detail"), "cannot be registered");
    assert!(!world.get(&admin(), "/api/alerts").await.body.contains("code_guessing"));
    let client = tests::agency::open(world, "client", &agency.agency, "").await;
    let rival = tests::agency::open(world, "campaign", &client, "").await;
    let theirs = world.post_csv(&admin(), &path(&rival), &lines(13)).await.expect(200);
    assert_eq!(
        (theirs.raw("accepted"), theirs.text("/lines/0/detail")),
        ("0".into(), "cannot be registered".into())
    );
    assert!(world.get(&admin(), "/api/alerts").await.body.contains("code_guessing"));
    // One file of guesses reveals at most a hundred, for any campaign of that client.
    world.post_csv(&admin(), &path(&agency.campaign), &lines(500)).await.expect(200);
    let guessing = tests::agency::open(world, "campaign", &client, "").await;
    let refused = world.post_csv(&admin(), &path(&guessing), &lines(500)).await;
    assert!(
        refused.header("retry-after").is_some() && !refused.body.contains("cannot be"),
        "{}",
        refused.body
    );
    refused.expect_problem(429, "rate_limited");
    let mine = world.post_csv(&admin(), &path(&rival), &lines(1)).await;
    mine.expect_problem(429, "rate_limited");
    let bad = format!(
        "code,brand_id,denomination\nx,{0},25\nGOOD-1,{0},30\n+cmd,{0},25\nGOOD-2,brand,25\n",
        agency.brand
    );
    let report = world.post_csv(&admin(), &path(&agency.campaign), &bad).await.expect(200);
    assert_eq!((report.raw("accepted"), report.raw("invalid")), ("0".into(), "4".into()));
    world.prove().await;
}
