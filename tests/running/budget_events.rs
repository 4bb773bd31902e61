//! The sample events of budgets and gift cards, in sequence, through the Lambda runtime's own path.

use scrip::invoke::invoke;
use serde_json::{Value, json};
use tests::Shop;
use tests::process::root;

/// The event, its function, and the expected status.
pub const STORY: [(&str, &str, u16); 28] = [
    ("budget-agency", "credit-accounts", 201),
    ("budget-client", "credit-accounts", 201),
    ("budget-campaign", "credit-accounts", 201),
    ("budget-allocate-agency", "allocate-credit", 201),
    ("budget-allocate-client", "allocate-credit", 201),
    ("budget-allocate-campaign", "allocate-credit", 201),
    ("budget-change", "credit-accounts", 200),
    ("giftcard-brand", "gift-card-inventory", 201),
    ("giftcard-brands", "gift-card-inventory", 200),
    ("giftcard-pool", "gift-card-inventory", 201),
    ("giftcard-pools", "gift-card-inventory", 200),
    ("giftcard-cards", "gift-card-inventory", 200),
    ("giftcard-codes", "gift-card-inventory", 200),
    ("giftcard-provision", "provision-gift-card", 201),
    ("giftcard-redeem", "provision-gift-card", 201),
    ("giftcard-redemption", "provision-gift-card", 200),
    ("giftcard-reveal", "provision-gift-card", 200),
    ("giftcard-inventory", "gift-card-inventory", 200),
    ("giftcard-profit", "gift-card-inventory", 200),
    ("giftcard-webhook-reloadly-forged", "provision-gift-card", 401),
    ("giftcard-webhook-tremendous-forged", "provision-gift-card", 401),
    ("budget-get", "credit-accounts", 200),
    ("budget-children", "credit-accounts", 200),
    ("budget-tree", "credit-accounts", 200),
    ("budget-transactions", "credit-accounts", 200),
    ("budget-reclaim", "allocate-credit", 201),
    ("alerts", "gift-card-inventory", 200),
    ("alert-acknowledge", "gift-card-inventory", 200),
];

fn event(name: &str) -> String {
    std::fs::read_to_string(root().join("events").join(format!("{name}.json"))).unwrap()
}

#[tokio::test]
async fn every_event_of_a_budget_and_its_gift_cards_is_answered_through_the_adapter() {
    let shop = Shop::new().await;
    let play = async |name: &str, function: &str| {
        let answer = invoke(&shop.parts(), function, &event(name)).await.unwrap();
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        (answer["statusCode"].as_u64().unwrap(), body)
    };
    for (name, function, status) in STORY {
        if name == "alerts" {
            let looked = invoke(&shop.parts(), "monitor", &event("monitor-schedule")).await.unwrap();
            assert_eq!(looked["breakdown"]["csv_pools"], 1, "{looked}");
        }
        let (answered, body) = play(name, function).await;
        assert_eq!(answered, u64::from(status), "{name} {body}");
        match name {
            "giftcard-cards" => assert_eq!((&body["accepted"], &body["invalid"]), (&json!(3), &json!(0))),
            "giftcard-reveal" => assert!(body["card_code"].as_str().unwrap().starts_with("COFF-EE0")),
            "budget-get" => assert_eq!((&body["available"], &body["spent"]), (&json!(4951.0), &json!(49.0))),
            "alerts" => assert_eq!(body["alerts"][0]["kind"], "low_stock"),
            _ => {}
        }
    }
    // Every event again: those with a key or a natural cause change nothing, the others only read.
    for (name, function, _) in STORY {
        play(name, function).await;
    }
    let (_, body) = play("budget-get", "credit-accounts").await;
    assert_eq!((&body["available"], &body["spent"]), (&json!(3951.0), &json!(49.0)));
    shop.world.prove().await;
}
