//! Refunds of points that are spent, locked, pending or expired, and of purchases that points have paid.

use serde_json::json;
use tests::loyal::backend;
use tests::vouchers::{buy, voucher_with};
use tests::{World, staff};

async fn confirm(world: &World, points: u64, booking: &str, charge: &str) {
    let token = world.redeem("a", points, booking, charge).await;
    world.close(&token, "confirm", "{}").await.expect(200);
}

#[tokio::test]
async fn points_that_had_expired_are_forgiven_up_to_what_expired_of_their_lot() {
    let world = World::new().await;
    world.change_program(1, r#""expiry":{"policy":"rolling","days":10}"#).await;
    world.earn("a", "b1", "1000").await;
    world.earn("a", "b2", "1000").await;
    confirm(&world, 5, "b3", "100").await;
    world.clock.advance_days(11);
    for (booking, forgiven, owed) in [("b1", 10, 0), ("b2", 5, 5)] {
        let answer = world.refund_booking(booking, "r", r#""amount":1000"#).await;
        assert_eq!(answer.field("/points_reversed"), 10);
        assert_eq!(
            (answer.field("/points_forgiven"), answer.field("/points_owed")),
            (json!(forgiven), json!(owed))
        );
    }
    assert_eq!(world.standing("a").await, [0, 0, 0, 5]);
    world.prove().await;
}

#[tokio::test]
async fn thirty_refunds_of_a_hundredth_never_drift_from_what_the_rest_earns() {
    let world = World::new().await;
    world.earn("a", "b1", "1999").await;
    let mut reversed = 0;
    for n in 1..=30_u64 {
        let answer = world.refund_booking("b1", &format!("r{n}"), r#""amount":19.99"#).await;
        reversed += answer.field("/points_reversed").as_u64().unwrap();
        let kept = 1999 * (100 - n) / 10_000;
        assert_eq!((reversed, answer.field("/purchase/points_kept")), (19 - kept, json!(kept)), "{n}");
    }
    world.prove().await;
}

#[tokio::test]
async fn points_that_a_refund_gives_back_pay_what_is_owed_in_the_same_transaction() {
    let world = World::new().await;
    world.earn("a", "b1", "10000").await;
    confirm(&world, 100, "b2", "1000").await;
    world.refund_booking("b1", "r1", r#""amount":10000"#).await;
    assert_eq!(world.standing("a").await, [0, 0, 0, 100]);
    world.faults.take_log();
    assert_eq!(world.refund_booking("b2", "r1", r#""amount":900"#).await.field("/points_back"), 100);
    let sent = world.faults.take_log();
    assert_eq!(sent.iter().filter(|(operation, _)| operation == "TransactWriteItems").count(), 1);
    assert_eq!(world.standing("a").await, [0, 0, 0, 0]);
    let types = world.point_types("a").await;
    assert_eq!(types[types.len() - 2..], ["REFUND", "OWED_COLLECTED"]);
    world.prove().await;
}

#[tokio::test]
async fn a_lower_total_changes_nothing_and_a_failure_before_its_refund_counts() {
    let world = World::new().await;
    world.earn("a", "b1", "1000").await;
    world.refund_booking("b1", "r1", r#""refunded_total":400"#).await;
    let lower = world.refund_booking("b1", "r2", r#""refunded_total":300"#).await;
    assert_eq!((lower.field("/points_reversed"), lower.field("/purchase/points_kept")), (json!(0), json!(6)));
    let path = "/api/loyalty/refunds/r9/fail";
    world.post(&backend(), path, r#"{"booking_id":"b1"}"#).await.expect(200);
    let failed = world.refund_booking("b1", "r9", r#""amount":500"#).await;
    assert_eq!(
        (failed.field("/points_reversed"), failed.field("/purchase/points_kept")),
        (json!(0), json!(6))
    );
    world.prove().await;
}

#[tokio::test]
async fn a_refund_leaves_locked_points_and_their_release_pays_what_is_owed() {
    for (how, end) in [("release", [0, 0, 0, 0]), ("confirm", [0, 0, 0, 100])] {
        let world = World::new().await;
        world.earn("a", "b1", "10000").await;
        let token = world.redeem("a", 100, "b2", "1000").await;
        world.refund_booking("b1", "r1", r#""amount":10000"#).await;
        assert_eq!(world.standing("a").await, [0, 100, 0, 100]);
        world.close(&token, how, "{}").await.expect(200);
        assert_eq!(world.standing("a").await, end, "{how}");
        world.prove().await;
    }
}

#[tokio::test]
async fn a_refund_while_points_are_pending_leaves_the_balance() {
    let world = World::new().await;
    world.change_program(1, r#""pending_days":3"#).await;
    world.give("a", 20, "").await;
    world.earn("a", "b1", "5000").await;
    assert_eq!(world.standing("a").await, [20, 0, 50, 0]);
    world.refund_booking("b1", "r1", r#""amount":1000"#).await;
    assert_eq!(world.standing("a").await, [20, 0, 40, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_voucher_that_was_bought_with_a_tier_stays_bought_when_its_purchase_is_refunded() {
    let world = World::new().await;
    let voucher = voucher_with(&world, 400, 1, r#","tiers":["SILVER"]"#).await;
    world.earn("a", "b1", "50000").await;
    let bought = buy(&world, "k1", "a", &voucher).await;
    let id = bought.text("/purchase/purchase_id");
    world.refund_booking("b1", "r1", r#""amount":50000"#).await;
    let points = world.points("a").await;
    assert_eq!(
        (&points["tier"]["name"], &points["progress"]["grace_ends_on"]),
        (&json!("BRONZE"), &json!(null))
    );
    assert_eq!(world.standing("a").await, [0, 0, 0, 400]);
    let read = world.get(&staff(), &format!("/api/loyalty/voucher-purchases/{id}")).await.expect(200);
    assert_eq!(read.field("/status"), "ISSUED");
    world.prove().await;
}

#[tokio::test]
async fn a_lock_keeps_its_value_when_the_program_changes_before_its_confirmation() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let token = world.redeem("a", 100, "b1", "1000").await;
    let lower = r#""point_value":0.5,"tiers":[{"name":"BRONZE","multiplier":1,"max_points_per_booking":10,"max_share":0.01}]"#;
    world.change_program(1, lower).await;
    let confirmed = world.close(&token, "confirm", "{}").await.expect(200);
    assert_eq!(confirmed.field("/confirmed_points"), 100);
    assert_eq!(
        (confirmed.raw("points_value"), confirmed.raw("charge_after")),
        ("100.00".into(), "900.00".into())
    );
    let back = world.refund_booking("b1", "r1", r#""amount":450"#).await;
    assert_eq!((back.field("/points_back"), back.raw("points_back_value")), (json!(50), "50.00".to_owned()));
    world.prove().await;
}

#[tokio::test]
async fn a_refund_in_three_parts_sums_to_the_points_that_were_confirmed_and_the_money_that_was_charged() {
    let world = World::new().await;
    let tiers = r#""tiers":[{"name":"BRONZE","multiplier":1,"max_points_per_booking":1000,"max_share":0.3}]"#;
    world.change_program(1, tiers).await;
    world.give("a", 1000, "").await;
    world.try_redeem("a", 299, "b0", "999.99").await.expect(201);
    confirm(&world, 300, "b1", "1000").await;
    world.earn("a", "b1", "700").await;
    let (mut money, mut points) = (vec![], vec![]);
    for (refund, gross) in [("r1", "333.33"), ("r2", "333.33"), ("r3", "334.34")] {
        let path = format!("/api/loyalty/purchases/booking/b1?refund={gross}");
        let split = world.get(&staff(), &path).await.expect(200);
        let part = split.json()["refund_split"]["money"].to_string();
        let back = world.refund_booking("b1", refund, &format!(r#""amount":{part}"#)).await;
        points.push(back.field("/points_back").as_u64().unwrap());
        money.push(part);
    }
    assert_eq!(money, ["233.33", "233.33", "233.34"]);
    assert_eq!(points, [99, 100, 101]);
    world.prove().await;
}

#[tokio::test]
async fn a_booking_that_points_paid_whole_gives_them_all_back_when_it_is_cancelled() {
    let world = World::new().await;
    let tiers = r#""tiers":[{"name":"BRONZE","multiplier":1,"max_points_per_booking":1000,"max_share":1}]"#;
    world.change_program(1, tiers).await;
    world.give("a", 100, "").await;
    confirm(&world, 100, "b1", "100").await;
    let path = "/api/loyalty/bookings/b1/cancel";
    let cancelled = world.post(&backend(), path, "{}").await.expect(200);
    assert_eq!(
        (cancelled.field("/points_back"), cancelled.field("/points_reversed")),
        (json!(100), json!(0))
    );
    assert_eq!(world.standing("a").await, [100, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn points_that_come_back_after_their_date_get_one_grace_and_expire_like_any() {
    let world = World::new().await;
    world.give("a", 100, r#","expires_on":"2026-02-01""#).await;
    confirm(&world, 100, "b1", "1000").await;
    world.clock.set("2026-02-10T10:00:00Z");
    world.refund_booking("b1", "r1", r#""amount":900"#).await;
    let path = "/api/loyalty/wallets/a/expiring?days_ahead=365";
    let lots = world.get(&staff(), path).await.expect(200).json()["lots"].clone();
    assert_eq!((&lots[0]["points"], &lots[0]["expires_on"]), (&json!(100), &json!("2026-03-12")));
    confirm(&world, 100, "b2", "1000").await;
    world.clock.set("2026-04-01T10:00:00Z");
    world.refund_booking("b2", "r1", r#""amount":900"#).await;
    assert_eq!(world.standing("a").await, [0, 0, 0, 0]);
    let types = world.point_types("a").await;
    assert_eq!(types[types.len() - 2..], ["REFUND", "EXPIRY"]);
    world.prove().await;
}

#[tokio::test]
async fn points_in_place_of_money_are_not_points_that_were_given_back() {
    let world = World::new().await;
    world.earn("a", "b1", "1000").await;
    world.refund_booking("b1", "r1", r#""amount":500"#).await;
    let instead = world.refund_booking("b1", "r2", r#""amount":100,"points_instead":7"#).await;
    assert_eq!(instead.field("/purchase/points_kept"), 4);
    assert_eq!(world.standing("a").await, [11, 0, 0, 0]);
    let path = "/api/loyalty/refunds/r1/fail";
    world.post(&backend(), path, r#"{"booking_id":"b1"}"#).await.expect(200);
    assert_eq!(world.standing("a").await, [16, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn what_pays_for_a_late_redemption_is_not_given_back_with_points_of_the_purchase() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    world.change_program(1, r#""pending_days":3"#).await;
    let late = world.redeem("a", 100, "b1", "1000").await;
    world.clock.advance(std::time::Duration::from_secs(1000));
    world.redeem("a", 100, "b2", "1000").await;
    world.close(&late, "confirm", r#"{"late":true}"#).await.expect(200);
    assert_eq!(world.standing("a").await, [0, 100, 0, 100]);
    world.earn("a", "b1", "900").await;
    world.refund_booking("b1", "r1", r#""amount":450"#).await;
    assert_eq!(world.standing("a").await, [0, 100, 4, 50], "half of the points that paid came back");
    let path = "/api/loyalty/refunds/r1/fail";
    world.post(&backend(), path, r#"{"booking_id":"b1"}"#).await.expect(200);
    assert_eq!(world.standing("a").await, [0, 100, 9, 50], "the redemption is still owed");
    world.clock.advance_days(4);
    assert_eq!(world.standing("a").await, [59, 0, 0, 0], "b2 timed out, and what became available paid");
    world.prove().await;
}
