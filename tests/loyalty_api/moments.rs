//! What happens at one instant, late, or between two clocks.

use domain::ids::{AccountRef, CustomerId, RequestId};
use evaluate_tiers::{EvaluateEvent, evaluate};
use expire_credits::{SweepEvent, sweep};
use futures::future::join_all;
use serde_json::{Value, json};
use std::sync::Arc;
use tests::loyal::{backend, queued, send_events};
use tests::{Answer, ManualClock, World, admin, customer, staff};

async fn changes(world: &World, user: &str) -> Value {
    let path = format!("/api/loyalty/wallets/{user}/tier-history");
    world.get(&staff(), &path).await.expect(200).json()["changes"].clone()
}

async fn reasons(world: &World, user: &str) -> Vec<Value> {
    let changes = changes(world, user).await;
    changes.as_array().unwrap().iter().map(|change| change["reason"].clone()).collect()
}

async fn night(world: &World) {
    let event = EvaluateEvent::default();
    let work = evaluate(&world.app, &event, RequestId::new("evaluation"));
    tests::uses::by("evaluate-tiers", work).await.unwrap();
}

/// Repeats a request as long as it meets others.
async fn at_last(request: impl AsyncFn() -> Answer) -> Answer {
    loop {
        let answer = request().await;
        if answer.status != 503 {
            return answer;
        }
    }
}

#[tokio::test]
async fn an_activation_and_a_refund_at_once_leave_the_same_points() {
    for _ in 0..8 {
        let world = World::new().await;
        world.change_program(1, r#""pending_days":1"#).await;
        world.earn("a", "b1", "1000").await;
        let late = world.another_machine(ManualClock::at("2026-01-16T00:20:00Z"));
        let refund = at_last(async || world.try_refund("b1", "r1", r#""amount":500"#).await);
        let event = SweepEvent { limit: 100 };
        let work = tests::uses::by("expire-credits", sweep(&late.app, &event, RequestId::new("s")));
        let (refunded, swept) = tokio::join!(refund, work);
        refunded.expect(201);
        drop(swept);
        assert_eq!(late.standing("a").await, [5, 0, 0, 0]);
        late.prove().await;
    }
}

#[tokio::test]
async fn a_late_purchase_lifts_at_once_the_tier_that_it_would_have_held() {
    let world = World::new().await;
    world.clock.set("2026-03-10T10:00:00Z");
    world.earn("a", "b1", "50000").await;
    world.clock.set("2027-04-10T10:00:00Z");
    let late = r#","occurred_at":"2027-04-05T10:00:00Z""#;
    let earned = world.try_earn("a", "b2", "50000", late).await.expect(201);
    assert_eq!(earned.field("/purchase/points"), 500, "earned as BRONZE");
    assert_eq!(world.points("a").await["tier"]["name"], "SILVER");
    assert_eq!(reasons(&world, "a").await, ["upgrade", "ageing", "grace_started", "upgrade"]);
    assert_eq!(changes(&world, "a").await[1]["at"], "2027-04-09T00:00:00.000Z");
    world.prove().await;
}

#[tokio::test]
async fn at_the_instant_of_its_fall_a_purchase_earns_as_the_lower_tier_and_lifts_it_in_one_transaction() {
    let world = World::new().await;
    world.clock.set("2026-03-10T10:00:00Z");
    world.earn("a", "b1", "50000").await;
    world.clock.set("2027-04-09T00:00:00Z");
    world.faults.take_log();
    assert_eq!(world.earn("a", "b2", "50000").await.field("/purchase/points"), 500);
    let sent = world.faults.take_log();
    assert_eq!(sent.iter().filter(|(operation, _)| operation == "TransactWriteItems").count(), 1);
    assert_eq!(reasons(&world, "a").await, ["upgrade", "ageing", "grace_started", "upgrade"]);
    world.prove().await;
}

#[tokio::test]
async fn a_refund_takes_the_spend_off_the_date_of_its_purchase_and_grace_begins_today() {
    let world = World::new().await;
    world.earn("a", "b1", "50000").await;
    world.clock.set("2026-02-20T10:00:00Z");
    world.earn("a", "b2", "50000").await;
    world.clock.set("2027-01-20T10:00:00Z");
    world.refund_booking("b2", "r1", r#""amount":50000"#).await;
    let points = world.points("a").await;
    assert_eq!(
        (&points["tier"]["name"], &points["progress"]["grace_ends_on"]),
        (&json!("SILVER"), &json!("2027-02-18"))
    );
    let path = "/api/loyalty/wallets/a/transactions?limit=1";
    let newest = world.get(&staff(), path).await.expect(200).json()["transactions"][0].clone();
    assert_eq!((&newest["type"], &newest["spend"]["date"]), (&json!("REVERSAL"), &json!("2026-02-20")));
    world.prove().await;
}

#[tokio::test]
async fn an_earning_and_the_evaluation_of_the_same_customer_at_once_end_alike() {
    let world = World::new().await;
    world.clock.set("2026-03-10T10:00:00Z");
    world.earn("a", "b1", "50000").await;
    world.clock.set("2027-04-09T00:20:00Z");
    let earning = at_last(async || world.try_earn("a", "b2", "1000", "").await);
    let (earned, ()) = tokio::join!(earning, night(&world));
    assert_eq!(earned.expect(201).field("/purchase/points"), 10);
    assert_eq!(reasons(&world, "a").await, ["ageing", "grace_started", "upgrade"]);
    night(&world).await;
    assert_eq!(reasons(&world, "a").await.len(), 3);
    world.prove().await;
}

#[tokio::test]
async fn a_machine_whose_clock_is_behind_sees_what_another_has_activated() {
    let world = World::new().await;
    world.change_program(1, r#""pending_days":1"#).await;
    world.earn("a", "b1", "1000").await;
    world.clock.set("2026-01-15T23:57:00Z");
    assert_eq!(world.standing("a").await, [0, 0, 10, 0]);
    let ahead = world.another_machine(ManualClock::at("2026-01-16T00:02:00Z"));
    ahead.give("a", 1, "").await;
    assert_eq!(world.standing("a").await, [11, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_purchase_is_at_most_five_minutes_ahead_and_four_hundred_days_old() {
    let world = World::new().await;
    let at = |text: &str| format!(r#","occurred_at":"{text}""#);
    let ahead = world.try_earn("a", "b1", "1000", &at("2026-01-15T10:05:00Z")).await.expect(201);
    assert_eq!(ahead.text("/purchase/occurred_at"), "2026-01-15T10:00:00.000Z");
    for (booking, text) in [("b2", "2026-01-15T10:05:00.001Z"), ("b3", "2024-12-10T09:00:00Z")] {
        let refused = world.try_earn("a", booking, "1000", &at(text)).await.expect(400);
        assert_eq!(refused.offending(), ["/occurred_at"], "{text}");
    }
    world.prove().await;
}

#[tokio::test]
async fn confirmations_releases_and_a_time_out_of_one_lock_have_one_winner() {
    for round in 0..6 {
        let world = Arc::new(World::new().await);
        world.give("a", 100, "").await;
        let token = world.redeem("a", 60, "b1", "1000").await;
        let late = Arc::new(world.another_machine(ManualClock::at("2026-01-15T10:15:00Z")));
        let closing = (0..16).map(|n| {
            let machine = if round % 2 == 1 && n % 2 == 1 { &late } else { &world };
            let how = if n % 3 == 0 { "release" } else { "confirm" };
            machine.close(&token, how, "{}")
        });
        let answers = join_all(closing).await;
        assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409 | 503)));
        let standing = late.standing("a").await;
        assert!([[40, 0, 0, 0], [100, 0, 0, 0]].contains(&standing), "{standing:?}");
        let types = late.point_types("a").await;
        assert_eq!(
            types.iter().filter(|kind| ["BURN", "RELEASE"].contains(&kind.as_str())).count(),
            1,
            "{types:?}"
        );
        late.prove().await;
    }
}

#[tokio::test]
async fn at_most_twenty_locks_are_open() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    for n in 0..20 {
        world.redeem("a", 1, &format!("b{n}"), "100").await;
    }
    world.try_redeem("a", 1, "b20", "100").await.expect_problem(409, "too_many_holds");
    world.prove().await;
}

#[tokio::test]
async fn what_the_owner_released_is_confirmed_late_only_and_at_its_old_value() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let token = world.redeem("a", 20, "b1", "100").await;
    let path = format!("/api/loyalty/redemptions/{token}/release");
    world.post(&customer("a"), &path, "{}").await.expect(200);
    world.change_program(1, r#""point_value":0.5"#).await;
    // Another lock has timed out meanwhile: a repetition gets the first answer all the same.
    let released = world.post(&customer("a"), &path, "{}").await.expect(200);
    world.redeem("a", 10, "b2", "100").await;
    world.clock.advance(std::time::Duration::from_secs(900));
    let again = world.post(&customer("a"), &path, "{}").await.expect(200);
    assert!(again.is_replay() && again.body == released.body);
    world.close(&token, "confirm", "{}").await.expect_problem(409, "redemption_closed");
    let late = world.close(&token, "confirm", r#"{"late":true}"#).await.expect(200);
    assert_eq!(late.raw("points_value"), "20.00");
    world.prove().await;
}

#[tokio::test]
async fn a_late_confirmation_releases_an_open_lock_of_its_booking_and_is_refused_by_a_confirmed_one() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let mut first = vec![];
    for (booking, how) in [("b1", "leave"), ("b2", "confirm")] {
        let token = world.redeem("a", 10, booking, "100").await;
        world.clock.advance(std::time::Duration::from_secs(900));
        let other = world.redeem("a", 20, booking, "100").await;
        if how == "confirm" {
            world.close(&other, how, "{}").await.expect(200);
        }
        first.push((token, other));
    }
    let (token, other) = &first[0];
    world.close(token, "confirm", r#"{"late":true}"#).await.expect(200);
    let path = format!("/api/loyalty/redemptions/{other}");
    assert_eq!(world.get(&staff(), &path).await.expect(200).field("/status"), "EXPIRED");
    let (token, _) = &first[1];
    let before = world.standing("a").await;
    let refused = world.close(token, "confirm", r#"{"late":true}"#).await;
    refused.expect_problem(409, "booking_has_redemption");
    let paid = json!({"type": "payment.succeeded", "data":
        {"payment_id": "p1", "user_id": "a", "amount": 0, "redemption_token": token}});
    assert_eq!(send_events(&world, &[paid]).await, queued(&[]));
    assert_eq!(world.standing("a").await, before);
    let alerts = world.get(&admin(), "/api/alerts").await.expect(200).json();
    assert_eq!(alerts["alerts"][0]["kind"], "purchase_mismatch");
    world.prove().await;
}

#[tokio::test]
async fn frozen_points_receive_confirm_and_release_and_lock_nothing() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let (first, second) =
        (world.redeem("a", 10, "b1", "100").await, world.redeem("a", 10, "b2", "100").await);
    world.earn("a", "b3", "1000").await;
    world.post(&admin(), "/api/loyalty/wallets/a/freeze", r#"{"reason":"r"}"#).await.expect(200);
    world.earn("a", "b4", "1000").await;
    world.close(&first, "confirm", "{}").await.expect(200);
    world.close(&second, "release", "{}").await.expect(200);
    world.refund_booking("b3", "r1", r#""amount":1000"#).await;
    world.try_redeem("a", 10, "b5", "100").await.expect_problem(409, "account_frozen");
    assert_eq!(world.standing("a").await, [100, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_change_of_campaigns_refuses_a_quote_that_it_touches_and_an_old_date_is_judged_as_then() {
    let world = World::new().await;
    let double = r#"{"name":"c","multiplier":2,"valid_until":"2026-03-01T00:00:00Z"}"#;
    let campaign =
        world.post(&admin(), "/api/loyalty/campaigns", double).await.expect(201).text("/campaign_id");
    let body = r#"{"user_id":"a","amount":1000}"#;
    let simulated = world.post(&backend(), "/api/loyalty/simulate", body).await.expect(200);
    let quote = format!(r#","quote":"{}""#, simulated.text("/quote"));
    let gold = r#"{"name":"g","multiplier":3,"tiers":["GOLD"],"valid_until":"2026-03-01T00:00:00Z"}"#;
    world.post(&admin(), "/api/loyalty/campaigns", gold).await.expect(201);
    assert_eq!(world.try_earn("a", "b1", "1000", &quote).await.expect(201).field("/purchase/points"), 20);
    world.clock.advance(std::time::Duration::from_secs(60));
    world.post(&admin(), &format!("/api/loyalty/campaigns/{campaign}/stop"), "{}").await.expect(200);
    world.try_earn("a", "b2", "1000", &quote).await.expect_problem(409, "rules_changed");
    let dated = r#","occurred_at":"2026-01-15T10:00:30Z""#;
    assert_eq!(world.try_earn("a", "b2", "1000", dated).await.expect(201).field("/purchase/points"), 20);
    world.prove().await;
}

#[tokio::test]
async fn the_account_of_a_customer_who_buys_two_thousand_times_in_a_month_stays_small() {
    let world = World::new().await;
    for day in 0..30_u32 {
        for batch in 0..7_u32 {
            let messages: Vec<Value> = (0..10)
                .map(|n| {
                    let booking = format!("b-{day}-{batch}-{n}");
                    json!({"type": "booking.confirmed", "data": {"booking_id": booking, "user_id": "a", "amount": 100}})
                })
                .collect();
            assert_eq!(send_events(&world, &messages).await, queued(&[]));
        }
        world.clock.advance_days(1);
    }
    let key = store::keys::account(&AccountRef::points(&CustomerId::parse("a").unwrap()));
    let get = world.raw().get_item().table_name(world.app.store.table()).set_key(Some(key.attributes()));
    let item = get.send().await.unwrap().item.unwrap();
    let spend = item["spend"].as_m().unwrap();
    assert_eq!(spend.len(), 30, "one date of each day");
    assert!(item["lots"].as_l().unwrap().len() <= 30, "lots by date");
    let size = format!("{item:?}").len();
    assert!(size < 16_000, "{size} characters");
    let points = world.points("a").await;
    assert_eq!(points["available"], 2100, "{points}");
    world.prove().await;
}
