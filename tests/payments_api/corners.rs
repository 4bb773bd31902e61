//! Edge cases of payments: attacks, crashes, and unusual orders of events.

use super::webhooks::{alerts, shop};
use aws_sdk_dynamodb::types::AttributeValue;
use domain::payments::gateway_report::ReversalState;
use scrip::fakes::state::{FakeOrder, FakePayment};
use serde_json::json;
use tests::counter::{Counter, ReportReference, money};
use tests::{Outage, Shop, customer, staff};

const INITIATE: &str = "/api/integration/wallet/topup/initiate";

/// Returns a payment at the gateway for something other than a top-up.
fn bought_elsewhere(shop: &Shop, gateway: &str, prefix: &str) -> FakePayment {
    let order = FakeOrder {
        gateway: gateway.to_owned(),
        id: String::new(),
        units: 10_000,
        currency: "INR".to_owned(),
        topup: None,
        key: "a pair of shoes".to_owned(),
        return_url: None,
        status: "created".to_owned(),
    };
    let order = shop.fakes.change(|state| state.order(prefix, order));
    shop.pay(&order.id, "captured")
}

#[tokio::test]
async fn a_purchase_of_something_else_cannot_be_verified_as_a_top_up() {
    for (gateway, prefix) in [("stripe", "pi_"), ("stripe", "cs_test_"), ("razorpay", "order_")] {
        for begun_in_vain in [true, false] {
            let shop = shop().await;
            let shoes = bought_elsewhere(&shop, gateway, prefix);
            let body = format!(r#"{{"customer_id":"a","amount":100,"gateway":"{gateway}"}}"#);
            if begun_in_vain {
                shop.outage(Outage::Down);
            }
            let begun = shop.world.post_keyed(&customer("a"), "k", INITIATE, &body).await;
            assert_eq!(begun.status, if begun_in_vain { 503 } else { 201 });
            shop.outage(Outage::None);
            let list = shop.world.app.store.payments().newest_topups(&"a".parse_customer(), 5).await.unwrap();
            let topup = list[0].id.to_string();
            let signature = shop.fakes.checkout_signature(&shoes.order, &shoes.id);
            let answer = shop.verify(&customer("a"), &topup, &shoes.id, &signature).await;
            answer.expect_problem(400, "invalid_request");
            shop.world.expect_available("a", "0.00").await;
            shop.world.prove().await;
        }
    }
}

trait Named {
    fn parse_customer(&self) -> domain::ids::CustomerId;
}

impl Named for str {
    fn parse_customer(&self) -> domain::ids::CustomerId {
        domain::ids::CustomerId::parse(self).unwrap()
    }
}

/// The browser can set the notes of a Razorpay payment.
#[tokio::test]
async fn a_payment_of_another_order_that_names_a_top_up_in_its_notes_is_not_credited() {
    let shop = shop().await;
    let shoes = bought_elsewhere(&shop, "razorpay", "order_");
    shop.outage(Outage::Down);
    let body = r#"{"customer_id":"a","amount":100}"#;
    shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(503);
    let topup = shop.world.app.store.payments().newest_topups(&"a".parse_customer(), 5).await.unwrap()[0]
        .id
        .to_string();
    // While the top-up has no order, the payment is parked. Once the top-up has another order, the payment is
    // quarantined.
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &shoes, "sly"), "parked").await;
    let mut bare = shop.values(&topup, &shoes, "bare");
    (bare.order, bare.payment) = (String::new(), "pay_bare".to_owned());
    shop.expect("razorpay.payment_captured", &bare, "quarantined").await;
    shop.outage(Outage::None);
    shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201);
    let mut without_order = shop.values(&topup, &shoes, "slyer");
    (without_order.order, without_order.payment) = (String::new(), "pay_without_order".to_owned());
    shop.expect("razorpay.payment_captured", &without_order, "quarantined").await;
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &shoes, "sly"), "quarantined").await;
    shop.world.expect_available("a", "0.00").await;
    shop.world.prove().await;
}

#[test]
fn what_was_forgiven_can_be_forgiven_again_when_its_dispute_is_won() {
    for won_first in [true, false] {
        let mut counter = Counter::new();
        counter.initiate(0, 100);
        counter.deliver("cap", counter.report(0, "p", ReportReference::Ours, Counter::captured(100)));
        counter.wait(24 * 400);
        let dispute = |phase| Counter::reversal_fact("d1", phase, 100);
        let mut phases = [ReversalState::Taken, ReversalState::Returned];
        if won_first {
            phases.reverse();
        }
        for (at, phase) in phases.into_iter().enumerate() {
            let report = counter.report(0, "p", ReportReference::Order, dispute(phase));
            counter.deliver(&format!("d{at}"), report);
        }
        let refund = counter.report(
            0,
            "p",
            ReportReference::Order,
            Counter::reversal_fact("r1", ReversalState::Taken, 100),
        );
        counter.deliver("r", refund);
        assert_eq!(counter.balances(), (money(0), money(0)), "all of it had expired");
        counter.memory.prove();
    }
}

#[test]
fn a_failed_refund_of_an_unmatched_payment_leaves_it_unmatched_in_any_order() {
    for failed_first in [true, false] {
        let mut counter = Counter::new();
        counter.initiate(0, 100);
        counter.deliver("one", counter.report(0, "p1", ReportReference::Ours, Counter::captured(100)));
        counter.deliver("two", counter.report(0, "p2", ReportReference::Ours, Counter::captured(100)));
        let mut phases = [ReversalState::Taken, ReversalState::Returned];
        if failed_first {
            phases.reverse();
        }
        for (at, phase) in phases.into_iter().enumerate() {
            let report =
                counter.report(0, "p2", ReportReference::Order, Counter::reversal_fact("r1", phase, 100));
            counter.deliver(&format!("r{at}"), report);
        }
        assert_eq!(counter.memory.alerts.len(), 1, "the alert about the payment is open");
        assert_eq!(counter.balances(), (money(100), money(0)));
        counter.memory.prove();
    }
}

#[tokio::test]
async fn polling_the_gateway_finds_unreported_refunds() {
    for gateway in ["razorpay", "stripe", "paypal"] {
        let shop = shop().await;
        let (topup, payment) = shop.paid("a", "100", gateway).await;
        shop.fakes.change(|state| state.refund("rfnd_untold", &payment.id, 10_000));
        shop.world.clock.advance_days(1);
        assert_eq!(shop.monitor().await["success"], true);
        assert_eq!(shop.status(&topup).await, "REVERSED", "{gateway}");
        shop.world.expect_available("a", "0.00").await;
        assert_eq!(shop.world.types("a").await, ["CREDIT", "CLAWBACK"]);
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn a_dispute_need_not_name_its_currency() {
    let shop = shop().await;
    let (topup, payment) = shop.paid("a", "100", "razorpay").await;
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "e1"), "processed").await;
    let body = Shop::body("razorpay.payment_dispute_lost", &shop.values(&topup, &payment, "e2"));
    let mut dispute: serde_json::Value = serde_json::from_str(&body).unwrap();
    dispute["payload"]["dispute"]["entity"].as_object_mut().unwrap().remove("currency");
    let answer = shop.send("razorpay", "e2", &dispute.to_string(), false).await.expect(200);
    assert_eq!(answer.text("/status"), "processed");
    shop.world.expect_available("a", "0.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn a_dispute_that_names_its_charge_alone_finds_the_credit_that_its_session_made() {
    let shop = shop().await;
    let (topup, payment) = shop.paid("a", "100", "stripe").await;
    let values = shop.values(&topup, &payment, "evt_1");
    shop.expect("stripe.checkout_session_completed", &values, "processed").await;
    let mut dispute: serde_json::Value =
        serde_json::from_str(&Shop::body("stripe.charge_dispute_funds_withdrawn", &values)).unwrap();
    dispute["data"]["object"]["payment_intent"] = json!(null);
    dispute["id"] = json!("evt_2");
    let early = shop.send("stripe", "evt_2", &dispute.to_string(), false).await.expect(200);
    assert_eq!(early.text("/status"), "quarantined", "no charge is known yet");
    // The payment intent names the charge.
    let mut intent = values;
    intent.event = "evt_3".to_owned();
    shop.expect("stripe.payment_intent_succeeded", &intent, "processed").await;
    shop.world.expect_available("a", "0.00").await;
    assert_eq!((shop.events("quarantined").await.len(), alerts(&shop, "open").await), (0, 0));
    shop.world.prove().await;
}

#[tokio::test]
async fn a_crash_between_a_capture_and_the_reports_that_waited_for_it_is_repaired_by_the_monitor() {
    let shop = shop().await;
    let (topup, payment) = shop.paid("a", "100", "stripe").await;
    let mut dispute = shop.values(&topup, &payment, "evt_d");
    (dispute.topup, dispute.order) = (String::new(), String::new());
    shop.expect("stripe.charge_dispute_funds_withdrawn", &dispute, "quarantined").await;
    // The credit is committed; the process stops before it processes the reports that waited for it.
    let stopped = std::sync::Arc::new(tokio::sync::Notify::new());
    shop.world.faults.plan("TransactWriteItems", 1, tests::Fault::StopAfter(stopped.clone()));
    let values = shop.values(&topup, &payment, "evt_c");
    let delivered = shop.deliver("stripe.checkout_session_completed", &values);
    tokio::select! {
        _ = delivered => panic!("the delivery did not stop"),
        () = stopped.notified() => {}
    }
    shop.world.expect_available("a", "100.00").await;
    shop.expect("stripe.checkout_session_completed", &values, "processed").await;
    shop.world.clock.advance(std::time::Duration::from_secs(6 * 3_600));
    assert_eq!(shop.monitor().await["breakdown"]["reports"], 1);
    shop.world.expect_available("a", "0.00").await;
    assert!(shop.events("quarantined").await.is_empty());
    shop.world.prove().await;
}

/// A report finds that its top-up does not exist, and is about to be parked when the top-up is stored.
#[tokio::test]
async fn a_report_cannot_come_to_wait_for_a_top_up_that_has_appeared_meanwhile() {
    let body = r#"{"customer_id":"a","amount":500}"#;
    let elsewhere = shop().await;
    let begun = elsewhere.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201);
    let payment = elsewhere.pay(&begun.text("/gateway_order_id"), "captured");
    let shop = shop().await;
    let values = shop.values(&begun.text("/topup_id"), &payment, "early");
    let (arrived, sign) =
        (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::Arc::new(tokio::sync::Notify::new()));
    shop.world.faults.plan("TransactWriteItems", 1, tests::Fault::Wait(arrived.clone(), sign.clone()));
    let initiated = async {
        arrived.notified().await;
        shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201);
        sign.notify_one();
    };
    let (answer, ()) = tokio::join!(shop.deliver("razorpay.payment_captured", &values), initiated);
    assert_eq!(answer.expect(200).text("/status"), "processed");
    shop.world.expect_available("a", "500.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn what_a_client_needs_to_pay_is_not_in_the_table_as_it_came() {
    let shop = shop().await;
    let body = r#"{"customer_id":"a","amount":100,"gateway":"stripe"}"#;
    let begun = shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201);
    let secret = begun.text("/checkout/client_secret");
    let scan = shop.world.raw().scan().table_name(shop.world.app.store.table()).send().await.unwrap();
    assert!(!format!("{:?}", scan.items()).contains(&secret));
    let again = shop.world.post_keyed(&customer("a"), "k", INITIATE, body).await.expect(201);
    assert_eq!(again.text("/checkout/client_secret"), secret);
}

/// The audit finds what an AWS tool could change in the table.
#[tokio::test]
async fn tampering_with_top_ups_debts_and_leads_is_found() {
    let set = |name: &'static str, value: AttributeValue| (name, value);
    let number = |text: &str| AttributeValue::N(text.to_owned());
    type Change = Option<(&'static str, AttributeValue)>;
    let changes: Vec<(&str, &str, Change)> = vec![
        ("P#", "P", Some(set("amount", number("99")))),
        ("P#", "P", Some(set("reversals", AttributeValue::M(Default::default())))),
        ("P#", "P", None),
        ("G#stripe:pi_", "G", None),
        ("A#w:a", "W#", None),
        ("A#w:a", "A", Some(set("owed", number("1")))),
    ];
    for (pk, sk, change) in changes {
        let shop = shop().await;
        let (topup, payment) = shop.paid("a", "100", "stripe").await;
        let values = shop.values(&topup, &payment, "evt_1");
        shop.expect("stripe.checkout_session_completed", &values, "processed").await;
        shop.world.post(&staff(), "/api/wallet/a/deduct-credits", r#"{"amount":30}"#).await.expect(201);
        shop.expect("stripe.charge_refunded", &shop.values(&topup, &payment, "evt_2"), "processed").await;
        shop.world.prove().await;
        let (raw, table) = (shop.world.raw(), shop.world.app.store.table());
        let scan = raw.scan().table_name(table).send().await.unwrap();
        let is_it = |item: &&std::collections::HashMap<String, AttributeValue>| {
            item["pk"].as_s().unwrap().starts_with(pk) && item["sk"].as_s().unwrap().starts_with(sk)
        };
        let mut item = scan.items().iter().find(is_it).unwrap_or_else(|| panic!("no {pk} {sk}")).clone();
        match change.clone() {
            Some((name, value)) => {
                item.insert(name.to_owned(), value);
                raw.put_item().table_name(table).set_item(Some(item)).send().await.unwrap();
            }
            None => {
                let (pk, sk) = (item["pk"].clone(), item["sk"].clone());
                raw.delete_item().table_name(table).key("pk", pk).key("sk", sk).send().await.unwrap();
            }
        }
        let audit = shop.world.audit().await;
        assert!(!audit.is_proved(), "{pk} {sk} {change:?} was not noticed");
    }
}
