//! Events that come twice at once, before others, late, or in a currency without a rate.

use futures::future::join_all;
use serde_json::{Value, json};
use tests::loyal::{queued, send_events};
use tests::{World, admin};

async fn purchase(world: &World, kind: &str, id: &str) -> Value {
    world.get(&admin(), &format!("/api/loyalty/purchases/{kind}/{id}")).await.expect(200).json()
}

async fn alerts(world: &World) -> usize {
    world.get(&admin(), "/api/alerts").await.expect(200).json()["alerts"].as_array().unwrap().len()
}

fn event(kind: &str, data: Value) -> Value {
    json!({"type": kind, "data": data})
}

fn confirmed(booking: &str, amount: u32) -> Value {
    json!({"type": "booking.confirmed", "data": {"booking_id": booking, "user_id": "a", "amount": amount}})
}

async fn apply(world: &World, message: Value) {
    assert_eq!(send_events(world, std::slice::from_ref(&message)).await, queued(&[]), "{message}");
}

#[tokio::test]
async fn forty_events_of_a_booking_and_its_payment_at_once_earn_once_without_an_alert() {
    let world = World::new().await;
    let paid = json!({"type": "payment.succeeded", "data":
        {"payment_id": "p1", "booking_id": "b1", "user_id": "a", "amount": 1000}});
    let sent = (0..40).map(|n| {
        let (world, message) = (&world, if n % 2 == 0 { confirmed("b1", 1000) } else { paid.clone() });
        async move { while send_events(world, std::slice::from_ref(&message)).await != queued(&[]) {} }
    });
    join_all(sent).await;
    assert_eq!(world.point_types("a").await, ["EARN"]);
    assert_eq!(world.standing("a").await, [10, 0, 0, 0]);
    for (kind, id) in [("booking", "b1"), ("payment", "p1")] {
        assert_eq!(purchase(&world, kind, id).await["points_kept"], 10, "{id}");
    }
    assert_eq!(alerts(&world).await, 0);
    world.prove().await;
}

#[tokio::test]
async fn a_payment_of_another_amount_than_its_booking_raises_an_alert_and_earns_nothing() {
    let world = World::new().await;
    apply(&world, confirmed("b1", 1000)).await;
    let part = json!({"payment_id": "p9", "booking_id": "b1", "user_id": "a", "amount": 400});
    apply(&world, json!({"type": "payment.succeeded", "data": part})).await;
    assert_eq!((world.standing("a").await, alerts(&world).await), ([10, 0, 0, 0], 1));
    world.prove().await;
}

#[tokio::test]
async fn a_booking_that_names_a_payment_reported_before_is_that_purchase() {
    let world = World::new().await;
    let data = json!({"payment_id": "p1", "user_id": "a", "amount": 1000});
    apply(&world, json!({"type": "payment.succeeded", "data": data})).await;
    let data = json!({"booking_id": "b1", "payment_id": "p1", "user_id": "a", "amount": 1000});
    apply(&world, json!({"type": "booking.confirmed", "data": data})).await;
    assert_eq!(world.point_types("a").await, ["EARN"]);
    assert_eq!(purchase(&world, "booking", "b1").await["kind"], "payment");
    assert_eq!(alerts(&world).await, 0);
    world.prove().await;
}

#[tokio::test]
async fn what_was_reported_before_a_purchase_is_taken_off_in_its_transaction() {
    let world = World::new().await;
    let refund = json!({"booking_id": "b1", "refund_id": "r1", "amount": 500});
    apply(&world, json!({"type": "payment.refunded", "data": refund})).await;
    world.faults.take_log();
    apply(&world, confirmed("b1", 1000)).await;
    let sent = world.faults.take_log();
    assert_eq!(sent.iter().filter(|(operation, _)| operation == "TransactWriteItems").count(), 1);
    assert_eq!(world.point_types("a").await, ["EARN", "REVERSAL"]);
    world.prove().await;
}

#[tokio::test]
async fn a_booking_that_is_cancelled_before_it_is_confirmed_locks_no_points_and_keeps_none() {
    let world = World::new().await;
    let cancelled = json!({"booking_id": "b1", "user_id": "a"});
    apply(&world, json!({"type": "booking.cancelled", "data": cancelled})).await;
    world.give("a", 50, "").await;
    world.try_redeem("a", 10, "b1", "1000").await.expect_problem(409, "booking_cancelled");
    apply(&world, confirmed("b1", 1000)).await;
    assert_eq!(world.standing("a").await, [50, 0, 0, 0]);
    assert_eq!(world.point_types("a").await, ["ADJUST_IN", "EARN", "REVERSAL"]);
    let read = purchase(&world, "booking", "b1").await;
    assert_eq!((&read["status"], &read["points_kept"]), (&json!("REVERSED"), &json!(0)));
    world.prove().await;
}

#[tokio::test]
async fn a_refund_of_the_payment_alone_counts_for_the_booking_that_an_earlier_refund_named_with_it() {
    let world = World::new().await;
    let refund = |data: Value| json!({"type": "payment.refunded", "data": data});
    apply(&world, refund(json!({"booking_id": "b1", "payment_id": "p1", "refund_id": "r1", "amount": 100})))
        .await;
    apply(&world, confirmed("b1", 1000)).await;
    apply(&world, refund(json!({"payment_id": "p1", "refund_id": "r2", "amount": 200}))).await;
    for (kind, id) in [("booking", "b1"), ("payment", "p1")] {
        let read = purchase(&world, kind, id).await;
        assert_eq!((&read["points_kept"], &read["refunded"]), (&json!(7), &json!(300.0)), "{id}");
    }
    world.prove().await;
}

#[tokio::test]
async fn a_campaign_that_has_ended_counts_for_a_purchase_of_before_its_end() {
    let world = World::new().await;
    let campaign = r#"{"name":"c","multiplier":2,"valid_until":"2026-01-20T12:00:00Z"}"#;
    world.post(&admin(), "/api/loyalty/campaigns", campaign).await.expect(201);
    world.clock.set("2026-01-20T14:00:00Z");
    for (booking, at) in [("b1", "2026-01-20T11:59:59Z"), ("b2", "2026-01-20T12:00:00Z")] {
        let mut message = confirmed(booking, 1000);
        message["occurred_at"] = json!(at);
        apply(&world, message).await;
    }
    assert_eq!(world.standing("a").await, [30, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_purchase_in_a_currency_without_a_rate_is_sent_again_once_there_is_one() {
    let world = World::new().await;
    let in_dollars = r#","currency":"USD""#;
    world.try_earn("a", "b1", "10", in_dollars).await.expect_problem(400, "currency_mismatch");
    let mut event = confirmed("b1", 10);
    event["data"]["currency"] = json!("USD");
    let mut dated = event.clone();
    (dated["occurred_at"], dated["data"]["booking_id"]) = (json!("2026-01-15T09:00:00Z"), json!("b2"));
    let events = [event, dated];
    assert_eq!(send_events(&world, &events).await, queued(&[0, 1]));
    world.clock.advance_days(1);
    world.change_program(1, r#""fx":{"USD":83}"#).await;
    assert_eq!(send_events(&world, &events).await, queued(&[]));
    assert_eq!(world.standing("a").await, [16, 0, 0, 0]);
    world.change_program(2, r#""fx":{"USD":90,"JPY":0.5}"#).await;
    assert_eq!(send_events(&world, &events).await, queued(&[]), "again, judged as before");
    assert_eq!(world.standing("a").await, [16, 0, 0, 0]);
    let refused = world.try_earn("a", "b3", "1.5", r#","currency":"JPY""#).await.expect(400);
    assert_eq!(refused.offending(), ["/amount"]);
    world.prove().await;
}

#[tokio::test]
async fn refunds_that_cancel_each_other_out_in_one_transaction_end_as_if_they_had_come_after_it() {
    let lines = json!([{"line_id": "g", "amount": 900}, {"line_id": "s", "kind": "shipping", "amount": 100}]);
    let data = json!({"booking_id": "b1", "user_id": "a", "amount": 1000, "lines": lines});
    let of_shipping = json!([{"line_id": "s", "amount": 100}]);
    let refunds = [
        json!({"booking_id": "b1", "refund_id": "r1", "refunded_total": 100}),
        json!({"booking_id": "b1", "refund_id": "r2", "amount": 100, "lines": of_shipping}),
    ];
    let refunds = refunds.map(|data| event("payment.refunded", data));
    for order in [[0, 1, 2], [1, 2, 0], [2, 1, 0]] {
        let world = World::new().await;
        let events = [event("booking.confirmed", data.clone()), refunds[0].clone(), refunds[1].clone()];
        for at in order {
            apply(&world, events[at].clone()).await;
        }
        assert_eq!(world.standing("a").await, [9, 0, 0, 0], "{order:?}");
        assert_eq!(purchase(&world, "booking", "b1").await["points_kept"], 9, "{order:?}");
        world.prove().await;
    }
}

#[tokio::test]
async fn a_refund_that_failed_under_one_id_counts_for_nothing_under_the_other() {
    let refund = event("payment.refunded", json!({"booking_id": "b1", "refund_id": "r1", "amount": 500}));
    let fails = event("payment.refund_failed", json!({"payment_id": "p1", "refund_id": "r1"}));
    let data = json!({"payment_id": "p1", "booking_id": "b1", "user_id": "a", "amount": 1000});
    let paid = event("payment.succeeded", data);
    let orders = [
        vec![refund.clone(), fails.clone(), paid.clone()],
        vec![fails.clone(), refund.clone(), paid.clone()],
        vec![confirmed("b1", 1000), refund, fails, paid],
    ];
    for events in orders {
        let world = World::new().await;
        for event in &events {
            apply(&world, event.clone()).await;
        }
        assert_eq!(world.standing("a").await, [10, 0, 0, 0], "{events:?}");
        assert_eq!(purchase(&world, "booking", "b1").await["refunded"], 0.0, "{events:?}");
        world.prove().await;
    }
}

/// A booking that points pay whole: its lock is confirmed by the API, or by the payment of nothing.
#[tokio::test]
async fn refunds_of_a_payment_of_nothing_give_back_the_points_that_paid_in_any_order() {
    let tiers = r#""tiers":[{"name":"BRONZE","multiplier":1,"max_points_per_booking":1000,"max_share":1}]"#;
    let refund = |ids: Value| {
        let mut data = ids;
        (data["refund_id"], data["amount"], data["points_back"]) = (json!("r1"), json!(0), json!(100));
        event("payment.refunded", data)
    };
    for (about, order) in [
        (json!({"payment_id": "p1"}), ["pay", "refund"]),
        (json!({"payment_id": "p1"}), ["refund", "pay"]),
        (json!({"booking_id": "b1"}), ["refund", "pay"]),
        (json!({"payment_id": "p1"}), ["confirm refund", "pay without token"]),
    ] {
        let world = World::new().await;
        world.change_program(1, tiers).await;
        world.give("a", 100, "").await;
        let token = world.redeem("a", 100, "b1", "100").await;
        for step in order {
            if step.starts_with("confirm") {
                world.close(&token, "confirm", "{}").await.expect(200);
            }
            if step.ends_with("refund") {
                apply(&world, refund(about.clone())).await;
                continue;
            }
            let mut data = json!({"payment_id": "p1", "booking_id": "b1", "user_id": "a", "amount": 0});
            if step == "pay" {
                data["redemption_token"] = json!(token);
            }
            apply(&world, event("payment.succeeded", data)).await;
        }
        assert_eq!(world.standing("a").await, [100, 0, 0, 0], "{about} {order:?}");
        world.prove().await;
    }
}

#[tokio::test]
async fn a_cancellation_that_was_booked_is_not_undone_by_what_a_join_brings() {
    let world = World::new().await;
    apply(&world, confirmed("b1", 1000)).await;
    apply(&world, event("booking.cancelled", json!({"booking_id": "b1", "user_id": "a"}))).await;
    apply(&world, event("payment.refunded", json!({"payment_id": "p1", "refund_id": "r1", "amount": 100})))
        .await;
    let data = json!({"payment_id": "p1", "booking_id": "b1", "user_id": "a", "amount": 1000});
    apply(&world, event("payment.succeeded", data)).await;
    assert_eq!(world.point_types("a").await, ["EARN", "REVERSAL"]);
    assert_eq!(world.standing("a").await, [0, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn many_refunds_before_their_purchase_are_taken_off_in_its_transaction() {
    let world = World::new().await;
    for n in 0..40 {
        let data = json!({"booking_id": "b1", "refund_id": format!("r{n}"), "amount": 100});
        apply(&world, event("payment.refunded", data)).await;
    }
    world.faults.take_log();
    apply(&world, confirmed("b1", 10_000)).await;
    let sent = world.faults.take_log();
    assert_eq!(sent.iter().filter(|(operation, _)| operation == "TransactWriteItems").count(), 1);
    assert_eq!(world.standing("a").await, [60, 0, 0, 0]);
    let read = purchase(&world, "booking", "b1").await;
    assert_eq!((&read["points_kept"], &read["refunded"]), (&json!(60), &json!(4000.0)));
    world.prove().await;
}
