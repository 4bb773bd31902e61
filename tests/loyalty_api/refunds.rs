//! Refunds and cancellations take back what was earned, and give back what had paid.

use futures::future::join_all;
use serde_json::json;
use tests::loyal::backend;
use tests::{World, admin, customer, staff};

#[tokio::test]
async fn refunds_are_cumulative_and_each_counts_once() {
    let world = World::new().await;
    world.change_program(1, r#""rate":{"points":1,"per":10}"#).await;
    world.earn("a", "b1", "21.90").await;
    let mut reversed = Vec::new();
    for (refund, amount) in [("r1", "5"), ("r2", "5"), ("r3", "5"), ("r4", "6.90")] {
        let answer = world.refund_booking("b1", refund, &format!(r#""amount":{amount}"#)).await;
        reversed.push(answer.field("/points_reversed").as_i64().unwrap());
        let again = world.refund_booking("b1", refund, &format!(r#""amount":{amount}"#)).await;
        assert!(again.is_replay() && again.body == answer.body, "{}\n{}", answer.body, again.body);
    }
    assert_eq!(reversed, [1, 0, 1, 0]);
    world.try_refund("b1", "r1", r#""amount":4"#).await.expect_problem(409, "refund_exists");
    world.try_refund("b1", "r5", r#""amount":0.01"#).await.expect_problem(409, "refund_exceeds_payment");
    world.try_refund("b2", "r1", r#""amount":4"#).await.expect_problem(404, "purchase_not_found");
    let purchase = world.get(&staff(), "/api/loyalty/purchases/booking/b1").await.expect(200);
    assert_eq!((purchase.field("/status"), purchase.field("/points_kept")), (json!("REVERSED"), json!(0)));
    assert_eq!(purchase.field("/refunds").as_array().unwrap().len(), 4);
    assert_eq!(world.standing("a").await, [0, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn points_that_were_spent_are_owed_and_the_next_earning_pays_them() {
    let world = World::new().await;
    world.earn("a", "b1", "10000").await;
    let token = world.redeem("a", 80, "b2", "1000").await;
    world.close(&token, "confirm", "{}").await.expect(200);
    let refunded = world.refund_booking("b1", "r1", r#""amount":10000"#).await;
    assert_eq!((refunded.field("/points_reversed"), refunded.field("/points_owed")), (json!(100), json!(80)));
    assert_eq!(world.standing("a").await, [0, 0, 0, 80]);
    world.earn("a", "b3", "5000").await;
    assert_eq!(world.standing("a").await, [0, 0, 0, 30]);
    let failed = r#"{"booking_id":"b1"}"#;
    let back = world.post(&backend(), "/api/loyalty/refunds/r1/fail", failed).await.expect(200);
    assert_eq!((back.field("/points_reversed"), back.field("/points_owed")), (json!(-100), json!(-30)));
    assert_eq!(world.standing("a").await, [70, 0, 0, 0], "20 taken, 50 collected");
    let again = world.post(&backend(), "/api/loyalty/refunds/r1/fail", failed).await.expect(200);
    assert!(again.is_replay() && again.body == back.body);
    world.prove().await;
}

#[tokio::test]
async fn points_that_paid_come_back_in_proportion_and_sum_to_what_was_confirmed() {
    let world = World::new().await;
    world.give("a", 400, "").await;
    world
        .post(
            &admin(),
            "/api/loyalty/wallets/a/tier",
            r#"{"tier":"SILVER","until":"2026-06-01","reason":"r"}"#,
        )
        .await
        .expect(200);
    let token = world.redeem("a", 300, "b1", "1000").await;
    world.close(&token, "confirm", "{}").await.expect(200);
    world.earn("a", "b1", "700").await;
    let split = world.get(&customer("a"), "/api/loyalty/purchases/booking/b1?refund=1000").await.expect(200);
    assert_eq!(split.field("/refund_split/money"), json!(700.0));
    assert_eq!(split.field("/refund_split/points"), 300);
    let mut back = Vec::new();
    for (refund, amount) in [("r1", "233.33"), ("r2", "233.33"), ("r3", "233.34")] {
        let answer = world.refund_booking("b1", refund, &format!(r#""amount":{amount}"#)).await;
        back.push(answer.field("/points_back").as_u64().unwrap());
    }
    assert_eq!(back, [99, 100, 101]);
    assert_eq!(world.standing("a").await, [400, 0, 0, 0]);
    let read = world.get(&staff(), &format!("/api/loyalty/redemptions/{token}")).await.expect(200);
    assert_eq!(read.field("/returned_points"), 300);
    world.prove().await;
}

#[tokio::test]
async fn a_cancelled_booking_releases_its_lock_and_earns_and_locks_no_more() {
    let world = World::new().await;
    world.give("a", 400, "").await;
    let token = world.redeem("a", 100, "b1", "1000").await;
    world.earn("a", "b1", "900").await;
    let path = "/api/loyalty/bookings/b1/cancel";
    let cancelled = world.post(&backend(), path, r#"{"amount_kept":200}"#).await.expect(200);
    assert_eq!(cancelled.field("/purchase/points_kept"), 2);
    let read = world.get(&staff(), &format!("/api/loyalty/redemptions/{token}")).await.expect(200);
    assert_eq!(read.field("/status"), "RELEASED");
    let again = world.post(&backend(), path, r#"{"amount_kept":200}"#).await.expect(200);
    assert!(again.is_replay() && again.body == cancelled.body);
    world.post(&backend(), path, "{}").await.expect_problem(409, "booking_cancelled");
    world.try_redeem("a", 10, "b1", "1000").await.expect_problem(409, "booking_cancelled");
    world
        .post(&backend(), "/api/loyalty/bookings/b9/cancel", "{}")
        .await
        .expect_problem(404, "purchase_not_found");
    assert_eq!(world.standing("a").await, [402, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_refund_of_a_line_takes_back_only_what_that_line_earned() {
    let world = World::new().await;
    let lines = r#","lines":[{"line_id":"g","amount":900},{"line_id":"s","kind":"shipping","amount":100}]"#;
    assert_eq!(world.try_earn("a", "b1", "1000", lines).await.expect(201).field("/purchase/points"), 9);
    let total = world.refund_booking("b1", "r0", r#""refunded_total":450"#).await;
    assert_eq!(total.field("/purchase/points_kept"), 4, "by proportion");
    let of_line = r#""amount":100,"lines":[{"line_id":"s","amount":100}]"#;
    let named = world.refund_booking("b1", "r1", of_line).await;
    assert_eq!(named.field("/purchase/points_kept"), 5, "shipping comes off first, then 350 of 900");
    world.prove().await;
}

#[tokio::test]
async fn a_tier_risen_to_by_a_refunded_purchase_is_lost_at_once() {
    let world = World::new().await;
    world.earn("a", "b1", "40000").await;
    assert_eq!(world.earn("a", "b2", "10000").await.field("/tier_change/to"), "SILVER");
    world.refund_booking("b2", "r1", r#""amount":1"#).await;
    assert_eq!(world.points("a").await["tier"]["name"], "BRONZE");
    let history = world.get(&customer("a"), "/api/loyalty/wallets/a/tier-history").await.expect(200);
    assert_eq!(history.field("/changes/0/reason"), "refund");
    assert_eq!(history.field("/changes/1/reason"), "upgrade");
    world.prove().await;
}

#[tokio::test]
async fn thirty_refunds_at_once_take_back_exactly_what_the_rest_would_not_have_earned() {
    let world = World::new().await;
    world.earn("a", "b1", "10000").await;
    let refund = |n: usize| {
        let world = &world;
        async move { while world.try_refund("b1", &format!("r{n}"), r#""amount":100"#).await.status == 503 {} }
    };
    join_all((0..30).map(refund)).await;
    assert_eq!(world.standing("a").await, [70, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn points_confirmed_after_a_refund_bring_their_share_back_at_once() {
    let world = World::new().await;
    world.give("a", 500, "").await;
    for (booking, how) in [("b1", "{}"), ("b2", r#"{"points":40}"#), ("b3", r#"{"late":true}"#)] {
        let token = world.redeem("a", 100, booking, "1000").await;
        world.earn("a", booking, "900").await;
        world.refund_booking(booking, "r1", r#""amount":450"#).await;
        if booking == "b3" {
            world.clock.advance_days(1);
        }
        let closed = world.close(&token, "confirm", how).await.expect(200);
        let confirmed = if booking == "b2" { 40 } else { 100 };
        assert_eq!(closed.field("/confirmed_points"), confirmed, "{booking}");
        let purchase =
            world.get(&admin(), &format!("/api/loyalty/purchases/booking/{booking}")).await.expect(200);
        assert_eq!(purchase.field("/redemption/returned"), confirmed / 2);
        assert_eq!(purchase.field("/redemption/status"), "CONFIRMED");
    }
    world.prove().await;
}

#[tokio::test]
async fn a_refund_cancels_what_is_owed_for_a_late_confirmation_before_it_gives_points_back() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let token = world.redeem("a", 80, "b1", "1000").await;
    let owner = tests::customer("a");
    let release = format!("/api/loyalty/redemptions/{token}/release");
    world.post(&owner, &release, "{}").await.expect(200);
    let out = r#"{"direction":"out","points":70,"reason":"r"}"#;
    world.post(&admin(), "/api/loyalty/wallets/a/transactions", out).await.expect(201);
    let late = world.close(&token, "confirm", r#"{"late":true}"#).await.expect(200);
    assert_eq!(late.field("/owed_points"), 50);
    world.refund_booking("b1", "r1", r#""amount":460"#).await;
    assert_eq!(world.standing("a").await, [0, 0, 0, 10], "40 of 80 points come back: 50 are owed less 40");
    world.give("a", 30, "").await;
    assert_eq!(world.standing("a").await, [20, 0, 0, 0], "10 were collected");
    world.prove().await;
    let back = world.refund_booking("b1", "r2", r#""amount":460"#).await;
    assert_eq!(back.field("/points_back"), 40);
    assert_eq!(world.standing("a").await, [60, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_late_confirmation_has_the_charge_of_its_own_lock() {
    let world = World::new().await;
    world.give("a", 400, "").await;
    let first = world.redeem("a", 100, "b1", "1000").await;
    world
        .post(&tests::customer("a"), &format!("/api/loyalty/redemptions/{first}/release"), "{}")
        .await
        .expect(200);
    world.redeem("a", 200, "b1", "1000").await;
    world.close(&first, "confirm", r#"{"late":true}"#).await.expect(200);
    let back = world.refund_booking("b1", "r1", r#""amount":800"#).await;
    assert_eq!(back.field("/points_back"), 88, "floor(100 × 800 / 900)");
    world.prove().await;
}

#[tokio::test]
async fn a_refund_of_years_later_is_judged_by_the_campaign_of_its_purchase() {
    let world = World::new().await;
    let campaign = r#"{"name":"c","bonus_points":100,"valid_until":"2026-03-01T00:00:00Z"}"#;
    world.post(&admin(), "/api/loyalty/campaigns", campaign).await.expect(201);
    assert_eq!(world.earn("a", "b1", "1000").await.field("/purchase/points"), 110);
    world.clock.set("2029-03-01T00:00:00Z");
    world.change_program(1, r#""pending_days":1"#).await;
    world.clock.advance_days(1);
    let refund = world.refund_booking("b1", "r1", r#""amount":500"#).await;
    assert_eq!(refund.field("/purchase/points_kept"), 55);
    world.prove().await;
}
