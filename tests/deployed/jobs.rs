//! A job through the real queue and its event source mapping.

use serde_json::json;
use std::time::{Duration, Instant};
use tests::{Shop, admin, unique};

/// Time in which the queue's messages are delivered and handled.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_file_is_uploaded_to_the_bucket_and_read_by_the_function_of_the_queue() {
    let shop = Shop::shared().await;
    let owner = unique("cust");
    shop.world.open_wallet(&owner, "10").await;
    let lines: String = (0..60).map(|n| format!("{owner},1,{n}\n")).collect();
    let upload =
        tests::jobs::upload(&shop.world, "bulk_credit", &format!("customer_id,amount,reason\n{lines}")).await;
    let body = json!({"upload_id": upload, "control_rows": 60}).to_string();
    let id =
        shop.world.post(&admin(), "/api/wallet/bulk/add-credits", &body).await.expect(202).text("/job_id");
    let started = Instant::now();
    loop {
        tests::jobs::work(&shop.world).await;
        let job = shop.world.get(&admin(), &format!("/api/jobs/{id}")).await.expect(200).json();
        if job["status"] == "completed" {
            assert_eq!(job["succeeded"], 60);
            break;
        }
        assert!(started.elapsed() < LIMIT, "{job}");
    }
    shop.world.expect_available(&owner, "70.00").await;
    shop.world.prove().await;
}

#[tokio::test]
async fn a_bulk_job_is_carried_out_by_messages_of_the_queue() {
    let shop = Shop::shared().await;
    let (owner, other) = (unique("cust"), unique("cust"));
    shop.world.open_wallet(&owner, "10").await;
    shop.world.open_wallet(&other, "10").await;
    let row = |n: u32| json!({"customer_id": if n.is_multiple_of(2) { &owner } else { &other }, "amount": 1, "reason": n.to_string()});
    let body = json!({"credits": (0..60).map(row).collect::<Vec<_>>()}).to_string();
    let id =
        shop.world.post(&admin(), "/api/wallet/bulk/add-credits", &body).await.expect(202).text("/job_id");
    let started = Instant::now();
    loop {
        // Without a deployed stack, this is the mapping.
        tests::jobs::work(&shop.world).await;
        let job = shop.world.get(&admin(), &format!("/api/jobs/{id}")).await.expect(200).json();
        if job["pending"] == 0 {
            assert_eq!((&job["status"], &job["succeeded"]), (&json!("completed"), &json!(60)));
            break;
        }
        assert!(started.elapsed() < LIMIT, "{job}");
    }
    shop.world.expect_available(&owner, "40.00").await;
    shop.world.expect_available(&other, "40.00").await;
    let cancel = format!("/api/jobs/{id}/cancel");
    shop.world.post(&admin(), &cancel, "").await.expect_problem(409, "job_finished");
    shop.world.prove().await;
}
