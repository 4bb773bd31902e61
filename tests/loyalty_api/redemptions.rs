//! Points pay for a part of a booking: locked, confirmed, released, timed out.

use futures::future::join_all;
use serde_json::json;
use std::time::Duration;
use tests::loyal::backend;
use tests::{World, admin, customer, service, staff};

#[tokio::test]
async fn a_lock_takes_points_off_at_once_and_its_confirmation_burns_them() {
    let world = World::new().await;
    world.give("a", 500, "").await;
    let quote = world.get(&customer("a"), "/api/loyalty/wallets/a/quote?charge=1000").await.expect(200);
    assert_eq!((quote.field("/max_points"), quote.field("/charge_after")), (json!(200), json!(800.0)));
    assert_eq!(quote.field("/limited_by"), json!(["max_share"]));
    let lock = world.try_redeem("a", 200, "b1", "1000").await.expect(201);
    assert_eq!((lock.field("/status"), lock.field("/charge_after")), (json!("LOCKED"), json!(800.0)));
    assert_eq!(world.standing("a").await, [300, 200, 0, 0]);
    let again = world.try_redeem("a", 200, "b1", "1000").await.expect(201);
    assert!(again.is_replay());
    assert_eq!(again.field("/token"), lock.field("/token"));
    world.try_redeem("a", 100, "b1", "1000").await.expect_problem(409, "booking_has_redemption");
    let token = lock.text("/token");
    world
        .close(&token, "confirm", r#"{"points":201}"#)
        .await
        .expect_problem(409, "confirm_exceeds_redemption");
    let confirmed = world.close(&token, "confirm", r#"{"payment_id":"p1"}"#).await.expect(200);
    assert_eq!(confirmed.field("/confirmed_points"), 200);
    assert_eq!(world.standing("a").await, [300, 0, 0, 0]);
    let repeated = world.close(&token, "confirm", "{}").await.expect(200);
    assert!(repeated.is_replay() && repeated.body == confirmed.body);
    world.close(&token, "confirm", r#"{"points":1}"#).await.expect_problem(409, "redemption_closed");
    world.close(&token, "release", "{}").await.expect_problem(409, "redemption_closed");
    world.try_redeem("a", 100, "b1", "1000").await.expect_problem(409, "booking_has_redemption");
    assert_eq!(world.point_types("a").await, ["ADJUST_IN", "HOLD", "BURN"]);
    world.prove().await;
}

#[tokio::test]
async fn a_lock_that_times_out_gives_the_points_back_by_itself_and_a_late_payment_takes_them_still() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let token = world.redeem("a", 100, "b1", "500").await;
    world.clock.advance(Duration::from_secs(900));
    assert_eq!(world.standing("a").await, [100, 0, 0, 0]);
    let read = world.get(&staff(), &format!("/api/loyalty/redemptions/{token}")).await.expect(200);
    assert_eq!(read.field("/status"), "EXPIRED");
    assert_eq!(world.close(&token, "release", "{}").await.expect(200).field("/status"), "EXPIRED");
    world.close(&token, "confirm", "{}").await.expect_problem(409, "redemption_expired");
    let other = world.redeem("a", 60, "b2", "500").await;
    let late = world.close(&token, "confirm", r#"{"late":true}"#).await.expect(200);
    assert_eq!((late.field("/late"), late.field("/owed_points")), (json!(true), json!(60)));
    assert_eq!(world.standing("a").await, [0, 60, 0, 60]);
    world.close(&other, "release", "{}").await.expect(200);
    assert_eq!(world.standing("a").await, [0, 0, 0, 0], "what was released pays what is owed");
    let types = ["ADJUST_IN", "HOLD", "RELEASE", "HOLD", "BURN", "RELEASE", "OWED_COLLECTED"];
    assert_eq!(world.point_types("a").await, types);
    world.prove().await;
}

#[tokio::test]
async fn what_the_owner_released_is_taken_late_and_what_a_service_released_stays_released() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    for (booking, by, status) in [("b1", customer("a"), 200), ("b2", backend(), 409)] {
        let token = world.redeem("a", 20, booking, "100").await;
        let path = format!("/api/loyalty/redemptions/{token}/release");
        let released = world.post(&by, &path, "{}").await.expect(200);
        assert_eq!(released.field("/status"), "RELEASED");
        assert!(world.post(&by, &path, "{}").await.expect(200).is_replay());
        world.close(&token, "confirm", r#"{"late":true}"#).await.expect(status);
    }
    assert_eq!(world.standing("a").await, [80, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_lock_keeps_the_rules_of_its_tier_and_takes_the_fewest_points_of_its_value() {
    let world = World::new().await;
    world.change_program(1, r#""point_value":0.5,"redemption":{"min_points":3,"coupons":"deny"}"#).await;
    world.give("a", 5000, "").await;
    let refused = world.try_redeem("a", 500, "b1", "1000").await.expect_problem(409, "redemption_policy");
    assert_eq!(
        (refused.field("/limit_points"), refused.text("/limited_by")),
        (json!(400), "max_share".to_owned())
    );
    let refused = world.try_redeem("a", 1001, "b1", "100000").await.expect_problem(409, "redemption_policy");
    assert_eq!(refused.text("/limited_by"), "max_points_per_booking");
    let refused = world.try_redeem("a", 2, "b1", "1000").await.expect_problem(409, "redemption_policy");
    assert_eq!(refused.text("/limited_by"), "min_points");
    let coupon = r#"{"points":10,"booking_id":"b1","charge":1000,"coupon_discount":5}"#;
    let path = "/api/loyalty/wallets/a/redeem";
    world.post(&backend(), path, coupon).await.expect_problem(409, "not_combinable");
    let order = r#"{"points":10,"booking_id":"o1"}"#;
    world.post(&customer("a"), path, order).await.expect_problem(404, "order_not_found");
    world.post(&backend(), path, order).await.expect_problem(400, "invalid_request");
    world.try_redeem("b", 10, "b9", "1000").await.expect_problem(402, "insufficient_points");
    world.post(&admin(), "/api/loyalty/wallets/a/freeze", r#"{"reason":"r"}"#).await.expect(200);
    world.try_redeem("a", 10, "b1", "1000").await.expect_problem(409, "account_frozen");
    world.prove().await;
}

#[tokio::test]
async fn of_fifty_locks_at_once_as_many_succeed_as_the_balance_covers() {
    let world = World::new().await;
    world.give("a", 105, "").await;
    let lock = |n: usize| {
        let world = &world;
        async move { world.try_redeem("a", 10, &format!("b{n}"), "1000").await.status }
    };
    let statuses = join_all((0..50).map(lock)).await;
    assert!(statuses.iter().all(|status| [201, 402, 409, 503].contains(status)), "{statuses:?}");
    let locked = statuses.iter().filter(|status| **status == 201).count();
    assert_eq!(world.standing("a").await, [105 - 10 * locked as u64, 10 * locked as u64, 0, 0]);
    assert!((1..=10).contains(&locked), "{locked}");
    world.prove().await;
}

#[tokio::test]
async fn another_customers_redemption_does_not_exist_for_an_owner_and_a_service_needs_its_scope() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let token = world.redeem("a", 10, "b1", "100").await;
    let path = format!("/api/loyalty/redemptions/{token}");
    world.get(&customer("b"), &path).await.expect_problem(404, "redemption_not_found");
    let release = format!("{path}/release");
    world.post(&customer("b"), &release, "{}").await.expect_problem(404, "redemption_not_found");
    world.post(&customer("a"), &format!("{path}/confirm"), "{}").await.expect_problem(403, "forbidden");
    world.post(&service("loyalty:read"), &release, "{}").await.expect_problem(403, "forbidden");
    let seed = format!(r#"{{"token":"{token}"}}"#);
    let by_path = "/api/loyalty/wallets/b/confirm";
    world.post(&backend(), by_path, &seed).await.expect_problem(404, "redemption_not_found");
    world.post(&backend(), "/api/loyalty/wallets/a/confirm", &seed).await.expect(200);
    world.prove().await;
}
