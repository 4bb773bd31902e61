//! Fake gateways and suppliers on loopback: they keep orders, answer as documented, and send
//! correctly signed webhooks.
//!
//! **Invariant:** they know only what a real gateway knows of a merchant: its requests, and the URL
//! of its webhooks.
//! **Invariant:** ids are functions of the idempotency key and of a counter, so a repeated call
//! returns the same as the first one.

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
use crate::data::write_private;
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

/// Path prefix of the fakes' routes.
pub const PREFIX: &str = "/_gateways";

/// Secrets that the fakes share with the functions, as a gateway shares them with a merchant.
#[derive(Clone)]
pub struct SharedSecrets {
    /// Razorpay's API key: its id and secret.
    pub razorpay_key: (String, String),
    /// Razorpay's webhook secret.
    pub razorpay_webhook: String,
    /// Stripe's webhook secret.
    pub stripe_webhook: String,
    /// Id of our webhook at PayPal.
    pub paypal_webhook_id: String,
    /// Reloadly's client secret and webhook secret.
    pub reloadly: (String, String),
    /// Tremendous's API key and webhook key.
    pub tremendous: (String, String),
    /// Key and certificates with which the fake PayPal signs.
    pub paypal: Arc<PayPalKeys>,
}

/// The fake gateways and suppliers.
pub struct Fakes {
    /// Base URL of the fakes, such as `http://127.0.0.1:8787`.
    pub url: String,
    /// Base URL of our API.
    pub api: String,
    pub(crate) secrets: SharedSecrets,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) http: reqwest::Client,
    state: Mutex<GatewayState>,
    held: Mutex<Vec<Outgoing>>,
    /// How the suppliers handle orders.
    pub(crate) supply: Mutex<supply::Switches>,
    file: Option<PathBuf>,
}

/// URLs of the fakes and of the API.
#[derive(Clone, Debug)]
pub struct FakeUrls {
    /// Base URL of the fakes.
    pub own: String,
    /// Base URL of the API, to which the fakes send webhooks.
    pub api: String,
}

impl Fakes {
    /// Creates the fakes with the state in the file. Without a file, they start empty and store
    /// nothing.
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

    /// Returns the routes of the fakes.
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

    /// Returns the base URL of one gateway or supplier.
    pub fn base_url(url: &str, gateway: &str) -> String {
        format!("{url}{PREFIX}/{gateway}")
    }

    fn read(&self) -> MutexGuard<'_, GatewayState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state and stores it.
    pub(crate) fn write<T>(&self, change: impl FnOnce(&mut GatewayState) -> T) -> T {
        let mut state = self.read();
        let done = change(&mut state);
        if let Some(file) = &self.file {
            let next = file.with_extension("next");
            let text = serde_json::to_string(&*state).unwrap_or_default();
            if write_private(&next, &text).and_then(|()| std::fs::rename(&next, file)).is_err() {
                tracing::error!("the state of the fake gateways cannot be stored");
            }
        }
        done
    }

    /// Changes the state from outside, as if something happened at the gateway.
    pub fn change<T>(&self, change: impl FnOnce(&mut GatewayState) -> T) -> T {
        self.write(change)
    }

    pub(crate) fn now_seconds(&self) -> i64 {
        self.clock.now().millis() / 1_000
    }
}

/// Returns a gateway's answer with a JSON body.
pub(crate) fn answer(status: StatusCode, body: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// Returns a gateway's refusal in a form that fits both Razorpay and Stripe.
pub(crate) fn refusal(status: StatusCode, code: &str, description: &str) -> Response {
    let error = serde_json::json!({"code": code, "description": description, "message": description});
    answer(status, &serde_json::json!({"error": error}))
}
