//! Top-ups: initiated, paid at the gateway, and credited once by whichever report arrives first.

use std::sync::Arc;
use std::time::Duration;
use store::RetryPolicy;
use tests::{Fault, Outage, Shop, admin, customer, service, staff};

const INITIATE: &str = "/api/integration/wallet/topup/initiate";

async fn shop() -> Shop {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    shop
}

#[tokio::test]
async fn a_top_up_is_begun_with_what_a_client_needs_and_credited_by_the_webhook() {
    let shop = shop().await;
    let begun = shop.initiate("a", "500", "razorpay").await.expect(201);
    let (topup, order) = (begun.text("/topup_id"), begun.text("/gateway_order_id"));
    assert_eq!(begun.header("location").unwrap(), format!("/api/integration/wallet/topup/{topup}"));
    assert_eq!((begun.text("/status"), begun.raw("amount")), ("PENDING".into(), "500.00".into()));
    assert_eq!(begun.text("/checkout/order_id"), order);
    assert_eq!(begun.field("/checkout/amount"), 50_000);
    assert_eq!(begun.text("/checkout/notes/topup_id"), topup);
    assert!(begun.text("/checkout_url").contains(&order));
    assert_eq!(shop.status(&topup).await, "PENDING");
    let payment = shop.pay(&order, "captured");
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "ev1"), "processed").await;
    let topup_body =
        shop.world.get(&customer("a"), &format!("/api/integration/wallet/topup/{topup}")).await.expect(200);
    assert_eq!(
        (topup_body.text("/status"), topup_body.text("/gateway_payment_id")),
        ("CREDITED".into(), payment.id.clone())
    );
    let transaction = topup_body.text("/transactions/0");
    let path = format!("/api/wallet/a/transactions/{transaction}");
    let credit = shop.world.get(&staff(), &path).await.expect(200);
    assert_eq!(credit.text("/reference"), format!("topup:razorpay:{}", payment.id));
    assert_eq!((credit.text("/type"), credit.text("/source")), ("CREDIT".into(), "topup".into()));
    assert_eq!(credit.text("/metadata/topup_id"), topup);
    assert_eq!(credit.text("/expiry_date"), "2027-01-15");
    shop.world.expect_available("a", "500.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn however_many_events_verify_calls_and_replays_name_it_a_payment_is_credited_once() {
    for gateway in ["razorpay", "stripe", "paypal"] {
        let shop = shop().await;
        let (topup, payment) = shop.paid("a", "250.50", gateway).await;
        let values = |event: &str| shop.values(&topup, &payment, event);
        let samples: &[&str] = match gateway {
            "razorpay" => &["razorpay.payment_captured", "razorpay.order_paid", "razorpay.payment_failed"],
            "stripe" => &["stripe.checkout_session_completed", "stripe.payment_intent_succeeded"],
            _ => &["paypal.payment_capture_completed", "paypal.payment_capture_pending"],
        };
        let signature = shop.fakes.checkout_signature(&payment.order, &payment.id);
        shop.verify(&customer("a"), &topup, &payment.id, &signature).await.expect(200);
        for sample in samples {
            for event in ["ev1", "ev1", "ev2"] {
                let answer = shop.deliver(sample, &values(&format!("{event}{sample}"))).await.expect(200);
                assert!(matches!(answer.text("/status").as_str(), "processed" | "ignored"), "{sample}");
            }
        }
        let again = shop.verify(&customer("a"), &topup, &payment.id, &signature).await.expect(200);
        assert_eq!(again.text("/status"), "CREDITED");
        shop.world.expect_available("a", "250.50").await;
        assert_eq!(shop.world.types("a").await, ["CREDIT"], "{gateway}");
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn the_same_key_gives_the_same_order_byte_for_byte_and_another_request_is_refused() {
    let shop = shop().await;
    let body =
        r#"{"customer_id":"a","amount":100,"gateway":"stripe","return_url":"https://shop.example.com/x"}"#;
    let first = shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201);
    assert!(!first.is_replay());
    assert_eq!(shop.requests().len(), 1);
    let same = body.replace("100", "\"100.00\"");
    let again = shop.world.post_keyed(&service("wallet:topup"), "k", INITIATE, &same).await.expect(201);
    assert!(again.is_replay() && again.body == first.body);
    assert!(shop.requests().is_empty(), "no request is sent to the gateway again");
    let other = body.replace("100", "101");
    let refused = shop.world.post_keyed(&customer("a"), "k", INITIATE, &other).await;
    refused.expect_problem(422, "idempotency_key_reused");
    // After the payment, the first answer stays what it was.
    let payment = shop.pay(&first.text("/gateway_order_id"), "captured");
    let values = shop.values(&first.text("/topup_id"), &payment, "evt_1");
    shop.expect("stripe.checkout_session_completed", &values, "processed").await;
    let again = shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201);
    assert_eq!(again.body, first.body);
    // Without a key, each request is new.
    let fresh = shop.world.post(&customer("a"), INITIATE, body).await.expect(201);
    assert_ne!(fresh.text("/topup_id"), first.text("/topup_id"));
    shop.world.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_identical_requests_at_once_make_one_gateway_order() {
    let shop = Arc::new(shop().await);
    let body = r#"{"customer_id":"a","amount":100}"#;
    let all: Vec<_> = (0..30)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move {
                shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201)
            })
        })
        .collect();
    let mut bodies = std::collections::BTreeSet::new();
    for one in all {
        bodies.insert(one.await.unwrap().body);
    }
    assert_eq!(bodies.len(), 1);
    assert_eq!(shop.fakes.change(|state| state.orders.len()), 1);
}

/// Covers fault 27 of the requirements, for gateways.
#[tokio::test]
async fn a_gateway_that_is_down_or_silent_is_a_503_and_the_same_key_resumes_with_the_same_order() {
    for outage in [Outage::Down, Outage::Silent, Outage::Refusing] {
        let shop = shop().await;
        let body = r#"{"customer_id":"a","amount":100}"#;
        shop.outage(outage);
        let failed = shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await;
        let failed = failed.expect_problem(503, "unavailable");
        assert!(failed.header("retry-after").is_some());
        let made = shop.fakes.change(|state| state.orders.keys().next().cloned());
        assert_eq!(made.is_some(), outage == Outage::Silent, "only a silent gateway has created the order");
        shop.outage(Outage::None);
        let resumed = shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201);
        assert!(!resumed.is_replay(), "no answer was returned before");
        if let Some(made) = made {
            assert_eq!(resumed.text("/gateway_order_id"), made);
        }
        assert_eq!(shop.fakes.change(|state| state.orders.len()), 1, "{outage:?}");
        let payment = shop.pay(&resumed.text("/gateway_order_id"), "captured");
        let values = shop.values(&resumed.text("/topup_id"), &payment, "ev");
        shop.expect("razorpay.order_paid", &values, "processed").await;
        shop.world.expect_available("a", "100.00").await;
        shop.world.prove().await;
    }
}

/// Covers faults 1 to 5 of the requirements, for top-ups: the reply of each transaction is lost in turn.
#[tokio::test]
async fn lost_replies_of_the_table_leave_one_intent_one_order_and_one_credit() {
    for fault in [Fault::LostReply, Fault::ErrorAfterCommit, Fault::cancelled(&["TransactionConflict"])] {
        let shop = shop().await;
        let body = r#"{"customer_id":"a","amount":100}"#;
        shop.world.faults.plan("TransactWriteItems", 2, fault.clone());
        let begun = shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201);
        let payment = shop.pay(&begun.text("/gateway_order_id"), "captured");
        let values = shop.values(&begun.text("/topup_id"), &payment, "ev");
        shop.world.faults.plan("TransactWriteItems", 1, fault);
        shop.expect("razorpay.payment_captured", &values, "processed").await;
        shop.expect("razorpay.payment_captured", &values, "processed").await;
        assert_eq!(shop.world.faults.fired(), 3);
        assert_eq!(shop.world.types("a").await, ["CREDIT"]);
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn when_the_table_is_away_a_webhook_is_a_503_and_the_next_delivery_is_credited() {
    let short = RetryPolicy { budget: Duration::from_millis(100), ..RetryPolicy::default() };
    let shop = Shop::configured(&[], short).await;
    shop.world.open_wallet("a", "").await;
    let (topup, payment) = shop.paid("a", "100", "razorpay").await;
    let values = shop.values(&topup, &payment, "ev");
    shop.world.faults.always("*", Fault::Unreachable);
    let answer = shop.deliver("razorpay.payment_captured", &values).await.expect_problem(503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    shop.world.faults.clear();
    shop.expect("razorpay.payment_captured", &values, "processed").await;
    shop.world.expect_available("a", "100.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn only_what_the_gateway_reports_as_captured_is_credited_whatever_a_client_claims() {
    let shop = shop().await;
    let begun = shop.initiate("a", "100", "razorpay").await.expect(201);
    let (topup, order) = (begun.text("/topup_id"), begun.text("/gateway_order_id"));
    let tried = shop.pay(&order, "authorized");
    let signature = shop.fakes.checkout_signature(&order, &tried.id);
    let wrong =
        shop.verify(&customer("a"), &topup, &tried.id, "00").await.expect_problem(400, "invalid_request");
    assert_eq!(wrong.offending(), ["/signature"]);
    for dots in [".", ".."] {
        let refused = shop.verify(&customer("a"), &topup, dots, &signature).await;
        let refused = refused.expect_problem(400, "invalid_request");
        assert_eq!(refused.offending(), ["/gateway_payment_id"], "{dots}");
    }
    let unsigned = format!(r#"{{"topup_id":"{topup}","gateway_payment_id":"{}"}}"#, tried.id);
    let verify = "/api/integration/wallet/topup/verify";
    let missing =
        shop.world.post(&customer("a"), verify, &unsigned).await.expect_problem(400, "invalid_request");
    assert_eq!(missing.offending(), ["/signature"]);
    let waiting = shop.verify(&customer("a"), &topup, &tried.id, &signature).await.expect(200);
    assert_eq!(waiting.text("/status"), "PENDING", "an authorized payment is not credited");
    // A payment of another order, signed by the client for this one: the gateway's own report decides.
    let (_, theirs) = shop.paid("a", "100", "razorpay").await;
    let borrowed = shop.fakes.checkout_signature(&order, &theirs.id);
    shop.verify(&customer("a"), &topup, &theirs.id, &borrowed).await.expect_problem(400, "invalid_request");
    let unknown = shop.fakes.checkout_signature(&order, "pay_unknown");
    shop.verify(&customer("a"), &topup, "pay_unknown", &unknown)
        .await
        .expect_problem(404, "payment_not_found");
    let no_payment = shop.verify(&customer("a"), &topup, "pi_3SpTopUpSample00001", "00").await;
    no_payment.expect_problem(404, "payment_not_found");
    shop.outage(Outage::Down);
    shop.verify(&customer("a"), &topup, &tried.id, &signature).await.expect_problem(503, "unavailable");
    shop.outage(Outage::None);
    let paid = shop.pay(&order, "captured");
    let signature = shop.fakes.checkout_signature(&order, &paid.id);
    let credited = shop.verify(&customer("a"), &topup, &paid.id, &signature).await.expect(200);
    assert_eq!(credited.text("/status"), "CREDITED");
    assert!(shop.events("processed").await.is_empty(), "a poll stores no event");
    shop.world.expect_available("a", "100.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn an_approved_paypal_order_is_captured_and_credited_by_webhook_or_by_verify() {
    let shop = shop().await;
    for by_webhook in [true, false] {
        let begun = shop.initiate("a", "30", "paypal").await.expect(201);
        let (topup, order) = (begun.text("/topup_id"), begun.text("/gateway_order_id"));
        let early = shop.verify(&customer("a"), &topup, &order, "").await.expect(200);
        assert_eq!(early.text("/status"), "PENDING", "the order is not approved yet");
        shop.fakes.change(|state| state.orders.get_mut(&order).unwrap().status = "approved".to_owned());
        if by_webhook {
            let payment = scrip::fakes::state::FakePayment {
                id: String::new(),
                charge: String::new(),
                order: order.clone(),
                units: 3_000,
                status: String::new(),
                refunded: 0,
                number: 0,
            };
            shop.deliver("paypal.checkout_order_approved", &shop.values(&topup, &payment, "WH-1"))
                .await
                .expect(200);
        } else {
            shop.verify(&customer("a"), &topup, &order, "").await.expect(200);
        }
        assert_eq!(shop.status(&topup).await, "CREDITED");
        // The webhook of the capture itself reports the same again.
        let payment = shop.pay(&order, "captured");
        let values = shop.values(&topup, &payment, &format!("WH-2{by_webhook}"));
        shop.expect("paypal.payment_capture_completed", &values, "processed").await;
    }
    shop.world.expect_available("a", "60.00").await;
    assert_eq!(shop.world.types("a").await, ["CREDIT", "CREDIT"]);
    shop.world.prove().await;
}

#[tokio::test]
async fn only_the_owner_and_a_service_begin_and_only_the_owner_and_staff_read() {
    let shop = shop().await;
    let body = r#"{"customer_id":"a","amount":100}"#;
    for (caller, status) in [
        (customer("a"), 201),
        (service("wallet:topup"), 201),
        (admin(), 201),
        (staff(), 403),
        (service("wallet:credit"), 403),
        (customer("b"), 404),
    ] {
        shop.world.post(&caller, INITIATE, body).await.expect(status);
    }
    let topup = shop.initiate("a", "5", "razorpay").await.text("/topup_id");
    let path = format!("/api/integration/wallet/topup/{topup}");
    shop.world.get(&customer("b"), &path).await.expect_problem(404, "topup_not_found");
    shop.world.get(&service("wallet:topup"), &path).await.expect_problem(403, "forbidden");
    let other = topup.replace(".a", ".b");
    shop.world.get(&staff(), &path.replace(&topup, &other)).await.expect_problem(404, "topup_not_found");
    shop.world
        .get(&staff(), "/api/integration/wallet/topup/nonsense")
        .await
        .expect_problem(400, "invalid_request");
    shop.verify(&customer("b"), &topup, "pay_1", "00").await.expect_problem(404, "topup_not_found");
    shop.verify(&staff(), &topup, "pay_1", "00").await.expect_problem(403, "forbidden");
    let nobody = r#"{"customer_id":"nobody","amount":100}"#;
    shop.world.post(&admin(), INITIATE, nobody).await.expect_problem(404, "wallet_not_found");
}

#[tokio::test]
async fn every_offending_field_of_an_initiation_is_reported() {
    let shop = shop().await;
    let body = r#"{"customer_id":"","amount":0,"gateway":"cash","return_url":"javascript:alert(1)","x":1}"#;
    let report = shop.world.post(&admin(), INITIATE, body).await.expect_problem(400, "invalid_request");
    assert_eq!(report.offending(), ["/customer_id", "/amount", "/gateway", "/return_url", "/x"]);
    for url in ["http://shop.example.com/", "https://user:pw@shop.example.com/", "ftp://x/", "/relative"] {
        let body = format!(r#"{{"customer_id":"a","amount":5,"return_url":"{url}"}}"#);
        let report = shop.world.post(&admin(), INITIATE, &body).await.expect_problem(400, "invalid_request");
        assert_eq!(report.offending(), ["/return_url"], "{url}");
    }
    let small = shop.initiate("a", "0.99", "razorpay").await.expect_problem(400, "invalid_request");
    assert_eq!(small.offending(), ["/amount"]);
    shop.initiate("a", "1.001", "stripe").await.expect_problem(400, "invalid_request");
    assert_eq!(shop.fakes.change(|state| state.orders.len()), 0);
}

#[tokio::test]
async fn captured_top_ups_land_in_frozen_and_suspended_wallets() {
    let shop = shop().await;
    for (word, gateway) in [("freeze", "razorpay"), ("suspend", "stripe")] {
        let (topup, payment) = shop.paid("a", "10", gateway).await;
        shop.world.post(&admin(), &format!("/api/wallet/a/{word}"), r#"{"reason":"r"}"#).await.expect(200);
        let sample =
            if gateway == "stripe" { "stripe.payment_intent_succeeded" } else { "razorpay.payment_captured" };
        shop.expect(sample, &shop.values(&topup, &payment, "e"), "processed").await;
    }
    shop.world.expect_available("a", "20.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn a_payment_that_fails_first_or_is_captured_late_is_credited_all_the_same() {
    let shop = shop().await;
    let begun = shop.initiate("a", "40", "razorpay").await.expect(201);
    let (topup, order) = (begun.text("/topup_id"), begun.text("/gateway_order_id"));
    let failed = shop.pay(&order, "failed");
    shop.expect("razorpay.payment_failed", &shop.values(&topup, &failed, "e1"), "processed").await;
    assert_eq!(shop.status(&topup).await, "FAILED");
    shop.world.clock.advance_days(2);
    let payment = shop.pay(&order, "captured");
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "e2"), "processed").await;
    assert_eq!(shop.status(&topup).await, "CREDITED");
    let begun = shop.initiate("a", "2", "razorpay").await.expect(201);
    shop.world.clock.advance_days(2);
    assert_eq!(shop.status(&begun.text("/topup_id")).await, "EXPIRED");
    let payment = shop.pay(&begun.text("/gateway_order_id"), "captured");
    shop.expect(
        "razorpay.payment_captured",
        &shop.values(&begun.text("/topup_id"), &payment, "e3"),
        "processed",
    )
    .await;
    shop.world.expect_available("a", "42.00").await;
    shop.world.prove().await;
}
