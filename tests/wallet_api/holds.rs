//! Holds: placed, captured, released and expired.

use crate::wallet_api::orders;
use std::time::Duration;
use tests::{Answer, Caller, World, admin, customer, service, staff};

async fn place(world: &World, caller: &Caller, body: &str) -> String {
    world.post(caller, "/api/wallet/a/holds", body).await.expect(201).text("/hold_id")
}

async fn capture(world: &World, caller: &Caller, hold: &str, body: &str) -> Answer {
    world.post(caller, &format!("/api/wallet/holds/{hold}/capture"), body).await
}

async fn release(world: &World, caller: &Caller, hold: &str) -> Answer {
    world.post(caller, &format!("/api/wallet/holds/{hold}/release"), "").await
}

fn state(answer: &Answer) -> String {
    ["status", "captured", "released", "remaining"].map(|name| answer.raw(name).replace('"', "")).join(" ")
}

#[tokio::test]
async fn a_hold_lowers_available_at_once_and_leaves_the_balance() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let body = r#"{"amount":60.5}"#;
    let answer = world.post_keyed(&customer("a"), "k", "/api/wallet/a/holds", body).await.expect(201);
    insta::assert_json_snapshot!(answer.json());
    assert_eq!(world.balances("a").await, ("100.00".into(), "39.50".into(), "60.50".into()));
    let read = world.get(&customer("a"), answer.header("location").unwrap()).await.expect(200);
    assert_eq!(read.body, answer.body);
    world.prove().await;
}

#[tokio::test]
async fn a_hold_is_captured_in_parts_and_a_final_capture_gives_back_the_rest() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let hold = place(&world, &customer("a"), r#"{"amount":60}"#).await;
    let first = capture(&world, &customer("a"), &hold, r#"{"amount":10,"final":false}"#).await.expect(200);
    assert_eq!(state(&first), "open 10.00 0.00 50.00");
    let last = capture(&world, &customer("a"), &hold, r#"{"amount":20}"#).await.expect(200);
    assert_eq!(state(&last), "captured 30.00 30.00 0.00");
    assert_eq!(last.field("/transactions").as_array().unwrap().len(), 4);
    assert_eq!(world.balances("a").await, ("70.00".into(), "70.00".into(), "0.00".into()));
    assert_eq!(world.types("a").await, ["CREDIT", "HOLD", "CAPTURE", "CAPTURE", "RELEASE"]);
    capture(&world, &customer("a"), &hold, "").await.expect_problem(409, "hold_closed");
    release(&world, &customer("a"), &hold).await.expect_problem(409, "hold_closed");
    world.prove().await;
}

#[tokio::test]
async fn a_hold_that_is_released_gives_back_all_that_remains() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let hold = place(&world, &service("wallet:hold"), r#"{"amount":60}"#).await;
    let released = release(&world, &service("wallet:hold"), &hold).await.expect(200);
    assert_eq!(state(&released), "released 0.00 60.00 0.00");
    world.expect_available("a", "100.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_hold_ends_by_itself_at_its_due_time_though_no_job_has_run() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let hold = place(&world, &customer("a"), r#"{"amount":60,"expires_in_seconds":60}"#).await;
    world.clock.advance(Duration::from_millis(59_999));
    world.expect_available("a", "40.00").await;
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.balances("a").await, ("100.00".into(), "100.00".into(), "0.00".into()));
    let read = world.get(&customer("a"), &format!("/api/wallet/holds/{hold}")).await.expect(200);
    assert_eq!(state(&read), "expired 0.00 60.00 0.00");
    capture(&world, &customer("a"), &hold, "").await.expect_problem(409, "hold_expired");
    world.post(&customer("a"), "/api/wallet/a/deduct-credits", r#"{"amount":100}"#).await.expect(201);
    assert_eq!(world.types("a").await, ["CREDIT", "HOLD", "RELEASE", "DEBIT"]);
    let written = world.get(&customer("a"), &format!("/api/wallet/holds/{hold}")).await.expect(200);
    assert_eq!(written.body, read.body, "reading a due hold shows the same before and after it is settled");
    world.prove().await;
}

#[tokio::test]
async fn a_capture_succeeds_after_the_lots_dates_and_a_release_then_expires_at_once() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    world.credit("a", "100", "promotion", "2026-01-16").await;
    let (kept, back) = (
        place(&world, &customer("a"), r#"{"amount":30}"#).await,
        place(&world, &customer("a"), r#"{"amount":50}"#).await,
    );
    world.clock.advance_days(3);
    assert_eq!(world.balances("a").await, ("80.00".into(), "0.00".into(), "80.00".into()));
    capture(&world, &customer("a"), &kept, "").await.expect(200);
    release(&world, &customer("a"), &back).await.expect(200);
    assert_eq!(world.balances("a").await, ("0.00".into(), "0.00".into(), "0.00".into()));
    assert_eq!(world.types("a").await, ["CREDIT", "HOLD", "HOLD", "EXPIRY", "CAPTURE", "RELEASE", "EXPIRY"]);
    world.prove().await;
}

#[tokio::test]
async fn no_more_than_twenty_holds_are_open_at_once() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let mut last = String::new();
    for _ in 0..20 {
        last = place(&world, &customer("a"), r#"{"amount":1}"#).await;
    }
    let more = world.post(&customer("a"), "/api/wallet/a/holds", r#"{"amount":1}"#).await;
    more.expect_problem(409, "too_many_holds");
    release(&world, &customer("a"), &last).await.expect(200);
    place(&world, &customer("a"), r#"{"amount":1}"#).await;
    // When all of them expire together, they are settled together, and one debit still succeeds.
    world.clock.advance_days(8);
    world.post(&customer("a"), "/api/wallet/a/deduct-credits", r#"{"amount":100}"#).await.expect(201);
    world.prove().await;
}

#[tokio::test]
async fn only_the_side_that_placed_a_hold_or_staff_may_close_it() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let owners = place(&world, &customer("a"), r#"{"amount":10}"#).await;
    let services = place(&world, &service("wallet:hold"), r#"{"amount":10}"#).await;
    let staffs = place(&world, &staff(), r#"{"amount":10}"#).await;
    for (hold, caller) in [
        (&owners, service("wallet:hold")),
        (&services, customer("a")),
        (&staffs, customer("a")),
        (&staffs, service("wallet:hold")),
    ] {
        capture(&world, &caller, hold, "").await.expect_problem(403, "forbidden");
        release(&world, &caller, hold).await.expect_problem(403, "forbidden");
    }
    capture(&world, &staff(), &owners, "").await.expect(200);
    capture(&world, &admin(), &services, "").await.expect(200);
    world.prove().await;
}

#[tokio::test]
async fn a_strangers_hold_and_what_is_no_hold_are_not_found() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let hold = place(&world, &customer("a"), r#"{"amount":10}"#).await;
    let mut other = hold.clone();
    other.replace_range(other.len() - 1.., if other.ends_with('0') { "1" } else { "0" });
    for (caller, id) in
        [(customer("b"), hold.as_str()), (customer("a"), &other), (staff(), "hold_x"), (staff(), "x")]
    {
        world.get(&caller, &format!("/api/wallet/holds/{id}")).await.expect_problem(404, "hold_not_found");
        capture(&world, &caller, id, "").await.expect_problem(404, "hold_not_found");
        release(&world, &caller, id).await.expect_problem(404, "hold_not_found");
    }
    world.prove().await;
}

#[tokio::test]
async fn a_hold_for_an_order_pays_it_when_captured() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let hold = place(&world, &service("wallet:hold"), r#"{"amount":60,"order_id":"o"}"#).await;
    let paid = capture(&world, &service("wallet:hold"), &hold, r#"{"amount":45}"#).await.expect(200);
    assert_eq!(paid.text("/order_id"), "o");
    // Without a key it was the order's only payment: a repetition by any caller and any operation is a
    // replay.
    let again = capture(&world, &service("wallet:hold"), &hold, r#"{"amount":45}"#).await.expect(200);
    assert!(again.is_replay() && again.body == paid.body);
    capture(&world, &service("wallet:hold"), &hold, r#"{"amount":44}"#)
        .await
        .expect_problem(409, "order_already_paid");
    orders::pay(&world, "a", "o", "44").await.expect_problem(409, "order_already_paid");
    let debit = orders::pay(&world, "a", "o", "45").await.expect(201);
    assert!(debit.is_replay() && debit.text("/type") == "CAPTURE");
    world.post(&admin(), "/api/wallet/a/refund", r#"{"amount":45,"order_id":"o"}"#).await.expect(201);
    world.expect_available("a", "100.00").await;
    world.prove().await;
}

#[tokio::test]
async fn a_capture_of_all_that_remains_is_replayed_when_nothing_remains() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let hold = place(&world, &service("wallet:hold"), r#"{"amount":60,"order_id":"o"}"#).await;
    let (path, part) = (format!("/api/wallet/holds/{hold}/capture"), r#"{"amount":20,"final":false}"#);
    world.post_keyed(&service("wallet:hold"), "part", &path, part).await.expect(200);
    let rest = capture(&world, &service("wallet:hold"), &hold, "").await.expect(200);
    let again = capture(&world, &service("wallet:hold"), &hold, "").await.expect(200);
    assert!(again.is_replay() && again.body == rest.body);
    assert_eq!(state(&rest), "captured 60.00 0.00 0.00");
    world.prove().await;
}

#[tokio::test]
async fn a_capture_is_answered_only_by_a_capture_of_its_own_hold() {
    let world = World::new().await;
    world.open_wallet("a", "500").await;
    let shop = service("wallet:hold");
    // The order was paid by a debit, which is not a capture of this hold.
    let hold = place(&world, &shop, r#"{"amount":40,"order_id":"o"}"#).await;
    orders::pay(&world, "a", "o", "40").await.expect(201);
    capture(&world, &shop, &hold, "").await.expect_problem(409, "order_already_paid");
    capture(&world, &shop, &hold, r#"{"amount":40}"#).await.expect_problem(409, "order_already_paid");
    // The capture of another hold is not a capture of this hold either.
    let body = r#"{"amount":80,"order_id":"p"}"#;
    let (one, two) = (place(&world, &shop, body).await, place(&world, &shop, body).await);
    capture(&world, &shop, &one, r#"{"amount":40}"#).await.expect(200);
    capture(&world, &shop, &two, r#"{"amount":40}"#).await.expect_problem(409, "order_already_paid");
    // Nor does a partial capture of this hold answer a request to capture everything that remains.
    let hold = place(&world, &shop, r#"{"amount":80,"order_id":"q"}"#).await;
    capture(&world, &shop, &hold, r#"{"amount":30,"final":false}"#).await.expect(200);
    capture(&world, &shop, &hold, "").await.expect_problem(409, "order_already_paid");
    world.prove().await;
}

#[tokio::test]
async fn a_hold_that_is_captured_very_often_stays_an_item() {
    let world = World::new().await;
    world.open_wallet("a", "100").await;
    let hold = place(&world, &customer("a"), r#"{"amount":60}"#).await;
    for _ in 0..130 {
        capture(&world, &customer("a"), &hold, r#"{"amount":0.01,"final":false}"#).await.expect(200);
    }
    let read = world.get(&customer("a"), &format!("/api/wallet/holds/{hold}")).await.expect(200);
    let named = read.field("/transactions");
    assert_eq!(
        (named.as_array().unwrap().len(), named[0].as_str().unwrap().starts_with("txn_2_")),
        (100, true)
    );
    assert_eq!(state(&read), "open 1.30 0.00 58.70");
    world.prove().await;
}
