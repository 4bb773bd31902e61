//! How many top-ups of a wallet may be unpaid, and whose are polled first.

use scrip::invoke::invoke;
use serde_json::Value;
use std::collections::BTreeSet;
use tests::{Answer, Shop, admin};

async fn shop(customers: &[&str]) -> Shop {
    let shop = Shop::new().await;
    for customer in customers {
        shop.world.open_wallet(customer, "").await;
    }
    shop
}

async fn initiate(shop: &Shop, key: &str) -> Answer {
    let body = r#"{"customer_id":"a","amount":75}"#;
    shop.world.post_keyed(&admin(), key, "/api/integration/wallet/topup/initiate", body).await
}

/// Covers fault 48 of the requirements.
#[tokio::test]
async fn a_wallet_has_at_most_20_unpaid_top_ups_however_many_requests_come_at_once() {
    let shop = shop(&["a", "b"]).await;
    let keys: Vec<String> = (0..30).map(|n| format!("k{n}")).collect();
    let answers = futures::future::join_all(keys.iter().map(|key| initiate(&shop, key))).await;
    let begun: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(begun.len(), 20);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.clone().expect_problem(409, "too_many_open");
    }
    // Another wallet is not affected, and a replay takes precedence.
    shop.initiate("b", "75", "razorpay").await.expect(201);
    let first = answers.iter().position(|answer| answer.status == 201).unwrap();
    assert!(initiate(&shop, &keys[first]).await.expect(201).is_replay());
    // A payment makes room for one more.
    let (topup, order) = (begun[0].text("/topup_id"), begun[0].text("/gateway_order_id"));
    let payment = shop.pay(&order, "captured");
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "ev"), "processed").await;
    initiate(&shop, "more").await.expect(201);
    initiate(&shop, "too many").await.expect_problem(409, "too_many_open");
    // Time makes room for all.
    shop.world.clock.advance_days(1);
    for n in 0..20 {
        initiate(&shop, &format!("next day {n}")).await.expect(201);
    }
    initiate(&shop, "too many").await.expect_problem(409, "too_many_open");
    shop.world.expect_available("a", "75.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn what_a_gateway_refused_for_good_takes_no_place() {
    let shop = shop(&["a"]).await;
    for n in 0..19 {
        initiate(&shop, &format!("k{n}")).await.expect(201);
    }
    shop.outage(tests::Outage::Rejecting);
    for n in 0..3 {
        initiate(&shop, &format!("rejected {n}")).await.expect_problem(409, "gateway_rejected");
    }
    shop.outage(tests::Outage::None);
    initiate(&shop, "last").await.expect(201);
    initiate(&shop, "too many").await.expect_problem(409, "too_many_open");
}

/// Covers fault 48 of the requirements.
#[tokio::test]
async fn the_unpaid_top_ups_of_one_customer_do_not_delay_another_whose_payment_was_not_reported() {
    let shop = shop(&["a", "b"]).await;
    for n in 0..20 {
        initiate(&shop, &format!("k{n}")).await.expect(201);
    }
    shop.world.clock.advance(std::time::Duration::from_secs(1));
    let (paid, _) = shop.paid("b", "60", "razorpay").await;
    shop.world.clock.advance_days(1);
    // A run that has time for five top-ups only.
    let looked: Value =
        tests::uses::by("monitor", invoke(&shop.parts(), "monitor", r#"{"limit":5}"#)).await.unwrap();
    assert_eq!(looked["breakdown"]["topups"], 5, "{looked}");
    assert_eq!(shop.status(&paid).await, "CREDITED");
    shop.world.expect_available("b", "60.00").await;
    shop.world.prove().await;
}

#[test]
fn items_are_taken_in_turns_by_owner_each_owners_in_their_order() {
    let items = vec![("a", 1), ("a", 2), ("a", 3), ("b", 4), ("c", 5), ("b", 6)];
    let turns = edge::sweep::in_turns(items.clone(), |(owner, _)| *owner);
    assert_eq!(turns.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [1, 4, 5, 2, 6, 3]);
    assert_eq!(turns.into_iter().collect::<BTreeSet<_>>(), items.into_iter().collect());
}
