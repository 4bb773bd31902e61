//! Reversals: taken from lots and from later credit, and given back if the dispute is won.

use scrip::fakes::fixture::SampleValues;
use std::time::Duration;
use tests::{Shop, admin, customer, service, staff};

/// Opens a wallet and credits it with a top-up of this amount.
async fn credited(amount: &str) -> (Shop, SampleValues) {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    let (topup, payment) = shop.paid("a", amount, "stripe").await;
    let values = shop.values(&topup, &payment, "paid");
    shop.expect("stripe.checkout_session_completed", &values, "processed").await;
    (shop, values)
}

async fn report(shop: &Shop, values: &SampleValues, sample: &str, units: u64, event: &str) {
    let values = SampleValues { event: event.to_owned(), reversed: units, ..values.clone() };
    shop.expect(sample, &values, "processed").await;
}

async fn debit(shop: &Shop, amount: &str) {
    let body = format!(r#"{{"amount":{amount}}}"#);
    shop.world.post(&customer("a"), "/api/wallet/a/deduct-credits", &body).await.expect(201);
}

async fn owes(shop: &Shop, available: &str, owed: &str) {
    let wallet = shop.world.get(&staff(), "/api/wallet/a").await.expect(200);
    assert_eq!((wallet.raw("available"), wallet.raw("owed")), (available.to_owned(), owed.to_owned()));
}

const WITHDRAWN: &str = "stripe.charge_dispute_funds_withdrawn";
const REINSTATED: &str = "stripe.charge_dispute_funds_reinstated";
const REFUNDED: &str = "stripe.charge_refunded";

#[tokio::test]
async fn what_is_taken_back_comes_from_the_credits_own_lot_first_then_from_others() {
    let (shop, values) = credited("100").await;
    shop.world.credit("a", "50", "promotion", "2026-02-01").await;
    report(&shop, &values, REFUNDED, 7_000, "r1").await;
    let list = shop.world.get(&staff(), "/api/wallet/a/transactions?limit=1").await.expect(200);
    let taken = &list.json()["transactions"][0];
    assert_eq!((taken["type"].as_str(), taken["source"].as_str()), (Some("CLAWBACK"), Some("topup")));
    assert_eq!(taken["lots"][0]["expires_on"], "2027-01-15", "the promotion that expires sooner is kept");
    assert!(taken["reference"].as_str().unwrap().starts_with("refund:stripe:ch_"));
    owes(&shop, "80.00", "0.00").await;
    // Refunds are cumulative: 90 in total, and never more than the credit.
    debit(&shop, "60").await;
    report(&shop, &values, REFUNDED, 9_000, "r2").await;
    report(&shop, &values, REFUNDED, 8_000, "older").await;
    owes(&shop, "0.00", "0.00").await;
    report(&shop, &values, REFUNDED, 99_000, "r3").await;
    owes(&shop, "0.00", "10.00").await;
    assert_eq!(shop.status(&values.topup).await, "REVERSED");
    shop.world.prove().await;
}

#[tokio::test]
async fn what_is_owed_is_collected_by_whatever_raises_available() {
    let (shop, values) = credited("100").await;
    shop.world.open_wallet("b", "100").await;
    let order = r#"{"amount":20,"order_id":"o"}"#;
    shop.world.post(&service("wallet:debit"), "/api/wallet/a/deduct-credits", order).await.expect(201);
    let hold = r#"{"amount":10,"expires_in_seconds":3600}"#;
    let held =
        shop.world.post(&customer("a"), "/api/wallet/a/holds", hold).await.expect(201).text("/hold_id");
    shop.world.post(&customer("a"), "/api/wallet/a/holds", hold).await.expect(201);
    debit(&shop, "60").await;
    report(&shop, &values, WITHDRAWN, 10_000, "d1").await;
    owes(&shop, "0.00", "100.00").await;
    // A refund of an order, a transfer, a release, a hold that expires, a credit.
    shop.world.post(&admin(), "/api/wallet/a/refund", order).await.expect(201);
    owes(&shop, "0.00", "80.00").await;
    let transfer = r#"{"to_customer_id":"a","amount":5}"#;
    shop.world.post(&customer("b"), "/api/wallet/b/transfer", transfer).await.expect(201);
    owes(&shop, "0.00", "75.00").await;
    shop.world.post(&customer("a"), &format!("/api/wallet/holds/{held}/release"), "").await.expect(200);
    owes(&shop, "0.00", "65.00").await;
    shop.world.clock.advance(Duration::from_secs(3_600));
    owes(&shop, "0.00", "55.00").await;
    shop.world.credit("a", "60", "manual", "").await;
    owes(&shop, "5.00", "0.00").await;
    let types = shop.world.types("a").await;
    assert_eq!(types.iter().filter(|kind| *kind == "OWED_COLLECTED").count(), 5, "{types:?}");
    let wallet = shop.world.get(&staff(), "/api/wallet/a").await.expect(200);
    assert_eq!((wallet.raw("total_earned"), wallet.raw("total_refunded")), ("160.00".into(), "20.00".into()));
    shop.world.prove().await;
}

#[tokio::test]
async fn another_top_up_pays_what_is_owed_too() {
    let (shop, values) = credited("100").await;
    debit(&shop, "100").await;
    report(&shop, &values, WITHDRAWN, 10_000, "d1").await;
    owes(&shop, "0.00", "100.00").await;
    let (topup, payment) = shop.paid("a", "130", "razorpay").await;
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "e"), "processed").await;
    owes(&shop, "30.00", "0.00").await;
    assert_eq!(shop.world.types("a").await, ["CREDIT", "DEBIT", "CREDIT", "OWED_COLLECTED"]);
    shop.world.prove().await;
}

#[tokio::test]
async fn a_dispute_that_is_won_is_exact_whenever_it_is_won() {
    for spent in ["0.01", "40", "100"] {
        for order in [[WITHDRAWN, REINSTATED], [REINSTATED, WITHDRAWN]] {
            let (shop, values) = credited("100").await;
            debit(&shop, spent).await;
            let (_, before, _) = shop.world.balances("a").await;
            report(&shop, &values, order[0], 10_000, "d1").await;
            if order[0] == WITHDRAWN {
                assert_eq!(shop.status(&values.topup).await, "REVERSED");
                assert_eq!(shop.world.balances("a").await.1, "0.00");
            }
            report(&shop, &values, order[1], 10_000, "d2").await;
            owes(&shop, &before, "0.00").await;
            assert_eq!(shop.status(&values.topup).await, "CREDITED");
            report(&shop, &values, WITHDRAWN, 10_000, "late").await;
            owes(&shop, &before, "0.00").await;
            shop.world.prove().await;
        }
    }
}

#[tokio::test]
async fn a_won_dispute_gives_back_what_was_collected_to_the_lots_that_it_came_from() {
    let (shop, values) = credited("100").await;
    debit(&shop, "100").await;
    report(&shop, &values, WITHDRAWN, 10_000, "d1").await;
    shop.world.credit("a", "30", "promotion", "2026-02-01").await;
    owes(&shop, "0.00", "70.00").await;
    // The promotion expires during the dispute; winning the dispute grants days of grace, once.
    shop.world.clock.advance_days(40);
    report(&shop, &values, REINSTATED, 10_000, "d2").await;
    owes(&shop, "30.00", "0.00").await;
    let list = shop.world.get(&staff(), "/api/wallet/a/transactions?type=ADJUSTMENT").await.expect(200);
    let back = &list.json()["transactions"][0];
    assert_eq!(
        (back["amount"].as_f64(), back["lots"][0]["expires_on"].as_str()),
        (Some(30.0), Some("2026-03-26"))
    );
    shop.world.prove().await;
}

#[tokio::test]
async fn value_that_has_expired_is_not_owed() {
    let (shop, values) = credited("100").await;
    debit(&shop, "30").await;
    shop.world.clock.advance_days(400);
    owes(&shop, "0.00", "0.00").await;
    report(&shop, &values, REFUNDED, 10_000, "r1").await;
    owes(&shop, "0.00", "30.00").await;
    assert_eq!(shop.status(&values.topup).await, "REVERSED");
    shop.world.prove().await;
}

#[tokio::test]
async fn a_refund_and_a_dispute_together_take_no_more_than_the_credit_in_any_order() {
    for order in [[REFUNDED, WITHDRAWN], [WITHDRAWN, REFUNDED]] {
        let (shop, values) = credited("100").await;
        shop.world.credit("a", "50", "manual", "").await;
        for (at, sample) in order.iter().enumerate() {
            report(&shop, &values, sample, 8_000, &format!("e{at}")).await;
        }
        owes(&shop, "50.00", "0.00").await;
        // The dispute is won: the refund now takes what it could not take before.
        report(&shop, &values, REINSTATED, 8_000, "won").await;
        owes(&shop, "70.00", "0.00").await;
        assert_eq!(shop.status(&values.topup).await, "PARTIALLY_REVERSED");
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn what_is_owed_can_be_taken_from_a_frozen_wallet_and_stops_no_hold() {
    let (shop, values) = credited("100").await;
    let hold =
        shop.world.post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":40}"#).await.text("/hold_id");
    shop.world.post(&admin(), "/api/wallet/a/suspend", r#"{"reason":"dispute"}"#).await.expect(200);
    report(&shop, &values, WITHDRAWN, 10_000, "d1").await;
    owes(&shop, "0.00", "40.00").await;
    shop.world.post(&customer("a"), &format!("/api/wallet/holds/{hold}/capture"), "").await.expect(200);
    owes(&shop, "0.00", "40.00").await;
    shop.world.prove().await;
}

/// Covers faults 2, 5, 8 and 11 of the requirements, for amounts that are taken back and given back.
#[tokio::test]
async fn lost_replies_and_conflicts_take_back_and_give_back_once() {
    use tests::Fault;
    for fault in [Fault::LostReply, Fault::ErrorAfterCommit, Fault::cancelled(&["TransactionConflict"])] {
        let (shop, values) = credited("100").await;
        debit(&shop, "30").await;
        shop.world.faults.plan("TransactWriteItems", 1, fault.clone());
        report(&shop, &values, WITHDRAWN, 10_000, "d1").await;
        owes(&shop, "0.00", "30.00").await;
        shop.world.faults.plan("TransactWriteItems", 1, fault);
        report(&shop, &values, REINSTATED, 10_000, "d2").await;
        owes(&shop, "70.00", "0.00").await;
        assert_eq!(shop.world.faults.fired(), 2);
        assert_eq!(shop.world.types("a").await, ["CREDIT", "DEBIT", "CLAWBACK", "ADJUSTMENT"]);
        shop.world.prove().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_credits_and_debits_at_once_end_in_proved_books() {
    let (shop, values) = credited("1000").await;
    let shop = std::sync::Arc::new(shop);
    let mut tasks = vec![];
    for at in 0..12_u64 {
        let (shop, values) = (shop.clone(), values.clone());
        tasks.push(tokio::spawn(async move {
            match at % 4 {
                0 => report(&shop, &values, REFUNDED, at * 5_000 + 10_000, &format!("r{at}")).await,
                1 => drop(shop.world.credit("a", "10", "manual", "").await),
                2 => {
                    let body = r#"{"amount":150}"#;
                    let debit = shop.world.post(&customer("a"), "/api/wallet/a/deduct-credits", body).await;
                    assert!(matches!(debit.status, 201 | 402), "{}", debit.body);
                }
                _ => report(&shop, &values, WITHDRAWN, 30_000, &format!("d{at}")).await,
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let wallet = shop.world.get(&staff(), "/api/wallet/a").await.expect(200);
    let money = |name: &str| wallet.raw(name).parse::<rust_decimal::Decimal>().unwrap();
    // 1000 + 30 were credited; 500 + 300 were taken back.
    assert_eq!(money("balance") - money("owed") + money("total_spent"), 230.into());
    shop.world.prove().await;
}

#[tokio::test]
async fn however_many_payments_are_taken_back_all_of_it_is_owed_and_collected() {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    let mut disputes = vec![];
    for at in 0..30 {
        let (topup, payment) = shop.paid("a", "10", "razorpay").await;
        shop.expect(
            "razorpay.payment_captured",
            &shop.values(&topup, &payment, &format!("p{at}")),
            "processed",
        )
        .await;
        disputes.push(shop.values(&topup, &payment, &format!("d{at}")));
    }
    debit(&shop, "300").await;
    for dispute in &disputes {
        shop.expect("razorpay.payment_dispute_lost", dispute, "processed").await;
    }
    owes(&shop, "0.00", "300.00").await;
    // One credit pays them all: twenty with its own posting, the rest before anything can be spent.
    shop.world.credit("a", "305", "manual", "").await;
    owes(&shop, "5.00", "0.00").await;
    let over = shop.world.post(&customer("a"), "/api/wallet/a/deduct-credits", r#"{"amount":5.01}"#).await;
    over.expect_problem(402, "insufficient_funds");
    debit(&shop, "5").await;
    let types = shop.world.types("a").await;
    assert_eq!(types.iter().filter(|kind| *kind == "OWED_COLLECTED").count(), 30);
    shop.world.prove().await;
}

#[tokio::test]
async fn very_many_partial_refunds_of_one_payment_are_each_taken_even_all_at_once() {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    let (topup, payment) = shop.paid("a", "100", "razorpay").await;
    shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "p"), "processed").await;
    let values = |event: &str, units: u64| {
        let mut values = shop.values(&topup, &payment, event);
        (values.reversal, values.reversed) = (format!("id_{event}"), units);
        values
    };
    // A dispute has taken everything; sixty refunds take their part only when it is won.
    shop.expect("razorpay.payment_dispute_lost", &values("d", 10_000), "processed").await;
    for at in 0..60 {
        shop.expect("razorpay.refund_processed", &values(&format!("r{at}"), 100), "processed").await;
    }
    owes(&shop, "0.00", "0.00").await;
    shop.expect("razorpay.payment_dispute_won", &values("d", 10_000).with_event("w"), "processed").await;
    owes(&shop, "40.00", "0.00").await;
    let types = shop.world.types("a").await;
    assert_eq!(types.iter().filter(|kind| *kind == "CLAWBACK").count(), 61);
    shop.world.prove().await;
}

trait WithEvent {
    fn with_event(self, event: &str) -> SampleValues;
}

impl WithEvent for SampleValues {
    fn with_event(self, event: &str) -> SampleValues {
        SampleValues { event: event.to_owned(), ..self }
    }
}
