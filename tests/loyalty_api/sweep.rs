//! The scheduled sweep writes down what time has changed of points and tiers.

use domain::ids::RequestId;
use expire_credits::{SweepEvent, SweepSummary, sweep};
use std::time::Duration;
use tests::loyal::backend;
use tests::{Fault, World, admin};

async fn run(world: &World) -> SweepSummary {
    let work = sweep(&world.app, &SweepEvent { limit: 100 }, RequestId::new("sweep-1"));
    tests::uses::by("expire-credits", work).await.unwrap()
}

/// Returns true if a customer is in the list of a tier's members.
async fn is_member(world: &World, tier: &str, user: &str) -> bool {
    for shard in 0..store::keys::MEMBER_SHARDS {
        let listed = world.partition(&store::keys::members(tier, shard), "").await;
        if listed.iter().any(|item| item["sk"].as_s().unwrap() == user) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn expiries_activations_time_outs_and_changes_of_the_tier_are_written_down_once() {
    let world = World::new().await;
    world.change_program(1, r#""pending_days":2,"expiry":{"policy":"rolling","days":30}"#).await;
    let campaign = r#"{"name":"c","bonus_points":1,"valid_until":"2026-01-16T00:00:00Z"}"#;
    world.post(&admin(), "/api/loyalty/campaigns", campaign).await.expect(201);
    world.earn("a", "b1", "60000").await;
    assert!(is_member(&world, "SILVER", "a").await);
    world.give("a", 20, r#","expires_on":"2026-06-01""#).await;
    world.redeem("a", 20, "b2", "100").await;
    assert_eq!(run(&world).await, SweepSummary::default(), "nothing is due yet");
    world.clock.advance_days(3);
    // A process that has not read the rules yet.
    let swept = run(&world.another_machine(world.clock.clone())).await;
    // The lock has timed out, and the earned points have become available.
    assert_eq!(swept, SweepSummary { wallets: 1, entries: 2, ..SweepSummary::default() });
    assert_eq!(run(&world).await, SweepSummary::default());
    world.clock.set("2027-03-01T00:00:00Z");
    let swept = run(&world).await;
    assert_eq!((swept.wallets, swept.entries, swept.failed), (1, 2, 0));
    assert!(is_member(&world, "BRONZE", "a").await && !is_member(&world, "SILVER", "a").await);
    assert_eq!(run(&world).await, SweepSummary::default());
    let types = ["EARN", "ADJUST_IN", "HOLD", "RELEASE", "ACTIVATION", "EXPIRY", "EXPIRY"];
    assert_eq!(world.point_types("a").await, types);
    world.prove().await;
}

#[tokio::test]
async fn points_that_cannot_be_settled_are_postponed_and_do_not_block_others() {
    let world = World::new().await;
    for user in ["a", "b"] {
        world.give(user, 10, r#","expires_on":"2026-02-01""#).await;
    }
    world.clock.set("2026-02-03T00:00:00Z");
    world.faults.plan("TransactWriteItems", 1, Fault::exception("ValidationException"));
    let swept = run(&world).await;
    assert_eq!((swept.wallets, swept.entries, swept.failed), (2, 1, 1));
    world.clock.advance(Duration::from_secs(1_800));
    assert_eq!(run(&world).await, SweepSummary { wallets: 1, entries: 1, ..SweepSummary::default() });
    world.prove().await;
}

#[tokio::test]
async fn any_order_of_the_reports_of_a_purchase_ends_alike() {
    let reports = [
        r#"{"booking_id":"b1","refund_id":"r1","amount":120}"#,
        r#"{"booking_id":"b1","refund_id":"r2","refunded_total":500}"#,
        r#"{"booking_id":"b1","refund_id":"r3","amount":300,"lines":[{"line_id":"g","amount":300}]}"#,
        r#"{"booking_id":"b1","refund_id":"r4","amount":77.77}"#,
    ];
    let lines = r#","lines":[{"line_id":"g","amount":600},{"line_id":"h","amount":300},{"line_id":"s","kind":"tax","amount":100}]"#;
    let mut ends = Vec::new();
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1]] {
        let world = World::new().await;
        world.change_program(1, r#""rate":{"points":1,"per":1}"#).await;
        world.give("a", 500, "").await;
        world.try_earn("a", "b1", "1000", lines).await.expect(201);
        for (at, report) in order.into_iter().enumerate() {
            world.post(&backend(), "/api/loyalty/refunds", reports[report]).await.expect(201);
            if at == 1 {
                let failed = r#"{"booking_id":"b1"}"#;
                world.post(&backend(), "/api/loyalty/refunds/r4/fail", failed).await.expect(200);
            }
            world.prove().await;
        }
        let points = world.points("a").await;
        let purchase = world.get(&admin(), "/api/loyalty/purchases/booking/b1").await.expect(200);
        ends.push((
            points["balance"].clone(),
            points["lifetime_points"].clone(),
            points["progress"]["spend_12m"].clone(),
            purchase.field("/points_kept"),
            purchase.field("/refunded"),
        ));
    }
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:#?}");
}
