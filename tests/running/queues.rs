//! The local queue of events of purchases, as an event source mapping drives it.

use crate::running::platform::{call, token};
use scrip::queues::{Queue, QueueRules, SHORT_WORK};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;
use tests::World;
use tests::loyal::run_events;
use tests::process::{Platform, Scratch};

const AT_ONCE: QueueRules = QueueRules { time_out: Duration::ZERO, ..SHORT_WORK };

fn counts(queue: &Queue) -> [u64; 4] {
    let counts = queue.counts();
    ["visible", "in_flight", "dead", "received"].map(|name| counts[name].as_u64().unwrap())
}

#[tokio::test]
async fn a_message_that_fails_comes_again_alone_and_is_a_dead_letter_in_the_end() {
    let world = World::new().await;
    let queue = Queue::new("purchases", AT_ONCE);
    let booked = |n: u32| json!({"type": "booking.confirmed", "data": {"booking_id": format!("b{n}"), "user_id": "a", "amount": 1000}});
    let mut messages: Vec<String> = (0..24).map(|n| booked(n).to_string()).collect();
    messages.insert(7, "not an event".to_owned());
    assert_eq!(queue.send(messages).len(), 25);
    assert_eq!(counts(&queue), [25, 0, 0, 0]);
    let sizes = Mutex::new(vec![]);
    let handle = |event: String| {
        let event: Value = serde_json::from_str(&event).unwrap();
        sizes.lock().unwrap().push(event["Records"].as_array().unwrap().len());
        let world = &world;
        async move { Ok(run_events(world, &event).await?) }
    };
    while queue.handle_batch(&handle).await {}
    assert_eq!(counts(&queue), [0, 0, 1, u64::from(24 + AT_ONCE.receives)]);
    assert!(sizes.lock().unwrap().iter().all(|size| (1..=10).contains(size)));
    assert_eq!(world.standing("a").await, [240, 0, 0, 0]);
    world.prove().await;
}

#[tokio::test]
async fn a_batch_whose_answer_names_another_message_or_is_an_error_fails_as_a_whole() {
    let queue = Queue::new("purchases", AT_ONCE);
    queue.send(vec!["{}".to_owned(), "{}".to_owned()]);
    let unknown = |_| async { Ok(json!({"batchItemFailures": [{"itemIdentifier": "message-9"}]})) };
    queue.handle_batch(&unknown).await;
    assert_eq!(counts(&queue), [0, 2, 0, 2]);
    let failing = |_| async { Err("the function has stopped".into()) };
    queue.handle_batch(&failing).await;
    assert_eq!(counts(&queue), [0, 2, 0, 4]);
    let done = |_| async { Ok(Value::Null) };
    queue.handle_batch(&done).await;
    assert_eq!(counts(&queue), [0, 0, 0, 6]);
    assert!(!queue.handle_batch(&done).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_on_the_platforms_queue_are_applied() {
    let scratch = Scratch::new("queue");
    let platform = Platform::start(&scratch.0);
    let messages: Vec<Value> = (0..30)
        .map(|n| {
            let data = json!({"booking_id": format!("b{n}"), "user_id": "a", "amount": 100});
            let message = json!({"type": "booking.confirmed", "data": data});
            if n % 2 == 0 { message } else { Value::String(message.to_string()) }
        })
        .collect();
    let (path, body) = ("/_local/queues/purchases", json!({"messages": messages}));
    let (status, answer) = call(&platform, "", path, None, Some(body)).await;
    assert_eq!((status, &answer["queued"]), (202, &json!(30)));
    assert_eq!(call(&platform, "", path, None, Some(json!({"message": []}))).await.0, 400);
    let (status, settled) =
        call(&platform, "", "/_local/settle", None, Some(json!({"timeout": "60s"}))).await;
    assert_eq!(status, 200, "{settled}");
    let (_, queues) = call(&platform, "", "/_local/queues", None, None).await;
    assert_eq!(settled, json!({"queues": queues, "streams": {}}));
    let left = &queues["purchases"];
    assert_eq!((&left["received"], &left["dead"]), (&json!(30), &json!(0)));
    // A message that cannot be handled comes again after half a minute: nobody waits that long here.
    let body = json!({"messages": ["not an event"]});
    assert_eq!(call(&platform, "", path, None, Some(body)).await.0, 202);
    let (status, problem) = call(&platform, "", "/_local/settle", None, Some(json!({"timeout": "1s"}))).await;
    assert_eq!((status, &problem["code"]), (504, &json!("timeout")));
    let (status, _) = call(&platform, "", "/_local/settle", None, Some(json!({"timeout": 5}))).await;
    assert_eq!(status, 400);
    let admin = token(scratch.0.to_str().unwrap(), "admin", "a");
    let (_, points) = call(&platform, &admin, "/api/loyalty/wallets/a", None, None).await;
    assert_eq!(points["available"], 30);
}
