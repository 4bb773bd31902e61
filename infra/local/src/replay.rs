//! Sends the requests of a replay, and advances the test clock.
//!
//! **Invariant:** the start of a replay is stored, so a later one goes on from the same days.

use crate::Failure;
use crate::clock;
use crate::data::{DataDir, Running};
use domain::time::Timestamp;
use reqwest::Client;
use serde_json::{Value, json};

const FILE: &str = "sample-start";

/// A replay on a running platform.
pub(crate) struct Replay {
    client: Client,
    running: Running,
    token: String,
    /// Requests that were answered as repetitions.
    pub(crate) replayed: u32,
}

impl Replay {
    /// Creates a replay on this platform, with the token of an admin.
    pub(crate) fn new(running: Running, token: String) -> Result<Self, Failure> {
        Ok(Self { client: gateways::client()?, running, token, replayed: 0 })
    }

    /// Returns the start of the replay: now, or the stored start of an earlier replay.
    pub(crate) async fn start(&self, data: &DataDir) -> Result<Timestamp, Failure> {
        let now = self.now().await?;
        let text = data.read_or_make(FILE, || Ok(now.to_string()))?;
        Ok(Timestamp::parse(&text)?)
    }

    async fn now(&self) -> Result<Timestamp, Failure> {
        let reply = self.client.get(format!("{}/_local/clock", self.running.api)).send().await?;
        clock::now_of(&reply.text().await?)
    }

    /// Advances the test clock to a time, unless it is there already.
    pub(crate) async fn reach(&self, instant: Timestamp) -> Result<(), Failure> {
        let missing = instant.millis() - self.now().await?.millis();
        if missing > 0 {
            let body = json!({"advance": format!("{missing}ms")}).to_string();
            let url = format!("{}/_local/clock", self.running.api);
            self.client.post(url).body(body).send().await?.error_for_status()?;
        }
        Ok(())
    }

    /// Sends a JSON body, with this key.
    pub(crate) async fn post(&mut self, path: &str, body: &Value, key: &str) -> Result<Value, Failure> {
        self.send(path, "application/json", body.to_string(), key).await
    }

    /// Sends a body, with this key.
    pub(crate) async fn send(
        &mut self,
        path: &str,
        content_type: &str,
        body: String,
        key: &str,
    ) -> Result<Value, Failure> {
        let request = self
            .client
            .post(format!("{}{path}", self.running.api))
            .header("Authorization", format!("Bearer {}", self.token))
            .header("Idempotency-Key", key)
            .header("Content-Type", content_type)
            .body(body);
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
