//! A key belongs to one request: if any field differs, the key is refused.

use http::Method;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use tests::agency::open;
use tests::{Agency, Shop, World, admin};

/// A request with a key: all its fields, and another value for each. A field that is null in `other` either
/// is part of the key's scope (another wallet has its own keys) or is left out of the request.
struct Keyed {
    path: String,
    route: &'static str,
    sent: Value,
    other: Value,
}

fn keyed(path: impl Into<String>, route: &'static str, sent: Value, other: Value) -> Keyed {
    Keyed { path: path.into(), route, sent, other }
}

/// Returns the fields of a route's body in the API document.
fn described(document: &Value, route: &str) -> BTreeSet<String> {
    let body = &document["paths"][route]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let schema = document.pointer(body["$ref"].as_str().unwrap().trim_start_matches('#')).unwrap();
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

async fn every_other_field_is_another_request(world: &World, cases: &[Keyed]) {
    let document = serde_json::to_value(scrip::docs::document()).unwrap();
    for case in cases {
        let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(fields(&case.other), described(&document, case.route), "{}", case.route);
        let key = format!("{} {}", Method::POST, case.route);
        let first = world.post_keyed(&admin(), &key, &case.path, &case.sent.to_string()).await.expect(201);
        let again = world.post_keyed(&admin(), &key, &case.path, &case.sent.to_string()).await.expect(201);
        assert!(again.is_replay() && again.body == first.body, "{}", case.route);
        for (field, other) in case.other.as_object().unwrap().iter().filter(|(_, other)| !other.is_null()) {
            let mut changed: Map<String, Value> = case.sent.as_object().unwrap().clone();
            changed.insert(field.clone(), other.clone());
            if field == "expires_on" {
                changed.remove("expiry_days");
            }
            let changed = Value::Object(changed).to_string();
            let refused = world.post_keyed(&admin(), &key, &case.path, &changed).await;
            assert_eq!(refused.status, 422, "{} {field}: {}", case.route, refused.body);
            refused.expect_problem(422, "idempotency_key_reused");
        }
    }
}

#[tokio::test]
async fn whatever_field_of_a_wallets_request_is_another_its_key_is_refused() {
    let world = World::new().await;
    world.open_wallet("a", "1000").await;
    world.open_wallet("b", "").await;
    world.open_wallet("c", "").await;
    for order in ["o1", "o2"] {
        let spend = json!({"amount": 100, "order_id": order}).to_string();
        world.post(&admin(), "/api/wallet/a/deduct-credits", &spend).await.expect(201);
    }
    let hold = world.post(&admin(), "/api/wallet/a/holds", r#"{"amount":50}"#).await.expect(201);
    let capture = format!("/api/wallet/holds/{}/capture", hold.text("/hold_id"));
    let cases = [
        keyed(
            "/api/wallet/create",
            "/api/wallet/create",
            json!({"customer_id": "n", "initial_balance": 5, "currency": "INR", "metadata": {"a": "1"}}),
            json!({"customer_id": null, "initial_balance": 6, "currency": "USD", "metadata": {"a": "2"}}),
        ),
        keyed(
            "/api/wallet/a/add-credits",
            "/api/wallet/{customer_id}/add-credits",
            json!({"amount": 5, "reason": "r", "source": "manual", "expiry_days": 9, "order_id": "o1", "metadata": {"a": "1"}}),
            json!({"amount": 6, "reason": "s", "source": "promotion", "expiry_days": 10, "expires_on": "2026-12-24",
                "order_id": "o2", "metadata": {"a": "2"}}),
        ),
        keyed(
            "/api/wallet/a/deduct-credits",
            "/api/wallet/{customer_id}/deduct-credits",
            json!({"amount": 5, "reason": "r", "order_id": "o3"}),
            json!({"amount": 6, "reason": "s", "order_id": "o4"}),
        ),
        keyed(
            "/api/wallet/a/refund",
            "/api/wallet/{customer_id}/refund",
            json!({"amount": 5, "reason": "r", "order_id": "o1"}),
            json!({"amount": 6, "reason": "s", "order_id": "o2"}),
        ),
        keyed(
            "/api/wallet/a/transfer",
            "/api/wallet/{customer_id}/transfer",
            json!({"to_customer_id": "b", "amount": 5, "reason": "r"}),
            json!({"to_customer_id": "c", "amount": 6, "reason": "s"}),
        ),
        keyed(
            "/api/wallet/a/holds",
            "/api/wallet/{customer_id}/holds",
            json!({"amount": 5, "reason": "r", "order_id": "o5", "expires_in_seconds": 600}),
            json!({"amount": 6, "reason": "s", "order_id": "o6", "expires_in_seconds": 601}),
        ),
    ];
    every_other_field_is_another_request(&world, &cases).await;
    // A capture answers 200, not 201, so it is checked separately.
    let sent = |amount: u32, last: bool| json!({"amount": amount, "final": last}).to_string();
    world.post_keyed(&admin(), "c", &capture, &sent(5, false)).await.expect(200);
    assert!(world.post_keyed(&admin(), "c", &capture, &sent(5, false)).await.expect(200).is_replay());
    for other in [sent(6, false), sent(5, true), "{}".to_owned()] {
        let refused = world.post_keyed(&admin(), "c", &capture, &other).await;
        refused.expect_problem(422, "idempotency_key_reused");
    }
    world.prove().await;
}

#[tokio::test]
async fn whatever_field_of_a_budgets_request_is_another_its_key_is_refused() {
    let agency = Agency::new("100", 0).await;
    let world = agency.world();
    let other_client = open(world, "client", &agency.agency, "").await;
    let brand = |name: &str| json!({"name": name, "denominations": [25, 50]}).to_string();
    let brand = world.post(&admin(), "/api/gift-cards/brands", &brand("other")).await.expect(201);
    let brand = brand.text("/brand_id");
    tests::agency::allocate(world, "platform", &agency.agency, "50").await.expect(201);
    let open = "/api/credit/accounts";
    let codes = format!("/api/gift-cards/campaigns/{}/codes", agency.campaign);
    let cases = [
        keyed(
            open,
            open,
            json!({"kind": "agency", "parent_id": "platform", "name": "n", "low_credit_threshold": 5, "slices": 2,
                "brands": [agency.brand]}),
            json!({"kind": null, "parent_id": null, "name": "m", "low_credit_threshold": 6, "slices": 3,
                "brands": [brand], "budget_mode": null}),
        ),
        keyed(
            "/api/credit/allocate",
            "/api/credit/allocate",
            json!({"from_account_id": agency.agency, "to_account_id": agency.client, "amount": 5, "notes": "n"}),
            json!({"from_account_id": null, "to_account_id": other_client, "amount": 6, "notes": "m"}),
        ),
        keyed(
            "/api/credit/reclaim",
            "/api/credit/reclaim",
            json!({"account_id": agency.client, "amount": 5, "notes": "n"}),
            json!({"account_id": null, "amount": 4, "notes": "m"}),
        ),
        keyed(
            "/api/gift-cards/brands",
            "/api/gift-cards/brands",
            json!({"name": "n", "denominations": [25, 50], "price": {"25": 24}, "supplier": "tremendous",
                "supplier_product_id": "1"}),
            json!({"name": "m", "denominations": [25, 75], "price": {"25": 23}, "supplier": "reloadly",
                "supplier_product_id": "2"}),
        ),
        keyed(
            "/api/gift-cards/pools",
            "/api/gift-cards/pools",
            json!({"brand_id": brand, "denomination": 25, "pool_type": "csv", "cost_per_card": 20,
                "low_stock_threshold": 1}),
            json!({"brand_id": agency.brand, "denomination": 50, "pool_type": "buffer", "cost_per_card": 21,
                "low_stock_threshold": 2}),
        ),
        keyed(
            codes,
            "/api/gift-cards/campaigns/{campaign_id}/codes",
            json!({"count": 2, "brand_id": brand, "denomination": 25}),
            json!({"count": 3, "brand_id": agency.brand, "denomination": 50}),
        ),
    ];
    every_other_field_is_another_request(world, &cases).await;
    world.prove().await;
}

#[tokio::test]
async fn whatever_field_of_a_payments_request_is_another_its_key_is_refused() {
    let shop = Shop::new().await;
    let world = &shop.world;
    world.open_wallet("a", "1000").await;
    for order in ["o1", "o2"] {
        let order = json!({"order_id": order, "customer_id": "a", "total": 100}).to_string();
        world.post(&admin(), "/api/integration/order", &order).await.expect(201);
    }
    for order in ["o1", "o2"] {
        let pay = json!({"order_id": order, "customer_id": "a", "amount": 100}).to_string();
        world.post(&admin(), "/api/integration/order/pay-with-wallet", &pay).await.expect(201);
    }
    let begin = "/api/integration/wallet/topup/initiate";
    let refund = "/api/integration/order/refund-to-wallet";
    let cases = [
        keyed(
            begin,
            begin,
            json!({"customer_id": "a", "amount": 100, "gateway": "stripe", "return_url": "https://shop.example.com/"}),
            json!({"customer_id": null, "amount": 101, "gateway": "razorpay", "return_url": "https://shop.example.com/x"}),
        ),
        keyed(
            refund,
            refund,
            json!({"order_id": "o1", "customer_id": "a", "amount": 5, "reason": "r"}),
            json!({"order_id": "o2", "customer_id": null, "amount": 6, "reason": "s"}),
        ),
    ];
    every_other_field_is_another_request(world, &cases).await;
    world.prove().await;
}
