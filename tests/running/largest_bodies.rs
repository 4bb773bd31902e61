//! Every route with the largest request that it takes: what a request costs is bounded by its size.

use axum::body::Body;
use http::{Request, header};
use serde_json::Value;
use std::time::{Duration, Instant};
use tests::{Agency, Answer, admin};

/// The largest answer to a request that asks for nothing large, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// The largest number of requests to the table that a refused request causes.
const MAX_TABLE_REQUESTS: usize = 12;

/// Returns the method and path of every operation of the API document, with ids that exist where there
/// are such.
fn operations(agency: &Agency) -> Vec<(String, String, Value)> {
    let text = std::fs::read_to_string(tests::process::root().join("infra/openapi.json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let mut operations = vec![];
    for (path, methods) in document["paths"].as_object().unwrap() {
        let mut filled = path.clone();
        for (name, id) in [
            ("{customer_id}", "a"),
            ("{account_id}", agency.client.as_str()),
            ("{campaign_id}", agency.campaign.as_str()),
            ("{brand_id}", agency.brand.as_str()),
            ("{pool_id}", agency.pool.as_str()),
            ("{order_id}", "o"),
        ] {
            filled = filled.replace(name, id);
        }
        let filled = filled.replace(['{', '}'], "");
        for (method, operation) in methods.as_object().unwrap() {
            if ["get", "post", "patch", "put", "delete"].contains(&method.as_str()) {
                operations.push((method.to_uppercase(), filled.clone(), operation.clone()));
            }
        }
    }
    operations
}

/// Returns bodies of the largest size that a JSON request may have.
fn largest_json() -> Vec<(&'static str, String)> {
    let most = 256 * 1024 - 32;
    let members = |member: &dyn Fn(usize) -> String| {
        let mut body = String::from("{");
        for n in 0.. {
            let next = member(n);
            if body.len() + next.len() + 2 > most {
                break;
            }
            body.push_str(if n == 0 { "" } else { "," });
            body.push_str(&next);
        }
        body + "}"
    };
    vec![
        ("many unknown fields", members(&|n| format!("\"{n}\":1"))),
        ("one field very often", members(&|_| "\"amount\":1".to_owned())),
        ("one long name", format!("{{\"{}\":1}}", "n".repeat(most - 8))),
        ("one long text", format!("{{\"reason\":\"{}\"}}", "x".repeat(most - 16))),
        (
            "much metadata",
            format!("{{\"metadata\":{}}}", members(&|n| format!("\"{n}\":\"{}\"", "v".repeat(8)))),
        ),
        ("a long list", format!("{{\"denominations\":[{}1]}}", "1,".repeat(most / 2 - 16))),
        (
            "deep nesting",
            format!("{{\"metadata\":{}{}}}", "[".repeat(most / 2 - 16), "]".repeat(most / 2 - 16)),
        ),
        ("a long number", format!("{{\"amount\":{}}}", "9".repeat(most - 16))),
    ]
}

async fn send(agency: &Agency, request: Request<Body>) -> Answer {
    agency.world().send(Some(&admin()), request).await
}

/// Sends a request; asserts that it costs and answers little.
async fn expect_little(agency: &Agency, what: &str, request: Request<Body>) {
    agency.world().faults.take_log();
    let started = Instant::now();
    let answer = send(agency, request).await;
    let requests = agency.world().faults.take_log().len();
    assert!((200..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.body);
    assert!(answer.body.len() <= MAX_ANSWER, "{what}: {} bytes", answer.body.len());
    assert!(requests <= MAX_TABLE_REQUESTS, "{what}: {requests} requests to the table");
    assert!(started.elapsed() < Duration::from_secs(2), "{what}: {:?}", started.elapsed());
}

/// Covers fault 47 of the requirements.
#[tokio::test]
async fn every_route_answers_the_largest_request_that_it_takes_with_little_work() {
    let agency = Agency::new("100", 3).await;
    agency.world().open_wallet("a", "100").await;
    let (json, mut walked) = (largest_json(), 0);
    let csv = "a,b,c\n".repeat(4 * 1024 * 1024 / 6);
    let query: Vec<String> = (0..1_500).map(|n| format!("p{n}=1")).collect();
    for (method, path, operation) in operations(&agency) {
        walked += 1;
        let content = operation["requestBody"]["content"].as_object();
        let request = |content_type: &str, body: &str| {
            let request = Request::builder().method(method.as_str()).uri(&path);
            request.header(header::CONTENT_TYPE, content_type).body(Body::from(body.to_owned())).unwrap()
        };
        let named = format!("{method} {path}");
        for content_type in content.into_iter().flat_map(|content| content.keys()) {
            if content_type == "text/csv" {
                expect_little(&agency, &format!("{named}: csv"), request(content_type, &csv)).await;
            } else {
                for (what, body) in &json {
                    expect_little(&agency, &format!("{named}: {what}"), request(content_type, body)).await;
                }
            }
        }
        let asked = Request::builder().method(method.as_str()).uri(format!("{path}?{}", query.join("&")));
        expect_little(&agency, &format!("{named}: query"), asked.body(Body::empty()).unwrap()).await;
    }
    assert!(walked > 60, "{walked} operations");
    agency.world().prove().await;
}
