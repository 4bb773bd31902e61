//! The deployed stack, if the environment names one: its API, the issuer of its callers' tokens, its table.
//!
//! **Invariant:** a request reaches the deployed functions only through the API, with a token that the API's
//! authorizer verifies.

use crate::caller::Caller;
use crate::patient;
use crate::world::{ExternalServices, ManualClock, START, World};
use axum::body::Body;
use axum::response::Response;
use edge::Clock;
use edge::wiring::{SystemClock, optional};
use http::Request;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

/// Time for an answer; the emulator starts functions, and one of them may look at the whole table.
const PATIENCE: Duration = Duration::from_secs(120);

/// A deployed stack.
pub struct Deployed {
    /// URL of the API.
    pub api: String,
    /// Name of the table.
    pub table: String,
    /// Endpoint of DynamoDB.
    pub endpoint: String,
    /// URL at which a scheduled function is invoked as its schedule does.
    schedules: String,
    issuer: String,
    http: reqwest::Client,
    tokens: Mutex<HashMap<String, String>>,
}

impl Deployed {
    /// Returns the stack that the environment names (`tests/deployed/run` does).
    pub fn of_environment() -> Option<Self> {
        let needed = |name: &str| optional(name).unwrap_or_else(|| panic!("{name} is not set"));
        Some(Self {
            api: optional("SCRIP_TEST_API")?,
            table: needed("SCRIP_TEST_TABLE"),
            endpoint: needed("SCRIP_TEST_DYNAMODB_ENDPOINT"),
            schedules: needed("SCRIP_TEST_SCHEDULES"),
            issuer: needed("SCRIP_TEST_ISSUER"),
            http: gateways::client().unwrap(),
            tokens: Mutex::default(),
        })
    }

    /// Sends a request to the API.
    pub async fn send(&self, caller: Option<&Caller>, request: Request<Body>) -> Response {
        let (parts, body) = request.into_parts();
        let bytes = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        let mut sent =
            self.http.request(parts.method, format!("{}{}", self.api, parts.uri)).headers(parts.headers);
        if let Some(caller) = caller {
            sent = sent.bearer_auth(self.token(caller).await);
        }
        let answer = sent.body(bytes).timeout(PATIENCE).send().await.unwrap();
        http::Response::from(answer).map(Body::new)
    }

    /// Sends a file to a presigned URL; returns the status.
    pub async fn put(&self, request: Request<Body>) -> u16 {
        let (parts, body) = request.into_parts();
        let bytes = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        let sent = self.http.put(parts.uri.to_string()).headers(parts.headers).body(bytes).timeout(PATIENCE);
        sent.send().await.unwrap().status().as_u16()
    }

    /// Invokes a scheduled function with the event of its schedule, and returns its result.
    pub async fn run(&self, function: &str) -> Value {
        self.run_on(function, String::new()).await
    }

    /// Invokes a function with this event, and returns its result.
    async fn run_on(&self, function: &str, event: String) -> Value {
        let url = format!("{}/{function}", self.schedules);
        let answer = self.http.post(url).body(event).timeout(PATIENCE).send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{function}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    async fn token(&self, caller: &Caller) -> String {
        let claims = serde_json::to_string(&caller.0).unwrap();
        if let Some(token) = self.tokens.lock().unwrap().get(&claims) {
            return token.clone();
        }
        let issued = self.http.post(&self.issuer).body(claims.clone()).send().await.unwrap();
        let token = issued.text().await.unwrap();
        self.tokens.lock().unwrap().insert(claims, token.clone());
        token
    }
}

impl World {
    /// Returns the world of the deployed stack if the environment names one, else a new world. Names in
    /// it must be [`unique`], and its clock cannot be moved.
    pub async fn shared() -> Self {
        let nobody = crate::shop::nobody();
        Self::shared_with((nobody.gateways, nobody.seal, nobody.vault, nobody.suppliers)).await
    }

    /// Like [`World::shared`]; these gateways are used unless the stack is deployed.
    pub async fn shared_with(payments: ExternalServices) -> Self {
        let Some(deployed) = Deployed::of_environment() else {
            return Self::with_payments(patient(), ManualClock::at(START), payments).await;
        };
        let now = ManualClock::at(&SystemClock.now().to_string());
        let (table, endpoint) = (deployed.table.clone(), (deployed.endpoint.clone(), None));
        let mut world = Self::over(endpoint, table, now, patient(), payments);
        world.deployed = Some(deployed);
        world
    }

    /// Runs a function with this event, and returns its result.
    pub async fn run_on(&self, function: &'static str, event: &Value) -> Value {
        match &self.deployed {
            Some(deployed) => deployed.run_on(function, event.to_string()).await,
            None => {
                let event = event.to_string();
                let work = scrip::invoke::invoke(&self.parts, function, &event);
                crate::uses::by(function, work).await.unwrap()
            }
        }
    }

    /// Runs a scheduled function with the event of its schedule, and returns its result.
    pub async fn run(&self, function: &'static str) -> Value {
        match &self.deployed {
            Some(deployed) => deployed.run(function).await,
            None => {
                let work = scrip::invoke::invoke(&self.parts, function, "{}");
                crate::uses::by(function, work).await.unwrap()
            }
        }
    }
}

/// Returns a name that no other test uses, in this run or another.
pub fn unique(name: &str) -> String {
    format!("{name}-{}", &scrip::gateway::request_id()[..12])
}
