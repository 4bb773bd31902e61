//! Batches from SQS: only the messages that fail are delivered again.

use edge::batch::{Batch, each};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Mutex;
use tokio::sync::Barrier;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    part: u32,
}

fn message(id: &str, body: &str, group: Option<&str>) -> Value {
    let mut attributes = json!({"ApproximateReceiveCount": "1", "SentTimestamp": "1769594400000"});
    if let Some(group) = group {
        attributes["MessageGroupId"] = json!(group);
    }
    json!({
        "messageId": id,
        "receiptHandle": "handle",
        "body": body,
        "attributes": attributes,
        "messageAttributes": {},
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:jobs",
        "awsRegion": "eu-central-1",
    })
}

fn part(number: u32, group: Option<&str>) -> Value {
    message(&format!("m{number}"), &format!(r#"{{"part":{number}}}"#), group)
}

fn batch(messages: &[Value]) -> Batch {
    serde_json::from_value(json!({"Records": messages})).unwrap()
}

fn failures(ids: &[&str]) -> Value {
    let failures: Vec<_> = ids.iter().map(|id| json!({"itemIdentifier": id})).collect();
    json!({"batchItemFailures": failures})
}

#[tokio::test]
async fn a_message_that_is_poison_that_fails_or_panics_comes_again_alone() {
    let done = Mutex::new(vec![]);
    let take = |part: Part| {
        assert!(part.part != 5, "this panics before there is a future");
        let done = &done;
        async move {
            match part.part {
                3 => Err("the table is away"),
                4 => panic!("this panics while it is carried out"),
                part => {
                    done.lock().unwrap().push(part);
                    Ok(())
                }
            }
        }
    };
    let messages = [
        part(1, None),
        message("poison", "{", None),
        message("other", r#"{"part":9,"more":true}"#, None),
        part(3, None),
        part(4, None),
        part(5, None),
        part(6, None),
    ];
    let answer = serde_json::to_value(each(batch(&messages), 2, take).await).unwrap();
    assert_eq!(answer, failures(&["poison", "other", "m3", "m4", "m5"]));
    let mut done = done.into_inner().unwrap();
    done.sort_unstable();
    assert_eq!(done, [1, 6]);
    let nothing = serde_json::to_value(each(batch(&[]), 2, |_: Part| async { Ok::<_, String>(()) }).await);
    assert_eq!(nothing.unwrap(), failures(&[]), "an empty list means that all messages are done");
}

#[tokio::test]
async fn what_stands_behind_a_failed_message_of_its_group_waits_and_other_groups_go_on() {
    let order = Mutex::new(vec![]);
    let take = |part: Part| {
        order.lock().unwrap().push(part.part);
        async move { if part.part == 2 { Err("not yet") } else { Ok(()) } }
    };
    let groups = [("a", 1), ("a", 2), ("b", 10), ("a", 3), ("b", 11), ("a", 4)];
    let messages = groups.map(|(group, number)| part(number, Some(group)));
    let answer = serde_json::to_value(each(batch(&messages), 4, take).await).unwrap();
    assert_eq!(answer, failures(&["m2", "m3", "m4"]));
    let order = order.into_inner().unwrap();
    let of = |group: &[u32]| order.iter().copied().filter(|part| group.contains(part)).collect::<Vec<_>>();
    assert_eq!(of(&[1, 2, 3, 4]), [1, 2]);
    assert_eq!(of(&[10, 11]), [10, 11]);
}

#[tokio::test]
async fn messages_are_taken_at_the_same_time_and_no_more_than_is_allowed() {
    let (meeting, running) = (Barrier::new(3), Mutex::new((0, 0)));
    let take = |_: Part| async {
        {
            let mut running = running.lock().unwrap();
            running.0 += 1;
            running.1 = running.1.max(running.0);
        }
        // Three messages must be in progress at once, or none continues.
        meeting.wait().await;
        running.lock().unwrap().0 -= 1;
        Ok::<_, String>(())
    };
    let messages: Vec<_> = (0..9).map(|number| part(number, None)).collect();
    let answer = serde_json::to_value(each(batch(&messages), 3, take).await).unwrap();
    assert_eq!(answer, failures(&[]));
    assert_eq!(running.into_inner().unwrap(), (0, 3));
}
