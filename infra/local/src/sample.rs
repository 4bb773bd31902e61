//! `sample`: replays three months of 200 wallets, and of the loyalty of a third of their owners, through the public API,
//! advancing the test clock.
//!
//! **Invariant:** every row has its own idempotency key, so an interrupted replay can be continued,
//! and a second one changes nothing.

use crate::Failure;
use crate::data::DataDir;
use crate::keys::Keys;
use crate::replay::Replay;
use crate::sample_loyalty::{self, LoyaltyRow};
use crate::token::Grant;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::fmt;
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

/// Replays a file on the running platform.
pub async fn run(data: &DataDir, file: &Path) -> Result<(), Failure> {
    let running = data.running().await.ok_or("no platform is running here; start one with: cargo run")?;
    let keys = Keys::open(data)?;
    let ttl = Duration::from_hours(1);
    let token = Grant { role: "admin".into(), sub: None, account: None, scope: None, ttl }
        .sign(&keys, &edge::wiring::claim_names())?;
    let mut replay = Replay::new(running, token)?;
    let start = replay.start(data).await?;
    let mut steps: Vec<Step> = rows(file)?.into_iter().map(Step::Wallet).collect();
    // Of one day, wallets come first: the sort is stable.
    let loyalty = file.with_file_name("loyalty.csv");
    if loyalty.exists() {
        steps.extend(rows(&loyalty)?.into_iter().map(Step::Loyalty));
    }
    steps.sort_by_key(Step::day);
    let (mut again, mut day) = (0, 0);
    for step in &steps {
        if step.day() > day {
            day = step.day();
            replay.reach(start.plus_seconds(day * 86_400).ok_or("a day is out of range")?).await?;
        }
        let before = replay.replayed;
        let played = match step {
            Step::Wallet((at, row)) => play(&mut replay, row, &format!("sample-{at}")).await,
            Step::Loyalty((_, row)) => sample_loyalty::play(&mut replay, row, start).await,
        };
        played.map_err(|error| format!("{step}: {error}"))?;
        again += u32::from(replay.replayed > before);
    }
    println!("{} movements over {day} days, {again} of them replayed before", steps.len());
    Ok(())
}

/// A row of one of the files, with its position.
enum Step {
    Wallet((usize, Row)),
    Loyalty((usize, LoyaltyRow)),
}

impl Step {
    fn day(&self) -> u32 {
        match self {
            Self::Wallet((_, row)) => row.day,
            Self::Loyalty((_, row)) => row.day,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wallet((at, _)) => write!(f, "row {}", at + 2),
            Self::Loyalty((at, _)) => write!(f, "row {} of loyalty.csv", at + 2),
        }
    }
}

/// Reads the rows of a file, each with its position.
fn rows<T: DeserializeOwned>(file: &Path) -> Result<Vec<(usize, T)>, Failure> {
    let mut rows = csv::Reader::from_path(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let read: Result<Vec<T>, _> = rows.deserialize().collect();
    Ok(read?.into_iter().enumerate().collect())
}

/// Plays a row of the wallets.
async fn play(replay: &mut Replay, row: &Row, key: &str) -> Result<(), Failure> {
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
            replay.post("/api/wallet/create", &body, key).await?;
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
    let answer = replay.post(&path, &Value::Object(body), key).await?;
    if let Some(hold) = answer.get("hold_id").and_then(Value::as_str) {
        // Half of the hold is captured, the rest is released.
        let half = row.amount.parse::<rust_decimal::Decimal>()? / rust_decimal::Decimal::TWO;
        let body = json!({"amount": half.round_dp(2).to_string()});
        replay.post(&format!("/api/wallet/holds/{hold}/capture"), &body, key).await?;
    }
    Ok(())
}
