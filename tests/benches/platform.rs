//! The local platform over HTTP, as a process with its table on disk: time of each kind of request, processor
//! time of a debit, and a thousand requests at once.
//!
//! `cargo bench --bench platform` builds the platform in the profile of benchmarks, and proves the books at the
//! end.

// The benchmark is configured by the environment, as cargo is.
#![allow(clippy::disallowed_methods)]

use edge::wiring::SystemClock;
use scrip::data::DataDir;
use scrip::fakes::fixture::{self, SampleValues};
use scrip::fakes::{FakeUrls, Fakes};
use scrip::payments::PaymentSetup;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;
use tests::process::{Platform, Scratch, build};
use tests::timing::time;

const CALLERS: u64 = 8;
const AT_ONCE: u64 = 1_000;
const WALLETS: u64 = 100;

struct Scene {
    platform: Platform,
    program: PathBuf,
    scratch: Scratch,
    admin: String,
    http: reqwest::Client,
}

impl Scene {
    fn new() -> Self {
        let program = build(&["--profile", "bench", "--workspace", "--bins"]).join("scrip");
        let scratch = Scratch::new("bench");
        let platform = Platform::of(&program, &scratch.0);
        let admin = command(&program, &scratch.0, &["token", "--role", "admin", "--ttl", "1d"]);
        let admin = admin.trim().to_owned();
        Self { platform, program, scratch, admin, http: gateways::client().unwrap() }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> (u16, Value) {
        let reply = request.send().await.unwrap();
        let status = reply.status().as_u16();
        (status, serde_json::from_str(&reply.text().await.unwrap()).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.platform.api)).bearer_auth(&self.admin);
        let (status, answer) = self.send(request).await;
        assert_eq!(status, 200, "{path} {answer}");
        answer
    }

    async fn post(&self, path: &str, key: &str, body: &Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.platform.api)).bearer_auth(&self.admin);
        let request = request.header("content-type", "application/json").header("idempotency-key", key);
        let (status, answer) = self.send(request.body(body.to_string())).await;
        assert!((200..300).contains(&status), "{path} {status} {answer}");
        answer
    }

    fn audit(&self) -> String {
        command(&self.program, &self.scratch.0, &["audit"])
    }
}

fn command(program: &Path, data: &Path, args: &[&str]) -> String {
    let output = Command::new(program).args(args).arg("--data").arg(data).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the processor time of a process, in seconds.
fn cpu_of(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split_whitespace().collect();
    // utime and stime, in hundredths of a second.
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap() / 100.0).sum()
}

/// Runs an operation `count` times from several callers, and prints its times.
async fn series<F, Fut>(scene: &Arc<Scene>, (name, aim): (&str, &str), load: (u64, u64), operation: F)
where
    F: Fn(Arc<Scene>, u64) -> Fut + Clone + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    let before = cpu_of(scene.platform.child.id());
    let timings = time(scene, load, operation).await;
    let cpu = (cpu_of(scene.platform.child.id()) - before) * 1e3 / timings.count() as f64;
    let (rate, at) = (timings.per_second(), |percent| timings.percentile(percent));
    println!("{name:<34} {rate:>8.0} {:>8.2} {:>8.2} {:>8.2} {cpu:>8.2}  {aim}", at(50), at(95), at(99));
}

async fn debit(scene: Arc<Scene>, wallet: u64, key: String) {
    let path = format!("/api/wallet/w{wallet}/deduct-credits");
    scene.post(&path, &key, &json!({"amount": 1, "reason": "bench"})).await;
}

async fn wallets(scene: &Arc<Scene>) {
    for n in 0..WALLETS {
        let body = json!({"customer_id": format!("w{n}"), "initial_balance": 1_000_000});
        scene.post("/api/wallet/create", &format!("w{n}"), &body).await;
    }
    series(scene, ("debit", "p95 < 200 ms"), (1, 1_000), |scene, at| {
        debit(scene, at % 10, format!("one-{at}"))
    })
    .await;
    let eight = |scene, at| debit(scene, at % WALLETS, format!("eight-{at}"));
    series(scene, ("debit, 8 at once", "p95 < 200 ms"), (CALLERS, 5_000), eight).await;
    let look = async |scene: Arc<Scene>, at: u64| {
        scene.get(&format!("/api/wallet/w{}", at % WALLETS)).await;
    };
    series(scene, ("wallet, 8 at once", "< 50 ms"), (CALLERS, 5_000), look).await;
    let page = async |scene: Arc<Scene>, at: u64| {
        scene.get(&format!("/api/wallet/w{}/transactions?limit=50", at % 10)).await;
    };
    series(scene, ("history of 50", "< 200 ms"), (1, 300), page).await;
    let before = balances(scene).await;
    let at_once = |scene, at| debit(scene, at % WALLETS, format!("at-once-{at}"));
    series(scene, ("debit, 1 000 at once", "none lost or wrong"), (AT_ONCE, AT_ONCE), at_once).await;
    assert_eq!(before - balances(scene).await, AT_ONCE as f64);
}

async fn balances(scene: &Arc<Scene>) -> f64 {
    let mut sum = 0.0;
    for n in 0..WALLETS {
        sum += scene.get(&format!("/api/wallet/w{n}/balance")).await["balance"].as_f64().unwrap();
    }
    sum
}

/// Pays top-ups at the fake gateway, and delivers their webhooks.
async fn webhooks(scene: &Arc<Scene>, count: u64) {
    let api = scene.platform.api.clone();
    let payments = PaymentSetup::open(&DataDir::open(&scene.scratch.0).unwrap(), &api).unwrap();
    let urls = FakeUrls { own: api.clone(), api };
    let signer = Fakes::open(urls, payments.secrets, Arc::new(SystemClock), None).unwrap();
    let mut prepared = vec![];
    for at in 0..count {
        let body = json!({"customer_id": format!("w{}", at % WALLETS), "amount": 10, "gateway": "razorpay"});
        let begun = scene.post("/api/integration/wallet/topup/initiate", &format!("t{at}"), &body).await;
        let order = begun["gateway_order_id"].as_str().unwrap().to_owned();
        let wanted = json!({"fixture": "razorpay.payment_captured", "order": order, "deliver": "never-sent"});
        let done = scene.post("/_local/trigger", "x", &wanted).await;
        let text = |name: &str| done[name].as_str().unwrap().to_owned();
        let values = SampleValues {
            topup: text("topup_id"),
            payment: text("payment"),
            event: format!("evt{at}"),
            order,
            units: 1_000,
            currency: "INR".to_owned(),
            at: 1_768_471_200,
            ..SampleValues::default()
        };
        let body = fixture::render("razorpay.payment_captured", &values).unwrap();
        let headers = signer.headers("razorpay", &values.event, &body, false);
        prepared.push((headers, body));
    }
    let prepared = Arc::new(prepared);
    let deliver = move |scene: Arc<Scene>, at: u64| {
        let prepared = prepared.clone();
        async move {
            let (headers, body) = prepared[usize::try_from(at).unwrap()].clone();
            let mut request =
                scene.http.post(format!("{}/api/integration/webhook/razorpay", scene.platform.api));
            for (name, value) in headers {
                request = request.header(name, value);
            }
            let (status, answer) = scene.send(request.body(body)).await;
            assert_eq!(status, 200, "{answer}");
        }
    };
    series(scene, ("webhook that credits, 8 at once", "< 100 ms, 17 a second"), (CALLERS, count), deliver)
        .await;
}

/// Redeems codes for cards of a pool.
async fn redemptions(scene: &Arc<Scene>, count: u64) {
    let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let mut number = 0;
    let mut create = async |path: &str, body: Value| {
        number += 1;
        scene.post(path, &format!("c{number}"), &body).await
    };
    let brand = text(
        &create("/api/gift-cards/brands", json!({"name": "Books", "denominations": [25]})).await,
        "brand_id",
    );
    let mut parent = "platform".to_owned();
    for (kind, mode) in [("agency", None), ("client", None), ("campaign", Some("isolated"))] {
        let mut body = json!({"kind": kind, "name": kind, "parent_id": parent});
        if let Some(mode) = mode {
            body["budget_mode"] = mode.into();
            body["slices"] = 8.into();
        }
        let id = text(&create("/api/credit/accounts", body).await, "account_id");
        let move_on = json!({"from_account_id": parent, "to_account_id": id, "amount": 100_000});
        create("/api/credit/allocate", move_on).await;
        parent = id;
    }
    let pool = json!({"brand_id": brand, "denomination": 25, "pool_type": "csv", "cost_per_card": 20,
        "low_stock_threshold": 3});
    let pool = text(&create("/api/gift-cards/pools", pool).await, "pool_id");
    let lines: String = (0..count).map(|n| format!("GIFT-{n:06},{n:06}\n")).collect();
    let file = scene.scratch.0.join("cards.csv");
    std::fs::write(&file, format!("code,pin\n{lines}")).unwrap();
    command(&scene.program, &scene.scratch.0, &["import", file.to_str().unwrap(), "--pool", &pool]);
    let body = json!({"brand_id": brand, "denomination": 25, "count": count});
    let minted = create(&format!("/api/gift-cards/campaigns/{parent}/codes"), body).await;
    let codes = Arc::new(minted["codes"].clone());
    let redeem = move |scene: Arc<Scene>, at: u64| {
        let codes = codes.clone();
        async move {
            let code = &codes[usize::try_from(at).unwrap()];
            let body = json!({"redemption_code": code});
            scene.post("/api/gift-cards/redeem", &format!("r{at}"), &body).await;
        }
    };
    series(scene, ("redemption, 8 at once", "< 1 s"), (CALLERS, count), redeem).await;
}

/// Has the credit of a thousand wallets expire.
async fn expiry(scene: &Arc<Scene>) {
    let create = async |scene: Arc<Scene>, at: u64| {
        let body = json!({"customer_id": format!("x{at}"), "initial_balance": 10});
        scene.post("/api/wallet/create", &format!("x{at}"), &body).await;
    };
    series(scene, ("wallet created, 8 at once", "p95 < 200 ms"), (CALLERS, 1_000), create).await;
    command(&scene.program, &scene.scratch.0, &["clock", "advance", "400d"]);
    let started = Instant::now();
    let mut entries = 0;
    loop {
        let swept = scene.post("/_local/run/expire-credits", "x", &json!({})).await;
        entries += swept["entries"].as_u64().unwrap();
        if swept["more"] != true {
            break;
        }
    }
    assert!(entries >= 1_000, "{entries} entries");
    let seconds = started.elapsed().as_secs_f64();
    println!("expiry sweep of {entries} lots: {seconds:.2} s (< 2 s for 1 000)");
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let scene = Arc::new(Scene::new());
    println!(
        "{:<34} {:>8} {:>8} {:>8} {:>8} {:>8}  asked for",
        "over HTTP, table on disk", "ops/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms"
    );
    wallets(&scene).await;
    webhooks(&scene, 1_000).await;
    redemptions(&scene, 500).await;
    expiry(&scene).await;
    let proof = scene.audit();
    assert!(proof.ends_with("PROVED\n"), "{proof}");
    println!("books proved");
}
