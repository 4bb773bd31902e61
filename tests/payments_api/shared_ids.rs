//! One id of a gateway for several payments, and reports that can never be applied.

use super::webhooks::payment_key;
use scrip::fakes::fixture::SampleValues;
use serde_json::{Value, json};
use tests::{Outage, Shop, admin, customer, staff};

/// Opens a wallet and credits it with two top-ups of 100; returns the values of webhooks about each.
async fn credited_twice(gateway: &str) -> (Shop, [SampleValues; 2]) {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    let mut both = vec![];
    for n in 0..2 {
        let (topup, payment) = shop.paid("a", "100", gateway).await;
        let values = shop.values(&topup, &payment, &format!("paid-{n}"));
        shop.expect(payment_key(gateway), &values, "processed").await;
        both.push(values);
    }
    (shop, both.try_into().unwrap())
}

async fn owes(shop: &Shop, available: &str, owed: &str) {
    let wallet = shop.world.get(&staff(), "/api/wallet/a").await.expect(200);
    assert_eq!((wallet.raw("available"), wallet.raw("owed")), (available.to_owned(), owed.to_owned()));
}

/// Covers fault 49 of the requirements.
#[tokio::test]
async fn one_refunds_id_on_two_payments_is_two_reversals_and_the_books_are_proved() {
    let (shop, [first, second]) = credited_twice("razorpay").await;
    let refund = |values: &SampleValues, event: &str, units: u64| SampleValues {
        event: event.to_owned(),
        reversal: "rfnd_one".to_owned(),
        reversed: units,
        ..values.clone()
    };
    shop.expect("razorpay.refund_processed", &refund(&first, "r1", 3_000), "processed").await;
    shop.expect("razorpay.refund_processed", &refund(&second, "r2", 2_000), "processed").await;
    owes(&shop, "150.00", "0.00").await;
    assert_eq!(
        (shop.status(&first.topup).await, shop.status(&second.topup).await),
        ("PARTIALLY_REVERSED".to_owned(), "PARTIALLY_REVERSED".to_owned())
    );
    shop.world.prove().await;
    // What cannot be taken is owed for each, and one that fails gives back its own.
    let spend = r#"{"amount":150}"#;
    shop.world.post(&customer("a"), "/api/wallet/a/deduct-credits", spend).await.expect(201);
    shop.expect("razorpay.refund_processed", &refund(&first, "r3", 6_000), "processed").await;
    shop.expect("razorpay.refund_processed", &refund(&second, "r4", 6_000), "processed").await;
    owes(&shop, "0.00", "70.00").await;
    shop.expect("razorpay.refund_failed", &refund(&second, "r5", 6_000), "processed").await;
    owes(&shop, "0.00", "10.00").await;
    shop.world.prove().await;
    shop.expect("razorpay.refund_failed", &refund(&first, "r6", 6_000), "processed").await;
    owes(&shop, "50.00", "0.00").await;
    assert_eq!(shop.events("quarantined").await, Vec::<String>::new());
    shop.world.prove().await;
}

#[tokio::test]
async fn answers_of_a_gateway_that_name_one_refund_of_two_payments_are_two_reports() {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    for _ in 0..2 {
        let (topup, payment) = shop.paid("a", "100", "razorpay").await;
        let values = shop.values(&topup, &payment, "");
        shop.fakes.change(|state| state.refund("rfnd_one", &values.payment, 4_000));
        let signature = shop.fakes.checkout_signature(&values.order, &values.payment);
        shop.verify(&admin(), &values.topup, &values.payment, &signature).await.expect(200);
    }
    owes(&shop, "120.00", "0.00").await;
    shop.world.prove().await;
}

/// Returns the body of a dispute of both payments that was decided for the buyer.
fn dispute(both: &[SampleValues; 2], amount: &str, gross: Option<[&str; 2]>) -> String {
    let mut body: Value =
        serde_json::from_str(&Shop::body("paypal.customer_dispute_resolved", &both[0])).unwrap();
    let money = |value: &str| json!({"value": value, "currency_code": "INR"});
    body["id"] = json!("dispute");
    let resource = &mut body["resource"];
    resource["dispute_amount"] = money(amount);
    resource["dispute_outcome"]["amount_refunded"] = money(amount);
    let transactions = both.iter().enumerate().map(|(n, values)| {
        let mut transaction = json!({"seller_transaction_id": values.payment, "custom": values.topup});
        if let Some(gross) = gross {
            transaction["gross_amount"] = money(gross[n]);
        }
        transaction
    });
    resource["disputed_transactions"] = transactions.collect();
    body.to_string()
}

/// Covers fault 58 of the requirements.
#[tokio::test]
async fn every_transaction_of_a_dispute_with_paypal_is_taken_back_once() {
    for (amount, gross, available) in [
        ("200.00", None, "0.00"),
        ("200.00", Some(["100.00", "100.00"]), "0.00"),
        ("130.00", Some(["100.00", "100.00"]), "70.00"),
    ] {
        let (shop, both) = credited_twice("paypal").await;
        let body = dispute(&both, amount, gross);
        for _ in 0..2 {
            shop.send("paypal", "dispute", &body, false).await.expect(200);
            owes(&shop, available, "0.00").await;
        }
        assert_eq!(shop.status(&both[0].topup).await, "REVERSED");
        let won = body.replace("RESOLVED_BUYER_FAVOUR", "RESOLVED_SELLER_FAVOUR");
        let won = won.replace("\"id\":\"dispute\"", "\"id\":\"won\"");
        shop.send("paypal", "won", &won, false).await.expect(200);
        owes(&shop, "200.00", "0.00").await;
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn the_part_of_a_dispute_whose_payment_is_not_known_yet_waits_for_it_by_itself() {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    let mut both = vec![];
    for n in 0..2 {
        let (topup, payment) = shop.paid("a", "100", "paypal").await;
        both.push(shop.values(&topup, &payment, &format!("paid-{n}")));
    }
    let both: [SampleValues; 2] = both.try_into().unwrap();
    shop.expect(payment_key("paypal"), &both[0], "processed").await;
    let sent = shop.send("paypal", "dispute", &dispute(&both, "200.00", None), false).await.expect(200);
    assert_eq!(sent.text("/status"), "processed");
    let parked = shop.events("parked").await;
    assert!(parked.len() == 1 && parked[0].ends_with(":part-2"), "{parked:?}");
    // Replayed, it is read from the recorded body: the same part, which still waits.
    let replay = format!("/api/integration/webhook/events/{}/replay", parked[0]);
    assert_eq!(shop.world.post(&admin(), &replay, "").await.expect(200).text("/status"), "parked");
    owes(&shop, "0.00", "0.00").await;
    shop.expect(payment_key("paypal"), &both[1], "processed").await;
    owes(&shop, "0.00", "0.00").await;
    assert_eq!(shop.status(&both[1].topup).await, "REVERSED");
    shop.world.prove().await;
}

/// Covers fault 49 of the requirements.
#[tokio::test]
async fn a_report_that_contradicts_what_is_stored_is_quarantined_and_not_refused_for_ever() {
    let (shop, [first, _]) = credited_twice("razorpay").await;
    // An entry that the account does not know stands at the cause of the clawback: half of a restore.
    let credit = shop.world.partition("E#w:a", "topup:").await.remove(0);
    let short = first.topup.split('.').next().unwrap();
    let mut forged = credit.clone();
    let cause = format!("refund:razorpay:rfnd_x:{short}:1");
    forged.insert("sk".to_owned(), aws_sdk_dynamodb::types::AttributeValue::S(cause));
    let raw = shop.world.raw();
    raw.put_item()
        .table_name(shop.world.app.store.table())
        .set_item(Some(forged.clone()))
        .send()
        .await
        .unwrap();
    shop.world.faults.take_log();
    let refund = SampleValues { event: "r".to_owned(), reversal: "rfnd_x".to_owned(), ..first.clone() };
    shop.expect("razorpay.refund_processed", &refund, "quarantined").await;
    let requests = shop.world.faults.take_log().len();
    assert!(requests < 30, "{requests} requests");
    // The same report again, and the monitor, find it quarantined; nothing is refused.
    shop.expect("razorpay.refund_processed", &refund, "quarantined").await;
    shop.outage(Outage::None);
    shop.world.clock.advance_days(1);
    assert_eq!(shop.monitor().await["breakdown"]["failed"], 0);
    let alerts = shop.world.get(&admin(), "/api/alerts?status=open").await.expect(200);
    assert!(alerts.body.contains("payment_quarantined"), "{}", alerts.body);
    // Once the table is repaired, a replay applies it.
    let mut delete = raw.delete_item().table_name(shop.world.app.store.table());
    for name in ["pk", "sk"] {
        delete = delete.key(name, forged[name].clone());
    }
    delete.send().await.unwrap();
    let event = shop.events("quarantined").await.remove(0);
    let replay = format!("/api/integration/webhook/events/{event}/replay");
    assert_eq!(shop.world.post(&admin(), &replay, "").await.expect(200).text("/status"), "processed");
    owes(&shop, "100.00", "0.00").await;
    shop.world.prove().await;
}
