//! The scheduled functions, invoked as their schedules invoke them.

use serde_json::json;
use tests::{Shop, unique};

#[tokio::test]
async fn the_scheduled_functions_run_and_say_what_they_did() {
    let shop = Shop::shared().await;
    let owner = unique("cust");
    shop.world.open_wallet(&owner, "25").await;
    let swept = shop.world.run("expire-credits").await;
    assert!(swept["failed"] == 0, "{swept}");
    let evaluated = shop.world.run("evaluate-tiers").await;
    assert!(evaluated["success"] == true, "{evaluated}");
    let watched = shop.world.run("monitor").await;
    assert!(watched.as_object().is_some_and(|summary| !summary.is_empty()), "{watched}");
    shop.world.expect_available(&owner, "25.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn events_of_purchases_earn_points() {
    let shop = Shop::shared().await;
    let (owner, booking, payment) = (unique("cust"), unique("booking"), unique("pay"));
    let body = |kind: &str, data| json!({"type": kind, "data": data}).to_string();
    let record = |id: &str, body: String| json!({"messageId": id, "body": body, "attributes": {}});
    let refunded = json!({"payment_id": payment, "refund_id": "refund_1", "amount": 250});
    let confirmed = json!({"booking_id": booking, "payment_id": payment, "user_id": owner, "amount": 1000});
    shop.world.open_wallet(&owner, "").await;
    let delivered = json!({"order_id": unique("order"), "customer_id": owner, "total": 100});
    let records = [
        record("1", body("payment.refunded", refunded)),
        record("2", body("booking.confirmed", confirmed)),
        record("3", "{".to_owned()),
        record("4", body("order.delivered", delivered)),
    ];
    let answer = shop.world.run_on("purchase-events", &json!({"Records": records})).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "3"}]}));
    assert_eq!(shop.world.standing(&owner).await, [7, 0, 0, 0]);
    shop.world.expect_available(&owner, "5.00").await;
    shop.world.prove().await;
}
