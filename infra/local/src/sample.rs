//! `sample`: replays three months of 200 wallets through the public API, advancing the test clock.
//!
//! **Invariant:** every row has its own idempotency key, so an interrupted replay can be continued,
//! and a second one changes nothing.

use crate::Failure;
use crate::clock;
use crate::data::{DataDir, Running};
use crate::keys::Keys;
use crate::token::Grant;
use domain::time::Timestamp;
use reqwest::Client;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::path::Path;
use std::time::Duration;

/// One operation.
#[derive(Debug, Deserialize)]
struct Row {
    /// Days since the start of the replay.
    day: u32,
    customer_id: String,
    /// create, add-credits, deduct-credits, refund, transfer, or hold (which is placed and then
    /// captured in part).
    operation: String,
    amount: String,
    source: String,
    /// Days until the credit expires; if empty, the tier decides.
    expiry_days: Option<u32>,
    order_id: String,
    /// Recipient of a transfer.
    to: String,
    reason: String,
}

const FILE: &str = "sample-start";

/// Replays a file on the running platform.
pub async fn run(data: &DataDir, file: &Path) -> Result<(), Failure> {
    let running = data.running().await.ok_or("no platform is running here; start one with: cargo run")?;
    let keys = Keys::open(data)?;
    let ttl = Duration::from_hours(1);
    let token = Grant { role: "admin".into(), sub: None, account: None, scope: None, ttl }
        .sign(&keys, &edge::wiring::claim_names())?;
    let mut replay = Replay { client: gateways::client()?, running, token, replayed: 0 };
    let start = replay.start(data).await?;
    let mut rows = csv::Reader::from_path(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let (mut count, mut again, mut day) = (0_u32, 0, 0);
    for (at, row) in rows.deserialize().enumerate() {
        let row: Row = row?;
        if row.day > day {
            day = row.day;
            replay.reach(start.plus_seconds(day * 86_400).ok_or("a day is out of range")?).await?;
        }
        let before = replay.replayed;
        let played = replay.play(&row, &format!("sample-{at}")).await;
        played.map_err(|error| format!("row {}: {error}", at + 2))?;
        count += 1;
        again += u32::from(replay.replayed > before);
    }
    println!("{count} movements over {day} days, {again} of them replayed before");
    Ok(())
}

struct Replay {
    client: Client,
    running: Running,
    token: String,
    replayed: u32,
}

impl Replay {
    /// Returns the start of the replay: now, or the stored start of an earlier replay.
    async fn start(&self, data: &DataDir) -> Result<Timestamp, Failure> {
        let now = self.now().await?;
        let text = data.read_or_make(FILE, || Ok(now.to_string()))?;
        Ok(Timestamp::parse(&text)?)
    }

    async fn now(&self) -> Result<Timestamp, Failure> {
        let reply = self.client.get(format!("{}/_local/clock", self.running.api)).send().await?;
        clock::now_of(&reply.text().await?)
    }

    /// Advances the test clock to a time, unless it is there already.
    async fn reach(&self, instant: Timestamp) -> Result<(), Failure> {
        let missing = instant.millis() - self.now().await?.millis();
        if missing > 0 {
            let body = json!({"advance": format!("{missing}ms")}).to_string();
            let url = format!("{}/_local/clock", self.running.api);
            self.client.post(url).body(body).send().await?.error_for_status()?;
        }
        Ok(())
    }

    async fn play(&mut self, row: &Row, key: &str) -> Result<(), Failure> {
        let mut body = Map::new();
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                body.insert(name.to_owned(), value.into());
            }
        };
        put("reason", &row.reason);
        let customer = &row.customer_id;
        let path = match row.operation.as_str() {
            "create" => {
                let body = json!({"customer_id": customer});
                self.post("/api/wallet/create", &body, key).await?;
                return Ok(());
            }
            "transfer" => {
                put("to_customer_id", &row.to);
                format!("/api/wallet/{customer}/transfer")
            }
            "hold" => format!("/api/wallet/{customer}/holds"),
            operation => {
                put("source", &row.source);
                put("order_id", &row.order_id);
                format!("/api/wallet/{customer}/{operation}")
            }
        };
        put("amount", &row.amount);
        body.extend(row.expiry_days.map(|days| ("expiry_days".to_owned(), days.into())));
        let answer = self.post(&path, &Value::Object(body), key).await?;
        if let Some(hold) = answer.get("hold_id").and_then(Value::as_str) {
            // Half of the hold is captured, the rest is released.
            let half = row.amount.parse::<rust_decimal::Decimal>()? / rust_decimal::Decimal::TWO;
            let body = json!({"amount": half.round_dp(2).to_string()});
            self.post(&format!("/api/wallet/holds/{hold}/capture"), &body, key).await?;
        }
        Ok(())
    }

    async fn post(&mut self, path: &str, body: &Value, key: &str) -> Result<Value, Failure> {
        let request = self
            .client
            .post(format!("{}{path}", self.running.api))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Idempotency-Key", key)
            .header("Content-Type", "application/json")
            .body(body.to_string());
        let reply = request.send().await?;
        let (status, replayed) = (reply.status(), reply.headers().contains_key("idempotent-replayed"));
        let answer: Value = serde_json::from_str(&reply.text().await?)?;
        if !status.is_success() {
            return Err(format!("{path} {status}: {answer}").into());
        }
        self.replayed += u32::from(replayed);
        Ok(answer)
    }
}
