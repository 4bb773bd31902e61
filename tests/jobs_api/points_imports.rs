//! Points of another system: accounts with their lots and tiers.

use serde_json::{Value, json};
use tests::jobs::{job, outcomes, work};
use tests::{World, admin, staff};

async fn import_points(world: &World, query: &str, rows: &str) -> Value {
    let file = format!("user_id,points,lots,qualifying,tier,tier_until,status\n{rows}");
    let path = format!("/api/imports?kind=points{query}");
    let id = world.post_csv(&admin(), &path, &file).await.expect(202).text("/job_id");
    work(world).await;
    job(world, &id).await
}

#[tokio::test]
async fn points_come_with_their_lots_tier_and_status_in_one_transaction() {
    let world = World::new().await;
    let rows = "a,150,100|2026-12-31;50|never,true,GOLD,2026-06-30,\nb,0,,,,,FROZEN\nc,7,7|never,,,,\n";
    let done = import_points(&world, "", rows).await;
    assert_eq!((&done["status"], &done["succeeded"]), (&json!("completed"), &json!(3)), "{done}");
    let sums = json!({"rows": 3, "wallets": 3, "lots": 3, "balances": [{"currency": null, "amount": 157}]});
    let reconciled = &done["reconciliation"];
    assert_eq!(
        (&reconciled["file"], &reconciled["books"], &reconciled["agrees"]),
        (&sums, &sums, &json!(true))
    );
    assert_eq!((&done["amount_total"], &done["currency"]), (&json!(157), &Value::Null));
    let points = world.get(&staff(), "/api/loyalty/wallets/a").await.expect(200).json();
    assert_eq!((&points["available"], &points["lifetime_points"]), (&json!(150), &json!(150)), "{points}");
    let tier = &points["tier"];
    assert_eq!((&tier["name"], &tier["granted_until"]), (&json!("GOLD"), &json!("2026-06-30")), "{tier}");
    let frozen = world.get(&staff(), "/api/loyalty/wallets/b").await.expect(200).json();
    assert_eq!(frozen["status"], "FROZEN", "{frozen}");
    let again = import_points(&world, "", rows).await;
    assert_eq!(
        outcomes(&world, &again).await.iter().filter(|(_, code)| code == "exists").count(),
        3,
        "{again}"
    );
    let body = r#"{"points":5,"reason":"test","direction":"in"}"#;
    world.post(&admin(), "/api/loyalty/wallets/c/transactions", body).await.expect(201);
    let moved = import_points(&world, "", rows).await;
    assert_eq!(outcomes(&world, &moved).await[2], (4, "exists_differently".to_owned()));
    world.prove().await;
}

#[tokio::test]
async fn rows_of_points_that_cannot_be_are_refused_under_their_codes() {
    let world = World::new().await;
    let rows = "a,150,100|never,,,,\n\
                b,10,10|2026-01-14,,,,\n\
                c,10,10|never,,GOLD,,\n\
                d,10,10|never,,,,SUSPENDED\n\
                e,1.5,,,,,\n\
                f,10,10|never,maybe,,,\n\
                f,10,10|never,,,,\n\
                g,10,10|never,,PEARL,2026-06-30,\n\
                h,10,10|2026-01-15,,,,\n";
    let done = import_points(&world, "&on_invalid=skip", rows).await;
    let codes: Vec<String> = outcomes(&world, &done).await.into_iter().map(|(_, code)| code).collect();
    let expected = [
        "lots_differ_from_balance",
        "lot_expired",
        "invalid_row",
        "invalid_row",
        "invalid_row",
        "invalid_row",
        "invalid_row",
        "invalid_row",
        "created",
    ];
    assert_eq!(codes, expected, "{done}");
    assert_eq!(done["reconciliation"]["agrees"], true, "{done}");
    world.prove().await;
}
