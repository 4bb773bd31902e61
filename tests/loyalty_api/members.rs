//! The list of members: filters, pages, and the file for campaigns.

use axum::body::Body;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use tests::loyal::backend;
use tests::{World, admin, customer, service, staff};

const PATH: &str = "/api/loyalty/members";

/// Four members: `gold`, `silver`, `idle` without a movement since January, and `poor`.
async fn world() -> World {
    let world = World::new().await;
    world.give("idle", 40, "").await;
    world.clock.set("2026-03-01T10:00:00Z");
    world.earn("gold", "b1", "200000").await;
    world.earn("silver", "b2", "60000").await;
    world.clock.set("2026-03-05T10:00:00Z");
    world.earn("poor", "b3", "100.50").await;
    world
}

async fn list(world: &World, query: &str) -> BTreeSet<String> {
    let listed = world.get(&staff(), &format!("{PATH}{query}")).await.expect(200).json();
    assert_eq!(listed["total"], Value::Null);
    listed["members"].as_array().unwrap().iter().map(|m| m["user_id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn members_are_listed_by_what_they_are_now() {
    let world = world().await;
    for (query, expected) in [
        ("", vec!["gold", "idle", "poor", "silver"]),
        ("?tier=GOLD", vec!["gold"]),
        ("?tier=BRONZE", vec!["idle", "poor"]),
        ("?tier=NONE", vec![]),
        ("?min_spend_12m=60000", vec!["gold", "silver"]),
        ("?min_spend_12m=100.51", vec!["gold", "silver"]),
        ("?min_spend_12m=100.5", vec!["gold", "poor", "silver"]),
        ("?min_lifetime_points=1", vec!["gold", "poor", "silver"]),
        ("?min_balance=40&tier=BRONZE", vec!["idle"]),
        ("?inactive_since=2026-02-01", vec!["idle"]),
        ("?in_grace=true", vec![]),
        ("?in_grace=false&tier=SILVER", vec!["silver"]),
        ("?tier_since_from=2026-03-01&tier_since_to=2026-03-04", vec!["gold", "silver"]),
    ] {
        assert_eq!(
            list(&world, query).await,
            BTreeSet::from_iter(expected.iter().map(ToString::to_string)),
            "{query}"
        );
    }
    let gold = world.get(&service("loyalty:read"), &format!("{PATH}?tier=GOLD")).await.expect(200);
    let member = gold.field("/members/0");
    assert_eq!(member["spend_12m"], json!(200000.0));
    assert_eq!((&member["status"], &member["tier"]), (&json!("ACTIVE"), &json!("GOLD")));
    assert_eq!(member["last_activity_at"], "2026-03-01T10:00:00.000Z");
    assert_eq!(member["grace_ends_on"], Value::Null);
    world.clock.set("2027-03-01T10:00:00Z");
    assert_eq!(
        list(&world, "?in_grace=true").await,
        BTreeSet::from(["gold".to_owned(), "silver".to_owned()])
    );
    world.clock.set("2028-03-01T10:00:00Z");
    assert!(list(&world, "?tier=GOLD").await.is_empty());
    world.prove().await;
}

#[tokio::test]
async fn pages_give_every_member_once() {
    let world = World::new().await;
    let mut all = BTreeSet::new();
    for at in 0..23 {
        let user = format!("m{at}");
        world.give(&user, 1 + at, "").await;
        all.insert(user);
    }
    for filter in ["", "&tier=BRONZE", "&min_balance=1"] {
        let (mut found, mut query, mut pages) = (Vec::new(), format!("?limit=4{filter}"), 0);
        loop {
            let page = world.get(&staff(), &format!("{PATH}{query}")).await.expect(200).json();
            let members = page["members"].as_array().unwrap();
            assert!(members.len() <= 4);
            found.extend(members.iter().map(|member| member["user_id"].as_str().unwrap().to_owned()));
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("?limit=4{filter}&cursor={cursor}");
            pages += 1;
            assert!(pages < 60, "the list ends");
        }
        assert_eq!(found.len(), 23, "{filter}");
        assert_eq!(BTreeSet::from_iter(found), all, "{filter}");
    }
    let page = world.get(&staff(), &format!("{PATH}?limit=4")).await.expect(200).json();
    let other = format!("{PATH}?limit=4&tier=GOLD&cursor={}", page["next_cursor"].as_str().unwrap());
    world.get(&staff(), &other).await.expect_problem(400, "invalid_cursor");
    assert_eq!(list(&world, "?skip=3&limit=100").await.len(), 20);
    world.prove().await;
}

#[tokio::test]
async fn the_list_is_a_file_for_who_asks_for_one() {
    let world = world().await;
    let asked = http::Request::get(format!("{PATH}?tier=BRONZE&min_balance=40"))
        .header("accept", "text/csv")
        .body(Body::empty())
        .unwrap();
    let file = world.send(Some(&admin()), asked).await.expect(200);
    assert_eq!(file.header("content-type"), Some("text/csv; charset=utf-8"));
    let lines: Vec<&str> = file.body.lines().collect();
    assert_eq!(lines.len(), 2, "{}", file.body);
    assert!(lines[0].ends_with("user_id,tier,tier_since,grace_ends_on,spend_12m,lifetime_points,balance,balance_value,last_activity_at,status"));
    assert!(lines[1].starts_with("idle,BRONZE,"), "{}", lines[1]);
    assert!(lines[1].contains(",0.00,0,40,40.00,"), "{}", lines[1]);
    world.prove().await;
}

#[tokio::test]
async fn customers_and_keys_without_the_scope_cannot_list_members() {
    let world = World::new().await;
    for caller in [customer("a"), service("loyalty:earn")] {
        world.get(&caller, PATH).await.expect_problem(403, "forbidden");
    }
    for bad in ["?in_grace=1", "?min_balance=-1", "?tier=a%20b", "?min_spend_12m=x", "?inactive_since=soon"] {
        world.get(&backend(), &format!("{PATH}{bad}")).await.expect_problem(400, "invalid_request");
    }
}
