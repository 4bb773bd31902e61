//! Fake gateways on loopback: they keep orders, answer as documented, and send webhooks that are correctly signed.
//!
//! **Invariant:** they know of us only what a gateway knows: what they were asked, and where their webhooks go.
//! **Invariant:** ids are a function of what they stand for and of a counter, so a repetition of a call gives what the
//! first one gave.

mod checkout;
pub mod fixture;
pub mod paypal;
mod razorpay;
pub mod send;
pub mod state;
mod stripe;
mod suppliers;
pub mod supply;
pub mod trigger;

use crate::Failure;
use axum::Router;
use axum::response::{IntoResponse, Response};
use edge::Clock;
use http::{StatusCode, header};
use paypal::PayPalKeys;
use send::Outgoing;
use serde_json::Value;
use state::GatewayState;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the fakes' own routes begin.
pub const PREFIX: &str = "/_gateways";

/// What the fakes and our side agree on, as a merchant and a gateway do.
#[derive(Clone)]
pub struct SharedSecrets {
    /// Razorpay's API secret.
    pub razorpay_key: (String, String),
    /// Razorpay's webhook secret.
    pub razorpay_webhook: String,
    /// Stripe's webhook secret.
    pub stripe_webhook: String,
    /// PayPal's id of our webhook.
    pub paypal_webhook_id: String,
    /// Reloadly's API secret and webhook secret.
    pub reloadly: (String, String),
    /// Tremendous's API key and webhook key.
    pub tremendous: (String, String),
    /// What PayPal signs with.
    pub paypal: Arc<PayPalKeys>,
}

/// The fake gateways.
pub struct Fakes {
    /// Where they are: `http://127.0.0.1:8787`.
    pub url: String,
    /// Where our API is.
    pub api: String,
    pub(crate) secrets: SharedSecrets,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) http: reqwest::Client,
    state: Mutex<GatewayState>,
    held: Mutex<Vec<Outgoing>>,
    /// What the suppliers do with orders from now on.
    pub(crate) supply: Mutex<supply::Switches>,
    file: Option<PathBuf>,
}

/// Where the fakes are served, and where they send webhooks.
#[derive(Clone, Debug)]
pub struct FakeUrls {
    /// The fakes' own base URL.
    pub own: String,
    /// The API's base URL.
    pub api: String,
}

impl Fakes {
    /// Fakes that remember what is in the file, if there is one.
    pub fn open(
        urls: FakeUrls,
        secrets: SharedSecrets,
        clock: Arc<dyn Clock>,
        file: Option<PathBuf>,
    ) -> Result<Arc<Self>, Failure> {
        let stored = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        let state = stored.map_or_else(|| Ok(GatewayState::default()), |text| serde_json::from_str(&text))?;
        let http = gateways::client()?;
        let (state, held, supply) = (Mutex::new(state), Mutex::default(), Mutex::default());
        Ok(Arc::new(Self { url: urls.own, api: urls.api, secrets, clock, http, state, held, supply, file }))
    }

    /// Their routes.
    pub fn router(self: &Arc<Self>) -> Router {
        let routes = Router::new()
            .nest("/razorpay", razorpay::router())
            .nest("/stripe", stripe::router())
            .nest("/paypal", paypal::router())
            .nest("/checkout", checkout::router())
            .nest("/reloadly", suppliers::reloadly())
            .nest("/tremendous", suppliers::tremendous());
        Router::new().nest(PREFIX, routes).with_state(self.clone())
    }

    /// The base URL of one of them.
    pub fn base_url(url: &str, gateway: &str) -> String {
        format!("{url}{PREFIX}/{gateway}")
    }

    fn read(&self) -> MutexGuard<'_, GatewayState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the book and keeps it.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut GatewayState) -> T) -> T {
        let mut state = self.read();
        let done = change(&mut state);
        if let Some(file) = &self.file {
            let next = file.with_extension("next");
            let text = serde_json::to_string(&*state).unwrap_or_default();
            if std::fs::write(&next, text).and_then(|()| std::fs::rename(&next, file)).is_err() {
                tracing::error!("the fake gateways cannot keep their book");
            }
        }
        done
    }

    /// Changes the book: something happens at the gateway.
    pub fn change<T>(&self, change: impl FnOnce(&mut GatewayState) -> T) -> T {
        self.write(change)
    }

    pub(crate) fn now_seconds(&self) -> i64 {
        self.clock.now().millis() / 1_000
    }
}

/// A gateway's answer.
pub(crate) fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// A gateway's refusal, in the shape that Razorpay and Stripe share.
pub(crate) fn refusal(status: StatusCode, code: &str, description: &str) -> Response {
    let error = serde_json::json!({"code": code, "description": description, "message": description});
    answer(status, &serde_json::json!({"error": error}))
}
