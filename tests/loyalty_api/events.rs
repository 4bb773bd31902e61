//! Events of purchases: each type, and what becomes of repetitions and contradictions.

use serde_json::{Value, json};
use tests::loyal::{backend, failed, queued, send_events};
use tests::{World, admin};

async fn purchase(world: &World, kind: &str, id: &str) -> Value {
    world.get(&admin(), &format!("/api/loyalty/purchases/{kind}/{id}")).await.expect(200).json()
}

async fn mismatches(world: &World) -> u64 {
    let alerts = world.get(&admin(), "/api/alerts").await.expect(200).json();
    let alerts = alerts["alerts"].as_array().unwrap().clone();
    let of_purchases = alerts.iter().filter(|alert| alert["kind"] == "purchase_mismatch");
    of_purchases.map(|alert| alert["count"].as_u64().unwrap()).sum()
}

fn confirmed(booking: &str, amount: f64) -> Value {
    json!({"type": "booking.confirmed", "data": {"booking_id": booking, "user_id": "a", "amount": amount}})
}

fn refunded(id: &str, data: Value) -> Value {
    let mut data = data;
    data["refund_id"] = json!(id);
    json!({"type": "payment.refunded", "data": data})
}

#[tokio::test]
async fn a_booking_and_its_payments_earn_once_and_are_found_by_each_of_their_ids() {
    let world = World::new().await;
    let campaign = r#"{"name":"c","bonus_points":1,"valid_until":"2026-01-16T00:00:00Z"}"#;
    world.post(&admin(), "/api/loyalty/campaigns", campaign).await.expect(201);
    world.clock.set("2026-01-20T00:00:00Z");
    let paid = |payment: &str| {
        json!({"type": "payment.succeeded", "data":
        {"payment_id": payment, "booking_id": "b1", "customer_id": "a", "amount": 1000, "shop": {"id": 7}}})
    };
    let events = [confirmed("b1", 1000.0), paid("p1"), paid("p1"), confirmed("b1", 1000.0), paid("p2")];
    // A process that has not read the rules yet.
    let process = world.another_machine(world.clock.clone());
    assert_eq!(send_events(&process, &events).await, queued(&[]));
    assert_eq!(world.standing("a").await, [10, 0, 0, 0]);
    for (kind, id) in [("booking", "b1"), ("payment", "p1"), ("payment", "p2")] {
        assert_eq!(purchase(&world, kind, id).await["points_kept"], 10, "{id}");
    }
    send_events(&world, &[refunded("r1", json!({"payment_id": "p2", "amount": "300"}))]).await;
    assert_eq!(purchase(&world, "booking", "b1").await["points_kept"], 7);
    send_events(&world, &[confirmed("b2", 60_000.0)]).await;
    assert_eq!(world.points("a").await["tier"]["name"], "SILVER");
    assert_eq!(mismatches(&world).await, 0);
    world.prove().await;
}

#[tokio::test]
async fn what_contradicts_an_earlier_event_is_acknowledged_with_an_alert_and_changes_nothing() {
    let world = World::new().await;
    let other_user =
        json!({"type": "booking.confirmed", "data": {"booking_id": "b1", "user_id": "b", "amount": 1000}});
    let second_booking = json!({"type": "payment.succeeded", "data":
        {"payment_id": "p1", "booking_id": "b2", "user_id": "a", "amount": 1000}});
    let paid = json!({"type": "payment.succeeded", "data":
        {"payment_id": "p1", "booking_id": "b1", "user_id": "a", "amount": 1000}});
    send_events(&world, &[confirmed("b1", 1000.0), paid]).await;
    for (count, event) in [confirmed("b1", 999.0), other_user, second_booking].into_iter().enumerate() {
        assert_eq!(send_events(&world, &[event]).await, queued(&[]));
        assert!(mismatches(&world).await > u64::try_from(count).unwrap());
    }
    send_events(&world, &[refunded("r1", json!({"booking_id": "b1", "amount": 100}))]).await;
    let before = mismatches(&world).await;
    send_events(&world, &[refunded("r1", json!({"booking_id": "b1", "amount": 101}))]).await;
    assert_eq!(mismatches(&world).await, before + 1);
    assert_eq!(world.standing("a").await, [9, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn refunds_and_cancellations_before_their_purchase_are_kept_for_it() {
    let world = World::new().await;
    let cancelled = json!({"type": "booking.cancelled", "data": {"booking_id": "b2", "user_id": "a", "amount_kept": 100}});
    let events = [
        refunded("r1", json!({"payment_id": "p1", "booking_id": "b1", "amount": 250})),
        refunded("r2", json!({"payment_id": "p1", "refunded_total": 400})),
        refunded("r3", json!({"payment_id": "p1", "amount": 600})),
        json!({"type": "payment.refund_failed", "data": {"payment_id": "p1", "refund_id": "r3"}}),
        cancelled.clone(),
    ];
    assert_eq!(send_events(&world, &events).await, queued(&[]));
    assert_eq!(send_events(&world, &events).await, queued(&[]), "again");
    assert_eq!(purchase(&world, "payment", "p1").await["status"], "PARKED");
    send_events(&world, &[confirmed("b1", 1000.0), confirmed("b2", 1000.0)]).await;
    let bought = purchase(&world, "booking", "b1").await;
    assert_eq!((&bought["points_kept"], &bought["refunded"]), (&json!(6), &json!(400.0)));
    let refunds: Vec<&Value> =
        bought["refunds"].as_array().unwrap().iter().map(|refund| &refund["refund_id"]).collect();
    assert_eq!(refunds, ["r1", "r2"]);
    assert_eq!(purchase(&world, "booking", "b2").await["points_kept"], 1);
    send_events(&world, &[cancelled]).await;
    assert_eq!(world.standing("a").await, [7, 0, 0, 0]);
    assert_eq!(mismatches(&world).await, 0);
    world.prove().await;
}

#[tokio::test]
async fn a_payment_confirms_its_redemption_also_after_a_failure_and_releases_it_when_it_fails() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let token = world.redeem("a", 50, "b1", "1000").await;
    let about = |kind: &str, amount: f64| {
        json!({"type": kind, "data": {"payment_id": "p1", "booking_id": "b1",
        "user_id": "a", "amount": amount, "redemption_token": token}})
    };
    send_events(&world, &[json!({"type": "payment.failed", "data": {"booking_id": "b1", "user_id": "a"}})])
        .await;
    assert_eq!(world.standing("a").await, [100, 0, 0, 0]);
    let paid = about("payment.succeeded", 950.0);
    assert_eq!(send_events(&world, &[paid.clone(), paid, about("payment.failed", 950.0)]).await, queued(&[]));
    assert_eq!(world.standing("a").await, [59, 0, 0, 0]);
    let all = world.redeem("a", 6, "b2", "30").await;
    let zero = json!({"type": "payment.succeeded", "data": {"payment_id": "p2", "booking_id": "b2", "user_id": "a",
        "amount": 0, "redemption_token": all}});
    send_events(&world, &[zero]).await;
    assert_eq!(world.standing("a").await, [53, 0, 0, 0]);
    let stranger = json!({"type": "payment.succeeded", "data": {"payment_id": "p3", "user_id": "b", "amount": 100,
        "redemption_token": all}});
    send_events(&world, &[stranger]).await;
    assert_eq!((world.standing("b").await, mismatches(&world).await), ([1, 0, 0, 0], 1));
    world.prove().await;
}

#[tokio::test]
async fn each_payment_earns_for_itself_if_the_program_says_so() {
    let world = World::new().await;
    world.change_program(1, r#""earn_on":"payment""#).await;
    world.clock.advance_days(1);
    let paid = |payment: &str, amount: u32| {
        json!({"type": "payment.succeeded", "data":
        {"payment_id": payment, "booking_id": "b1", "user_id": "a", "amount": amount}})
    };
    let cancelled = json!({"type": "booking.cancelled", "data": {"booking_id": "b1", "user_id": "a"}});
    let refund = refunded("r1", json!({"payment_id": "p2", "booking_id": "b1", "amount": 300}));
    send_events(&world, &[refund, confirmed("b1", 1000.0), paid("p1", 400), paid("p2", 600), cancelled])
        .await;
    assert_eq!(world.standing("a").await, [7, 0, 0, 0]);
    assert_eq!(mismatches(&world).await, 0);
    world.prove().await;
}

#[tokio::test]
async fn a_refund_whose_purchase_does_not_come_within_a_week_raises_one_alert_and_still_counts() {
    let world = World::new().await;
    let of = |refund: &str, booking: &str| refunded(refund, json!({"booking_id": booking, "amount": 100}));
    send_events(&world, &[of("r1", "b1"), of("r2", "b1"), of("r3", "b2"), of("r4", "b3")]).await;
    let failed = json!({"type": "payment.refund_failed", "data": {"booking_id": "b3", "refund_id": "r4"}});
    send_events(&world, &[confirmed("b2", 1000.0), failed]).await;
    world.clock.advance_days(6);
    assert_eq!(world.run("monitor").await["alerts_generated"], 0);
    world.clock.advance_days(1);
    assert_eq!(world.run("monitor").await["alerts_generated"], 1);
    let alerts = world.get(&admin(), "/api/alerts").await.expect(200).json()["alerts"].clone();
    assert_eq!(
        (&alerts[0]["kind"], &alerts[0]["subject"]),
        (&json!("refund_without_purchase"), &json!("b1"))
    );
    world.clock.advance_days(8);
    assert_eq!(world.run("monitor").await["alerts_generated"], 0);
    send_events(&world, &[confirmed("b1", 1000.0)]).await;
    assert_eq!(purchase(&world, "booking", "b1").await["points_kept"], 8);
    assert_eq!(world.standing("a").await, [17, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn refunds_beyond_the_purchase_count_up_to_it_with_an_alert() {
    let world = World::new().await;
    send_events(&world, &[confirmed("b1", 1000.0)]).await;
    send_events(&world, &[refunded("r1", json!({"booking_id": "b1", "amount": 5000}))]).await;
    assert_eq!(purchase(&world, "booking", "b1").await["refunded"], json!(1000.0));
    assert_eq!((world.standing("a").await, mismatches(&world).await), ([0, 0, 0, 0], 1));
    send_events(&world, &[refunded("r1", json!({"booking_id": "b1", "amount": 5000}))]).await;
    assert_eq!(mismatches(&world).await, 2, "the process may have ended before it raised the first");
    let failed = r#"{"booking_id":"b1"}"#;
    world.post(&backend(), "/api/loyalty/refunds/r1/fail", failed).await.expect(200);
    assert_eq!(world.standing("a").await, [10, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn exactly_the_messages_that_fail_come_again() {
    let world = World::new().await;
    let mut events = vec![
        confirmed("b1", 1000.0),
        json!({"type": "booking.confirmed", "data": {"booking_id": "b2", "user_id": "a", "amount": 10.001}}),
        json!({"type": "booking.confirmed", "data": {"booking_id": "b 3", "user_id": "a", "amount": 10}}),
        json!({"type": "booking.confirmed", "data": {"booking_id": "b4", "user_id": "a", "customer_id": "b", "amount": 1}}),
        json!({"type": "booking.confirmed", "data": {"booking_id": "b5", "user_id": "a", "amount": 10, "currency": "USD"}}),
        json!({"type": "payment.refunded", "data": {"payment_id": "p1", "refund_id": "r1"}}),
        json!({"type": "booking.confirmed", "data": {"booking_id": 17, "user_id": "a", "amount": 10}}),
        json!({"data": {"booking_id": "b7"}}),
        json!("not an object"),
    ];
    events.push(json!({"type": "something.else", "data": {"booking_id": 17, "user_id": {"name": "a"}}}));
    events.push(
        json!({"type": "payment.refunded", "data": {"order_id": "o1", "refund_id": "r1", "amount": 5}}),
    );
    events.push(json!({"id": "e1", "detail-type": "booking.confirmed", "time": "2026-01-10T10:00:00Z", "source": "shop",
        "detail": {"booking_id": "b8", "user_id": "a", "amount": 1000}}));
    assert_eq!(send_events(&world, &events).await, queued(&[1, 2, 3, 4, 5, 6, 7, 8]));
    assert_eq!(world.standing("a").await, [20, 0, 0, 0]);
    world.faults.plan("TransactWriteItems", 1, tests::Fault::exception("ValidationException"));
    assert_eq!(send_events(&world, &[confirmed("b9", 1000.0)]).await, queued(&[0]));
    assert_eq!(send_events(&world, &[confirmed("b9", 1000.0)]).await, queued(&[]));
    assert_eq!(failed(&world, confirmed("b9", 1000.0)).await, None, "an event of EventBridge");
    assert!(failed(&world, json!({"type": "booking.confirmed", "data": {}})).await.is_some());
    assert_eq!(world.standing("a").await, [30, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn alerts_about_purchases_close_once_they_were_acknowledged_and_are_a_day_old() {
    let world = World::new().await;
    send_events(&world, &[confirmed("b1", 1000.0), confirmed("b1", 999.0)]).await;
    send_events(&world, &[refunded("r1", json!({"booking_id": "b2", "amount": 10}))]).await;
    world.clock.advance_days(8);
    world.run("monitor").await;
    let alerts = async || {
        let listed = world.get(&admin(), "/api/alerts").await.expect(200).json();
        let of = |alert: &Value, name: &str| alert[name].as_str().unwrap().to_owned();
        let listed = listed["alerts"].as_array().unwrap().clone();
        listed.iter().map(|alert| [of(alert, "alert_id"), of(alert, "kind"), of(alert, "status")]).collect()
    };
    let open: Vec<[String; 3]> = alerts().await;
    let mut kinds: Vec<&str> = open.iter().map(|[_, kind, _]| kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["purchase_mismatch", "refund_without_purchase"]);
    for [id, _, status] in &open {
        assert_eq!(status, "open");
        world.post(&admin(), &format!("/api/alerts/{id}/acknowledge"), "").await.expect(200);
    }
    world.clock.advance_days(1);
    world.run("monitor").await;
    assert!(alerts().await.iter().all(|[_, _, status]| status == "closed"));
    world.prove().await;
}
