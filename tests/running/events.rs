//! The sample events through the Lambda runtime's own path: in process, and with the real binaries.

use super::loyalty_events::{LOYALTY, REWARDS, VOUCHERS};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use scrip::invoke::invoke;
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::Arc;
use tests::process::{binary, root};
use tests::{Shop, World};
use tokio::sync::{Mutex, mpsc};

/// Returns a sample event.
pub fn event(name: &str) -> String {
    std::fs::read_to_string(root().join("events").join(format!("{name}.json"))).unwrap()
}

/// The events of one wallet, in sequence, each with the expected status.
pub const STORY: [(&str, u16); 23] = [
    ("wallet-create-recipient", 201),
    ("wallet-create", 201),
    ("wallet-add-credits", 201),
    ("wallet-deduct-credits", 201),
    ("wallet-refund", 201),
    ("wallet-hold", 201),
    ("wallet-hold-get", 200),
    ("wallet-hold-capture", 200),
    ("wallet-hold-release", 200),
    ("wallet-transfer", 201),
    ("wallet-get", 200),
    ("wallet-balance", 200),
    ("wallet-transactions", 200),
    ("wallet-transaction-summary", 200),
    ("wallet-statistics", 200),
    ("wallet-expiring", 200),
    ("wallet-expiry-history", 200),
    ("wallet-referral-code", 200),
    ("wallet-tier-benefits", 200),
    ("wallet-freeze", 200),
    ("wallet-suspend", 200),
    ("wallet-unfreeze", 200),
    ("wallet-health", 200),
];

#[tokio::test]
async fn every_event_of_a_wallet_is_answered_through_the_adapter() {
    let world = World::new().await;
    for (name, status) in STORY {
        let answer = invoke(&world.parts, "wallet", &event(name)).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{name} {answer}");
        assert_eq!(answer["isBase64Encoded"], false, "JSON is not sent as base64");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        if name == "wallet-deduct-credits" {
            assert_eq!((&body["amount"], &body["reference"]), (&json!(250.0), &json!("order:order_789:pay")));
        }
    }
    world.expect_available("cust_123", "1275.50").await;
    world.expect_available("cust_456", "25.00").await;
    // Every event again: those with a key or a natural cause change nothing, the others only read.
    for (name, _) in STORY {
        invoke(&world.parts, "wallet", &event(name)).await.unwrap();
    }
    world.expect_available("cust_123", "1275.50").await;
    world.clock.advance_days(400);
    let swept = invoke(&world.parts, "expire-credits", &event("expire-credits-schedule")).await.unwrap();
    assert_eq!((&swept["failed"], &swept["more"]), (&json!(0), &json!(false)));
    assert!(swept["entries"].as_u64().unwrap() >= 2, "{swept}");
    world.prove().await;
}

/// Payments of the same wallet: the event, its function, and the expected status.
pub const PAYMENTS: [(&str, &str, u16); 9] = [
    ("order-register", "order-payment", 201),
    ("order-pay", "order-payment", 201),
    ("order-refund", "refund", 201),
    ("order-get", "order-payment", 200),
    ("order-status", "order-payment", 200),
    ("order-health", "order-payment", 200),
    ("topup-initiate", "wallet-topup", 201),
    ("webhook-forged", "payment-webhook", 401),
    ("webhook-events", "payment-webhook", 200),
];

#[tokio::test]
async fn every_event_of_a_payment_is_answered_through_the_adapter_and_a_signed_one_credits() {
    let shop = Shop::new().await;
    shop.world.open_wallet("cust_123", "1000").await;
    let mut topup = String::new();
    for (name, function, status) in PAYMENTS {
        let answer = invoke(&shop.parts(), function, &event(name)).await.unwrap();
        assert_eq!(answer["statusCode"], status, "{name} {answer}");
        let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        if name == "topup-initiate" {
            topup = body["topup_id"].as_str().unwrap().to_owned();
        }
    }
    shop.world.expect_available("cust_123", "800.00").await;
    // API Gateway may pass a webhook on as base64: the signature covers the decoded bytes.
    let order = shop.fakes.change(|state| state.orders.keys().next().unwrap().clone());
    let values = shop.values(&topup, &shop.pay(&order, "captured"), "signed");
    let body = Shop::body("razorpay.payment_captured", &values);
    let mut signed: Value = serde_json::from_str(&event("webhook-forged")).unwrap();
    signed["body"] = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &body).into();
    for (name, value) in shop.fakes.headers("razorpay", "signed", &body, false) {
        signed["headers"][name] = value.into();
    }
    let answer = invoke(&shop.parts(), "payment-webhook", &signed.to_string()).await.unwrap();
    assert_eq!(answer["statusCode"], 200, "{answer}");
    shop.world.expect_available("cust_123", "1300.00").await;
    let looked = invoke(&shop.parts(), "monitor", &event("monitor-schedule")).await.unwrap();
    assert_eq!(looked["success"], true);
    shop.world.prove().await;
}

/// Events of purchases as each of their sources sends them.
pub const MESSAGES: [&str; 4] =
    ["purchase-events-bridge", "purchase-events-kafka", "purchase-events-orders", "purchase-events-queue"];

#[tokio::test]
async fn messages_about_purchases_are_taken_from_each_of_their_sources() {
    let world = World::new().await;
    world.open_wallet("cust_123", "").await;
    for name in MESSAGES {
        let answer = invoke(&world.parts, "purchase-events", &event(name)).await.unwrap();
        assert_eq!(answer, json!({"batchItemFailures": []}), "{name}");
    }
    assert_eq!(world.standing("cust_123").await, [12, 0, 0, 0], "5, 1 of 3, and floor(6.75) of 9");
    assert_eq!(world.balances("cust_123").await.0, "15.00", "5 % of what is left of 400");
    world.prove().await;
}

#[tokio::test]
async fn there_is_an_event_for_every_call_and_each_is_played() {
    let mut files: Vec<String> = std::fs::read_dir(root().join("events"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter_map(|file| file.strip_suffix(".json").map(str::to_owned))
        .collect();
    files.retain(|file| !file.ends_with("-schedule"));
    files.sort();
    let payments = PAYMENTS.iter().map(|(name, ..)| *name);
    let budgets = super::budget_events::STORY.iter().map(|(name, ..)| *name);
    let wallets = STORY.iter().chain(&LOYALTY).chain(&VOUCHERS).chain(&REWARDS).map(|(name, _)| *name);
    let mut story: Vec<&str> = wallets.chain(payments).chain(budgets).collect();
    story.extend(MESSAGES);
    story.extend(super::job_events::JOBS.iter().map(|(name, _)| *name));
    story.push(super::job_events::PART);
    story.extend(super::job_events::UPLOADED);
    story.sort_unstable();
    assert_eq!(files, story);
}

#[derive(Clone)]
struct Runtime {
    events: Arc<Mutex<mpsc::Receiver<(String, String)>>>,
    answers: mpsc::Sender<(String, String, String)>,
}

/// Starts Lambda's Runtime API on loopback and returns its address.
async fn runtime_api(runtime: Runtime) -> String {
    let next = async |State(runtime): State<Runtime>| {
        let Some((id, event)) = runtime.events.lock().await.recv().await else {
            return std::future::pending().await;
        };
        let headers = [
            ("lambda-runtime-aws-request-id", id),
            ("lambda-runtime-deadline-ms", "9999999999999".to_owned()),
            ("lambda-runtime-invoked-function-arn", "arn:aws:lambda:local".to_owned()),
        ];
        (headers, event)
    };
    let done =
        async |State(runtime): State<Runtime>, Path((id, kind)): Path<(String, String)>, body: String| {
            runtime.answers.send((id, kind, body)).await.unwrap();
            http::StatusCode::ACCEPTED
        };
    let routes = axum::Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/{kind}", post(done))
        .with_state(runtime);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async { axum::serve(listener, routes).await });
    address
}

/// Sends events to a binary as Lambda would; returns the answers, and then the logs.
async fn lambda(world: &World, function: &str, events: &[String]) -> Vec<(String, Value)> {
    let (to_function, from_test) = mpsc::channel(1);
    let (to_test, mut from_function) = mpsc::channel(1);
    let api = runtime_api(Runtime { events: Arc::new(Mutex::new(from_test)), answers: to_test }).await;
    let program = binary(function);
    let mut process = tokio::process::Command::new(program);
    process
        .env("AWS_LAMBDA_RUNTIME_API", &api)
        .env("AWS_LAMBDA_FUNCTION_NAME", format!("shop-{function}"))
        .envs([("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"), ("AWS_LAMBDA_FUNCTION_VERSION", "1")])
        .envs([("AWS_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")])
        .envs([("SCRIP_TABLE", world.app.store.table()), ("SCRIP_CURSOR_KEY", "a key for tests")])
        .env("SCRIP_SEAL_KEYS", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
        .envs([("SCRIP_RAZORPAY_KEY_ID", "rzp_test"), ("SCRIP_RAZORPAY_KEY_SECRET", "a key secret")])
        .env("SCRIP_RAZORPAY_WEBHOOK_SECRETS", "a webhook secret")
        .env("AWS_ENDPOINT_URL_DYNAMODB", world.endpoint())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut process = process.spawn().unwrap();
    let mut answers = vec![];
    for (at, event) in events.iter().enumerate() {
        to_function.send((format!("lambda-{at}"), event.clone())).await.unwrap();
        let (id, kind, body) = from_function.recv().await.unwrap();
        assert_eq!(id, format!("lambda-{at}"));
        answers.push((kind, serde_json::from_str(&body).unwrap()));
    }
    process.kill().await.unwrap();
    let mut logs = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut process.stdout.unwrap(), &mut logs).await.unwrap();
    answers.push(("logs".to_owned(), Value::String(logs)));
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wallet_binary_serves_events_as_lambda_hands_them_over_and_counts_them() {
    let world = World::new().await;
    let mut events: Vec<String> = STORY.iter().skip(1).take(4).map(|(name, _)| event(name)).collect();
    events.push("{\"nonsense\":true}".to_owned());
    events.push(event("wallet-balance"));
    let answers = lambda(&world, "wallet", &events).await;
    for (kind, answer) in &answers[..4] {
        assert_eq!((kind.as_str(), &answer["statusCode"]), ("response", &json!(201)), "{answer}");
    }
    assert_eq!(answers[4].0, "error", "an invalid event is an error, and the function keeps running");
    assert!(answers[5].1["body"].as_str().unwrap().contains("\"balance\":1350.50"), "{}", answers[5].1);
    let logs = answers[6].1.as_str().unwrap();
    let lines: Vec<Value> = logs.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let of = |operation: &str| lines.iter().filter(|line| line["operation"] == operation).collect::<Vec<_>>();
    let refunds = of("POST /api/wallet/{customer_id}/refund");
    assert_eq!(refunds.len(), 1, "an invocation is one line: {logs}");
    let line = refunds[0];
    let defined = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!((&defined["Namespace"], &defined["Dimensions"]), (&json!("Scrip"), &json!([["Stack"]])));
    assert_eq!(defined["Metrics"], json!([{"Name": "Operations"}]), "what is zero is left out");
    assert_eq!(
        (&line["Stack"], &line["function"], &line["Operations"]),
        (&json!("shop"), &json!("wallet"), &json!(1))
    );
    let created = of("POST /api/wallet/create")[0];
    assert_eq!((&created["request_id"], &created["status"]), (&json!("lambda-0"), &json!(201)));
    let longest = logs.lines().filter(|line| line.contains("_aws")).map(str::len).max().unwrap();
    assert!(longest <= 400, "{longest} bytes are logged for an invocation");
    assert!(!logs.contains("Bearer") && !logs.contains("Item missing"), "a header or a body is logged");
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_function_that_cannot_reach_the_table_says_so_when_it_starts_and_answers_all_the_same() {
    let world = World::new().await.at_endpoint("http://127.0.0.1:9");
    let answers = lambda(&world, "wallet", &[event("wallet-balance")]).await;
    assert_eq!(answers[0].1["statusCode"], 503, "{}", answers[0].1);
    let logs = answers[1].1.as_str().unwrap();
    let first: Value = serde_json::from_str(logs.lines().next().unwrap()).unwrap();
    let message = "the table cannot be reached: check endpoint, network and certificates";
    assert_eq!((&first["level"], &first["message"]), (&json!("ERROR"), &json!(message)), "{logs}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_expire_credits_binary_serves_the_schedule() {
    let world = World::new().await;
    world.open_wallet("a", "").await;
    // The binary uses the machine's own clock, by which the credit has been due for years.
    world.clock.set("2020-01-15T00:00:00Z");
    let early = world.another_machine(world.clock.clone());
    early.open_wallet("b", "").await;
    early.credit("b", "7", "promotion", "2020-01-20").await;
    let answers = lambda(&world, "expire-credits", &[event("expire-credits-schedule")]).await;
    let expected = json!({"wallets": 1, "entries": 1, "failed": 0, "more": false});
    assert_eq!(answers[0], ("response".to_owned(), expected));
    world.prove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_purchase_events_binary_serves_messages_of_each_source() {
    let world = World::new().await;
    let answers = lambda(&world, "purchase-events", &MESSAGES.map(event)).await;
    for (kind, answer) in &answers[..2] {
        assert_eq!((kind.as_str(), answer), ("response", &json!({"batchItemFailures": []})));
    }
    world.prove().await;
}

/// A refused delivery is counted; neither its body nor a secret is in the log.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_webhook_binary_counts_a_forgery_and_logs_nothing_of_it() {
    let world = World::new().await;
    let before = world.app.store.audit().wallets().await.unwrap().items;
    let answers = lambda(&world, "payment-webhook", &[event("webhook-forged")]).await;
    assert_eq!(answers[0].1["statusCode"], 401, "{}", answers[0].1);
    let logs = answers[1].1.as_str().unwrap();
    let lines: Vec<Value> = logs.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let operation = "POST /api/integration/webhook/razorpay";
    let counted = lines.iter().find(|line| line["operation"] == operation).unwrap();
    assert_eq!((&counted["Rejections"], &counted["code"]), (&json!(1), &json!("unauthenticated")));
    let metrics = &counted["_aws"]["CloudWatchMetrics"][0]["Metrics"];
    assert_eq!(metrics, &json!([{"Name": "Operations"}, {"Name": "Rejections"}]));
    for secret in
        ["asha@example.com", "pay_NXhjMs8qPq1vZr", "a webhook secret", "a key secret", &"00".repeat(32)]
    {
        assert!(!logs.contains(secret), "{secret} is in the log");
    }
    assert_eq!(world.app.store.audit().wallets().await.unwrap().items, before);
}
