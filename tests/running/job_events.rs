//! Plays the sample events of jobs through the code path of the Lambda runtime.

use super::events::{STORY, event};
use scrip::invoke::invoke;
use serde_json::{Value, json};
use tests::World;

/// Jobs for the wallets of the story.
pub const JOBS: [(&str, u16); 9] = [
    ("jobs-bulk-credits", 202),
    ("jobs-bulk-points", 202),
    ("jobs-get", 200),
    ("jobs-rows", 200),
    ("jobs-bulk-get", 200),
    ("jobs-bulk-rows", 200),
    ("jobs-resume", 200),
    ("jobs-bulk-file", 202),
    ("jobs-cancel", 200),
];

/// The message about the part of the first job.
pub const PART: &str = "bulk-credit-queue";

#[tokio::test]
async fn every_event_of_jobs_is_answered_through_the_adapter() {
    let world = World::new().await;
    for (name, status) in &STORY[..2] {
        let answer = invoke(&world.parts, "wallet", &event(name)).await.unwrap();
        assert_eq!(answer["statusCode"], *status);
    }
    let before = world.balances("cust_123").await.0;
    for (name, status) in JOBS {
        let answer = invoke(&world.parts, "jobs", &event(name)).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{name} {answer}");
    }
    for _ in 0..2 {
        let answer = invoke(&world.parts, "bulk-credit", &event(PART)).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    let answer = invoke(&world.parts, "jobs", &event("jobs-get")).await.unwrap();
    let job: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!((&job["status"], &job["succeeded"]), (&json!("completed"), &json!(2)));
    let number = |text: &str| text.parse::<rust_decimal::Decimal>().unwrap();
    let added = number(&world.balances("cust_123").await.0) - number(&before);
    assert_eq!(added, number("12.50"));
    world.prove().await;
}
