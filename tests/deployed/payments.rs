//! Top-ups through the API, with the gateways' webhooks.

use tests::{Shop, admin, customer, unique};

#[tokio::test]
async fn a_payment_is_credited_once_however_it_is_reported() {
    let shop = Shop::shared().await;
    for gateway in ["razorpay", "stripe", "paypal"] {
        let owner = unique("cust");
        shop.world.open_wallet(&owner, "").await;
        let (topup, payment) = shop.paid(&owner, "250.50", gateway).await;
        let samples = match gateway {
            "razorpay" => ["razorpay.payment_captured", "razorpay.order_paid"],
            "stripe" => ["stripe.checkout_session_completed", "stripe.payment_intent_succeeded"],
            _ => ["paypal.payment_capture_completed", "paypal.payment_capture_pending"],
        };
        for sample in samples {
            let values = shop.values(&topup, &payment, &unique("evt"));
            shop.deliver(sample, &values).await.expect(200);
            shop.deliver(sample, &values).await.expect(200);
        }
        let signature = shop.fakes.checkout_signature(&payment.order, &payment.id);
        shop.verify(&customer(&owner), &topup, &payment.id, &signature).await.expect(200);
        assert_eq!(shop.status(&topup).await, "CREDITED");
        shop.world.expect_available(&owner, "250.50").await;
        shop.world.prove().await;
    }
}

#[tokio::test]
async fn a_refund_at_the_gateway_takes_the_credit_back() {
    let shop = Shop::shared().await;
    let owner = unique("cust");
    shop.world.open_wallet(&owner, "").await;
    let (topup, payment) = shop.paid(&owner, "90", "razorpay").await;
    let mut values = shop.values(&topup, &payment, &unique("evt"));
    shop.expect("razorpay.payment_captured", &values, "processed").await;
    values.event = unique("evt");
    values.reversed = 3_000;
    shop.expect("razorpay.refund_processed", &values, "processed").await;
    shop.world.expect_available(&owner, "60.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn a_forged_webhook_is_refused_and_a_strange_one_is_listed() {
    let shop = Shop::shared().await;
    let owner = unique("cust");
    shop.world.open_wallet(&owner, "").await;
    let (topup, payment) = shop.paid(&owner, "10", "stripe").await;
    let values = shop.values(&topup, &payment, &unique("evt"));
    let body = Shop::body("stripe.checkout_session_completed", &values);
    shop.send("stripe", &values.event, &body, true).await.expect(401);
    shop.world.expect_available(&owner, "0.00").await;
    let mut strange = values.clone();
    (strange.event, strange.units) = (unique("evt"), 999);
    shop.expect("stripe.checkout_session_completed", &strange, "quarantined").await;
    let listed = shop.events("quarantined").await;
    let id = listed.iter().find(|id| id.contains(&strange.event)).unwrap();
    let replay = format!("/api/integration/webhook/events/{id}/replay");
    shop.world.post(&admin(), &replay, "").await.expect(200);
    shop.world.expect_available(&owner, "0.00").await;
    shop.world.prove().await;
}
