//! The nightly evaluation writes down what time, and a new version of the program, have changed of tiers.

use domain::ids::RequestId;
use evaluate_tiers::{EvaluateEvent, EvaluateSummary, evaluate};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tests::{Fault, World, admin, staff};
use tokio::sync::Notify;

const LOWER_SILVER: &str = r#""tiers":[{"name":"BRONZE","multiplier":1,"max_points_per_booking":10,"max_share":0.1},
    {"name":"SILVER","spend_12m":20000,"multiplier":2,"max_points_per_booking":10,"max_share":0.1}]"#;

async fn run(world: &World, event: EvaluateEvent) -> EvaluateSummary {
    let work = evaluate(&world.app, &event, RequestId::new("evaluation-1"));
    let summary = tests::uses::by("evaluate-tiers", work).await.unwrap();
    EvaluateSummary { duration_ms: 0, ..summary }
}

async fn nightly(world: &World) -> EvaluateSummary {
    run(world, EvaluateEvent::default()).await
}

/// Returns what a run reports that has found nothing to do.
fn nothing() -> EvaluateSummary {
    EvaluateSummary { success: true, ..EvaluateSummary::default() }
}

/// Returns the reasons of a customer's changes, newest first.
async fn reasons(world: &World, user: &str) -> Vec<Value> {
    let history = world.get(&staff(), &format!("/api/loyalty/wallets/{user}/tier-history")).await.expect(200);
    history.json()["changes"].as_array().unwrap().iter().map(|change| change["reason"].clone()).collect()
}

/// Returns the members of a tier, in the order of their ids.
async fn members(world: &World, tier: &str) -> Vec<String> {
    let listed = world.get(&staff(), &format!("/api/loyalty/members?tier={tier}")).await.expect(200).json();
    let mut users: Vec<String> = listed["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["user_id"].as_str().unwrap().to_owned())
        .collect();
    users.sort();
    users
}

#[tokio::test]
async fn what_time_has_changed_is_written_down_and_dated_when_it_fell_due() {
    let world = World::new().await;
    let campaign = r#"{"name":"c","bonus_points":1,"valid_until":"2026-04-01T00:00:00Z"}"#;
    world.post(&admin(), "/api/loyalty/campaigns", campaign).await.expect(201);
    world.clock.set("2026-03-10T10:00:00Z");
    world.earn("a", "b1", "50000").await;
    world.earn("b", "b2", "1000").await;
    world.give("a", 10, r#","expires_on":"2026-12-31""#).await;
    assert_eq!(nightly(&world).await, nothing());
    world.clock.set("2027-03-10T00:20:00Z");
    // A process that has not read the rules yet.
    let process = world.another_machine(world.clock.clone());
    assert_eq!(nightly(&process).await, EvaluateSummary { looked_at: 2, grace_started: 1, ..nothing() });
    assert_eq!(nightly(&world).await, nothing(), "again at once");
    assert_eq!((members(&world, "SILVER").await, reasons(&world, "a").await.len()), (vec!["a".into()], 2));
    world.clock.set("2027-04-10T00:20:00Z");
    assert!(members(&world, "SILVER").await.is_empty(), "reads know before the evaluation does");
    assert_eq!(nightly(&world).await, EvaluateSummary { looked_at: 1, downgraded: 1, ..nothing() });
    assert_eq!(reasons(&world, "a").await, ["ageing", "grace_started", "upgrade"]);
    assert_eq!(members(&world, "BRONZE").await, ["a", "b"]);
    world.prove().await;
}

#[tokio::test]
async fn every_member_is_evaluated_once_after_a_version_of_the_program_has_begun() {
    let world = World::new().await;
    for user in ["a", "b", "c"] {
        world.earn(user, &format!("b-{user}"), "30000").await;
    }
    world.change_program(1, &format!(r#""valid_from":"2026-02-01T00:00:00Z",{LOWER_SILVER}"#)).await;
    assert_eq!(nightly(&world).await, nothing(), "the version has not begun");
    world.clock.set("2026-02-01T00:20:00Z");
    let mut upgraded = 0;
    for _ in 0..3 {
        let summary = run(&world, EvaluateEvent { limit: 1, ..EvaluateEvent::default() }).await;
        assert_eq!((summary.looked_at, summary.remaining), (1, 1), "{summary:?}");
        upgraded += summary.upgraded;
        world.prove().await;
    }
    let last = nightly(&world).await;
    assert_eq!((upgraded + last.upgraded, last.remaining), (3, 0), "{last:?}");
    assert_eq!(nightly(&world).await, nothing());
    for user in ["a", "b", "c"] {
        assert_eq!(reasons(&world, user).await, ["program"]);
    }
    assert_eq!(members(&world, "SILVER").await, ["a", "b", "c"]);
    world.prove().await;
}

#[tokio::test]
async fn two_runs_at_once_write_every_change_once() {
    let world = World::new().await;
    for user in ["a", "b", "c", "d"] {
        world.earn(user, &format!("b-{user}"), "30000").await;
    }
    world.change_program(1, LOWER_SILVER).await;
    world.clock.advance(Duration::from_secs(60));
    let (one, other) = tokio::join!(nightly(&world), nightly(&world));
    assert!(one.success && other.success, "{one:?} {other:?}");
    assert_eq!(one.upgraded + other.upgraded, 4, "{one:?} {other:?}");
    for user in ["a", "b", "c", "d"] {
        assert_eq!(reasons(&world, user).await, ["program"]);
    }
    world.prove().await;
}

#[tokio::test]
async fn who_could_not_be_evaluated_is_evaluated_the_night_after() {
    let world = World::new().await;
    for user in ["a", "b"] {
        world.earn(user, &format!("b-{user}"), "50000").await;
    }
    world.clock.set("2027-01-28T00:20:00Z");
    world.faults.plan("TransactWriteItems", 1, Fault::exception("ValidationException"));
    let failed = nightly(&world).await;
    assert_eq!((failed.success, failed.looked_at, failed.grace_started), (false, 2, 1));
    world.clock.advance_days(1);
    assert_eq!(nightly(&world).await, EvaluateSummary { looked_at: 1, grace_started: 1, ..nothing() });
    world.prove().await;
}

#[tokio::test]
async fn a_member_who_failed_after_a_version_began_is_evaluated_the_night_after() {
    let world = World::new().await;
    for user in ["a", "b"] {
        world.earn(user, &format!("b-{user}"), "30000").await;
    }
    world.change_program(1, LOWER_SILVER).await;
    world.clock.advance(Duration::from_secs(60));
    world.faults.plan("TransactWriteItems", 1, Fault::exception("ValidationException"));
    let failed = nightly(&world).await;
    assert_eq!((failed.success, failed.upgraded), (false, 1));
    let next = nightly(&world).await;
    assert_eq!((next.success, next.upgraded), (true, 1));
    assert_eq!(nightly(&world).await, nothing());
    world.prove().await;
}

#[tokio::test]
async fn a_run_that_is_killed_and_none_for_a_year_end_as_if_it_had_run_every_night() {
    let world = Arc::new(World::new().await);
    for user in ["a", "b", "c", "d"] {
        world.earn(user, &format!("b-{user}"), "50000").await;
    }
    // Two years later: every grace has begun and ended in between, and no run has written it down.
    world.clock.set("2028-04-01T00:20:00Z");
    assert!(members(&world, "SILVER").await.is_empty(), "reads know without the evaluation");
    assert_eq!(world.points("a").await["tier"]["name"], "BRONZE");
    let arrived = Arc::new(Notify::new());
    world.faults.plan("TransactWriteItems", 1, Fault::StopAfter(arrived.clone()));
    let machine = world.clone();
    let process = tokio::spawn(async move { nightly(&machine).await });
    tests::stopped(process, &arrived).await;
    world.prove().await;
    let rest = nightly(&world).await;
    assert_eq!((rest.success, rest.remaining), (true, 0), "{rest:?}");
    assert!(
        rest.downgraded < 4,
        "what was written before the end of the process is not written again: {rest:?}"
    );
    assert_eq!(nightly(&world).await, nothing());
    for user in ["a", "b", "c", "d"] {
        let path = format!("/api/loyalty/wallets/{user}/tier-history");
        let history = world.get(&staff(), &path).await.expect(200).json();
        let dated = |at: usize| {
            let change = &history["changes"][at];
            (change["reason"].as_str().unwrap().to_owned(), change["at"].as_str().unwrap()[..10].to_owned())
        };
        assert_eq!(dated(0), ("ageing".into(), "2027-02-14".into()));
        assert_eq!(dated(1), ("grace_started".into(), "2027-01-15".into()));
        assert_eq!(history["changes"].as_array().unwrap().len(), 3);
    }
    assert_eq!(members(&world, "BRONZE").await, ["a", "b", "c", "d"]);
    world.prove().await;
}
