//! The platform as a process: first steps, the command line, and SIGKILL.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use tests::process::{Platform, Scratch, root, scrip};

pub async fn call(
    platform: &Platform,
    token: &str,
    path: &str,
    key: Option<&str>,
    body: Option<Value>,
) -> (u16, Value) {
    let client = gateways::client().unwrap();
    let url = format!("{}{path}", platform.api);
    let request = match body {
        Some(body) => client.post(url).header("content-type", "application/json").body(body.to_string()),
        None => client.get(url),
    };
    let request = request.header("authorization", format!("Bearer {token}"));
    let request = match key {
        Some(key) => request.header("idempotency-key", key),
        None => request,
    };
    let reply = request.send().await.unwrap();
    (reply.status().as_u16(), serde_json::from_str(&reply.text().await.unwrap()).unwrap())
}

pub fn token(data: &str, role: &str, sub: &str) -> String {
    let (code, token) = scrip(&["token", "--role", role, "--sub", sub, "--data", data]);
    assert_eq!(code, 0, "{token}");
    token.trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_finds_its_platform_running_or_not() {
    let scratch = Scratch::new("cli");
    let data = scratch.0.to_str().unwrap();
    let mut platform = Platform::start(&scratch.0);
    let (admin, customer) = (token(data, "admin", "a"), token(data, "customer", "cust_1"));
    let create = json!({"customer_id": "cust_1", "initial_balance": 500});
    assert_eq!(call(&platform, &admin, "/api/wallet/create", None, Some(create)).await.0, 201);
    assert_eq!(call(&platform, &customer, "/api/wallet/cust_1", None, None).await.0, 200);
    assert_eq!(call(&platform, "nonsense", "/api/wallet/cust_1", None, None).await.0, 401);
    assert_eq!(call(&platform, "", "/health", None, None).await.0, 200);
    assert_eq!(call(&platform, &admin, "/nothing/here", None, None).await.0, 404);
    // The clock moves business time only: no job runs, and tokens are not affected.
    let (code, now) = scrip(&["clock", "advance", "400d", "--data", data]);
    assert_eq!(code, 0, "{now}");
    let (_, balance) = call(&platform, &customer, "/api/wallet/cust_1/balance", None, None).await;
    assert_eq!(balance["balance"], json!(0.0));
    let (code, proof) = scrip(&["audit", "--data", data]);
    assert!(code == 0 && proof.contains("entries      1\n") && proof.ends_with("PROVED\n"), "{proof}");
    let (status, swept) = call(&platform, "", "/_local/run/expire-credits", None, Some(json!({}))).await;
    assert_eq!((status, swept["entries"].as_u64()), (200, Some(1)));
    assert_eq!(call(&platform, "", "/_local/run/nothing", None, Some(json!({}))).await.0, 404);
    let event = root().join("events/wallet-create.json");
    let (code, answer) = scrip(&["invoke", "wallet", event.to_str().unwrap(), "--data", data]);
    assert!(code == 0 && answer.contains("\"statusCode\": 201"), "{answer}");
    let (status, document) = call(&platform, "", "/openapi.json", None, None).await;
    assert_eq!((status, document["openapi"].as_str()), (200, Some("3.1.0")));
    let page = gateways::client().unwrap().get(format!("{}/docs/", platform.api)).send().await.unwrap();
    assert!(page.status().is_success() && page.text().await.unwrap().contains("swagger"));
    // The commands also work when nothing is running, and the clock keeps its time.
    platform.kill();
    let (code, again) = scrip(&["audit", "--data", data]);
    assert!(code == 0 && again.contains("accounts     2\n") && again.contains("entries      3\n"), "{again}");
    let (_, later) = scrip(&["clock", "--data", data]);
    assert!(later >= now, "{later} {now}");
    let (code, event) = scrip(&["invoke", "nothing", event.to_str().unwrap(), "--data", data]);
    assert!(code == 1 && event.contains("there is no function nothing"), "{event}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edited_book_makes_the_audit_fail_and_say_where() {
    let scratch = Scratch::new("edited");
    let data = scratch.0.to_str().unwrap();
    let platform = Platform::start(&scratch.0);
    let admin = token(data, "admin", "a");
    let create = json!({"customer_id": "cust_1", "initial_balance": 500});
    call(&platform, &admin, "/api/wallet/create", None, Some(create)).await;
    let running: Value =
        serde_json::from_str(&std::fs::read_to_string(scratch.0.join("platform.json")).unwrap()).unwrap();
    let settings = store::Settings {
        region: "us-east-1".into(),
        credentials: store::Credentials::new("any", "any", None, None, "test"),
        endpoint: Some(running["dynamodb"].as_str().unwrap().to_owned()),
        attempt_timeout: std::time::Duration::from_secs(5),
    };
    // Any AWS tool can read the table, and damage it.
    let client = store::connect(settings, store::https().unwrap());
    let key = store::keys::wallet(&domain::ids::CustomerId::parse("cust_1").unwrap());
    let edit = client.update_item().table_name("scrip").set_key(Some(key.attributes()));
    let value = aws_sdk_dynamodb::types::AttributeValue::N("900".into());
    edit.update_expression("SET earned = :v").expression_attribute_values(":v", value).send().await.unwrap();
    let (code, proof) = scrip(&["audit", "--data", data]);
    assert_eq!(code, 1);
    assert!(proof.contains("w:cust_1: total earned is stored as 900, its entries give 500"), "{proof}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_it_restarts_with_every_acknowledged_operation_once() {
    let scratch = Scratch::new("killed");
    let data = scratch.0.to_str().unwrap();
    let mut platform = Platform::start(&scratch.0);
    let admin = token(data, "admin", "a");
    for n in 0..4 {
        let create = json!({"customer_id": format!("c{n}"), "initial_balance": 1000});
        assert_eq!(call(&platform, &admin, "/api/wallet/create", None, Some(create)).await.0, 201);
    }
    let mut sent: BTreeMap<String, String> = BTreeMap::new();
    let mut acknowledged: BTreeMap<String, Value> = BTreeMap::new();
    for round in 0..3_u32 {
        let (send, mut answers) = tokio::sync::mpsc::unbounded_channel();
        let mut tasks = vec![];
        for n in 0..4 {
            let (send, admin, api) = (send.clone(), admin.clone(), platform.api.clone());
            tasks.push(tokio::spawn(async move {
                let client = gateways::client().unwrap();
                for at in 0..10_000 {
                    let (key, path) =
                        (format!("{round}-{n}-{at}"), format!("/api/wallet/c{n}/deduct-credits"));
                    let request =
                        client.post(format!("{api}{path}")).header("content-type", "application/json");
                    let request = request
                        .header("authorization", format!("Bearer {admin}"))
                        .header("idempotency-key", &key);
                    let reply = request.body(r#"{"amount":0.01}"#).send().await;
                    let body = match reply {
                        Ok(reply) if reply.status() == 201 => reply.text().await.ok(),
                        Ok(reply) => panic!("{}", reply.text().await.unwrap()),
                        Err(_) => None,
                    };
                    let lost = body.is_none();
                    let _ = send.send((key, path, body));
                    if lost {
                        return;
                    }
                }
            }));
        }
        drop(send);
        let mut seen = 0;
        while let Some((key, path, body)) = answers.recv().await {
            sent.insert(key.clone(), path);
            if let Some(body) = body {
                acknowledged.insert(key, serde_json::from_str(&body).unwrap());
            }
            seen += 1;
            if seen == 100 {
                platform.kill();
            }
        }
        for task in tasks {
            task.await.unwrap();
        }
        platform = Platform::start(&scratch.0);
    }
    assert!(
        acknowledged.len() >= 250 && sent.len() > acknowledged.len(),
        "{} of {}",
        acknowledged.len(),
        sent.len()
    );
    // Every request is repeated with its key: acknowledged ones return their first answer, lost ones are
    // applied once.
    for (key, path) in &sent {
        let (status, body) = call(&platform, &admin, path, Some(key), Some(json!({"amount": 0.01}))).await;
        assert_eq!(status, 201);
        assert!(acknowledged.get(key).is_none_or(|first| *first == body), "{key}");
    }
    let (code, proof) = scrip(&["audit", "--data", data]);
    assert!(code == 0 && proof.contains(&format!("entries      {}\n", 4 + sent.len())), "{proof}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sample_is_replayed_once_and_proves() {
    let scratch = Scratch::new("sample");
    let data = scratch.0.to_str().unwrap();
    let _platform = Platform::start(&scratch.0);
    let file = root().join("infra/local/sample/wallets.csv");
    let (code, first) = scrip(&["sample", "--file", file.to_str().unwrap(), "--data", data]);
    assert!(code == 0 && first.contains("0 of them replayed before"), "{first}");
    let (_, proof) = scrip(&["audit", "--data", data]);
    // 200 wallets, and the points of 67 of their owners.
    assert!(proof.contains("accounts     267\n") && proof.ends_with("PROVED\n"), "{proof}");
    assert!(proof.contains("sum          points BURN"), "{proof}");
    let (code, second) = scrip(&["sample", "--file", file.to_str().unwrap(), "--data", data]);
    assert_eq!(code, 0, "{second}");
    assert_eq!(scrip(&["audit", "--data", data]).1, proof, "a second replay changes nothing");
}
