//! Attacks 20 and 21: a forged delivery is refused and leaves nothing; a payment that does not match its
//! intent credits nothing.

use super::webhooks::{alerts, payment_key, shop};
use serde_json::Value;
use tests::Shop;

/// Attack 20: each forgery is refused with a 401 and leaves nothing.
#[tokio::test]
async fn a_forged_delivery_is_refused_and_nothing_of_it_is_stored() {
    for gateway in ["razorpay", "stripe", "paypal", "google-pay"] {
        let shop = shop().await;
        let keeper = if gateway == "google-pay" { "razorpay" } else { gateway };
        let (topup, payment) = shop.paid("a", "500", keeper).await;
        let body = Shop::body(payment_key(gateway), &shop.values(&topup, &payment, "ev1"));
        let before = items(&shop).await;
        let forged = shop.send(gateway, "ev1", &body, true).await;
        forged.expect_problem(401, "unauthenticated");
        let good = shop.fakes.headers(keeper, "ev1", &body, false);
        let rewritten = serde_json::from_str::<Value>(&body).unwrap();
        let rewritten = serde_json::to_string_pretty(&rewritten).unwrap();
        shop.send_with(gateway, &good, rewritten.as_bytes()).await.expect_problem(401, "unauthenticated");
        let more = body.replace("50000", "5000000").replace("500.00", "50000.00");
        shop.send_with(gateway, &good, more.as_bytes()).await.expect_problem(401, "unauthenticated");
        shop.send_with(gateway, &[], body.as_bytes()).await.expect_problem(401, "unauthenticated");
        for at in 0..good.len() {
            let missing: Vec<_> = good
                .iter()
                .enumerate()
                .filter(|(other, _)| *other != at)
                .map(|(_, pair)| pair.clone())
                .collect();
            let needed = good[at].0 != "x-razorpay-event-id";
            let mut repeated = good.clone();
            repeated.push(good[at].clone());
            if needed {
                shop.send_with(gateway, &missing, body.as_bytes())
                    .await
                    .expect_problem(401, "unauthenticated");
            }
            shop.send_with(gateway, &repeated, body.as_bytes()).await.expect_problem(401, "unauthenticated");
        }
        if keeper != "razorpay" {
            // Older or newer than the tolerance.
            shop.world.clock.advance(std::time::Duration::from_secs(301));
            shop.send_with(gateway, &good, body.as_bytes()).await.expect_problem(401, "unauthenticated");
            shop.world.clock.set("2026-01-15T09:54:59Z");
            shop.send_with(gateway, &good, body.as_bytes()).await.expect_problem(401, "unauthenticated");
            shop.world.clock.set(tests::world::START);
        }
        assert_eq!(items(&shop).await, before, "{gateway}: something was stored");
        shop.world.expect_available("a", "0.00").await;
        shop.send_with(gateway, &good, body.as_bytes()).await.expect(200);
        shop.world.expect_available("a", "500.00").await;
        shop.world.prove().await;
    }
}

async fn items(shop: &Shop) -> u64 {
    shop.world.app.store.audit().wallets().await.unwrap().items
}

/// Attack 20: rotation of secrets.
#[tokio::test]
async fn a_secret_that_is_rotated_in_is_accepted_and_one_rotated_out_is_not() {
    for secrets in ["newer,older", "older,newer"] {
        let shop = Shop::configured(&[("SCRIP_RAZORPAY_WEBHOOK_SECRETS", secrets)], Default::default()).await;
        shop.world.open_wallet("a", "").await;
        let (topup, payment) = shop.paid("a", "5", "razorpay").await;
        // The fakes sign with the first secret.
        shop.expect("razorpay.payment_captured", &shop.values(&topup, &payment, "e"), "processed").await;
    }
    let shop = Shop::configured(&[("SCRIP_STRIPE_WEBHOOK_SECRETS", "whsec_new")], Default::default()).await;
    let headers = [("stripe-signature".to_owned(), "t=1768471200,v1=00".to_owned())];
    shop.send_with("stripe", &headers, b"{}").await.expect_problem(401, "unauthenticated");
}

/// Attack 21: another amount, currency, customer or order.
#[tokio::test]
async fn what_does_not_match_its_intent_is_quarantined_with_an_alert_and_not_credited() {
    let shop = shop().await;
    shop.world.open_wallet("b", "").await;
    let (topup, payment) = shop.paid("a", "500", "razorpay").await;
    let (other, _) = shop.paid("b", "500", "razorpay").await;
    let right = shop.values(&topup, &payment, "right");
    let with = |event: &str, change: &dyn Fn(&mut scrip::fakes::fixture::SampleValues)| {
        let mut values = right.clone();
        (values.event, values.payment) = (event.to_owned(), format!("pay_{event}"));
        change(&mut values);
        values
    };
    let wrong = [
        with("amount", &|values| values.units = 50_001),
        with("currency", &|values| values.currency = "USD".to_owned()),
        with("customer", &|values| values.topup = other.clone()),
        with("order", &|values| (values.topup, values.order) = (String::new(), "order_unknown".to_owned())),
    ];
    for values in &wrong {
        shop.expect("razorpay.payment_captured", values, "quarantined").await;
    }
    shop.world.expect_available("a", "0.00").await;
    shop.world.expect_available("b", "0.00").await;
    let mut quarantined = shop.events("quarantined").await;
    quarantined.sort();
    assert_eq!(quarantined, ["razorpay:amount", "razorpay:currency", "razorpay:customer", "razorpay:order"]);
    assert_eq!(alerts(&shop, "open").await, 4);
    shop.expect("razorpay.payment_captured", &right, "processed").await;
    shop.world.expect_available("a", "500.00").await;
    shop.world.prove().await;
}
