//! Claims of rewards: who may, how often, and what they cost.

use futures::future::join_all;
use rust_decimal::Decimal;
use serde_json::json;
use std::sync::Arc;
use tests::rewards::{claim, create_reward, open, order, try_claim};
use tests::{Fault, World, admin, customer, service, staff};
use tokio::sync::Notify;

#[tokio::test]
async fn a_claim_credits_the_wallet_once_and_a_repetition_gets_the_same_answer() {
    let world = World::new().await;
    open(&world, "a").await;
    let id = create_reward(&world, r#""name":"Welcome","credit_amount":25.50,"credit_expiry_days":30"#).await;
    let first = claim(&world, "a", &id, "").await;
    let expected = json!({"reward_id": id, "name": "Welcome", "credit_amount": 25.5, "currency": "INR"});
    assert_eq!(first.json()["reward"], expected);
    let transaction = &first.json()["transaction"];
    assert_eq!((&transaction["type"], &transaction["source"]), (&json!("CREDIT"), &json!("loyalty")));
    assert_eq!(transaction["reference"], format!("reward:{id}"));
    assert_eq!(transaction["expiry_date"], "2026-02-14");
    let path = format!("/api/wallet/rewards/{id}");
    world.patch(&admin(), &path, r#"{"name":"Changed","status":"INACTIVE"}"#).await.expect(200);
    let again = try_claim(&world, "a", &id, "").await.expect(201);
    assert_eq!((&again.body, again.is_replay()), (&first.body, true));
    order(&world, "o1", "a", 100, "").await;
    try_claim(&world, "a", &id, r#","order_id":"o1""#).await.expect_problem(409, "reward_already_claimed");
    try_claim(&world, "a", &id, r#","order_id":"none""#).await.expect_problem(404, "order_not_found");
    world.expect_available("a", "25.50").await;
    world.prove().await;
}

#[tokio::test]
async fn a_claim_is_refused_in_the_order_of_the_contract() {
    let world = World::new().await;
    open(&world, "a").await;
    let id = create_reward(&world, r#""name":"A","credit_amount":10,"min_purchase_amount":100"#).await;
    try_claim(&world, "nobody", &id, "").await.expect_problem(404, "wallet_not_found");
    try_claim(&world, "a", "rwd_00000000000000000000", "").await.expect_problem(404, "reward_not_found");
    try_claim(&world, "a", &id, r#","order_id":"none""#).await.expect_problem(404, "order_not_found");
    open(&world, "b").await;
    order(&world, "of_b", "b", 500, "").await;
    try_claim(&world, "a", &id, r#","order_id":"of_b""#).await.expect_problem(404, "order_not_found");
    for (how, code) in [("suspend", "account_suspended"), ("freeze", "account_frozen")] {
        world.post(&admin(), &format!("/api/wallet/a/{how}"), r#"{"reason":"test"}"#).await.expect(200);
        try_claim(&world, "a", &id, "").await.expect_problem(409, code);
        world.post(&admin(), "/api/wallet/a/unfreeze", r#"{"reason":"test"}"#).await.expect(200);
    }
    try_claim(&world, "a", &id, "").await.expect_problem(409, "reward_not_applicable");
    let later =
        create_reward(&world, r#""name":"L","credit_amount":10,"valid_from":"2026-02-01T00:00:00Z""#).await;
    try_claim(&world, "a", &later, "").await.expect_problem(409, "reward_not_active");
    let dollars = create_reward(&world, r#""name":"D","credit_amount":10,"currency":"USD""#).await;
    try_claim(&world, "a", &dollars, "").await.expect_problem(400, "currency_mismatch");
    let path = "/api/wallet/a/rewards/apply";
    let own = format!(r#"{{"reward_id":"{id}","purchase_amount":500,"product_ids":["x"]}}"#);
    let answer = world.post(&customer("a"), path, &own).await.expect(400);
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 2);
    let plain = format!(r#"{{"reward_id":"{id}"}}"#);
    world.post(&customer("b"), path, &plain).await.expect_problem(404, "wallet_not_found");
    world.post(&staff(), path, &plain).await.expect_problem(403, "forbidden");
    world.post(&service("wallet:credit"), path, &plain).await.expect_problem(403, "forbidden");
    world.expect_available("a", "0.00").await;
    world.prove().await;
}

#[tokio::test]
async fn uses_that_are_created_while_an_empty_partition_is_read_are_found() {
    let world = Arc::new(World::new().await);
    for name in ["a", "b"] {
        open(&world, name).await;
    }
    let id = create_reward(&world, r#""name":"A","credit_amount":10,"max_uses":1"#).await;
    claim(&world, "a", &id, "").await;
    // The partition is read first, then the limit is raised, then the reward is read.
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("BatchGetItem", 1, Fault::Wait(arrived.clone(), go_on.clone()));
    let (machine, reward) = (world.clone(), id.clone());
    let late = tokio::spawn(async move { try_claim(&machine, "b", &reward, "").await });
    arrived.notified().await;
    let other = world.another_machine(world.clock.clone());
    let path = format!("/api/wallet/rewards/{id}");
    other.patch(&admin(), &path, r#"{"max_uses":3}"#).await.expect(200);
    open(&other, "c").await;
    // The claim of another process creates both uses and takes one.
    claim(&other, "c", &id, "").await;
    go_on.notify_one();
    late.await.unwrap().expect(201);
    world.prove().await;
}

#[tokio::test]
async fn a_thousand_claims_of_a_hundred_uses_are_made_a_hundred_times_and_the_rest_are_refused() {
    let world = World::new().await;
    let id = create_reward(&world, r#""name":"Drop","credit_amount":10,"max_uses":100"#).await;
    let names: Vec<String> = (0..1000).map(|n| format!("c{n}")).collect();
    for name in &names {
        open(&world, name).await;
    }
    let claims = join_all(names.iter().map(|name| async {
        loop {
            let answer = try_claim(&world, name, &id, "").await;
            if answer.status != 503 {
                return answer;
            }
        }
    }))
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = claims.into_iter().partition(|answer| answer.status == 201);
    assert_eq!((made.len(), refused.len()), (100, 900));
    for answer in refused {
        answer.expect_problem(409, "reward_exhausted");
    }
    let read = world.get(&staff(), &format!("/api/wallet/rewards/{id}")).await.json();
    assert_eq!(
        (&read["total_uses"], &read["uses_left"], &read["status"]),
        (&json!(100), &json!(0), &json!("ACTIVE"))
    );
    world.prove().await;
}

#[tokio::test]
async fn claims_of_processes_that_stop_before_or_after_their_send_are_made_once() {
    let world = Arc::new(World::new().await);
    let id = create_reward(&world, r#""name":"Drop","credit_amount":10,"max_uses":6"#).await;
    for n in 0..12 {
        open(&world, &format!("c{n}")).await;
    }
    for n in 0..12_usize {
        if n < 6 && n.is_multiple_of(2) {
            let arrived = Arc::new(Notify::new());
            let fault = if n.is_multiple_of(4) { Fault::StopBefore } else { Fault::StopAfter };
            world.faults.plan("TransactWriteItems", 1, fault(arrived.clone()));
            let (machine, id) = (world.clone(), id.clone());
            let process = tokio::spawn(async move { try_claim(&machine, &format!("c{n}"), &id, "").await });
            tests::stopped(process, &arrived).await;
        }
        let answer = try_claim(&world, &format!("c{n}"), &id, "").await;
        assert_eq!(answer.status, if n < 6 { 201 } else { 409 }, "{n} {}", answer.body);
        if n >= 6 {
            break;
        }
    }
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    let id = create_reward(&world, r#""name":"Two","credit_amount":10,"max_uses":2"#).await;
    world.faults.plan("TransactWriteItems", 1, Fault::LostReply);
    claim(&world, "c8", &id, "").await;
    world.faults.plan("TransactWriteItems", 1, Fault::ErrorAfterCommit);
    claim(&world, "c9", &id, "").await;
    try_claim(&world, "c10", &id, "").await.expect_problem(409, "reward_exhausted");
    world.prove().await;
}

#[tokio::test]
async fn a_hundred_tabs_of_one_customer_claim_once() {
    let world = World::new().await;
    open(&world, "a").await;
    let id = create_reward(&world, r#""name":"A","credit_amount":10,"max_uses":50"#).await;
    let tab = || async {
        loop {
            let answer = try_claim(&world, "a", &id, "").await;
            if answer.status != 503 {
                return answer.expect(201).body;
            }
        }
    };
    let bodies = join_all((0..100).map(|_| tab())).await;
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    world.expect_available("a", "10.00").await;
    let read = world.get(&staff(), &format!("/api/wallet/rewards/{id}")).await.json();
    assert_eq!(read["uses_left"], 49);
    world.prove().await;
}

#[tokio::test]
async fn lowering_the_uses_while_they_are_claimed_leaves_as_many_as_were_claimed() {
    let world = World::new().await;
    let id = create_reward(&world, r#""name":"A","credit_amount":10,"max_uses":100"#).await;
    for n in 0..70 {
        open(&world, &format!("c{n}")).await;
    }
    let claims = join_all((0..70).map(|n| {
        let (world, id) = (&world, &id);
        async move {
            loop {
                let answer = try_claim(world, &format!("c{n}"), id, "").await;
                if answer.status != 503 {
                    return u64::from(answer.status == 201);
                }
            }
        }
    }));
    let path = format!("/api/wallet/rewards/{id}");
    let boss = admin();
    let lower = world.patch(&boss, &path, r#"{"max_uses":50}"#);
    let (claims, lowered) = futures::future::join(claims, lower).await;
    let made: u64 = claims.into_iter().sum();
    lowered.expect(200);
    let read = world.get(&staff(), &path).await.json();
    assert!((50..=70).contains(&made), "{made}");
    assert_eq!((&read["max_uses"], &read["total_uses"]), (&json!(made), &json!(made)));
    try_claim(&world, "c0", &id, "").await;
    open(&world, "late").await;
    try_claim(&world, "late", &id, "").await.expect_problem(409, "reward_exhausted");
    world.prove().await;
}

#[tokio::test]
async fn a_claim_costs_nine_write_units_and_two_round_trips_once_the_partitions_are_known() {
    let world = World::new().await;
    let id = create_reward(&world, r#""name":"A","credit_amount":10,"credit_expiry_days":30"#).await;
    for name in ["a", "b", "c"] {
        open(&world, name).await;
        world.credit(name, "10", "manual", "2026-01-20").await;
    }
    claim(&world, "a", &id, "").await;
    world.meter.take();
    claim(&world, "b", &id, "").await;
    let found = world.meter.take();
    assert_eq!((found.round_trips, found.write_units), (3, Decimal::from(9)), "two reads at once, one write");
    if edge::wiring::optional("SCRIP_TEST_DYNAMODB_ENDPOINT").is_none() {
        assert_eq!(found.read_units, Decimal::from(3));
    }
    world.prove().await;
}

#[tokio::test]
async fn a_use_that_a_claim_was_about_to_take_is_free_for_others_and_no_claim_answers_503() {
    let world = Arc::new(World::new().await);
    let id = create_reward(&world, r#""name":"Drop","credit_amount":10,"max_uses":3"#).await;
    for n in 0..5 {
        open(&world, &format!("c{n}")).await;
    }
    // The first two never come back: one had taken its use, the other had not.
    for (name, fault) in [("c0", Fault::StopAfter as fn(Arc<Notify>) -> Fault), ("c1", Fault::StopBefore)] {
        let arrived = Arc::new(Notify::new());
        world.faults.plan("TransactWriteItems", 1, fault(arrived.clone()));
        let (machine, id) = (world.clone(), id.clone());
        let process = tokio::spawn(async move { try_claim(&machine, name, &id, "").await });
        tests::stopped(process, &arrived).await;
    }
    for name in ["c2", "c3"] {
        claim(&world, name, &id, "").await;
    }
    try_claim(&world, "c4", &id, "").await.expect_problem(409, "reward_exhausted");
    for (name, balance) in [("c0", "10.00"), ("c1", "0.00"), ("c2", "10.00"), ("c3", "10.00")] {
        world.expect_available(name, balance).await;
    }
    world.prove().await;
}

#[tokio::test]
async fn a_claim_that_began_before_a_reward_was_stopped_may_land_and_none_after_it() {
    let world = Arc::new(World::new().await);
    for name in ["a", "b"] {
        open(&world, name).await;
    }
    let id = create_reward(&world, r#""name":"A","credit_amount":10,"max_uses":2"#).await;
    let (arrived, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    world.faults.plan("TransactWriteItems", 1, Fault::Wait(arrived.clone(), go_on.clone()));
    let (machine, reward) = (world.clone(), id.clone());
    let begun = tokio::spawn(async move { try_claim(&machine, "a", &reward, "").await });
    arrived.notified().await;
    let other = world.another_machine(world.clock.clone());
    other.patch(&admin(), &format!("/api/wallet/rewards/{id}"), r#"{"status":"INACTIVE"}"#).await.expect(200);
    for machine in [&other, &*world] {
        try_claim(machine, "b", &id, "").await.expect_problem(409, "reward_not_active");
    }
    go_on.notify_one();
    let landed = begun.await.unwrap();
    if landed.status != 201 {
        landed.expect_problem(409, "reward_not_active");
    }
    let read = world.get(&staff(), &format!("/api/wallet/rewards/{id}")).await.json();
    let uses = read["total_uses"].as_u64().unwrap();
    assert_eq!(world.types("a").await.len() as u64, uses, "what was answered is what is in the books");
    world.prove().await;
}
