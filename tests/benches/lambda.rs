//! What a function takes and costs in Lambda: size, start, first and warm invocations, memory, processor time,
//! and the price of a million operations.
//!
//! `cargo bench --bench lambda` builds the release binaries and runs each one against a Runtime API and an
//! embedded DynamoDB behind TLS, beside the smallest HTTP function and a debit in Python with boto3 (skipped
//! unless `SCRIP_BENCH_PYTHON` names a Python that has boto3). `cargo bench --bench lambda -- refund` measures the
//! functions whose names contain the word.

// The benchmark is configured by the environment, as cargo is.
#![allow(clippy::disallowed_methods)]

use aws_sdk_dynamodb::types::AttributeValue;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tests::process::{build, root};
use tests::{World, admin, customer};
use tokio::sync::{Mutex, mpsc};
use tokio_rustls::TlsAcceptor;

const WARM: usize = 500;
const MEMORY_MB: f64 = 256.0;
/// Mean durations in Lambda, of the simulation's requests: a read, and a read with a transaction.
const READ_MS: f64 = 5.5;
const WRITE_MS: f64 = 24.0;

/// One function under measurement: its program and the environment that it needs.
struct Subject {
    name: String,
    program: Vec<String>,
    event: Value,
}

/// What was measured of one function.
struct Figures {
    init: Duration,
    first: Duration,
    warm: Vec<Duration>,
    resident_kb: u64,
    cpu: Duration,
}

impl Figures {
    fn warm_at(&self, share: usize) -> Duration {
        self.warm[(self.warm.len() - 1) * share / 100]
    }
}

#[derive(Clone)]
struct Runtime {
    events: Arc<Mutex<mpsc::Receiver<(String, String)>>>,
    asked: mpsc::Sender<()>,
    answers: mpsc::Sender<String>,
}

/// Starts Lambda's Runtime API.
async fn runtime_api() -> (String, mpsc::Sender<(String, String)>, mpsc::Receiver<()>, mpsc::Receiver<String>)
{
    let (to_function, events) = mpsc::channel(1);
    let (asked, next_asked) = mpsc::channel(8);
    let (answers, from_function) = mpsc::channel(8);
    let runtime = Runtime { events: Arc::new(Mutex::new(events)), asked, answers };
    let next = async |State(runtime): State<Runtime>| {
        runtime.asked.send(()).await.unwrap();
        let (id, event) = runtime.events.lock().await.recv().await.unwrap();
        let headers =
            [("lambda-runtime-aws-request-id", id), ("lambda-runtime-deadline-ms", "4102444800000".into())];
        (axum::response::AppendHeaders(headers), event)
    };
    let answer = async |State(runtime): State<Runtime>, Path(_): Path<String>, body: String| {
        runtime.answers.send(body).await.unwrap();
        http::StatusCode::ACCEPTED
    };
    let failed = async |body: String| -> http::StatusCode {
        eprintln!("the function failed: {body}");
        std::process::exit(1)
    };
    let routes = axum::Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(answer))
        .route("/2018-06-01/runtime/invocation/{id}/error", post(failed))
        .route("/2018-06-01/runtime/init/error", post(failed))
        .with_state(runtime);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async { axum::serve(listener, routes).await });
    (address, to_function, next_asked, from_function)
}

/// Puts TLS before an endpoint; returns the new endpoint and the file of the certificate to trust.
async fn behind_tls(endpoint: &str) -> (String, PathBuf) {
    let (config, certificate) = tests::tls::localhost();
    let file = std::env::temp_dir().join(format!("scrip-bench-{}.pem", std::process::id()));
    std::fs::write(&file, certificate).unwrap();
    let (acceptor, behind) = (TlsAcceptor::from(config), endpoint.trim_start_matches("http://").to_owned());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let _ = socket.set_nodelay(true);
            let (acceptor, behind) = (acceptor.clone(), behind.clone());
            tokio::spawn(async move {
                let mut inner = tokio::net::TcpStream::connect(behind).await.unwrap();
                let _ = inner.set_nodelay(true);
                if let Ok(mut outer) = acceptor.accept(socket).await {
                    let _ = tokio::io::copy_bidirectional(&mut outer, &mut inner).await;
                }
            });
        }
    });
    (format!("https://localhost:{port}"), file)
}

/// Returns the processor time that all threads of a process have used.
fn cpu_of(pid: u32) -> Duration {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let nanos = |task: std::fs::DirEntry| {
        let text = std::fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|nanos| nanos.parse::<u64>().ok()).unwrap_or(0)
    };
    Duration::from_nanos(tasks.map(|task| nanos(task.unwrap())).sum())
}

fn resident_kb(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Runs a function: starts it, invokes it once, and then `WARM` times.
async fn measure(subject: &Subject, environment: &[(String, String)]) -> Figures {
    let (api, to_function, mut asked, mut answers) = runtime_api().await;
    let started = Instant::now();
    let mut process = Command::new(&subject.program[0])
        .args(&subject.program[1..])
        .envs(environment.iter().cloned())
        .env("AWS_LAMBDA_RUNTIME_API", api)
        .env("AWS_LAMBDA_FUNCTION_NAME", format!("bench-{}", subject.name))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    asked.recv().await.unwrap();
    let init = started.elapsed();
    let mut invoke = async |number: usize| {
        let mut event = subject.event.clone();
        event["headers"]["idempotency-key"] =
            format!("{}-{}-{number}", subject.name, std::process::id()).into();
        let started = Instant::now();
        to_function.send((format!("id-{number}"), event.to_string())).await.unwrap();
        let answer = answers.recv().await.unwrap();
        let took = started.elapsed();
        asked.recv().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert!(answer.get("statusCode").is_none_or(|status| status.as_u64().unwrap() < 500), "{answer}");
        took
    };
    let first = invoke(0).await;
    let before = cpu_of(process.id());
    let mut warm = vec![];
    for number in 1..=WARM {
        warm.push(invoke(number).await);
    }
    let cpu = (cpu_of(process.id()) - before) / u32::try_from(WARM).unwrap();
    warm.sort();
    let resident_kb = resident_kb(process.id());
    process.kill().unwrap();
    process.wait().unwrap();
    Figures { init, first, warm, resident_kb, cpu }
}

fn event(name: &str) -> Value {
    let text = std::fs::read_to_string(root().join("events").join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Returns an event with another path and body.
fn changed(name: &str, path: &str, body: Option<Value>) -> Value {
    let mut event = event(name);
    event["rawPath"] = path.into();
    if let Some(body) = body {
        event["body"] = body.to_string().into();
        event["isBase64Encoded"] = false.into();
    }
    event
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn sizes(program: &str) -> String {
    let bytes = std::fs::read(program).unwrap();
    let mut zip = GzEncoder::new(vec![], Compression::best());
    zip.write_all(&bytes).unwrap();
    format!("{:>6.1} {:>6.1}", bytes.len() as f64 / 1e6, zip.finish().unwrap().len() as f64 / 1e6)
}

/// Capacity units of one operation: written and read.
async fn units(world: &World, operation: impl AsyncFn()) -> (f64, f64) {
    world.meter.take();
    operation().await;
    let reading = world.meter.take();
    let number = |units: rust_decimal::Decimal| units.to_string().parse::<f64>().unwrap();
    (number(reading.write_units), number(reading.read_units))
}

/// Returns the environment of all functions.
fn environment(world: &World, endpoint: &str, certificate: &str) -> Vec<(String, String)> {
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    [
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("SCRIP_TABLE", world.app.store.table()),
        ("SCRIP_CURSOR_KEY", "a key for the benchmark"),
        ("SCRIP_SEAL_KEYS", &format!("k1:{key}")),
        ("SCRIP_CARD_KEYS", &format!("k1:{key}")),
        ("SCRIP_CODE_KEY", &format!("{key}{key}")),
        ("SCRIP_RAZORPAY_KEY_ID", "rzp_test"),
        ("SCRIP_RAZORPAY_KEY_SECRET", "secret"),
        ("SCRIP_RAZORPAY_WEBHOOK_SECRETS", "secret"),
        ("AWS_ENDPOINT_URL_DYNAMODB", endpoint),
        ("SSL_CERT_FILE", certificate),
        ("AWS_CA_BUNDLE", certificate),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Builds the functions, and returns a debit and a balance, and of every other function a request that reads the
/// table.
fn subjects() -> Vec<Subject> {
    let read = |path: &str| changed("budget-children", path, None);
    let all = [
        ("wallet", debit()),
        ("wallet, balance", event("wallet-balance")),
        ("order-payment", event("order-health")),
        ("refund", event("order-refund")),
        ("wallet-topup", read("/api/integration/wallet/topup/topup_0123456789abcdef0123.cust_123")),
        ("payment-webhook", read("/api/integration/webhook/events")),
        ("credit-accounts", read("/api/credit/accounts/platform")),
        ("allocate-credit", event("budget-allocate-agency")),
        ("gift-card-inventory", read("/api/gift-cards/brands")),
        ("provision-gift-card", read("/api/gift-cards/redemptions/rdm_0123456789abcdef0123456789abcdef")),
        ("hello", event("wallet-balance")),
    ];
    let binary = |name: &'static str| name.split(',').next().unwrap();
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_named = |name: &str| named.is_empty() || named.iter().any(|part| name.contains(part.as_str()));
    let all: Vec<_> = all.into_iter().filter(|(name, _)| is_named(name)).collect();
    let packages = all.iter().flat_map(|(name, _)| ["-p", binary(name)]);
    let folder = build(&[&["--release"], &packages.collect::<Vec<_>>()[..]].concat());
    let program = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let subject =
        |(name, event)| Subject { name: str::to_owned(name), program: vec![program(binary(name))], event };
    all.into_iter().map(subject).collect()
}

fn debit() -> Value {
    let body = json!({"amount": 1});
    changed("wallet-deduct-credits", "/api/wallet/cust_123/deduct-credits", Some(body))
}

/// Returns the debit in Python, with a wallet of its own.
async fn python(world: &World, python: String) -> Subject {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let put = world.raw().put_item().table_name(world.app.store.table());
    let put = put.item("pk", text("A#x:cust_123")).item("sk", text("A"));
    let put = put.item("version", AttributeValue::N("1".into()));
    put.item("balance", AttributeValue::N("1000000".into())).send().await.unwrap();
    let script = root().join("tests/benches/debit.py").to_str().unwrap().to_owned();
    Subject { name: "Python, debit".to_owned(), program: vec![python, script], event: debit() }
}

#[tokio::main]
async fn main() {
    let mut subjects = subjects();
    let world = World::new().await;
    world.open_wallet("cust_123", "1000000").await;
    if let Ok(program) = std::env::var("SCRIP_BENCH_PYTHON") {
        subjects.push(python(&world, program).await);
    }
    let (endpoint, certificate) = behind_tls(world.endpoint()).await;
    let environment = environment(&world, &endpoint, certificate.to_str().unwrap());
    println!(
        "{:<20} {:>6} {:>6} {:>9} {:>9} {:>9} {:>9} {:>7} {:>9}",
        "function", "MB", "zip MB", "init ms", "first ms", "p50 ms", "p99 ms", "MiB", "CPU ms"
    );
    for subject in &subjects {
        let mut runs = vec![];
        for _ in 0..3 {
            runs.push(measure(subject, &environment).await);
        }
        runs.sort_by_key(|run| run.init);
        let run = &runs[1];
        let is_binary = subject.program.len() == 1;
        let size = if is_binary { sizes(&subject.program[0]) } else { format!("{:>6} {:>6}", "-", "-") };
        println!(
            "{:<20} {size} {:>9.1} {:>9.1} {:>9.2} {:>9.2} {:>7.1} {:>9.2}",
            subject.name,
            ms(run.init),
            ms(run.first),
            ms(run.warm_at(50)),
            ms(run.warm_at(99)),
            run.resident_kb as f64 / 1024.0,
            ms(run.cpu),
        );
    }
    let _ = std::fs::remove_file(certificate);
    prices(&world).await;
}

/// Prints the price of a million of each operation, from its units and its duration.
async fn prices(world: &World) {
    let text = std::fs::read_to_string(root().join("tests/benches/prices.json")).unwrap();
    let prices: Value = serde_json::from_str(&text).unwrap();
    let price = |name: &str| prices[name].as_f64().unwrap();
    let owner = customer("cust_123");
    let post = async |path: &str, body: &str| {
        world.post(&admin(), &format!("/api/wallet/{path}"), body).await;
    };
    world.open_wallet("other", "").await;
    let mut rows = vec![];
    rows.push((
        "debit",
        units(world, async || post("cust_123/deduct-credits", r#"{"amount":1}"#).await).await,
    ));
    rows.push((
        "credit",
        units(world, async || post("cust_123/add-credits", r#"{"amount":1,"source":"purchase"}"#).await)
            .await,
    ));
    rows.push(("hold", units(world, async || post("cust_123/holds", r#"{"amount":1}"#).await).await));
    rows.push((
        "transfer",
        units(world, async || post("cust_123/transfer", r#"{"to_customer_id":"other","amount":1}"#).await)
            .await,
    ));
    rows.push((
        "balance",
        units(world, async || {
            world.get(&owner, "/api/wallet/cust_123/balance").await;
        })
        .await,
    ));
    println!(
        "\nUSD for a million, list prices of {} ({}), {MEMORY_MB} MB, {WRITE_MS} ms each (a read {READ_MS} ms)",
        prices["date"].as_str().unwrap(),
        prices["region"].as_str().unwrap()
    );
    println!(
        "{:<12} {:>6} {:>6} {:>9} {:>9} {:>9} {:>9} {:>9}",
        "operation", "WCU", "RCU", "table", "Lambda", "API", "logs", "in all"
    );
    // A line of the function and one of the API.
    let logs = 600.0 * 1e6 / 1e9 * price("logs_gb");
    for (name, (written, read)) in rows {
        let table =
            written * price("dynamodb_write_unit_million") + read * price("dynamodb_read_unit_million");
        let ms = if written > 0.0 { WRITE_MS } else { READ_MS };
        let lambda = price("lambda_request_million")
            + 1e6 * ms / 1e3 * MEMORY_MB / 1024.0 * price("lambda_arm64_gb_second");
        let api = price("http_api_request_million");
        let all = table + lambda + api + logs;
        println!(
            "{name:<12} {written:>6} {read:>6} {table:>9.2} {lambda:>9.2} {api:>9.2} {logs:>9.2} {all:>9.2}"
        );
    }
}
