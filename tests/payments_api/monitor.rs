//! The monitor: it polls gateways once more, and processes parked reports.

use serde_json::{Value, json};
use tests::{Outage, Shop, admin, customer};

async fn shop() -> Shop {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    shop
}

/// Returns the numbers of top-ups, reports and failures of a run.
fn payments(looked: &Value) -> [u64; 3] {
    ["topups", "reports", "failed"].map(|name| looked["breakdown"][name].as_u64().unwrap())
}

#[tokio::test]
async fn an_unreported_payment_is_found_when_its_top_up_expires() {
    for gateway in ["razorpay", "stripe", "paypal"] {
        let shop = shop().await;
        let (topup, _) = shop.paid("a", "75", gateway).await;
        let idle = shop.initiate("a", "5", gateway).await.expect(201).text("/topup_id");
        assert_eq!(payments(&shop.monitor().await), [0, 0, 0]);
        shop.world.clock.advance_days(1);
        shop.requests();
        let looked = shop.monitor().await;
        assert_eq!(
            (&looked["breakdown"]["topups"], &looked["success"]),
            (&json!(2), &json!(true)),
            "{looked}"
        );
        assert_eq!(
            (shop.status(&topup).await, shop.status(&idle).await),
            ("CREDITED".into(), "EXPIRED".into())
        );
        shop.world.expect_available("a", "75.00").await;
        // Only once: it is not polled again.
        shop.requests();
        assert_eq!(shop.monitor().await["breakdown"]["topups"], 0);
        assert!(shop.requests().is_empty());
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn a_gateway_that_is_down_is_asked_again_later_and_given_up_after_three_days() {
    let shop = shop().await;
    let (topup, _) = shop.paid("a", "75", "razorpay").await;
    shop.world.clock.advance_days(1);
    shop.outage(Outage::Down);
    let looked = shop.monitor().await;
    assert_eq!((&looked["breakdown"]["failed"], &looked["success"]), (&json!(1), &json!(false)));
    assert_eq!(shop.monitor().await["breakdown"]["topups"], 0, "the top-up is postponed");
    shop.outage(Outage::None);
    shop.world.clock.advance(std::time::Duration::from_secs(900));
    assert_eq!(payments(&shop.monitor().await), [1, 0, 0]);
    assert_eq!(shop.status(&topup).await, "CREDITED");
    let lost = shop.initiate("a", "5", "razorpay").await.expect(201).text("/topup_id");
    shop.outage(Outage::Down);
    shop.world.clock.advance_days(5);
    assert_eq!(shop.monitor().await["breakdown"]["failed"], 0);
    assert_eq!(shop.status(&lost).await, "EXPIRED");
    shop.world.prove().await;
}

#[tokio::test]
async fn a_report_that_is_parked_for_a_day_is_quarantined_with_an_alert() {
    let shop = shop().await;
    let begun = shop.initiate("a", "75", "razorpay").await.expect(201);
    let topup = begun.text("/topup_id");
    // The gateway itself does not report it as captured yet.
    let payment = shop.pay(&begun.text("/gateway_order_id"), "authorized");
    let mut values = shop.values(&topup, &payment, "back");
    shop.expect("razorpay.refund_processed", &values, "parked").await;
    shop.world.clock.advance(std::time::Duration::from_secs(86_399));
    let looked = shop.monitor().await;
    assert_eq!(
        (&looked["breakdown"]["reports"], &looked["alerts_generated"]),
        (&json!(1), &json!(0)),
        "{looked}"
    );
    assert_eq!(shop.events("parked").await, ["razorpay:back"]);
    shop.world.clock.advance(std::time::Duration::from_secs(1));
    shop.outage(Outage::Down);
    let looked = shop.monitor().await;
    assert_eq!(
        (&looked["alerts_generated"], &looked["alerts"]),
        (&json!(1), &json!(["razorpay:back"])),
        "{looked}"
    );
    assert_eq!(shop.events("quarantined").await, ["razorpay:back"]);
    // The capture arrives a day late: both reports take effect, and no operator needs to check them any more.
    values.event = "late".to_owned();
    shop.expect("razorpay.payment_captured", &values, "processed").await;
    assert_eq!(shop.status(&topup).await, "REVERSED");
    assert!(shop.events("quarantined").await.is_empty());
    shop.world.prove().await;
}

#[tokio::test]
async fn an_admin_replays_what_is_quarantined_after_its_cause_is_mended_without_double_effect() {
    let shop = shop().await;
    // A payment that names no known top-up: its order was created, but never stored.
    let (topup, payment) = shop.paid("a", "75", "razorpay").await;
    let mut values = shop.values(&topup, &payment, "lost");
    (values.topup, values.order) = (String::new(), "order_by_hand".to_owned());
    shop.expect("razorpay.payment_captured", &values, "quarantined").await;
    let path = "/api/integration/webhook/events/razorpay:lost/replay";
    assert_eq!(shop.world.post(&admin(), path, "").await.expect(200).text("/status"), "quarantined");
    shop.world.expect_available("a", "0.00").await;
    // The cause is fixed: the order is known now.
    let lead = [
        ("pk", "G#razorpay/order:order_by_hand"),
        ("sk", "G"),
        ("handle", "razorpay/order:order_by_hand"),
        ("topup", &topup),
    ];
    let mut put = shop.world.raw().put_item().table_name(shop.world.app.store.table());
    for (name, value) in lead {
        put = put.item(name, aws_sdk_dynamodb::types::AttributeValue::S(value.to_owned()));
    }
    put.item("version", aws_sdk_dynamodb::types::AttributeValue::N("1".to_owned())).send().await.unwrap();
    let fixed = shop.world.post(&admin(), path, "").await.expect(200);
    assert_eq!(fixed.text("/status"), "quarantined", "the report names an order that is not the top-up's");
    shop.deliver("razorpay.order_paid", &shop.values(&topup, &payment, "right")).await.expect(200);
    shop.world.expect_available("a", "75.00").await;
    assert_eq!(shop.world.post(&admin(), path, "").await.expect(200).text("/status"), "processed");
    for _ in 0..3 {
        shop.world.post(&admin(), path, "").await.expect(200);
    }
    shop.world.expect_available("a", "75.00").await;
    shop.world.prove().await;
}

/// Pays a top-up, and credits it because its gateway is polled.
async fn polled(shop: &Shop, gateway: &str) -> (String, scrip::fakes::state::FakePayment) {
    let (topup, payment) = shop.paid("a", "75", gateway).await;
    let signature = shop.fakes.checkout_signature(&payment.order, &payment.id);
    shop.verify(&customer("a"), &topup, &payment.id, &signature).await.expect(200);
    shop.world.clock.advance(std::time::Duration::from_secs(60));
    (topup, payment)
}

async fn silence(shop: &Shop) -> Vec<(String, String)> {
    shop.world.clock.advance(std::time::Duration::from_secs(300));
    shop.monitor().await;
    let listed = shop.world.get(&admin(), "/api/alerts").await.expect(200).json();
    let text = |alert: &Value, name: &str| alert[name].as_str().unwrap().to_owned();
    let alerts = listed["alerts"].as_array().unwrap().iter();
    let silent = alerts.filter(|alert| alert["kind"] == "webhook_silent");
    silent.map(|alert| (text(alert, "subject"), text(alert, "status"))).collect()
}

#[tokio::test]
async fn a_gateway_whose_last_five_payments_were_credited_because_it_was_polled_is_silent_until_it_reports() {
    let shop = shop().await;
    let (topup, payment) = polled(&shop, "razorpay").await;
    for _ in 0..3 {
        polled(&shop, "razorpay").await;
        polled(&shop, "stripe").await;
    }
    assert_eq!(silence(&shop).await, [], "four in a row");
    polled(&shop, "razorpay").await;
    let open = ("razorpay".to_owned(), "open".to_owned());
    assert_eq!(silence(&shop).await, std::slice::from_ref(&open));
    // A report of another gateway is none of this one.
    let (other, paid) = shop.paid("a", "75", "stripe").await;
    shop.expect("stripe.payment_intent_succeeded", &shop.values(&other, &paid, "s1"), "processed").await;
    assert_eq!(silence(&shop).await, std::slice::from_ref(&open));
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "late"), "processed").await;
    assert_eq!(silence(&shop).await, [open], "one look does not close it");
    assert_eq!(silence(&shop).await, [("razorpay".to_owned(), "closed".to_owned())]);
    for _ in 0..4 {
        polled(&shop, "razorpay").await;
    }
    assert_eq!(silence(&shop).await.last().unwrap().1, "closed", "it has reported since the fifth");
    polled(&shop, "razorpay").await;
    assert!(silence(&shop).await.iter().any(|(_, status)| status == "open"));
    shop.world.prove().await;
}
