//! Refunds that fail: what was taken for them is given back, once, in whatever order the reports arrive.

use scrip::fakes::fixture::SampleValues;
use serde_json::Value;
use tests::{Shop, customer, staff};

const REFUNDED: &str = "stripe.charge_refunded";
const FAILED: [&str; 3] = ["stripe.charge_refund_updated", "stripe.refund_failed", "stripe.refund_updated"];

/// Opens a wallet and credits it with a top-up of 100.
async fn credited(gateway: &str) -> (Shop, SampleValues) {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    let (topup, payment) = shop.paid("a", "100", gateway).await;
    let values = shop.values(&topup, &payment, "paid");
    let paid = match gateway {
        "stripe" => "stripe.checkout_session_completed",
        "paypal" => "paypal.payment_capture_completed",
        _ => "razorpay.payment_captured",
    };
    shop.expect(paid, &values, "processed").await;
    (shop, values)
}

fn event(values: &SampleValues, event: &str, refund: &str, units: u64, at: i64) -> SampleValues {
    SampleValues {
        event: event.to_owned(),
        reversal: refund.to_owned(),
        reversed: units,
        at,
        ..values.clone()
    }
}

async fn owes(shop: &Shop, available: &str, owed: &str) {
    let wallet = shop.world.get(&staff(), "/api/wallet/a").await.expect(200);
    assert_eq!((wallet.raw("available"), wallet.raw("owed")), (available.to_owned(), owed.to_owned()));
}

async fn debit(shop: &Shop, amount: u32) {
    let body = format!(r#"{{"amount":{amount}}}"#);
    shop.world.post(&customer("a"), "/api/wallet/a/deduct-credits", &body).await.expect(201);
}

const NOW: i64 = 1_768_471_200;

/// Covers fault 27 of the requirements.
#[tokio::test]
async fn a_stripe_refund_that_fails_gives_back_what_it_took_in_any_order_and_number_of_reports() {
    for failed in FAILED {
        for order in ["tf", "ft", "tff", "ftt", "tftf", "ttff", "fftt"] {
            for (step, owed) in [(0, false), (60, false), (0, true)] {
                let (shop, values) = credited("stripe").await;
                if owed {
                    debit(&shop, 70).await;
                }
                for (n, kind) in order.chars().enumerate() {
                    // The failure is not dated before the refund, in whatever order they arrive.
                    let (sample, at) = if kind == 't' { (REFUNDED, NOW) } else { (failed, NOW + step) };
                    let values = event(&values, &format!("{kind}{n}"), "re_1", 10_000, at);
                    shop.expect(sample, &values, "processed").await;
                    if kind == 't' && n == 0 {
                        let (left, owed) = if owed { ("0.00", "70.00") } else { ("0.00", "0.00") };
                        owes(&shop, left, owed).await;
                    }
                }
                owes(&shop, if owed { "30.00" } else { "100.00" }, "0.00").await;
                assert_eq!(shop.status(&values.topup).await, "CREDITED", "{failed} {order}");
                shop.world.prove().await;
            }
        }
    }
}

#[tokio::test]
async fn of_several_refunds_the_one_that_fails_is_given_back_and_a_new_one_is_taken() {
    let (shop, values) = credited("stripe").await;
    let report = async |sample: &str, name: &str, refund: &str, units: u64, at: i64| {
        shop.expect(sample, &event(&values, name, refund, units, NOW + at), "processed").await;
    };
    report(REFUNDED, "first", "", 4_000, 0).await;
    report(REFUNDED, "second", "", 6_000, 10).await;
    owes(&shop, "40.00", "0.00").await;
    report(FAILED[0], "fails", "re_2", 2_000, 20).await;
    report(FAILED[1], "fails-again", "re_2", 2_000, 21).await;
    owes(&shop, "60.00", "0.00").await;
    assert_eq!(shop.status(&values.topup).await, "PARTIALLY_REVERSED");
    // Stripe's sum excludes what had failed: 40 + 30.
    report(REFUNDED, "third", "", 7_000, 30).await;
    owes(&shop, "30.00", "0.00").await;
    report(REFUNDED, "late", "", 6_000, 10).await;
    owes(&shop, "30.00", "0.00").await;
    // The same amount after a failure is a separate refund.
    report(FAILED[2], "cancelled", "re_3", 3_000, 40).await;
    owes(&shop, "60.00", "0.00").await;
    report(REFUNDED, "fourth", "", 7_000, 50).await;
    owes(&shop, "30.00", "0.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn a_failed_refund_that_names_the_payment_alone_is_about_the_same_charge() {
    for late in [false, true] {
        let (shop, values) = credited("stripe").await;
        let failed = event(&values, "f", "re_1", 10_000, NOW);
        let mut body: Value = serde_json::from_str(&Shop::body(FAILED[1], &failed)).unwrap();
        body["data"]["object"]["charge"] = Value::Null;
        let fail = async || {
            let answer = shop.send("stripe", "f", &body.to_string(), false).await.expect(200);
            assert_eq!(answer.text("/status"), "processed");
        };
        if !late {
            fail().await;
        }
        shop.expect(REFUNDED, &event(&values, "t", "", 10_000, NOW), "processed").await;
        if late {
            fail().await;
        }
        owes(&shop, "100.00", "0.00").await;
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn a_refund_that_fails_before_its_payment_is_known_waits_for_it() {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    let (topup, payment) = shop.paid("a", "100", "stripe").await;
    let values = shop.values(&topup, &payment, "paid");
    for (name, sample) in [("f", FAILED[1]), ("t", REFUNDED)] {
        let early = shop.deliver(sample, &event(&values, name, "re_1", 10_000, NOW)).await.expect(200);
        assert!(["parked", "quarantined"].contains(&early.text("/status").as_str()), "{}", early.body);
    }
    shop.expect("stripe.checkout_session_completed", &values, "processed").await;
    owes(&shop, "100.00", "0.00").await;
    assert!(shop.events("parked").await.is_empty() && shop.events("quarantined").await.is_empty());
    shop.world.prove().await;
}

#[tokio::test]
async fn razorpay_and_paypal_refunds_that_fail_are_given_back_too() {
    for (gateway, taken) in
        [("razorpay", "razorpay.refund_processed"), ("paypal", "paypal.payment_capture_refunded")]
    {
        for failed_first in [false, true] {
            let (shop, values) = credited(gateway).await;
            let values = event(&values, "t", "rfnd_1", 10_000, NOW);
            let failed = async || {
                if gateway == "razorpay" {
                    let values = SampleValues { event: "f".to_owned(), ..values.clone() };
                    return shop.expect("razorpay.refund_failed", &values, "processed").await;
                }
                for (n, (kind, status)) in [
                    ("PAYMENT.CAPTURE.REFUNDED", "FAILED"),
                    ("PAYMENT.CAPTURE.REFUNDED", "CANCELLED"),
                    ("PAYMENT.REFUND.FAILED", "FAILED"),
                ]
                .into_iter()
                .enumerate()
                {
                    let mut body: Value = serde_json::from_str(&Shop::body(taken, &values)).unwrap();
                    body["id"] = format!("WH-{n}").into();
                    body["event_type"] = kind.into();
                    body["resource"]["status"] = status.into();
                    let answer =
                        shop.send("paypal", &format!("WH-{n}"), &body.to_string(), false).await.expect(200);
                    assert_eq!(answer.text("/status"), "processed");
                }
            };
            if failed_first {
                failed().await;
            }
            shop.expect(taken, &values, "processed").await;
            if !failed_first {
                owes(&shop, "0.00", "0.00").await;
                failed().await;
            }
            owes(&shop, "100.00", "0.00").await;
            assert_eq!(shop.status(&values.topup).await, "CREDITED");
            shop.world.prove().await;
        }
    }
}

#[tokio::test]
async fn a_quarantined_payment_whose_refund_fails_has_its_alert_again() {
    let (shop, values) = credited("stripe").await;
    let (payment, charge) = ("pi_second".to_owned(), "ch_second".to_owned());
    let values = SampleValues { event: "second".to_owned(), payment, charge, ..values };
    shop.expect("stripe.payment_intent_succeeded", &values, "quarantined").await;
    shop.expect(REFUNDED, &event(&values, "back", "", 10_000, NOW), "processed").await;
    assert!(shop.events("quarantined").await.is_empty());
    shop.expect(FAILED[1], &event(&values, "failed", "re_9", 10_000, NOW + 60), "quarantined").await;
    assert_eq!(shop.events("quarantined").await.len(), 1);
    owes(&shop, "100.00", "0.00").await;
    shop.world.prove().await;
}
