//! The test clock: the machine's clock plus an offset that can be increased.
//!
//! **Invariant:** the offset never decreases and is kept in the data directory; advancing the clock
//! runs no scheduled function.

use crate::Failure;
use crate::data::DataDir;
use domain::time::Timestamp;
use edge::Clock;
use edge::wiring::SystemClock;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

/// Test clock of one platform.
#[derive(Debug)]
pub struct TestClock {
    offset_millis: Mutex<i64>,
    data: Option<DataDir>,
}

const FILE: &str = "clock";

impl TestClock {
    /// Opens the clock of a data directory. Without a directory, it starts without an offset and is
    /// not stored.
    pub fn open(data: Option<DataDir>) -> Result<Self, Failure> {
        let offset = match &data {
            Some(data) => {
                std::fs::read_to_string(data.file(FILE)).map_or(Ok(0), |text| text.trim().parse())?
            }
            None => 0,
        };
        Ok(Self { offset_millis: Mutex::new(offset), data })
    }

    /// Returns a clock with a fixed offset, such as that of another platform; it is not stored.
    pub fn ahead_by(millis: i64) -> Self {
        Self { offset_millis: Mutex::new(millis), data: None }
    }

    /// Advances the clock; returns the new time.
    pub fn advance(&self, by: Duration) -> Result<Timestamp, Failure> {
        let by = i64::try_from(by.as_millis())?;
        {
            let mut offset = self.offset_millis.lock().unwrap_or_else(PoisonError::into_inner);
            let moved = offset.checked_add(by).ok_or("the clock cannot be advanced that far")?;
            Timestamp::from_millis(SystemClock.now().millis() + moved)
                .ok_or("the clock cannot be advanced that far")?;
            if let Some(data) = self.data.as_ref().filter(|_| by > 0) {
                data.write(FILE, &moved.to_string())?;
            }
            *offset = moved;
        }
        Ok(self.now())
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let machine = SystemClock.now();
        let offset = *self.offset_millis.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp::from_millis(machine.millis().saturating_add(offset)).unwrap_or(machine)
    }
}

/// Parses a duration such as `30d`, `1h 30m` or `90s`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| error.to_string())
}

/// Advances the clock of a platform, whether it is running or not; returns the new time.
pub async fn advance(data: &DataDir, by: Duration) -> Result<Timestamp, Failure> {
    let Some(running) = data.running().await else {
        return TestClock::open(Some(data.clone()))?.advance(by);
    };
    let body = serde_json::json!({"advance": format!("{}ms", by.as_millis())}).to_string();
    let request = gateways::client()?.post(format!("{}/_local/clock", running.api)).body(body);
    let reply = request.send().await?;
    let (status, text) = (reply.status(), reply.text().await?);
    if !status.is_success() {
        return Err(text.into());
    }
    now_of(&text)
}

/// Returns the time in an answer of `/_local/clock`.
pub fn now_of(text: &str) -> Result<Timestamp, Failure> {
    let body: serde_json::Value = serde_json::from_str(text)?;
    let now = body.get("now").and_then(serde_json::Value::as_str).ok_or("the platform returned no time")?;
    Ok(Timestamp::parse(now)?)
}
