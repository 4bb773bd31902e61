//! Plays the sample events of jobs through the code path of the Lambda runtime.

use super::events::{STORY, event};
use scrip::invoke::invoke;
use serde_json::{Value, json};
use tests::World;
use tests::jobs::{put_file, work};

/// Jobs for the wallets of the story.
pub const JOBS: [(&str, u16); 10] = [
    ("jobs-bulk-credits", 202),
    ("jobs-bulk-points", 202),
    ("jobs-get", 200),
    ("jobs-rows", 200),
    ("jobs-bulk-get", 200),
    ("jobs-bulk-rows", 200),
    ("jobs-resume", 200),
    ("jobs-bulk-file", 202),
    ("jobs-cancel", 200),
    ("jobs-upload", 201),
];

/// The job of the upload, and the message that has its file read.
pub const UPLOADED: [&str; 2] = ["jobs-bulk-upload", "move-books-queue"];

/// The file of the upload.
const FILE: &str = "customer_id,amount,reason,source\ncust_123,12.50,Holi,promotion\n";

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
    let [of_upload, message] = UPLOADED;
    let answer = invoke(&world.parts, "jobs", &event(of_upload)).await.unwrap();
    assert_eq!(answer["statusCode"], 409, "{answer}");
    let answer = invoke(&world.parts, "jobs", &event("jobs-upload")).await.unwrap();
    let upload: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(put_file(&world, &upload, FILE.as_bytes()).await, 200);
    let answer = invoke(&world.parts, "jobs", &event(of_upload)).await.unwrap();
    assert_eq!(answer["statusCode"], 202, "{answer}");
    for _ in 0..2 {
        let answer = invoke(&world.parts, "move-books", &event(message)).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}));
    }
    work(&world).await;
    let added = number(&world.balances("cust_123").await.0) - number(&before);
    assert_eq!(added, number("25.00"));
    world.prove().await;
}
