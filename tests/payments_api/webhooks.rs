//! Webhooks of every gateway: each sample has its effect or none, each forgery is refused, and what cannot be
//! processed waits for an operator.

use axum::body::Body;
use http::Request;
use rust_decimal::Decimal;
use serde_json::Value;
use std::collections::BTreeSet;
use tests::{Shop, admin, customer, staff};

pub async fn shop() -> Shop {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    shop
}

pub fn payment_key(gateway: &str) -> &'static str {
    match gateway {
        "stripe" => "stripe.checkout_session_completed",
        "paypal" => "paypal.payment_capture_completed",
        "google-pay" => "google-pay.payment_captured",
        _ => "razorpay.payment_captured",
    }
}

/// The effect of each sample on a wallet that its payment has credited with 500.00: sample, available amount,
/// and status of the top-up.
const EFFECTS: [(&str, &str, &str); 36] = [
    ("google-pay.payment_captured", "500.00", "CREDITED"),
    ("paypal.checkout_order_approved", "500.00", "CREDITED"),
    ("paypal.customer_dispute_created", "500.00", "CREDITED"),
    ("paypal.customer_dispute_resolved", "300.00", "PARTIALLY_REVERSED"),
    ("paypal.customer_dispute_updated", "500.00", "CREDITED"),
    ("paypal.payment_capture_completed", "500.00", "CREDITED"),
    ("paypal.payment_capture_declined", "500.00", "CREDITED"),
    ("paypal.payment_capture_denied", "500.00", "CREDITED"),
    ("paypal.payment_capture_pending", "500.00", "CREDITED"),
    ("paypal.payment_capture_refunded", "300.00", "PARTIALLY_REVERSED"),
    ("paypal.payment_capture_reversed", "300.00", "PARTIALLY_REVERSED"),
    ("razorpay.order_paid", "500.00", "CREDITED"),
    ("razorpay.payment_authorized", "500.00", "CREDITED"),
    ("razorpay.payment_captured", "500.00", "CREDITED"),
    ("razorpay.payment_dispute_action_required", "500.00", "CREDITED"),
    ("razorpay.payment_dispute_closed", "500.00", "CREDITED"),
    ("razorpay.payment_dispute_created", "500.00", "CREDITED"),
    ("razorpay.payment_dispute_lost", "300.00", "PARTIALLY_REVERSED"),
    ("razorpay.payment_dispute_under_review", "500.00", "CREDITED"),
    ("razorpay.payment_dispute_won", "500.00", "CREDITED"),
    ("razorpay.payment_failed", "500.00", "CREDITED"),
    ("razorpay.refund_failed", "500.00", "CREDITED"),
    ("razorpay.refund_processed", "300.00", "PARTIALLY_REVERSED"),
    ("stripe.charge_dispute_closed", "300.00", "PARTIALLY_REVERSED"),
    ("stripe.charge_dispute_created", "500.00", "CREDITED"),
    ("stripe.charge_dispute_funds_reinstated", "500.00", "CREDITED"),
    ("stripe.charge_dispute_funds_withdrawn", "300.00", "PARTIALLY_REVERSED"),
    ("stripe.charge_refund_updated", "500.00", "CREDITED"),
    ("stripe.charge_refunded", "300.00", "PARTIALLY_REVERSED"),
    ("stripe.checkout_session_async_payment_failed", "500.00", "CREDITED"),
    ("stripe.checkout_session_async_payment_succeeded", "500.00", "CREDITED"),
    ("stripe.checkout_session_completed", "500.00", "CREDITED"),
    ("stripe.payment_intent_payment_failed", "500.00", "CREDITED"),
    ("stripe.payment_intent_succeeded", "500.00", "CREDITED"),
    ("stripe.refund_failed", "500.00", "CREDITED"),
    ("stripe.refund_updated", "500.00", "CREDITED"),
];

#[tokio::test]
async fn every_sample_of_every_gateway_has_its_effect_once() {
    let all: BTreeSet<&str> = scrip::fakes::fixture::names().collect();
    assert_eq!(
        all,
        EFFECTS.iter().map(|(name, ..)| *name).collect(),
        "every sample needs an expected effect"
    );
    for (sample, available, status) in EFFECTS {
        let shop = shop().await;
        let endpoint = sample.split('.').next().unwrap();
        let gateway = if endpoint == "google-pay" { "razorpay" } else { endpoint };
        let (topup, payment) = shop.paid("a", "500", gateway).await;
        let mut values = shop.values(&topup, &payment, "paid");
        shop.expect(payment_key(endpoint), &values, "processed").await;
        values.reversed = 20_000;
        for event in ["again1", "again1", "again2"] {
            values.event = event.to_owned();
            let answer = shop.deliver(sample, &values).await.expect(200);
            assert!(
                matches!(answer.text("/status").as_str(), "processed" | "ignored"),
                "{sample} {}",
                answer.body
            );
        }
        shop.world.expect_available("a", available).await;
        assert_eq!(shop.status(&topup).await, status, "{sample}");
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn every_sample_that_is_money_credits_and_no_other_does() {
    let money = [
        "google-pay.payment_captured",
        "paypal.payment_capture_completed",
        "razorpay.order_paid",
        "razorpay.payment_captured",
        "stripe.checkout_session_async_payment_succeeded",
        "stripe.checkout_session_completed",
        "stripe.payment_intent_succeeded",
    ];
    for sample in scrip::fakes::fixture::names() {
        let shop = shop().await;
        let endpoint = sample.split('.').next().unwrap();
        let gateway = if endpoint == "google-pay" { "razorpay" } else { endpoint };
        let (topup, payment) = shop.paid("a", "500", gateway).await;
        shop.deliver(sample, &shop.values(&topup, &payment, "first")).await.expect(200);
        // An approved order is captured at once: in the fake it is already paid.
        let credits = money.contains(&sample) || sample == "paypal.checkout_order_approved";
        shop.world.expect_available("a", if credits { "500.00" } else { "0.00" }).await;
        if endpoint == "google-pay" {
            let path = format!("/api/integration/wallet/topup/{topup}");
            assert_eq!(shop.world.get(&staff(), &path).await.text("/method"), "google_pay");
        }
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn the_status_of_a_customer_shows_top_ups_and_what_was_reported_of_them() {
    let shop = shop().await;
    let (topup, payment) = shop.paid("a", "500", "razorpay").await;
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "one"), "processed").await;
    let second = scrip::fakes::state::FakePayment { id: "pay_second".to_owned(), ..payment.clone() };
    shop.world.clock.advance_days(1);
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &second, "two"), "quarantined").await;
    let shown = shop.world.get(&customer("a"), "/api/integration/status/a").await.expect(200);
    assert_eq!(shown.text("/topups/0/status"), "CREDITED");
    assert_eq!(
        (shown.text("/events/0/event_id"), shown.text("/events/0/status")),
        ("razorpay:two".into(), "quarantined".into())
    );
    assert_eq!(shown.text("/events/1/event_id"), "razorpay:one");
    shop.world.prove().await;
}

pub async fn alerts(shop: &Shop, state: &str) -> usize {
    let query = shop.world.raw().query().table_name(shop.world.app.store.table());
    let query = query.key_condition_expression("pk = :pk");
    let list = aws_sdk_dynamodb::types::AttributeValue::S(format!("L#a:{state}"));
    query.expression_attribute_values(":pk", list).send().await.unwrap().items().len()
}

/// Covers fault 28 of the requirements.
#[tokio::test]
async fn a_second_payment_of_one_top_up_is_quarantined_until_its_refund_and_touches_no_credit() {
    let shop = shop().await;
    let (topup, first) = shop.paid("a", "500", "razorpay").await;
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &first, "one"), "processed").await;
    let second = scrip::fakes::state::FakePayment { id: "pay_second".to_owned(), ..first.clone() };
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &second, "two"), "quarantined").await;
    shop.expect("razorpay.order_paid", &shop.values(&topup, &second, "two-again"), "ignored").await;
    assert_eq!(
        (shop.events("quarantined").await, alerts(&shop, "open").await),
        (vec!["razorpay:two".to_owned()], 1)
    );
    shop.expect("razorpay.refund_processed", &shop.values(&topup, &second, "back"), "processed").await;
    assert!(shop.events("quarantined").await.is_empty());
    assert_eq!((alerts(&shop, "open").await, alerts(&shop, "closed").await), (0, 1));
    assert_eq!(shop.status(&topup).await, "CREDITED");
    shop.world.expect_available("a", "500.00").await;
    // Replaying a closed event changes nothing.
    let path = "/api/integration/webhook/events/razorpay:two/replay";
    assert_eq!(shop.world.post(&admin(), path, "").await.expect(200).text("/status"), "ignored");
    shop.world.prove().await;
}

/// Covers fault 28 of the requirements: before its top-up, twice, out of order, or a day late.
#[tokio::test]
async fn a_refund_before_its_capture_waits_for_it_however_it_names_it() {
    for (gateway, refund, named) in [
        ("razorpay", "razorpay.refund_processed", true),
        ("razorpay", "razorpay.refund_processed", false),
        ("stripe", "stripe.charge_refunded", true),
        ("stripe", "stripe.charge_dispute_funds_withdrawn", true),
        ("paypal", "paypal.payment_capture_refunded", true),
        ("paypal", "paypal.customer_dispute_resolved", false),
    ] {
        let shop = shop().await;
        let (topup, payment) = shop.paid("a", "500", gateway).await;
        let mut values = shop.values(&topup, &payment, "back");
        values.reversed = 20_000;
        if !named {
            (values.topup, values.order) = (String::new(), String::new());
        }
        let early = shop.deliver(refund, &values).await.expect(200).text("/status");
        let by_disputes = refund.contains("dispute") || !named;
        assert_eq!(
            early,
            if by_disputes && early == "quarantined" { "quarantined" } else { "parked" },
            "{refund}"
        );
        shop.world.expect_available("a", "0.00").await;
        shop.expect(payment_key(gateway), &shop.values(&topup, &payment, "paid"), "processed").await;
        shop.world.expect_available("a", "300.00").await;
        let left =
            (shop.events("parked").await, shop.events("quarantined").await, alerts(&shop, "open").await);
        assert_eq!(left, (vec![], vec![], 0), "{refund}");
        shop.expect(refund, &values, "processed").await;
        shop.world.expect_available("a", "300.00").await;
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn a_report_of_a_top_up_that_is_not_stored_yet_is_applied_when_it_appears() {
    let shop = shop().await;
    // The id is derived from the key: another region has stored the top-up, this one has not seen it yet.
    let body = r#"{"customer_id":"a","amount":500}"#;
    let initiate = "/api/integration/wallet/topup/initiate";
    let elsewhere = Shop::new().await;
    elsewhere.world.open_wallet("a", "").await;
    let begun = elsewhere.world.post_keyed(&customer("a"), "k", initiate, body).await.expect(201);
    let (topup, order) = (begun.text("/topup_id"), begun.text("/gateway_order_id"));
    let payment = elsewhere.pay(&order, "captured");
    let values = shop.values(&topup, &payment, "early");
    shop.expect("razorpay.payment_captured", &values, "parked").await;
    shop.expect("razorpay.payment_captured", &values, "parked").await;
    let mut back = shop.values(&topup, &payment, "back");
    back.reversed = 10_000;
    shop.expect("razorpay.refund_processed", &back, "parked").await;
    assert_eq!(shop.events("parked").await.len(), 2);
    shop.world.post_keyed(&customer("a"), "k", initiate, body).await.expect(201);
    shop.world.expect_available("a", "400.00").await;
    assert!(shop.events("parked").await.is_empty());
    shop.world.prove().await;
}

#[tokio::test]
async fn unknown_types_are_stored_and_acknowledged_and_unreadable_bodies_raise_alerts() {
    let shop = shop().await;
    let unknown = r#"{"event":"payment.link.sparkled","payload":{}}"#;
    assert_eq!(shop.send("razorpay", "e1", unknown, false).await.expect(200).text("/status"), "ignored");
    for (event, body) in [
        ("e2", r#"{"event":"payment.captured","payload":{}}"#),
        (
            "e3",
            r#"{"event":"payment.captured","payload":{"payment":{"entity":{"id":"p","amount":1.5,"currency":"INR","status":"captured"}}}}"#,
        ),
        (
            "e4",
            r#"{"event":"payment.captured","payload":{"payment":{"entity":{"id":"p","amount":-5,"currency":"INR","status":"captured"}}}}"#,
        ),
        (
            "e5",
            r#"{"event":"payment.captured","payload":{"payment":{"entity":{"id":"p","amount":1e3,"currency":"INR","status":"captured"}}}}"#,
        ),
        (
            "e6",
            r#"{"event":"payment.captured","payload":{"payment":{"entity":{"id":"p","amount":500,"currency":"XXX","status":"captured"}}}}"#,
        ),
        (
            "e7",
            r#"{"event":"payment.captured","payload":{"payment":{"entity":{"id":"p#/\u0000","amount":500,"currency":"INR","status":"captured"}}}}"#,
        ),
        (
            "e8",
            r#"{"event":"payment.captured","payload":{"payment":{"entity":{"id":"p","amount":99999999999999999999,"currency":"INR","status":"captured"}}}}"#,
        ),
    ] {
        assert_eq!(
            shop.send("razorpay", event, body, false).await.expect(200).text("/status"),
            "failed",
            "{body}"
        );
    }
    for (at, gateway) in ["razorpay", "stripe", "paypal"].into_iter().enumerate() {
        let deep = format!(r#"{{"id":"deep{at}","x":{}}}"#, "[".repeat(200) + &"]".repeat(200));
        for body in
            ["no json at all", "{}", r#"{"id":"evt_1"}"#, "{\"id\":\"x\",\"type\":\"\\ud83d\"}", &deep]
        {
            let answer = shop
                .send(gateway, &format!("n{}", domain::hash::Hash::of(body).prefix(8)), body, false)
                .await
                .expect(200);
            assert_eq!(answer.text("/status"), "failed", "{gateway} {body}");
        }
    }
    assert_eq!(shop.events("failed").await.len(), 7 + 15);
    assert_eq!(alerts(&shop, "open").await, 7 + 15);
    let huge = vec![b' '; 256 * 1024 + 1];
    shop.send_with("razorpay", &[], &huge).await.expect_problem(413, "body_too_large");
    shop.world.expect_available("a", "0.00").await;
    shop.world.prove().await;
}

/// The requirement: one batch read and one transaction.
#[tokio::test]
async fn a_webhook_that_names_its_top_up_costs_one_batch_read_and_one_transaction() {
    for gateway in ["razorpay", "stripe", "paypal"] {
        let shop = shop().await;
        let (topup, payment) = shop.paid("a", "500", gateway).await;
        let values = shop.values(&topup, &payment, "ev");
        if gateway == "paypal" {
            // The very first delivery also fetches the certificate.
            shop.expect("paypal.payment_capture_pending", &shop.values(&topup, &payment, "first"), "ignored")
                .await;
        }
        shop.world.faults.take_log();
        shop.world.meter.take();
        shop.expect(payment_key(gateway), &values, "processed").await;
        let requests: Vec<String> =
            shop.world.faults.take_log().into_iter().map(|(operation, _)| operation).collect();
        assert_eq!(requests, ["BatchGetItem", "TransactWriteItems"], "{gateway}");
        let cost = shop.world.meter.take();
        assert!(cost.write_units <= Decimal::from(25), "{cost:?}");
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn what_is_kept_of_a_report_is_sealed_and_lists_of_it_are_for_admins() {
    let shop = shop().await;
    let (topup, payment) = shop.paid("a", "500", "razorpay").await;
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "ev"), "processed").await;
    let scan = shop.world.raw().scan().table_name(shop.world.app.store.table()).send().await.unwrap();
    let stored = format!("{:?}", scan.items());
    for word in ["asha@example.com", "+919800000000", "acc_BFQ7uQEaa7j2z7"] {
        assert!(!stored.contains(word), "{word} is stored in the clear");
    }
    let (event, sealed) = shop
        .world
        .app
        .store
        .payments()
        .event(&domain::ids::EventId::of("razorpay", "ev"))
        .await
        .unwrap()
        .unwrap();
    let opened = shop.world.parts.seal.open(event.id.as_str(), &sealed).unwrap();
    assert!(String::from_utf8(opened).unwrap().contains("asha@example.com"));
    assert!(
        shop.world.parts.seal.open("razorpay:another", &sealed).is_none(),
        "a sealed body opens under its own event id only"
    );
    let events = "/api/integration/webhook/events";
    for caller in [customer("a"), staff(), tests::service("wallet:topup")] {
        shop.world.get(&caller, events).await.expect_problem(403, "forbidden");
        shop.world
            .post(&caller, &format!("{events}/razorpay:ev/replay"), "")
            .await
            .expect_problem(403, "forbidden");
    }
    let unknown = shop.world.post(&admin(), &format!("{events}/razorpay:none/replay"), "").await;
    unknown.expect_problem(404, "event_not_found");
    let unsigned = Request::get(events).body(Body::empty()).unwrap();
    shop.world.send(None, unsigned).await.expect_problem(401, "unauthenticated");
}

#[tokio::test]
async fn events_are_listed_newest_first_page_by_page() {
    let shop = shop().await;
    for at in 0..7 {
        let body = format!(r#"{{"event":"some.type{at}","payload":{{}}}}"#);
        shop.send("razorpay", &format!("e{at}"), &body, false).await.expect(200);
        shop.world.clock.advance(std::time::Duration::from_secs(1));
    }
    let (topup, payment) = shop.paid("a", "500", "razorpay").await;
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "paid"), "processed").await;
    let events = "/api/integration/webhook/events";
    let ids = |answer: &tests::Answer| -> Vec<String> {
        let list = answer.json()["events"].as_array().unwrap().clone();
        list.iter().map(|event| event["event_id"].as_str().unwrap().replace("razorpay:", "")).collect()
    };
    let first = shop.world.get(&admin(), &format!("{events}?limit=3")).await.expect(200);
    assert_eq!(
        (ids(&first), first.field("/total")),
        (vec!["paid".into(), "e6".into(), "e5".into()], 8.into())
    );
    let cursor = first.text("/next_cursor");
    let second = shop.world.get(&admin(), &format!("{events}?limit=3&cursor={cursor}")).await.expect(200);
    assert_eq!(ids(&second), ["e4", "e3", "e2"]);
    let skipped = shop.world.get(&admin(), &format!("{events}?limit=2&skip=6")).await.expect(200);
    assert_eq!((ids(&skipped), skipped.field("/next_cursor")), (vec!["e1".into(), "e0".into()], Value::Null));
    let ignored = shop.world.get(&admin(), &format!("{events}?status=ignored&limit=1")).await.expect(200);
    assert_eq!((ids(&ignored), ignored.field("/total")), (vec!["e6".into()], 7.into()));
    let other = shop.world.get(&admin(), &format!("{events}?status=processed&cursor={cursor}")).await;
    other.expect_problem(400, "invalid_cursor");
    let bad = shop.world.get(&admin(), &format!("{events}?status=lost&x=1")).await;
    assert_eq!(bad.expect_problem(400, "invalid_request").offending(), ["/status", "/x"]);
}
