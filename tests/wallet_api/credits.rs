//! Opening, crediting and debiting wallets, as callers see it.

use serde_json::json;
use tests::{World, admin, customer, service, staff};

#[tokio::test]
async fn a_new_wallet_shows_everything_and_can_be_read_where_it_says() {
    let world = World::new().await;
    let body = r#"{"customer_id":"cust_1","initial_balance":500.5,"metadata":{"plan":"<b>gold</b>"}}"#;
    let answer = world.post(&admin(), "/api/wallet/create", body).await.expect(201);
    insta::assert_json_snapshot!(answer.json(), { ".metadata.referral_code" => "[code]" });
    assert_eq!(answer.raw("balance"), "500.50");
    let read = world.get(&customer("cust_1"), answer.header("location").unwrap()).await.expect(200);
    assert_eq!(read.body, answer.body);
    world.prove().await;
}

#[tokio::test]
async fn a_customer_has_one_wallet() {
    let world = World::new().await;
    world.open_wallet("cust_1", "500").await;
    let body = r#"{"customer_id":"cust_1"}"#;
    world.post(&admin(), "/api/wallet/create", body).await.expect_problem(409, "wallet_exists");
    world.prove().await;
}

#[tokio::test]
async fn wallets_hold_the_currency_they_were_opened_in_and_print_its_digits() {
    let world = World::new().await;
    let body = r#"{"customer_id":"v","currency":"VND","initial_balance":"5000"}"#;
    // Opening a wallet is one permission, giving it a balance another.
    let opener = service("wallet:create");
    world.post(&opener, "/api/wallet/create", body).await.expect_problem(403, "forbidden");
    world.post(&opener, "/api/wallet/create", r#"{"customer_id":"empty"}"#).await.expect(201);
    let both = service("wallet:create wallet:credit");
    world.post(&both, "/api/wallet/create", body).await.expect(201);
    assert_eq!(world.balances("v").await.0, "5000");
    let over = world.post(&admin(), "/api/wallet/v/add-credits", r#"{"amount":10.5}"#).await;
    assert_eq!(over.expect_problem(400, "invalid_request").offending(), ["/amount"]);
    let body = r#"{"customer_id":"w","currency":"VND","initial_balance":0.5}"#;
    let over = world.post(&admin(), "/api/wallet/create", body).await.expect(400);
    assert_eq!(over.offending(), ["/initial_balance"]);
    world.prove().await;
}

#[tokio::test]
async fn a_credit_is_a_transaction_with_its_lot() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    let body = r#"{"amount":"300.10","reason":"Prepaid \"credit\" <script>","source":"purchase",
        "expires_on":"2026-03-31","order_id":"order:7","metadata":{"k":"v"}}"#;
    let answer = world
        .post_keyed(&service("wallet:credit"), "k1", "/api/wallet/a/add-credits", body)
        .await
        .expect(201);
    insta::assert_json_snapshot!(answer.json());
    assert_eq!((answer.raw("amount").as_str(), answer.raw("balance_after").as_str()), ("300.10", "300.10"));
    let read = world.get(&staff(), answer.header("location").unwrap()).await.expect(200);
    assert_eq!(read.body, answer.body);
    world.prove().await;
}

#[tokio::test]
async fn credit_lives_as_the_tier_held_before_it_says() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    let date = |answer: tests::Answer| answer.field("/expiry_date");
    assert_eq!(date(world.credit("a", "999.99", "manual", "").await), "2027-01-15");
    assert_eq!(date(world.credit("a", "0.01", "manual", "").await), "2027-01-15");
    assert_eq!(date(world.credit("a", "4000", "manual", "").await), "2028-01-15");
    assert_eq!(date(world.credit("a", "5000", "manual", "").await), "2029-01-14");
    assert_eq!(date(world.credit("a", "1", "manual", "").await), json!(null));
    let tier = world.get(&customer("a"), "/api/wallet/a/tier-benefits").await.expect(200).json();
    assert_eq!(
        (&tier["tier"], &tier["next_tier"], &tier["amount_missing"]),
        (&json!("PLATINUM"), &json!(null), &json!(null))
    );
    world.prove().await;
}

#[tokio::test]
async fn tier_benefits_show_the_next_tier_and_the_missing_amount() {
    let world = World::new().await;
    world.open_wallet("a", "250.5").await;
    let answer = world.get(&customer("a"), "/api/wallet/a/tier-benefits").await.expect(200);
    insta::assert_json_snapshot!(answer.json());
    assert_eq!(answer.raw("amount_missing"), "749.50");
}

#[tokio::test]
async fn a_debit_above_the_available_balance_is_refused_and_leaves_no_trace() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let before = world.get(&staff(), "/api/wallet/a").await.body;
    let body = r#"{"amount":100.01}"#;
    let refused = world.post_keyed(&customer("a"), "k", "/api/wallet/a/deduct-credits", body).await;
    let refused = refused.expect_problem(402, "insufficient_funds");
    assert_eq!((refused.raw("available"), refused.raw("required")), ("100.00".into(), "100.01".into()));
    assert_eq!(refused.text("/currency"), "INR");
    assert_eq!(world.get(&staff(), "/api/wallet/a").await.body, before);
    // The idempotency key is not consumed.
    world
        .post_keyed(&customer("a"), "k", "/api/wallet/a/deduct-credits", r#"{"amount":100}"#)
        .await
        .expect(201);
    assert_eq!(world.prove().await.entries, 2);
}

#[tokio::test]
async fn totals_count_what_was_earned_spent_refunded_and_expired() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.credit("a", "50", "promotion", "2026-01-20").await;
    world.post(&staff(), "/api/wallet/a/deduct-credits", r#"{"amount":20,"order_id":"o"}"#).await.expect(201);
    world.post(&admin(), "/api/wallet/a/refund", r#"{"amount":5,"order_id":"o"}"#).await.expect(201);
    world.clock.advance_days(10);
    let wallet = world.get(&customer("a"), "/api/wallet/a").await.expect(200);
    let raw = |name| wallet.raw(name);
    assert_eq!(
        [
            raw("total_earned"),
            raw("total_spent"),
            raw("total_refunded"),
            raw("total_expired"),
            raw("balance")
        ],
        ["150.00", "20.00", "5.00", "35.00", "100.00"],
    );
    world.prove().await;
}

#[tokio::test]
async fn each_customer_has_a_referral_code_of_their_own() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.open_wallet("b", "").await;
    let code = async |id: &str| {
        let answer = world.get(&customer(id), &format!("/api/wallet/{id}/referral-code")).await.expect(200);
        assert_eq!(answer.field("/referral_count"), 0);
        answer.text("/referral_code")
    };
    let (a, b) = (code("a").await, code("b").await);
    assert!(a != b && a.len() == 8);
    let wallet = world.get(&customer("a"), "/api/wallet/a").await;
    assert_eq!(wallet.text("/metadata/referral_code"), a);
}

#[tokio::test]
async fn a_referral_code_that_another_customer_has_is_passed_over() {
    let world = World::new().await;
    let id = domain::ids::CustomerId::parse("late").unwrap();
    let first = domain::ids::ReferralCode::mint(&id, 0);
    let taken = world.raw().put_item().table_name(world.app.store.table());
    let taken = taken.set_item(Some(store::keys::referral(&first).attributes()));
    taken.send().await.unwrap();
    world.open_wallet("late", "5").await;
    let code = world.get(&staff(), "/api/wallet/late/referral-code").await.text("/referral_code");
    assert_eq!(code, domain::ids::ReferralCode::mint(&id, 1).to_string());
    world.prove().await;
}

#[tokio::test]
async fn health_is_public_and_shows_the_version_and_the_table() {
    let world = World::new().await;
    for path in ["/health", "/api/wallet/health"] {
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = world.send(None, request).await.expect(200);
        assert_eq!(answer.text("/table"), world.app.store.table());
        assert!(!answer.text("/version").is_empty());
    }
}
