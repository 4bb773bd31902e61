//! Tiers follow the trailing year, grants and the program.

use serde_json::json;
use tests::loyal::backend;
use tests::{World, admin, customer, staff};

async fn tier(world: &World) -> String {
    world.points("a").await["tier"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_tier_is_lost_when_its_purchase_is_a_year_old_and_grace_is_over() {
    let world = World::new().await;
    world.clock.set("2026-03-10T10:00:00Z");
    assert_eq!(world.earn("a", "b1", "50000").await.field("/tier_change/to"), "SILVER");
    world.clock.set("2027-03-09T23:59:59Z");
    assert_eq!(world.points("a").await["progress"]["grace_ends_on"], json!(null));
    world.clock.set("2027-03-10T00:00:00Z");
    assert_eq!(world.points("a").await["progress"]["grace_ends_on"], "2027-04-08");
    world.clock.set("2027-04-08T23:59:59Z");
    assert_eq!(tier(&world).await, "SILVER");
    world.clock.set("2027-04-09T00:00:00Z");
    assert_eq!(tier(&world).await, "BRONZE");
    let earned = world.earn("a", "b2", "1000").await;
    assert_eq!(earned.field("/purchase/points"), 10, "at the lower tier, which nothing had written yet");
    let history = world.get(&customer("a"), "/api/loyalty/wallets/a/tier-history").await.expect(200);
    let reasons: Vec<_> =
        history.json()["changes"].as_array().unwrap().iter().map(|c| c["reason"].clone()).collect();
    assert_eq!(reasons, ["ageing", "grace_started", "upgrade"]);
    assert_eq!(history.field("/changes/0/at"), "2027-04-09T00:00:00.000Z");
    world.prove().await;
}

#[tokio::test]
async fn a_granted_tier_is_reached_through_its_date() {
    let world = World::new().await;
    let grant = r#"{"tier":"GOLD","until":"2026-02-01","reason":"sorry"}"#;
    world.post(&admin(), "/api/loyalty/wallets/a/tier", grant).await.expect(200);
    assert_eq!(tier(&world).await, "GOLD");
    assert_eq!(world.points("a").await["tier"]["granted_until"], "2026-02-01");
    world.clock.set("2026-02-02T00:00:00Z");
    assert_eq!(world.points("a").await["progress"]["grace_ends_on"], "2026-03-03");
    world.clock.set("2026-03-04T00:00:00Z");
    assert_eq!(tier(&world).await, "BRONZE");
    for bad in [
        r#"{"tier":"NONE","until":"2026-06-01","reason":"r"}"#,
        r#"{"tier":"GOLD","until":"2026-03-03","reason":"r"}"#,
        r#"{"tier":"GOLD","reason":"r"}"#,
    ] {
        world.post(&admin(), "/api/loyalty/wallets/a/tier", bad).await.expect_problem(400, "invalid_request");
    }
    world.prove().await;
}

#[tokio::test]
async fn a_changed_program_holds_from_its_instant_on_and_a_scheduled_one_can_be_withdrawn() {
    let world = World::new().await;
    world.earn("a", "b1", "30000").await;
    let tiers = r#""tiers":[{"name":"BRONZE","multiplier":1,"max_points_per_booking":10,"max_share":0.1},
        {"name":"SILVER","spend_12m":20000,"multiplier":2,"max_points_per_booking":10,"max_share":0.1}]"#;
    let version = world.change_program(1, &format!(r#""valid_from":"2026-02-01T00:00:00Z",{tiers}"#)).await;
    assert_eq!(version.field("/version"), 2);
    let now = r#"{"version":2,"pending_days":1}"#;
    world.patch(&admin(), "/api/loyalty/program", now).await.expect_problem(409, "version_conflict");
    assert_eq!(tier(&world).await, "BRONZE");
    world.clock.set("2026-02-01T00:00:00Z");
    assert_eq!(tier(&world).await, "SILVER");
    assert_eq!(world.earn("a", "b2", "1000").await.field("/purchase/points"), 20);
    let late = r#","occurred_at":"2026-01-20T00:00:00Z""#;
    let judged = world.try_earn("a", "b3", "1000", late).await.expect(201);
    assert_eq!(judged.field("/purchase/points"), 12, "by the rules of then: 10 at 1.25");
    world.change_program(2, r#""valid_from":"2026-03-01T00:00:00Z","pending_days":9"#).await;
    let gone = world
        .send(
            Some(&admin()),
            http::Request::delete("/api/loyalty/program/versions/3").body(axum::body::Body::empty()).unwrap(),
        )
        .await;
    gone.expect(204);
    assert_eq!(
        world.change_program(2, r#""pending_days":2"#).await.field("/version"),
        4,
        "numbers are not given twice"
    );
    world.prove().await;
}

#[tokio::test]
async fn points_move_to_another_customer_by_hand_and_the_tier_stays() {
    let world = World::new().await;
    world.give("a", 100, r#","expires_on":"2026-12-31","qualifying":true"#).await;
    let body = r#"{"to_user_id":"b","points":40,"reason":"one person"}"#;
    let path = "/api/loyalty/wallets/a/transfer";
    let moved = world.post_keyed(&backend(), "t", path, body).await.expect(201);
    assert_eq!(moved.field("/in_transaction/lots"), moved.field("/out_transaction/lots"));
    assert!(world.post_keyed(&backend(), "t", path, body).await.expect(201).is_replay());
    assert_eq!((world.standing("a").await[0], world.standing("b").await[0]), (60, 40));
    assert_eq!(world.points("a").await["lifetime_points"], 100);
    world
        .post(&backend(), path, r#"{"to_user_id":"b","points":61,"reason":"r"}"#)
        .await
        .expect_problem(402, "insufficient_points");
    let out = r#"{"direction":"out","points":70,"reason":"r","owe":true}"#;
    let taken = world.post(&admin(), "/api/loyalty/wallets/a/transactions", out).await.expect(201);
    assert_eq!((taken.field("/points"), taken.field("/owed_raised")), (json!(60), json!(10)));
    let expiring = world.get(&staff(), "/api/loyalty/wallets/b/expiring?days_ahead=365").await.expect(200);
    assert_eq!(expiring.field("/lots/0/expires_on"), "2026-12-31");
    world.prove().await;
}
