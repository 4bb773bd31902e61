//! Top-ups that a gateway definitely refuses, and fees that customers bear.

use domain::actor::Actor;
use domain::context::Context;
use domain::fingerprint::Fingerprint;
use domain::ids::{RequestId, TopUpId};
use domain::payments::initiate::AbandonTopUp;
use domain::payments::topup::TopUp;
use edge::Clock;
use scrip::fakes::fixture::SampleValues;
use serde_json::Value;
use tests::{Fault, Outage, Shop, admin, customer, staff};

const INITIATE: &str = "/api/integration/wallet/topup/initiate";

async fn shop() -> Shop {
    let shop = Shop::new().await;
    shop.world.open_wallet("a", "").await;
    shop
}

fn body(amount: &str, gateway: &str) -> String {
    format!(
        r#"{{"customer_id":"a","amount":{amount},"gateway":"{gateway}","return_url":"https://shop.example.com/"}}"#
    )
}

/// Covers fault 28 of the requirements.
#[tokio::test]
async fn a_gateways_definite_refusal_is_a_409_with_its_reason_and_leaves_nothing_behind() {
    for gateway in ["razorpay", "stripe", "paypal"] {
        let shop = shop().await;
        shop.outage(Outage::Rejecting);
        let refused = shop.world.post_keyed(&customer("a"), "k", INITIATE, &body("2000000", gateway)).await;
        let refused = refused.expect_problem(409, "gateway_rejected");
        assert!(refused.header("retry-after").is_none());
        assert!(
            refused.text("/detail").contains("Amount must be no more than ₹999,999.99"),
            "{}",
            refused.body
        );
        let status = shop.world.get(&staff(), "/api/integration/status/a").await.expect(200);
        assert_eq!(status.json()["topups"].as_array().unwrap().len(), 0, "{}", status.body);
        assert!(
            shop.world
                .raw()
                .scan()
                .table_name(shop.world.app.store.table())
                .send()
                .await
                .unwrap()
                .items()
                .iter()
                .all(|item| !["P#", "G#topup", "L#t:"]
                    .iter()
                    .any(|prefix| item["pk"].as_s().unwrap().starts_with(prefix)))
        );
        shop.outage(Outage::None);
        // The key can be used again, also for another amount.
        let begun =
            shop.world.post_keyed(&customer("a"), "k", INITIATE, &body("500", gateway)).await.expect(201);
        assert!(!begun.is_replay());
        let payment = shop.pay(&begun.text("/gateway_order_id"), "captured");
        assert_eq!(payment.units, 50_000);
        let values = shop.values(&begun.text("/topup_id"), &payment, "paid");
        let sample = match gateway {
            "razorpay" => "razorpay.payment_captured",
            "stripe" => "stripe.checkout_session_completed",
            _ => "paypal.payment_capture_completed",
        };
        shop.expect(sample, &values, "processed").await;
        shop.world.expect_available("a", "500.00").await;
        let again =
            shop.world.post_keyed(&customer("a"), "k", INITIATE, &body("500", gateway)).await.expect(201);
        assert!(again.is_replay() && again.body == begun.body);
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn a_refusal_is_answered_though_replies_of_the_table_are_lost() {
    let shop = shop().await;
    shop.outage(Outage::Rejecting);
    for n in 1..=2 {
        shop.world.faults.plan("TransactWriteItems", n, Fault::LostReply);
        let refused = shop.world.post_keyed(&customer("a"), "k", INITIATE, &body("5", "stripe")).await;
        refused.expect_problem(409, "gateway_rejected");
        shop.world.faults.clear();
    }
    let (caller, body) = (customer("a"), body("5", "stripe"));
    let one = |_| shop.world.post_keyed(&caller, "k", INITIATE, &body);
    for answer in futures::future::join_all((0..10).map(one)).await {
        answer.expect_problem(409, "gateway_rejected");
    }
    let status = shop.world.get(&staff(), "/api/integration/status/a").await.expect(200);
    assert_eq!(status.json()["topups"].as_array().unwrap().len(), 0, "{}", status.body);
    shop.world.prove().await;
}

#[tokio::test]
async fn amounts_that_a_gateway_is_known_not_to_take_are_a_400_before_it_is_asked() {
    let shop = shop().await;
    for (customer, currency) in
        [("jpy", "JPY"), ("huf", "HUF"), ("kwd", "KWD"), ("usd", "USD"), ("mga", "MGA"), ("isk", "ISK")]
    {
        let body = format!(r#"{{"customer_id":"{customer}","currency":"{currency}"}}"#);
        shop.world.post(&admin(), "/api/wallet/create", &body).await.expect(201);
    }
    shop.requests();
    for (customer, gateway, amount, good) in [
        ("a", "razorpay", "0.99", "1"),
        ("a", "stripe", "0.49", "0.5"),
        ("jpy", "stripe", "49", "50"),
        ("usd", "stripe", "0.49", "0.50"),
        ("huf", "stripe", "174.99", "175"),
        ("huf", "paypal", "100.5", "100"),
        ("kwd", "stripe", "1.001", "1.01"),
        ("kwd", "razorpay", "1.001", "1.01"),
        ("mga", "stripe", "100.2", "100"),
        ("isk", "stripe", "1.5", "500"),
    ] {
        let body = |amount: &str| body(amount, gateway).replace("\"a\"", &format!("\"{customer}\""));
        let key = format!("{customer}-{gateway}");
        let refused = shop.world.post_keyed(&admin(), &key, INITIATE, &body(amount)).await;
        let refused = refused.expect_problem(400, "invalid_request");
        assert_eq!(refused.offending(), ["/amount"], "{customer} {gateway} {amount}");
        assert!(shop.requests().is_empty());
        shop.world.post_keyed(&admin(), &key, INITIATE, &body(good)).await.expect(201);
        assert!(!shop.requests().is_empty());
    }
    shop.world.prove().await;
}

/// Delivers a captured payment of a top-up of 500, changed by `said`; returns its values and the event's
/// status.
async fn captured(shop: &Shop, said: impl Fn(&mut Value), sample: &str) -> (SampleValues, String) {
    let begun = shop.initiate("a", "500", "razorpay").await.expect(201);
    let payment = shop.pay(&begun.text("/gateway_order_id"), "captured");
    let values = shop.values(&begun.text("/topup_id"), &payment, &payment.id);
    let mut body: Value = serde_json::from_str(&Shop::body(sample, &values)).unwrap();
    said(&mut body["payload"]["payment"]["entity"]);
    let answer = shop.send("razorpay", &payment.id, &body.to_string(), false).await.expect(200);
    (values, answer.text("/status"))
}

/// Covers fault 35 of the requirements.
#[tokio::test]
async fn a_fee_that_the_customer_bears_is_not_credited_and_quarantines_nothing() {
    for sample in ["razorpay.payment_captured", "razorpay.order_paid"] {
        let shop = shop().await;
        let borne = |entity: &mut Value| {
            entity["amount"] = 51_180.into();
            entity["fee"] = 1_180.into();
            entity["tax"] = 180.into();
            entity["fee_bearer"] = "customer".into();
        };
        let (values, became) = captured(&shop, borne, sample).await;
        assert_eq!(became, "processed");
        shop.world.expect_available("a", "500.00").await;
        assert_eq!(shop.status(&values.topup).await, "CREDITED");
        let list = shop.world.get(&staff(), "/api/wallet/a/transactions").await.expect(200);
        assert_eq!(list.text("/transactions/0/metadata/customer_fee"), "11.80");
        // A refund of the whole payment takes back what was credited, and no more.
        let values = SampleValues { event: "back".to_owned(), reversed: 51_180, ..values };
        shop.expect("razorpay.refund_processed", &values, "processed").await;
        shop.world.expect_available("a", "0.00").await;
        assert_eq!(shop.status(&values.topup).await, "REVERSED");
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn any_other_difference_stays_quarantined() {
    let cases: [fn(&mut Value); 6] = [
        |entity| entity["fee_bearer"] = "platform".into(),
        |entity| entity["fee_bearer"] = Value::Null,
        |entity| entity["fee"] = 1_179.into(),
        |entity| entity["fee"] = Value::Null,
        |entity| entity["amount"] = 51_181.into(),
        |entity| entity["amount"] = 48_820.into(),
    ];
    for case in cases {
        let shop = shop().await;
        let said = |entity: &mut Value| {
            entity["amount"] = 51_180.into();
            entity["fee"] = 1_180.into();
            entity["fee_bearer"] = "customer".into();
            case(entity);
        };
        let (_, became) = captured(&shop, said, "razorpay.payment_captured").await;
        assert_eq!(became, "quarantined");
        shop.world.expect_available("a", "0.00").await;
        shop.world.prove().await;
    }
}

/// Two attempts of one request, of which the gateway accepted one and refused the other: the accepted one
/// remains and can be paid and credited.
#[tokio::test]
async fn a_refusal_takes_nothing_back_that_the_gateway_has_taken_meanwhile() {
    let shop = shop().await;
    let begun = shop.initiate("a", "100", "razorpay").await.expect(201);
    let id = TopUpId::parse(&begun.text("/topup_id")).unwrap();
    let abandoned = async |id: &TopUpId, of_another: bool| abandon(&shop, id, of_another).await;
    assert!(abandoned(&id, false).await.unwrap().placed.is_some(), "a top-up with an order is not removed");
    let paid = shop.pay(&begun.text("/gateway_order_id"), "captured");
    let signature = shop.fakes.checkout_signature(&begun.text("/gateway_order_id"), &paid.id);
    shop.verify(&customer("a"), &begun.text("/topup_id"), &paid.id, &signature).await.expect(200);
    assert!(abandoned(&id, false).await.unwrap().credited.is_some(), "a credited top-up is not removed");
    shop.outage(Outage::Down);
    shop.initiate("a", "50", "stripe").await.expect_problem(503, "unavailable");
    let status = shop.world.get(&staff(), "/api/integration/status/a").await.expect(200);
    let ids = [0, 1].map(|at| TopUpId::parse(&status.text(&format!("/topups/{at}/topup_id"))).unwrap());
    let unplaced = ids.into_iter().find(|other| *other != id).unwrap();
    assert!(abandoned(&unplaced, true).await.is_some(), "the refusal of another request does not remove it");
    assert!(abandoned(&unplaced, false).await.is_none(), "a refused top-up is removed");
    shop.world.expect_available("a", "100.00").await;
    shop.world.prove().await;
}

/// Executes the refusal of a top-up, or of another request with the same key; returns the top-up if it is
/// still stored.
/// A top-up that is still stored is reported as a replay of the request that initiated it.
async fn abandon(shop: &Shop, id: &TopUpId, of_another: bool) -> Option<TopUp> {
    let store = &shop.world.app.store;
    let mut refused = store.payments().topup(id).await.unwrap().unwrap();
    if of_another {
        refused.fingerprint = Fingerprint::of(&[("op", Some("another".to_owned()))]);
    }
    let (actor, request) = (Actor::system("test"), RequestId::new("refused"));
    let policy = shop.world.app.policy.clone();
    let context = Context { now: shop.world.clock.now(), actor, request, policy };
    let done = store.payments().execute(&AbandonTopUp { refused }, &context).await.unwrap();
    let kept = store.payments().topup(id).await.unwrap();
    assert_eq!(done.replayed, kept.is_some());
    kept
}
