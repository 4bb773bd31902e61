//! Purchases earn points.

use serde_json::json;
use tests::loyal::backend;
use tests::{World, admin, customer, staff};

#[tokio::test]
async fn a_purchase_earns_once_and_every_repetition_gets_the_first_answer() {
    let world = World::new().await;
    assert_eq!(world.points("a").await["created_at"], json!(null), "nothing was written yet");
    let first = world.earn("a", "b1", "10999").await;
    assert_eq!(first.field("/purchase/points"), 109);
    assert_eq!(first.field("/transaction/type"), "EARN");
    assert_eq!(first.field("/transaction/points_value"), json!(109.0));
    assert_eq!(first.field("/transaction/spend/amount"), json!(10999.0));
    assert_eq!(first.field("/purchase/status"), "EARNED");
    assert_eq!(first.header("location"), Some("/api/loyalty/purchases/booking/b1"));
    world.clock.advance_days(1);
    world.refund_booking("b1", "r1", r#""amount":999"#).await;
    let again = world.earn("a", "b1", "10999").await;
    assert!(again.is_replay() && again.body == first.body, "{}\n{}", first.body, again.body);
    world.try_earn("a", "b1", "10998", "").await.expect_problem(409, "purchase_exists");
    world.try_earn("b", "b1", "10999", "").await.expect_problem(409, "purchase_exists");
    let purchase = world.get(&customer("a"), "/api/loyalty/purchases/booking/b1").await.expect(200);
    assert_eq!(purchase.field("/points_kept"), 100);
    world
        .get(&customer("b"), "/api/loyalty/purchases/booking/b1")
        .await
        .expect_problem(404, "purchase_not_found");
    let transaction = first.text("/transaction/id");
    let path = format!("/api/loyalty/wallets/a/transactions/{transaction}");
    assert_eq!(world.get(&staff(), &path).await.expect(200).json(), first.json()["transaction"]);
    world.prove().await;
}

#[tokio::test]
async fn what_is_simulated_is_earned_and_a_quote_that_no_longer_holds_is_refused() {
    let world = World::new().await;
    let body = r#"{"user_id":"a","amount":25000}"#;
    let simulated = world.post(&customer("a"), "/api/loyalty/simulate", body).await.expect(200);
    let quote = simulated.text("/quote");
    let earned = world.try_earn("a", "b1", "25000", &format!(r#","quote":"{quote}""#)).await.expect(201);
    assert_eq!(earned.field("/purchase/points"), simulated.field("/points"));
    assert_eq!(earned.field("/purchase/explanation"), simulated.field("/explanation"));
    let campaign = r#"{"name":"double","multiplier":2,"valid_until":"2026-02-01T00:00:00Z"}"#;
    world.post(&admin(), "/api/loyalty/campaigns", campaign).await.expect(201);
    let more = format!(r#","quote":"{quote}""#);
    world.try_earn("a", "b2", "25000", &more).await.expect_problem(409, "rules_changed");
    assert_eq!(
        world.earn("a", "b2", "24999").await.field("/purchase/points"),
        499,
        "249.99 twice, rounded once"
    );
    assert_eq!(world.points("a").await["tier"]["name"], "BRONZE");
    let risen = world.earn("a", "b3", "1").await;
    assert_eq!(risen.field("/tier_change"), json!({"from": "BRONZE", "to": "SILVER"}));
    world.prove().await;
}

#[tokio::test]
async fn a_booking_and_its_payment_are_one_purchase() {
    let world = World::new().await;
    let path = "/api/loyalty/wallets/a/earn";
    let pay = r#"{"payment_id":"p1","amount":1000}"#;
    let first = world.post(&backend(), path, pay).await.expect(201);
    let both = r#"{"booking_id":"b1","payment_id":"p1","amount":1000}"#;
    let again = world.post(&backend(), path, both).await.expect(201);
    assert!(again.is_replay());
    assert_eq!(again.field("/transaction"), first.field("/transaction"));
    assert_eq!(world.standing("a").await, [10, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn points_are_pending_then_available_then_expired() {
    let world = World::new().await;
    world.change_program(1, r#""pending_days":3,"expiry":{"policy":"rolling","days":10}"#).await;
    let earned = world.earn("a", "b1", "1000").await;
    assert_eq!(earned.field("/purchase/available_on"), "2026-01-18");
    assert_eq!(earned.field("/purchase/expires_on"), "2026-01-25");
    assert_eq!(world.standing("a").await, [0, 0, 10, 0]);
    world.clock.set("2026-01-18T00:00:00Z");
    assert_eq!(world.standing("a").await, [10, 0, 0, 0]);
    world.clock.set("2026-01-26T00:00:00Z");
    assert_eq!(world.standing("a").await, [0, 0, 0, 0]);
    assert_eq!(world.point_types("a").await, ["EARN", "ACTIVATION", "EXPIRY"]);
    assert_eq!(world.points("a").await["total_expired"], 10);
    world.prove().await;
}

#[tokio::test]
async fn whichever_id_of_a_purchase_comes_again_finds_it() {
    let world = World::new().await;
    let earn = |booking: &str, payment: &str| {
        let ids = [("booking_id", booking), ("payment_id", payment)]
            .map(|(name, id)| if id.is_empty() { String::new() } else { format!(r#""{name}":"{id}","#) });
        format!(r#"{{{}"amount":1000}}"#, ids.concat())
    };
    let post = async |body: String| world.post(&backend(), "/api/loyalty/wallets/a/earn", &body).await;
    post(earn("", "p1")).await.expect(201);
    assert!(post(earn("b1", "p1")).await.expect(201).is_replay());
    assert!(post(earn("b1", "")).await.expect(201).is_replay());
    post(earn("b2", "")).await.expect(201);
    assert!(post(earn("b2", "p2")).await.expect(201).is_replay());
    assert!(post(earn("", "p2")).await.expect(201).is_replay());
    post(earn("b3", "p2")).await.expect_problem(409, "purchase_exists");
    post(earn("b2", "p1")).await.expect_problem(409, "purchase_exists");
    assert_eq!(world.standing("a").await[0], 20);
    world.prove().await;
}
