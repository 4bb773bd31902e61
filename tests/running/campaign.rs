//! An agency's campaign through the real process: funded, stocked from a file, redeemed by a hundred callers
//! at once and killed while that happens; then a supplier takes over.

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use tests::process::{Platform, Scratch, scrip};

struct Scene {
    scratch: Scratch,
    platform: Mutex<Platform>,
    http: reqwest::Client,
    admin: String,
}

impl Scene {
    fn new() -> Self {
        let scratch = Scratch::new("campaign");
        let platform = Mutex::new(Platform::start(&scratch.0));
        let (_, admin) =
            scrip(&["token", "--role", "admin", "--ttl", "1d", "--data", scratch.0.to_str().unwrap()]);
        Self { scratch, platform, http: gateways::client().unwrap(), admin: admin.trim().to_owned() }
    }

    /// Runs a command of the command line and returns its output.
    fn command(&self, arguments: &[&str]) -> String {
        let (code, said) = scrip(&[arguments, &["--data", self.scratch.0.to_str().unwrap()]].concat());
        assert_eq!(code, 0, "{said}");
        said
    }

    /// Returns the URL of a path; waits while the platform restarts.
    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.platform.lock().unwrap().api)
    }

    /// Sends a request as an admin, or without a token if `open`; returns None if it was not answered.
    async fn ask(&self, path: &str, body: Option<&Value>, open: bool) -> Option<(u16, Value)> {
        let url = self.url(path);
        let request = match body {
            Some(body) => {
                self.http.post(url).header("content-type", "application/json").body(body.to_string())
            }
            None => self.http.get(url),
        };
        let request = if open { request } else { request.bearer_auth(&self.admin) };
        let reply = request.send().await.ok()?;
        let status = reply.status().as_u16();
        Some((status, serde_json::from_str(&reply.text().await.ok()?).ok()?))
    }

    async fn post(&self, path: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(path, Some(body), false).await.unwrap();
        assert!(matches!(status, 200..=202), "{status} {answer}");
        answer
    }

    async fn get(&self, path: &str) -> Value {
        self.ask(path, None, false).await.unwrap().1
    }

    /// Kills the process with SIGKILL and starts a new one on the same data.
    fn restart(&self) {
        let mut platform = self.platform.lock().unwrap();
        platform.kill();
        *platform = Platform::start(&self.scratch.0);
    }

    /// Redeems a code; returns None if the outcome is unknown, or if other attempts must be decided first.
    async fn redeem(&self, code: &str) -> Option<(u16, Value)> {
        let body = json!({"redemption_code": code});
        let (status, answer) = self.ask("/api/gift-cards/redeem", Some(&body), true).await?;
        assert!(matches!(status, 201 | 202 | 404 | 503), "{status} {answer}");
        (status != 503).then_some((status, answer))
    }

    /// Opens an account below another and allocates this much credit to it.
    async fn account(&self, parent: &str, amount: u64, fields: &Value) -> String {
        let mut body = fields.clone();
        body["parent_id"] = json!(parent);
        let id = self.post("/api/credit/accounts", &body).await["account_id"].as_str().unwrap().to_owned();
        self.give(parent, &id, amount).await;
        id
    }

    async fn give(&self, from: &str, to: &str, amount: u64) {
        let body = json!({"from_account_id": from, "to_account_id": to, "amount": amount});
        self.post("/api/credit/allocate", &body).await;
    }

    /// Creates a pool and imports this many cards of a denomination from a file.
    async fn pool(&self, brand: &str, worth: u64, cards: usize) {
        let body = json!({"brand_id": brand, "denomination": worth, "pool_type": "csv", "cost_per_card": worth - 2,
            "low_stock_threshold": 3});
        let pool = self.post("/api/gift-cards/pools", &body).await["pool_id"].as_str().unwrap().to_owned();
        let mut file = "code,pin\n".to_owned();
        for n in 0..cards {
            writeln!(file, "GIFT-{worth}-{n:06},{n:06}").unwrap();
        }
        let path = self.scratch.0.join("cards.csv");
        std::fs::write(&path, file).unwrap();
        let report = self.scratch.0.join("refused.csv");
        let said = self.command(&[
            "import",
            path.to_str().unwrap(),
            "--pool",
            &pool,
            "--report",
            report.to_str().unwrap(),
        ]);
        assert!(said.contains(&format!("accepted {cards}, duplicates 0, invalid 0")), "{said}");
    }

    async fn codes(&self, campaign: &str, (brand, worth): (&str, u64), count: usize) -> Vec<String> {
        let body = json!({"brand_id": brand, "denomination": worth, "count": count});
        let minted = self.post(&format!("/api/gift-cards/campaigns/{campaign}/codes"), &body).await;
        let codes = minted["codes"].as_array().unwrap().iter();
        codes.map(|code| code.as_str().unwrap().to_owned()).collect()
    }
}

fn word<'a>(answer: &'a Value, pointer: &str) -> &'a str {
    answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Redeems all codes at once, until each has an answer; kills the platform after `kill_after` answers.
async fn redeem_all(scene: &Arc<Scene>, codes: &[String], kill_after: usize) -> Vec<(u16, Value)> {
    let mut open: Vec<String> = codes.to_vec();
    let mut answered = Vec::new();
    for round in 0..6 {
        let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let each = open.into_iter().map(|code| {
            let (scene, count) = (scene.clone(), count.clone());
            tokio::spawn(async move {
                let outcome = scene.redeem(&code).await;
                let before = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                if round == 0 && before == kill_after {
                    tokio::task::spawn_blocking(move || scene.restart()).await.unwrap();
                }
                (code, outcome)
            })
        });
        let mut left = Vec::new();
        for done in futures::future::join_all(each).await {
            match done.unwrap() {
                (_, Some(answer)) => answered.push(answer),
                (code, None) => left.push(code),
            }
        }
        if left.is_empty() {
            return answered;
        }
        open = left;
        // Interrupted attempts are decided after they have timed out.
        scene.command(&["clock", "advance", "10m"]);
        scene.post("/_local/run/monitor", &json!({})).await;
    }
    panic!("{} codes without an answer", open.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_callers_get_a_card_each_until_the_budget_is_zero_although_the_process_is_killed() {
    let scene = Arc::new(Scene::new());
    let brand = json!({"name": "Coffee", "denominations": [25, 50], "supplier": "reloadly",
        "supplier_product_id": "4711"});
    let brand = scene.post("/api/gift-cards/brands", &brand).await["brand_id"].as_str().unwrap().to_owned();
    let agency = scene.account("platform", 5_000, &json!({"kind": "agency", "name": "North"})).await;
    let client = scene.account(&agency, 4_000, &json!({"kind": "client", "name": "Roastery"})).await;
    let campaign = json!({"kind": "campaign", "name": "Launch", "budget_mode": "isolated", "slices": 8});
    let campaign = scene.account(&client, 90 * 25, &campaign).await;
    scene.pool(&brand, 25, 10_000).await;
    let codes = scene.codes(&campaign, (&brand, 25), 100).await;
    let answers = redeem_all(&scene, &codes, 40).await;
    let issued: Vec<&Value> =
        answers.iter().filter(|(status, _)| *status == 201).map(|(_, answer)| answer).collect();
    assert_eq!((issued.len(), answers.len()), (90, 100));
    let cards: BTreeSet<&str> = issued.iter().map(|answer| word(answer, "/card/card_code")).collect();
    assert!(cards.len() == 90 && cards.iter().all(|card| card.starts_with("GIFT-25-")), "{cards:?}");
    let path = format!("/api/credit/accounts/{campaign}");
    let account = scene.get(&path).await;
    assert_eq!(
        (word(&account, "/status"), account["available"].to_string(), account["reserved"].to_string()),
        ("auto_paused", "0.0".to_owned(), "0.0".to_owned())
    );
    let alerts = scene.get("/api/alerts?status=open").await;
    let depleted = alerts["alerts"].as_array().unwrap().iter().find(|a| a["kind"] == "budget_depleted");
    assert_eq!(word(depleted.unwrap(), "/subject"), campaign);

    // Ten more redemptions of 50: five from a pool, the rest from the supplier.
    scene.give(&client, &campaign, 11 * 50).await;
    scene.pool(&brand, 50, 5).await;
    let codes = scene.codes(&campaign, (&brand, 50), 11).await;
    let answers = redeem_all(&scene, &codes[..10], usize::MAX).await;
    let supplied = answers.iter().filter(|(_, answer)| word(answer, "/source") == "api").count();
    assert_eq!((answers.iter().filter(|(status, _)| *status == 201).count(), supplied), (10, 5));
    // A slow supplier reports the delivery by webhook.
    scene.command(&["supplier", "reloadly", "slow"]);
    let (status, pending) = scene.redeem(&codes[10]).await.unwrap();
    assert_eq!((status, pending["card"].is_null()), (202, true));
    let printed = scene.command(&["supplier", "reloadly", "--deliver"]);
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap()["delivered"], json!([200]), "{printed}");
    let path = format!("/api/gift-cards/redemptions/{}", word(&pending, "/redemption/redemption_id"));
    assert_eq!(word(&scene.get(&path).await, "/status"), "ISSUED");
    let proof = scene.command(&["audit"]);
    assert!(proof.contains("PROVED") && proof.contains("= 101 sold + 9910 unsold"), "{proof}");
}
