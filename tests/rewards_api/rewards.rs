//! Rewards as admins make them and as customers see them.

use serde_json::json;
use tests::loyal::backend;
use tests::rewards::{claim, create_reward, open, try_claim};
use tests::{World, admin, customer, service, staff};

#[tokio::test]
async fn a_reward_shows_its_terms_and_a_repetition_of_its_creation_the_first_answer() {
    let world = World::new().await;
    let path = "/api/wallet/rewards/create";
    let body = r#"{"name":"Diwali","description":"For all","credit_amount":50,"min_purchase_amount":"100.00",
        "max_uses":3,"valid_until":"2026-03-01T00:00:00Z","applicable_to":["shoes","sku_1"],"credit_expiry_days":30}"#;
    let made = world.post_keyed(&admin(), "k1", path, body).await.expect(201);
    let expected = json!({
        "reward_id": made.text("/reward_id"), "name": "Diwali", "description": "For all", "credit_amount": 50.0,
        "currency": "INR", "min_purchase_amount": 100.0, "max_uses": 3, "total_uses": 0, "uses_left": 3,
        "valid_from": "2026-01-15T10:00:00.000Z", "valid_until": "2026-03-01T00:00:00.000Z",
        "applicable_to": ["shoes", "sku_1"], "status": "ACTIVE", "created_at": "2026-01-15T10:00:00.000Z",
        "updated_at": "2026-01-15T10:00:00.000Z", "created_by": "admin-1",
    });
    assert_eq!(made.json(), expected);
    let id = made.text("/reward_id");
    world.clock.advance_days(1);
    let one = format!("/api/wallet/rewards/{id}");
    world.patch(&admin(), &one, r#"{"name":"Holi","max_uses":5,"status":"INACTIVE"}"#).await.expect(200);
    let again = world.post_keyed(&admin(), "k1", path, body).await.expect(201);
    assert_eq!((&again.body, again.is_replay()), (&made.body, true));
    world.post_keyed(&admin(), "k1", path, r#"{"name":"Other","credit_amount":50}"#).await.expect(422);
    let read = world.get(&staff(), &one).await.expect(200);
    assert_eq!(read.json()["name"], "Holi");
    assert_eq!((&read.json()["status"], &read.json()["uses_left"]), (&json!("INACTIVE"), &json!(5)));
    world.clock.set("2026-03-01T00:00:00Z");
    assert_eq!(world.get(&staff(), &one).await.json()["status"], "EXPIRED");
    for (status, count) in [("ACTIVE", 0), ("INACTIVE", 0), ("EXPIRED", 1)] {
        let list = world.get(&staff(), &format!("/api/wallet/rewards?status={status}")).await.expect(200);
        assert_eq!(list.json()["rewards"].as_array().unwrap().len(), count);
    }
    world
        .get(&staff(), "/api/wallet/rewards/rwd_00000000000000000000")
        .await
        .expect_problem(404, "reward_not_found");
    world.get(&staff(), "/api/wallet/rewards/other").await.expect_problem(404, "reward_not_found");
    world.get(&customer("a"), "/api/wallet/rewards").await.expect_problem(403, "forbidden");
    world.post(&staff(), path, r#"{"name":"A","credit_amount":1}"#).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn a_reward_that_would_have_ended_or_is_one_too_many_is_refused() {
    let world = World::new().await;
    let path = "/api/wallet/rewards/create";
    for until in ["2026-01-15T10:00:00Z", "2025-01-01T00:00:00Z"] {
        let body = format!(r#"{{"name":"A","credit_amount":1,"valid_until":"{until}"}}"#);
        let answer = world.post(&admin(), path, &body).await.expect(400);
        assert_eq!(answer.json()["errors"][0]["pointer"], "/valid_until");
    }
    let body = r#"{"name":"A","credit_amount":1,"valid_from":"2026-05-01T00:00:00Z","valid_until":"2026-04-01T00:00:00Z"}"#;
    world.post(&admin(), path, body).await.expect(400);
    let mut ids = vec![];
    for n in 0..100 {
        ids.push(create_reward(&world, &format!(r#""name":"R{n}","credit_amount":1,"max_uses":1"#)).await);
    }
    let one_more = r#"{"name":"One more","credit_amount":1}"#;
    world.post(&admin(), path, one_more).await.expect_problem(409, "too_many_open");
    let one = format!("/api/wallet/rewards/{}", ids[0]);
    world.patch(&admin(), &one, r#"{"status":"INACTIVE"}"#).await.expect(200);
    world.clock.advance_days(1);
    world.post(&admin(), path, one_more).await.expect(201);
    world.patch(&admin(), &one, r#"{"status":"ACTIVE"}"#).await.expect_problem(409, "too_many_open");
    let first = world.get(&staff(), "/api/wallet/rewards?limit=60").await.expect(200);
    let rest = format!("/api/wallet/rewards?limit=60&cursor={}", first.text("/next_cursor"));
    let rest = world.get(&staff(), &rest).await.expect(200);
    assert_eq!((&first.json()["total"], rest.json()["rewards"].as_array().unwrap().len()), (&json!(101), 41));
    assert_eq!(first.json()["rewards"][0]["name"], "One more");
}

#[tokio::test]
async fn raising_the_uses_adds_some_and_lowering_them_takes_free_ones_away() {
    let world = World::new().await;
    let id = create_reward(&world, r#""name":"A","credit_amount":10,"max_uses":3"#).await;
    for name in ["a", "b", "c", "d", "e"] {
        open(&world, name).await;
    }
    claim(&world, "a", &id, "").await;
    claim(&world, "b", &id, "").await;
    let one = format!("/api/wallet/rewards/{id}");
    let lowered = world.patch(&admin(), &one, r#"{"max_uses":1}"#).await.expect(200);
    assert_eq!((&lowered.json()["max_uses"], &lowered.json()["total_uses"]), (&json!(2), &json!(2)));
    assert_eq!(lowered.json()["uses_left"], 0);
    try_claim(&world, "c", &id, "").await.expect_problem(409, "reward_exhausted");
    world.patch(&admin(), &one, r#"{"max_uses":3}"#).await.expect(200);
    claim(&world, "c", &id, "").await;
    try_claim(&world, "d", &id, "").await.expect_problem(409, "reward_exhausted");
    world.patch(&admin(), &one, r#"{"max_uses":null}"#).await.expect(200);
    claim(&world, "d", &id, "").await;
    let read = world.get(&staff(), &one).await.json();
    assert_eq!(
        (&read["max_uses"], &read["uses_left"], &read["total_uses"]),
        (&json!(null), &json!(null), &json!(4))
    );
    let claims = world.get(&staff(), &format!("{one}/claims?limit=3")).await.expect(200);
    let rest = format!("{one}/claims?cursor={}", claims.text("/next_cursor"));
    let rest = world.get(&staff(), &rest).await.expect(200);
    let count = |answer: &tests::Answer| answer.json()["claims"].as_array().unwrap().len();
    assert_eq!((count(&claims), count(&rest)), (3, 1));
    assert_eq!(rest.json()["next_cursor"], json!(null));
    world.prove().await;
}

#[tokio::test]
async fn the_rewards_available_to_a_customer_say_what_is_missing() {
    let world = World::new().await;
    open(&world, "a").await;
    let free = create_reward(&world, r#""name":"Free","credit_amount":10"#).await;
    let shoes = r#""name":"Shoes","credit_amount":10,"min_purchase_amount":500,"applicable_to":["shoes"]"#;
    let shoes = create_reward(&world, shoes).await;
    create_reward(&world, r#""name":"Later","credit_amount":10,"valid_from":"2026-02-01T00:00:00Z""#).await;
    create_reward(&world, r#""name":"Dollars","credit_amount":10,"currency":"USD""#).await;
    let stopped = create_reward(&world, r#""name":"Stopped","credit_amount":10"#).await;
    let path = format!("/api/wallet/rewards/{stopped}");
    world.patch(&admin(), &path, r#"{"status":"INACTIVE"}"#).await.expect(200);
    let a = customer("a");
    let available = async || {
        let answer = world.get(&a, "/api/wallet/a/rewards/available").await.expect(200).json();
        let shown = |reward: &serde_json::Value| {
            let reason = reward["reason"].as_str().unwrap_or("eligible").to_owned();
            assert_eq!(reward["eligible"], reason == "eligible");
            (reward["reward_id"].as_str().unwrap().to_owned(), reward["needs_order"] == true, reason)
        };
        answer["rewards"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>()
    };
    let of = |shoes_reason: &str| {
        let mut both = vec![
            (free.clone(), false, "eligible".to_owned()),
            (shoes.clone(), true, shoes_reason.to_owned()),
        ];
        both.sort();
        both
    };
    let sorted = async || {
        let mut all = available().await;
        all.sort();
        all
    };
    assert_eq!(sorted().await, of("min_purchase"));
    let order = |id: &str, products: &str| {
        format!(r#"{{"order_id":"{id}","customer_id":"a","total":600,"product_ids":[{products}]}}"#)
    };
    let shop = service("order:write");
    world.post(&shop, "/api/integration/order", &order("o1", r#""hats""#)).await.expect(201);
    assert_eq!(sorted().await, of("products"));
    world.post(&shop, "/api/integration/order", &order("o2", r#""shoes""#)).await.expect(201);
    assert_eq!(sorted().await, of("eligible"));
    claim(&world, "a", &free, "").await;
    assert_eq!(available().await.len(), 1);
    world.post(&admin(), "/api/wallet/a/freeze", r#"{"reason":"test"}"#).await.expect(200);
    assert_eq!(available().await[0].2, "account_frozen");
    world
        .get(&customer("b"), "/api/wallet/a/rewards/available")
        .await
        .expect_problem(404, "wallet_not_found");
    world.get(&backend(), "/api/wallet/a/rewards/available").await.expect_problem(403, "forbidden");
    world.get(&service("wallet:read"), "/api/wallet/a/rewards/available").await.expect(200);
    world.prove().await;
}
