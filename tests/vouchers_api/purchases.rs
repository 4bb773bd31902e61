//! Purchases of vouchers: who may, at which price, and what happens once.

use futures::future::join_all;
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::Arc;
use tests::loyal::backend;
use tests::vouchers::{
    buy, change_voucher, create_voucher, refund_voucher, stock, try_buy, upload, voucher_with,
};
use tests::{Fault, World, admin, customer, service, staff};
use tokio::sync::Notify;

#[tokio::test]
async fn a_purchase_burns_points_and_gives_a_code_and_a_repetition_gets_the_same_answer() {
    let world = World::new().await;
    world.give("a", 500, "").await;
    let id = create_voucher(&world, r#""name":"Coffee","price_points":120,"face_value":99.50"#).await;
    let file = "code,pin,url,expires_on\nCAFE-0001,42,https://cafe.example/1,2026-12-31\n";
    upload(&world, &id, file).await.expect(200);
    let first = buy(&world, "k1", "a", &id).await;
    let json = first.json();
    let purchase = &json["purchase"];
    assert_eq!(
        json["code"],
        json!({"code": "CAFE-0001", "pin": "42", "url": "https://cafe.example/1", "expires_on": "2026-12-31"})
    );
    assert_eq!((&purchase["voucher_id"], &purchase["user_id"]), (&json!(id), &json!("a")));
    assert_eq!((&purchase["points"], first.raw("points_value").as_str()), (&json!(120), "120.00"));
    assert_eq!(purchase["delivery"], json!({"method": null, "address": null, "status": "none"}));
    assert_eq!(purchase["status"], "ISSUED");
    assert_eq!(first.header("cache-control"), Some("no-store"));
    let path = format!("/api/loyalty/voucher-purchases/{}", purchase["purchase_id"].as_str().unwrap());
    assert_eq!(first.header("location"), Some(path.as_str()));
    assert_eq!(world.standing("a").await, [380, 0, 0, 0]);
    let entry = world.get(&staff(), "/api/loyalty/wallets/a/transactions?type=burn").await.expect(200).json();
    assert_eq!(entry["transactions"][0]["id"], purchase["transaction_id"]);
    assert_eq!(entry["transactions"][0]["voucher_purchase_id"], purchase["purchase_id"]);
    assert_eq!(entry["transactions"][0]["booking_id"], json!(null));
    // Paused and refunded since, it is the same answer.
    change_voucher(&world, &id, r#""status":"paused","price_points":10"#).await;
    refund_voucher(&world, purchase["purchase_id"].as_str().unwrap()).await.expect(200);
    let again = buy(&world, "k1", "a", &id).await;
    assert_eq!(
        (again.body.as_str(), again.header("idempotent-replayed")),
        (first.body.as_str(), Some("true"))
    );
    try_buy(&world, "k1", "a", &id, r#","expected_price":120"#)
        .await
        .expect_problem(422, "idempotency_key_reused");
    world.prove().await;
}

#[tokio::test]
async fn a_purchase_needs_a_key_and_belongs_to_its_owner_or_a_backend() {
    let world = World::new().await;
    world.give("a", 500, "").await;
    let id = voucher_with(&world, 100, 5, "").await;
    let path = format!("/api/loyalty/vouchers/{id}/purchase");
    let body = r#"{"user_id":"a"}"#;
    let answer = world.post(&customer("a"), &path, body).await.expect_problem(400, "invalid_request");
    assert_eq!(answer.text("/errors/0/pointer"), "/Idempotency-Key");
    world.post_keyed(&customer("b"), "k", &path, body).await.expect_problem(404, "wallet_not_found");
    world.post_keyed(&staff(), "k", &path, body).await.expect_problem(403, "forbidden");
    world.post_keyed(&service("loyalty:read"), "k", &path, body).await.expect_problem(403, "forbidden");
    world.post_keyed(&backend(), "k", &path, body).await.expect(201);
    // The same key of another customer is another purchase.
    world.give("b", 100, "").await;
    buy(&world, "k", "b", &id).await;
    let bought = world.get(&customer("a"), "/api/loyalty/wallets/a/vouchers").await.expect(200).json();
    assert_eq!((bought["purchases"].as_array().unwrap().len(), &bought["total"]), (1, &json!(1)));
    let purchase = bought["purchases"][0]["purchase_id"].as_str().unwrap().to_owned();
    world
        .get(&customer("b"), "/api/loyalty/wallets/a/vouchers")
        .await
        .expect_problem(404, "wallet_not_found");
    let path = format!("/api/loyalty/voucher-purchases/{purchase}");
    world.get(&customer("b"), &path).await.expect_problem(404, "purchase_not_found");
    let read = world.get(&staff(), &path).await.expect(200);
    assert!(!read.body.contains("CODE-"), "{}", read.body);
    let reveal = format!("{path}/reveal");
    world.post(&staff(), &reveal, "{}").await.expect_problem(403, "forbidden");
    world.post(&customer("b"), &reveal, "{}").await.expect_problem(404, "purchase_not_found");
    let shown = world.post(&customer("a"), &reveal, "{}").await.expect(200);
    assert!(shown.text("/code").starts_with("CODE-"));
    world.post(&backend(), &reveal, "{}").await.expect(200);
    let records = world.partition(&format!("PU#v:{purchase}"), "R#").await;
    let subs: BTreeSet<String> = records.iter().map(|record| record["sub"].as_s().unwrap().clone()).collect();
    assert!(subs.contains("a") && records.len() == 2, "{subs:?}");
    world.prove().await;
}

#[tokio::test]
async fn a_purchase_is_refused_in_the_order_of_the_contract() {
    let world = World::new().await;
    let id = create_voucher(
        &world,
        r#""name":"A","price_points":100,"tiers":["GOLD","SILVER"],"per_user_limit":1,
            "valid_from":"2026-02-01T00:00:00Z","valid_until":"2026-03-01T00:00:00Z""#,
    )
    .await;
    let none = format!("vch_{}", "0".repeat(20));
    try_buy(&world, "k", "a", &none, "").await.expect_problem(404, "voucher_not_found");
    try_buy(&world, "k", "a", &id, "").await.expect_problem(409, "voucher_unavailable");
    world.clock.set("2026-02-01T00:00:00Z");
    try_buy(&world, "k", "a", &id, r#","expected_price":99"#)
        .await
        .expect_problem(409, "voucher_unavailable");
    world.give("a", 10, "").await;
    let freeze = |how: &str| format!("/api/loyalty/wallets/a/{how}");
    world.post(&admin(), &freeze("freeze"), r#"{"reason":"r"}"#).await.expect(200);
    try_buy(&world, "k", "a", &id, "").await.expect_problem(409, "account_frozen");
    world.post(&admin(), &freeze("unfreeze"), r#"{"reason":"r"}"#).await.expect(200);
    let refused = try_buy(&world, "k", "a", &id, "").await.expect_problem(409, "tier_required");
    assert_eq!(refused.text("/required_tier"), "SILVER");
    let grant = r#"{"tier":"GOLD","until":"2026-12-31","reason":"r"}"#;
    world.post(&admin(), "/api/loyalty/wallets/a/tier", grant).await.expect(200);
    let refused = try_buy(&world, "k", "a", &id, "").await.expect_problem(402, "insufficient_points");
    assert_eq!((refused.raw("available"), refused.raw("required")), ("10".into(), "100".into()));
    world.give("a", 300, "").await;
    try_buy(&world, "k", "a", &id, "").await.expect_problem(409, "out_of_stock");
    // A code is never sold on its last date.
    upload(&world, &id, "code,expires_on\nLAST-DAY,2026-02-01\n").await.expect(200);
    try_buy(&world, "k", "a", &id, "").await.expect_problem(409, "out_of_stock");
    stock(&world, &id, "FRESH", 2).await;
    buy(&world, "k", "a", &id).await;
    try_buy(&world, "k2", "a", &id, "").await.expect_problem(409, "voucher_limit_reached");
    change_voucher(&world, &id, r#""status":"paused""#).await;
    try_buy(&world, "k2", "a", &id, "").await.expect_problem(409, "voucher_unavailable");
    change_voucher(&world, &id, r#""status":"active""#).await;
    world.clock.set("2026-03-01T00:00:00Z");
    try_buy(&world, "k2", "a", &id, "").await.expect_problem(409, "voucher_unavailable");
    assert_eq!(world.standing("a").await, [210, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_changed_price_holds_for_purchases_from_then_on() {
    let world = World::new().await;
    world.give("a", 500, "").await;
    let id = voucher_with(&world, 100, 5, "").await;
    change_voucher(&world, &id, r#""price_points":150"#).await;
    try_buy(&world, "k1", "a", &id, r#","expected_price":100"#)
        .await
        .expect_problem(409, "voucher_unavailable");
    assert_eq!(world.standing("a").await, [500, 0, 0, 0]);
    assert_eq!(buy(&world, "k1", "a", &id).await.field("/purchase/points"), 150);
    world.prove().await;
}

#[tokio::test]
async fn a_refund_gives_the_points_back_to_their_lots_once_and_the_code_stays_void() {
    let world = World::new().await;
    world.give("a", 30, r#","expires_on":"2026-01-31""#).await;
    world.give("a", 100, r#","expires_on":"2026-12-31""#).await;
    let id = voucher_with(&world, 50, 2, r#","per_user_limit":1"#).await;
    let bought = buy(&world, "k1", "a", &id).await;
    let purchase = bought.text("/purchase/purchase_id");
    try_buy(&world, "k2", "a", &id, "").await.expect_problem(409, "voucher_limit_reached");
    world.clock.set("2026-02-10T00:00:00Z");
    let refunded = refund_voucher(&world, &purchase).await.expect(200);
    assert_eq!(
        (refunded.text("/status"), refunded.text("/refunded_at")),
        ("REFUNDED".into(), "2026-02-10T00:00:00.000Z".into())
    );
    // 30 points had expired meanwhile: they come back for the days of grace.
    let path = "/api/loyalty/wallets/a/expiring?days_ahead=365";
    let lots = world.get(&staff(), path).await.expect(200).json();
    let lots: Vec<(u64, &str)> = lots["lots"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lot| (lot["points"].as_u64().unwrap(), lot["expires_on"].as_str().unwrap()))
        .collect();
    assert_eq!(lots, [(30, "2026-03-12"), (100, "2026-12-31")]);
    let again = refund_voucher(&world, &purchase).await.expect(200);
    assert_eq!(
        (again.body.as_str(), again.header("idempotent-replayed")),
        (refunded.body.as_str(), Some("true"))
    );
    assert_eq!(world.standing("a").await, [130, 0, 0, 0]);
    let reveal = format!("/api/loyalty/voucher-purchases/{purchase}/reveal");
    world.post(&customer("a"), &reveal, "{}").await.expect_problem(409, "voucher_unavailable");
    // The limit counts it no more, and its code is not sold again.
    let other = buy(&world, "k3", "a", &id).await;
    assert_ne!(other.text("/code/code"), bought.text("/code/code"));
    try_buy(&world, "k4", "a", &id, "").await.expect_problem(409, "voucher_limit_reached");
    let none = format!("vbuy_{}", "0".repeat(20));
    refund_voucher(&world, &none).await.expect_problem(404, "purchase_not_found");
    world.prove().await;
}

#[tokio::test]
async fn a_limit_that_begins_later_counts_what_was_bought_before_and_not_given_back() {
    let world = World::new().await;
    world.give("a", 1000, "").await;
    let id = voucher_with(&world, 10, 9, "").await;
    for key in ["k1", "k2", "k3"] {
        buy(&world, key, "a", &id).await;
    }
    let third = buy(&world, "k3", "a", &id).await.text("/purchase/purchase_id");
    refund_voucher(&world, &third).await.expect(200);
    change_voucher(&world, &id, r#""per_user_limit":3"#).await;
    buy(&world, "k4", "a", &id).await;
    try_buy(&world, "k5", "a", &id, "").await.expect_problem(409, "voucher_limit_reached");
    // Without the limit more are bought, and the next one counts them all.
    change_voucher(&world, &id, r#""per_user_limit":null"#).await;
    buy(&world, "k6", "a", &id).await;
    change_voucher(&world, &id, r#""per_user_limit":4"#).await;
    try_buy(&world, "k7", "a", &id, "").await.expect_problem(409, "voucher_limit_reached");
    refund_voucher(&world, &buy(&world, "k1", "a", &id).await.text("/purchase/purchase_id"))
        .await
        .expect(200);
    buy(&world, "k7", "a", &id).await;
    try_buy(&world, "k8", "a", &id, "").await.expect_problem(409, "voucher_limit_reached");
    world.prove().await;
}

#[tokio::test]
async fn a_limit_that_begins_while_another_purchase_of_the_customer_is_decided_holds() {
    let world = Arc::new(World::new().await);
    world.give("a", 1000, "").await;
    let id = voucher_with(&world, 10, 9, "").await;
    // The purchase has read the points; then a limit begins, and another purchase takes all of it.
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("GetItem", 1, Fault::Wait(arrived.clone(), go_on.clone()));
    let (machine, voucher) = (world.clone(), id.clone());
    let late = tokio::spawn(async move { try_buy(&machine, "k1", "a", &voucher, "").await });
    arrived.notified().await;
    let other = world.another_machine(world.clock.clone());
    change_voucher(&other, &id, r#""per_user_limit":1"#).await;
    buy(&other, "k2", "a", &id).await;
    go_on.notify_one();
    late.await.unwrap().expect_problem(409, "voucher_limit_reached");
    assert_eq!(world.faults.fired(), 1);
    world.prove().await;
}

#[tokio::test]
async fn two_buyers_of_the_last_code_get_one_sale_and_one_refusal() {
    for _ in 0..5 {
        let world = World::new().await;
        for name in ["a", "b"] {
            world.give(name, 100, "").await;
        }
        let id = voucher_with(&world, 100, 1, "").await;
        let buyers = ["a", "b"].map(|name| bought_for_certain(&world, name, &id));
        let mut answers: Vec<u16> = join_all(buyers).await;
        answers.sort_unstable();
        assert_eq!(answers, [201, 409]);
        let left = world.standing("a").await[0] + world.standing("b").await[0];
        assert_eq!(left, 100);
        world.prove().await;
    }
}

/// Buys until the answer is certain, and returns its status.
async fn bought_for_certain(world: &World, name: &str, voucher: &str) -> u16 {
    loop {
        let answer = try_buy(world, "k1", name, voucher, "").await;
        if answer.status != 503 {
            return answer.status;
        }
    }
}

#[tokio::test]
async fn three_hundred_buyers_of_forty_codes_buy_forty() {
    let world = World::new().await;
    let id = voucher_with(&world, 10, 40, "").await;
    let names: Vec<String> = (0..300).map(|n| format!("c{n}")).collect();
    join_all(names.iter().map(|name| world.give(name, 10, ""))).await;
    let answers = join_all(names.iter().map(|name| bought_for_certain(&world, name, &id))).await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 40);
    assert!(answers.iter().all(|status| [201, 409].contains(status)));
    let stock = world.get(&admin(), &format!("/api/loyalty/vouchers/{id}")).await.expect(200);
    assert_eq!((stock.field("/stock"), stock.field("/sold")), (json!(0), json!(40)));
    world.prove().await;
}

#[tokio::test]
async fn a_crash_or_a_lost_reply_of_a_purchase_or_a_refund_applies_it_once() {
    for fault in [Fault::StopBefore, Fault::StopAfter] {
        let world = Arc::new(World::new().await);
        world.give("a", 100, "").await;
        let id = voucher_with(&world, 60, 3, "").await;
        let arrived = Arc::new(Notify::new());
        world.faults.plan("TransactWriteItems", 1, fault(arrived.clone()));
        let (machine, voucher) = (world.clone(), id.clone());
        let process = tokio::spawn(async move { try_buy(&machine, "k1", "a", &voucher, "").await });
        tests::stopped(process, &arrived).await;
        let bought = buy(&world, "k1", "a", &id).await;
        assert_eq!(world.standing("a").await, [40, 0, 0, 0]);
        let purchase = bought.text("/purchase/purchase_id");
        world.faults.plan("TransactWriteItems", 1, fault(arrived.clone()));
        let (machine, named) = (world.clone(), purchase.clone());
        let process = tokio::spawn(async move { refund_voucher(&machine, &named).await });
        tests::stopped(process, &arrived).await;
        refund_voucher(&world, &purchase).await.expect(200);
        assert_eq!(world.standing("a").await, [100, 0, 0, 0]);
        world.prove().await;
    }
    for fault in [Fault::LostReply, Fault::ErrorAfterCommit] {
        let world = World::new().await;
        world.give("a", 100, "").await;
        let id = voucher_with(&world, 60, 3, "").await;
        world.faults.plan("TransactWriteItems", 1, fault.clone());
        let bought = buy(&world, "k1", "a", &id).await;
        world.faults.plan("TransactWriteItems", 1, fault);
        refund_voucher(&world, &bought.text("/purchase/purchase_id")).await.expect(200);
        assert_eq!((world.standing("a").await, world.faults.fired()), ([100, 0, 0, 0], 2));
        world.prove().await;
    }
}

#[tokio::test]
async fn twenty_purchases_of_one_customer_at_once_never_exceed_the_points_or_the_limit() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let id = voucher_with(&world, 10, 40, r#","per_user_limit":7"#).await;
    let keys: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    let answers = join_all(keys.iter().map(|key| async {
        loop {
            let answer = try_buy(&world, key, "a", &id, "").await;
            if answer.status != 503 {
                return answer.status;
            }
        }
    }))
    .await;
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 7);
    assert_eq!(world.standing("a").await, [30, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_code_is_sent_through_the_outbox_and_its_address_is_nowhere_in_plain_text() {
    let world = World::new().await;
    world.give("a", 100, "").await;
    let id = voucher_with(&world, 60, 2, "").await;
    let to = r#","delivery_method":"email","delivery_address":"asha@mail.example""#;
    let bought = try_buy(&world, "k1", "a", &id, to).await.expect(201);
    let expected = json!({"method": "email", "address": "a***@mail.example", "status": "queued"});
    assert_eq!(bought.json()["purchase"]["delivery"], expected);
    let queued = world.partition(&format!("Q#{}", bought.text("/purchase/purchase_id")), "").await;
    assert_eq!(queued.len(), 1);
    assert_eq!(queued[0]["status"].as_s().unwrap(), "QUEUED");
    // The same key with another address is another request.
    let other = r#","delivery_method":"email","delivery_address":"ravi@mail.example""#;
    try_buy(&world, "k1", "a", &id, other).await.expect_problem(422, "idempotency_key_reused");
    assert_eq!(try_buy(&world, "k1", "a", &id, to).await.expect(201).body, bought.body);
    // What is refunded is not sent.
    refund_voucher(&world, &bought.text("/purchase/purchase_id")).await.expect(200);
    assert_eq!(world.partition(&format!("Q#{}", bought.text("/purchase/purchase_id")), "").await.len(), 0);
    let items = world.raw().scan().table_name(world.app.store.table()).send().await.unwrap().items.unwrap();
    let text = format!("{items:?}");
    for secret in ["asha@mail.example", "CODE-", &bought.text("/code/code")] {
        assert!(!text.contains(secret), "{secret}");
    }
    world.prove().await;
}
