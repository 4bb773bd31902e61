//! The monitor looks after jobs whose messages are lost or do not help.

use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tests::jobs::{bulk, credits, message, run_parts, standing, try_bulk, with_wallets, work};
use tests::{Fault, World, admin};
use tokio::sync::Notify;

/// Takes every message away, as if the queue had lost it.
async fn lose_messages(world: &World) {
    while world.queues.jobs.handle_batch(&|_| async { Ok(Value::Null) }).await {}
}

async fn requeued(world: &World) -> Value {
    world.run("monitor").await["breakdown"]["jobs_requeued"].clone()
}

async fn alerts(world: &World) -> Vec<(Value, Value)> {
    let listed = world.get(&admin(), "/api/alerts").await.expect(200).json();
    let all = listed["alerts"].as_array().unwrap().iter();
    all.map(|alert| (alert["kind"].clone(), alert["status"].clone())).collect()
}

#[tokio::test]
async fn a_rejected_file_is_alerted_and_closes_once_it_was_acknowledged_and_is_a_day_old() {
    let world = World::new().await;
    let id = tests::jobs::upload(&world, "bulk_credit", "customer_id,amount\nc000,zero\n").await;
    let body = format!(r#"{{"upload_id":"{id}"}}"#);
    world.post(&admin(), tests::jobs::BULK, &body).await.expect(202);
    work(&world).await;
    let raised = world.run("monitor").await;
    assert_eq!(alerts(&world).await, [(json!("bulk_failed"), json!("open"))]);
    world.clock.advance(Duration::from_secs(86_400));
    world.run("monitor").await;
    assert_eq!(alerts(&world).await, [(json!("bulk_failed"), json!("open"))]);
    let alert = raised["alerts"][0].as_str().unwrap();
    world.post(&admin(), &format!("/api/alerts/{alert}/acknowledge"), "").await.expect(200);
    assert_eq!(alerts(&world).await, [(json!("bulk_failed"), json!("acknowledged"))]);
    world.run("monitor").await;
    assert_eq!(alerts(&world).await, [(json!("bulk_failed"), json!("closed"))]);
}

#[tokio::test]
async fn dead_letters_raise_an_alert_until_what_they_asked_for_is_done() {
    let (world, names) = with_wallets(60).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    // Every message fails five times.
    for _ in 0..5 {
        while world.queues.jobs.handle_batch(&|_| async { Err("the function has stopped".into()) }).await {}
        world.queues.jobs.show_failed();
    }
    world.queues.books.send(vec!["not a message".to_owned()]);
    for _ in 0..3 {
        while world.queues.books.handle_batch(&|_| async { Err("the function has stopped".into()) }).await {}
        world.queues.books.show_failed();
    }
    assert_eq!((world.queues.jobs.counts()["dead"].clone(), world.queues.books.count_dead()), (json!(3), 1));
    let summary = world.run("monitor").await;
    assert_eq!(summary["breakdown"]["queues_dead"], 2, "{summary}");
    assert_eq!(alerts(&world).await.len(), 2);
    run_parts(&world, &message(&id, 0), "one").await;
    for _ in 0..2 {
        world.queues.jobs.show_failed();
        world.clock.advance(Duration::from_mins(5));
        let summary = world.run("monitor").await;
        assert_eq!(summary["breakdown"]["queues_dead"], 2, "two parts are left: {summary}");
    }
    let listed = world.get(&admin(), "/api/alerts").await.expect(200).json();
    let details = listed["alerts"].as_array().unwrap().iter().map(|alert| alert["detail"].clone());
    assert!(details.into_iter().any(|detail| detail == "2 messages could not be handled"), "{listed}");
    world.post(&admin(), &format!("/api/jobs/{id}/resume"), "").await.expect(200);
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed".into(), [60, 0, 0, 0]));
    world.queues.jobs.show_failed();
    let summary = world.run("monitor").await;
    assert_eq!(summary["breakdown"]["queues_dead"], 1, "a message that nobody can read stays");
    assert_eq!(world.queues.jobs.counts()["dead"], 0);
    world.clock.advance(Duration::from_mins(5));
    world.run("monitor").await;
    let mut open = alerts(&world).await;
    open.retain(|(_, status)| status == "open");
    assert_eq!(open, [(json!("queue_dead"), json!("open"))]);
    world.prove().await;
}

const TEN_MINUTES: Duration = Duration::from_secs(600);

#[tokio::test]
async fn messages_that_are_lost_are_sent_again_after_ten_minutes() {
    let (world, names) = with_wallets(60).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    run_parts(&world, &message(&id, 1), "r").await;
    lose_messages(&world).await;
    assert_eq!(requeued(&world).await, 0);
    world.clock.advance(TEN_MINUTES - Duration::from_secs(1));
    assert_eq!(requeued(&world).await, 0);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(requeued(&world).await, 1);
    assert_eq!(world.queues.jobs.counts()["visible"], 2, "the part that is done has no message");
    assert_eq!(requeued(&world).await, 0, "at once again");
    work(&world).await;
    assert_eq!(standing(&world, &id).await, ("completed".into(), [60, 0, 0, 0]));
    world.clock.advance(TEN_MINUTES);
    assert_eq!(requeued(&world).await, 0);
    assert_eq!(alerts(&world).await, []);
    world.prove().await;
}

#[tokio::test]
async fn a_job_that_is_not_helped_three_times_raises_an_alert_that_its_progress_closes() {
    let (world, names) = with_wallets(30).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    for again in 0..3 {
        lose_messages(&world).await;
        world.clock.advance(TEN_MINUTES);
        assert_eq!(requeued(&world).await, 1, "{again}");
        assert_eq!(alerts(&world).await, []);
    }
    lose_messages(&world).await;
    world.clock.advance(TEN_MINUTES);
    assert_eq!(requeued(&world).await, 0);
    assert_eq!(alerts(&world).await, [(json!("bulk_stalled"), json!("open"))]);
    world.post(&admin(), &format!("/api/jobs/{id}/resume"), "").await.expect(200);
    run_parts(&world, &message(&id, 0), "r").await;
    world.clock.advance(TEN_MINUTES - Duration::from_secs(60));
    world.run("monitor").await;
    work(&world).await;
    world.clock.advance(TEN_MINUTES);
    world.run("monitor").await;
    assert_eq!(alerts(&world).await, [(json!("bulk_stalled"), json!("closed"))]);
    assert_eq!(standing(&world, &id).await, ("completed".into(), [30, 0, 0, 0]));
    world.prove().await;
}

#[tokio::test]
async fn a_job_behind_an_older_one_that_moves_is_not_stalled() {
    let (world, names) = with_wallets(60).await;
    let large = bulk(&world, &credits(&names, 7), "").await;
    world.clock.advance(Duration::from_secs(1));
    let small = bulk(&world, &credits(&names[..2], 8), "").await;
    lose_messages(&world).await;
    world.clock.advance(TEN_MINUTES);
    run_parts(&world, &message(&large, 0), "r").await;
    assert_eq!(requeued(&world).await, 0);
    world.clock.advance(TEN_MINUTES);
    assert_eq!(requeued(&world).await, 2);
    work(&world).await;
    assert_eq!(standing(&world, &small).await, ("completed".into(), [2, 0, 0, 0]));
    assert_eq!(standing(&world, &large).await, ("completed".into(), [60, 0, 0, 0]));
    world.prove().await;
}

#[tokio::test]
async fn a_dead_message_about_a_job_that_cannot_be_read_stays_and_the_others_are_looked_at() {
    let (world, names) = with_wallets(2).await;
    let id = bulk(&world, &credits(&names, 7), "").await;
    for _ in 0..5 {
        while world.queues.jobs.handle_batch(&|_| async { Err("the function has stopped".into()) }).await {}
        world.queues.jobs.show_failed();
    }
    let other = bulk(&world, &credits(&names, 8), "").await;
    for _ in 0..5 {
        while world.queues.jobs.handle_batch(&|_| async { Err("the function has stopped".into()) }).await {}
        world.queues.jobs.show_failed();
    }
    run_parts(&world, &message(&other, 0), "r").await;
    world.poison(&store::keys::job(&domain::ids::JobId::parse(&id).unwrap()), "status").await;
    let summary = world.run("monitor").await;
    assert_eq!(summary["breakdown"]["queues_dead"], 1, "{summary}");
    assert_eq!(world.queues.jobs.count_dead(), 1, "that of the job that is done is gone");
    world.prove().await;
}

#[tokio::test]
async fn a_job_waits_only_for_older_ones_of_its_queue() {
    let (world, names) = with_wallets(60).await;
    let older = bulk(&world, &credits(&names, 7), "").await;
    world.clock.advance(Duration::from_secs(1));
    let file = "customer_id,currency,balance\nd1,INR,0\n";
    let imported = world.post_csv(&admin(), "/api/imports?kind=wallets", file).await.expect(202);
    lose_messages(&world).await;
    while world.queues.books.handle_batch(&|_| async { Ok(Value::Null) }).await {}
    world.clock.advance(TEN_MINUTES);
    run_parts(&world, &message(&older, 0), "r").await;
    assert_eq!(requeued(&world).await, 1);
    tests::jobs::steps(&world).await;
    let (status, _) = standing(&world, &imported.text("/job_id")).await;
    assert_eq!(status, "completed", "it was the import that was sent again");
    world.prove().await;
}

#[tokio::test]
async fn a_job_of_which_more_than_a_twentieth_has_failed_raises_an_alert() {
    let (world, names) = with_wallets(20).await;
    for failing in [1, 2] {
        let mut list = credits(&names, 7 + failing);
        for at in 0..failing {
            list[at as usize]["customer_id"] = json!(format!("nobody{at}"));
        }
        let id = bulk(&world, &list, "").await;
        work(&world).await;
        assert_eq!(standing(&world, &id).await.0, "completed_with_errors");
        world.clock.advance(Duration::from_secs(1));
        world.run("monitor").await;
    }
    assert_eq!(alerts(&world).await, [(json!("bulk_failed"), json!("open"))]);
    world.prove().await;
}

#[tokio::test]
async fn a_job_whose_rows_were_not_stored_in_time_raises_an_alert_and_its_rows_are_free_again() {
    let (world, names) = with_wallets(2).await;
    let world = Arc::new(world);
    let arrived = Arc::new(Notify::new());
    world.faults.plan("UpdateItem", 1, Fault::StopBefore(arrived.clone()));
    let (machine, list) = (world.clone(), credits(&names, 7));
    let process = tokio::spawn(async move { try_bulk(&machine, &list, "").await });
    tests::stopped(process, &arrived).await;
    world.clock.advance(Duration::from_secs(899));
    world.run("monitor").await;
    assert_eq!(alerts(&world).await, []);
    world.clock.advance(Duration::from_secs(1));
    // The first run ends the job, the second looks at what has ended.
    world.run("monitor").await;
    world.run("monitor").await;
    assert_eq!(alerts(&world).await, [(json!("bulk_failed"), json!("open"))]);
    bulk(&world, &credits(&names, 7), "").await;
    work(&world).await;
    world.expect_available("c000", "7.00").await;
    world.prove().await;
}
