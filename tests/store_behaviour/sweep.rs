//! The scheduled sweep: what is due is settled once, in bounded batches.

use domain::ids::RequestId;
use expire_credits::{SweepEvent, SweepSummary, sweep};
use tests::{Fault, World, customer};

async fn run(world: &World, limit: u32) -> SweepSummary {
    let event = SweepEvent { limit };
    let work = sweep(&world.app, &event, RequestId::new("sweep-1"));
    tests::uses::by("expire-credits", work).await.unwrap()
}

#[tokio::test]
async fn expired_lots_and_timed_out_holds_are_written_down_once() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    world.credit("a", "10", "promotion", "2026-01-16").await;
    world.open_wallet("b", "100").await;
    let body = r#"{"amount":60,"expires_in_seconds":3600}"#;
    world.post(&customer("b"), "/api/wallet/b/holds", body).await.expect(201);
    world.open_wallet("c", "100").await;
    assert_eq!(run(&world, 100).await, SweepSummary::default(), "nothing is due yet");
    // It is due at midnight, but clocks differ: the sweep waits ten minutes.
    world.clock.set("2026-01-17T00:09:59Z");
    assert_eq!(
        run(&world, 100).await,
        SweepSummary { wallets: 1, entries: 1, ..SweepSummary::default() },
        "only the hold is settled"
    );
    world.clock.set("2026-01-17T00:10:00Z");
    assert_eq!(run(&world, 100).await, SweepSummary { wallets: 1, entries: 1, ..SweepSummary::default() });
    assert_eq!(run(&world, 100).await, SweepSummary::default());
    assert_eq!(world.types("a").await, ["CREDIT", "CREDIT", "EXPIRY"]);
    assert_eq!(world.types("b").await, ["CREDIT", "HOLD", "RELEASE"]);
    world.prove().await;
}

#[tokio::test]
async fn it_works_in_bounded_batches_and_resumes() {
    let world = World::new().await;
    for n in 0..60 {
        let id = format!("c{n}");
        world.open_wallet(&id, "").await;
        world.credit(&id, "1", "promotion", "2026-01-16").await;
    }
    world.clock.advance_days(3);
    let mut written = 0;
    for _ in 0..2 {
        let swept = run(&world, 25).await;
        assert_eq!((swept.wallets, swept.more), (25, true));
        written += swept.entries;
    }
    let last = run(&world, 25).await;
    assert_eq!((written + last.entries, last.more), (60, false));
    assert_eq!(run(&world, 25).await, SweepSummary::default());
    world.prove().await;
}

#[tokio::test]
async fn more_due_than_a_transaction_carries_is_written_in_one_visit() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    for day in 0..50 {
        world.credit("a", "1", "promotion", &format!("2026-{:02}-{:02}", 2 + day / 28, 1 + day % 28)).await;
    }
    world.clock.set("2026-06-01T00:00:00Z");
    assert_eq!(run(&world, 100).await, SweepSummary { wallets: 1, entries: 50, ..SweepSummary::default() });
    world.prove().await;
}

#[tokio::test]
async fn a_wallet_that_cannot_be_settled_is_pushed_forward_and_the_others_are_done() {
    let world = World::new().await;
    for id in ["a", "b", "c"] {
        world.open_wallet(id, "").await;
        world.credit(id, "1", "promotion", "2026-01-16").await;
    }
    world.clock.advance_days(3);
    let denied = serde_json::json!({"__type": "AccessDeniedException", "message": "injected"});
    world.faults.plan("TransactWriteItems", 1, Fault::Answer(400, denied));
    let swept = run(&world, 100).await;
    assert_eq!((swept.wallets, swept.failed, swept.entries), (3, 1, 2));
    assert_eq!(run(&world, 100).await, SweepSummary::default(), "the wallet that failed is postponed");
    world.clock.advance(std::time::Duration::from_secs(1_600));
    assert_eq!(run(&world, 100).await, SweepSummary { wallets: 1, entries: 1, ..SweepSummary::default() });
    world.prove().await;
}

#[tokio::test]
async fn two_sweeps_and_a_customer_at_once_write_each_due_thing_once() {
    let world = std::sync::Arc::new(World::new().await);
    world.open_wallet("a", "100").await;
    for day in 16..26 {
        world.credit("a", "1", "promotion", &format!("2026-01-{day}")).await;
    }
    world.clock.advance_days(30);
    let caller = customer("a");
    let debit = world.post(&caller, "/api/wallet/a/deduct-credits", r#"{"amount":1}"#);
    let (one, two, debit) = tokio::join!(run(&world, 100), run(&world, 100), debit);
    debit.expect(201);
    assert_eq!((one.failed, two.failed), (0, 0));
    assert_eq!(world.types("a").await.iter().filter(|kind| *kind == "EXPIRY").count(), 10);
    world.prove().await;
}

#[tokio::test]
async fn a_check_that_is_too_early_schedules_the_right_one() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.credit("a", "1", "promotion", "2026-01-16").await;
    world.credit("a", "5", "promotion", "2026-02-16").await;
    // The lot that expires soonest is burned; the index keeps the early visit and is not rewritten.
    world.post(&customer("a"), "/api/wallet/a/deduct-credits", r#"{"amount":1}"#).await.expect(201);
    world.clock.set("2026-01-17T01:00:00Z");
    assert_eq!(run(&world, 100).await, SweepSummary { wallets: 1, ..SweepSummary::default() });
    assert_eq!(run(&world, 100).await, SweepSummary::default());
    world.clock.set("2026-02-17T01:00:00Z");
    assert_eq!(run(&world, 100).await, SweepSummary { wallets: 1, entries: 1, ..SweepSummary::default() });
    world.prove().await;
}

#[tokio::test]
async fn what_ended_less_than_ten_minutes_ago_waits_though_its_wallet_is_visited() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.credit("a", "100", "promotion", "2026-01-16").await;
    world.clock.set("2026-01-16T23:40:00Z");
    let body = r#"{"amount":60,"expires_in_seconds":600}"#;
    world.post(&customer("a"), "/api/wallet/a/holds", body).await.expect(201);
    // The hold ended at 23:50, the lot at midnight: at 00:01 only the hold is settled.
    world.clock.set("2026-01-17T00:01:00Z");
    assert_eq!(run(&world, 100).await, SweepSummary { wallets: 1, entries: 1, ..SweepSummary::default() });
    world.clock.set("2026-01-17T00:10:00Z");
    assert_eq!(run(&world, 100).await, SweepSummary { wallets: 1, entries: 1, ..SweepSummary::default() });
    assert_eq!(world.types("a").await, ["CREDIT", "HOLD", "RELEASE", "EXPIRY"]);
    world.prove().await;
}
