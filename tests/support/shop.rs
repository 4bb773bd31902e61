//! A world with fake gateways on loopback: the payments that customers make there, and the webhooks about
//! them.
//!
//! **Invariant:** the fakes create the webhooks and sign them with the real algorithms, and the function
//! receives them as it would from API Gateway; no check is skipped for tests.

use crate::answer::Answer;
use crate::world::{ManualClock, START, World};
use crate::{Caller, patient, service};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use edge::wiring::optional;
use http::{Method, StatusCode};
use scrip::data::DataDir;
use scrip::fakes::fixture::{self, SampleValues};
use scrip::fakes::paypal::PayPalKeys;
use scrip::fakes::state::FakePayment;
use scrip::fakes::{FakeUrls, Fakes, SharedSecrets};
use scrip::functions::LocalServices;
use scrip::payments::PaymentSetup;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock};
use store::RetryPolicy;
use tokio::net::TcpListener;

/// How the gateways fail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outage {
    /// They work.
    #[default]
    None,
    /// They answer 500.
    Down,
    /// They carry out the request, but never answer.
    Silent,
    /// Something between refuses the request with a 400.
    Refusing,
    /// They refuse permanently, in their own error format.
    Rejecting,
}

/// A world with fake gateways.
pub struct Shop {
    /// The world.
    pub world: World,
    /// The fake gateways and suppliers.
    pub fakes: Arc<Fakes>,
    outage: Arc<Mutex<Outage>>,
    requests: Arc<Mutex<Vec<String>>>,
}

/// Returns the PayPal keys, which are created once.
fn keys() -> Arc<PayPalKeys> {
    static KEYS: OnceLock<Arc<PayPalKeys>> = OnceLock::new();
    KEYS.get_or_init(|| Arc::new(PayPalKeys::make().unwrap())).clone()
}

const SEAL: &str = "test:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Returns the configuration for gateways at this URL; variables in `environment` take precedence.
pub fn payments(url: &str, environment: &[(&str, &str)]) -> PaymentSetup {
    let set: BTreeMap<String, String> =
        environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    PaymentSetup::of(url, "test", SEAL, keys(), &|name| set.get(name).cloned()).unwrap()
}

/// The address of the gateways that the deployed stack uses.
const GATEWAYS: &str = "SCRIP_TEST_GATEWAYS";

/// The data directory of a platform, with the keys of its fake PayPal.
const PLATFORM: &str = "SCRIP_TEST_PLATFORM";

/// Returns gateways at an address where nothing listens.
pub fn nobody() -> PaymentSetup {
    static NOBODY: OnceLock<gateways::Gateways> = OnceLock::new();
    let gateways = NOBODY.get_or_init(|| payments("http://127.0.0.1:9", &[]).gateways).clone();
    let seal = edge::seal::SealKeys::parse(SEAL).unwrap();
    let secrets = scrip::fakes::SharedSecrets {
        razorpay_key: Default::default(),
        razorpay_webhook: String::new(),
        stripe_webhook: String::new(),
        paypal_webhook_id: String::new(),
        reloadly: Default::default(),
        tremendous: Default::default(),
        paypal: keys(),
    };
    let PaymentSetup { vault, suppliers, .. } = payments("http://127.0.0.1:9", &[]);
    PaymentSetup { gateways, seal, vault, suppliers, secrets }
}

/// Body of a refusal of an amount by Stripe.
pub const REJECTION: &str = r#"{"error":{"code":"amount_too_large","message":"Amount must be no more than ₹999,999.99","type":"invalid_request_error"}}"#;

type Switch = (Arc<Mutex<Outage>>, Arc<Mutex<Vec<String>>>);

async fn with_outage(State((outage, requests)): State<Switch>, request: Request, next: Next) -> Response {
    requests.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
    let now = *outage.lock().unwrap();
    let for_a_token = request.uri().path().ends_with("/oauth2/token");
    match now {
        Outage::Rejecting if !for_a_token => (StatusCode::BAD_REQUEST, REJECTION).into_response(),
        Outage::Rejecting => next.run(request).await,
        Outage::None => next.run(request).await,
        Outage::Down => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        Outage::Refusing => (StatusCode::BAD_REQUEST, "{}").into_response(),
        Outage::Silent => {
            next.run(request).await;
            std::future::pending().await
        }
    }
}

impl Shop {
    /// Creates a world at [`START`], with gateways.
    pub async fn new() -> Self {
        Self::configured(&[], patient()).await
    }

    /// Like [`Shop::new`], with these environment variables and this retry policy.
    pub async fn configured(environment: &[(&str, &str)], retry_policy: RetryPolicy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let clock = ManualClock::at(START);
        let PaymentSetup { gateways, seal, vault, suppliers, secrets } = payments(&url, environment);
        let world = World::with_payments(retry_policy, clock, (gateways, seal, vault, suppliers)).await;
        Self::serve(listener, world, url, secrets)
    }

    /// Returns the shop of the deployed stack if the environment names one, else a new shop; see
    /// [`World::shared`].
    pub async fn shared() -> Self {
        let Some(address) = optional(GATEWAYS) else { return Self::new().await };
        let listener = TcpListener::bind(&address).await.unwrap();
        // The deployed functions trust the certificates of this directory.
        let data = DataDir::open(optional(PLATFORM).unwrap().as_ref()).unwrap();
        let paypal = Arc::new(PayPalKeys::open(&data).unwrap());
        let setup = PaymentSetup::of(&format!("http://{address}"), "test", SEAL, paypal, &|_| None).unwrap();
        let PaymentSetup { gateways, seal, vault, suppliers, secrets } = setup;
        let world = World::shared_with((gateways, seal, vault, suppliers)).await;
        let api = world.deployed.as_ref().unwrap().api.clone();
        Self::serve(listener, world, api, secrets)
    }

    fn serve(listener: TcpListener, world: World, api: String, secrets: SharedSecrets) -> Self {
        let own = format!("http://{}", listener.local_addr().unwrap());
        let fakes = Fakes::open(FakeUrls { own, api }, secrets, world.clock.clone(), None).unwrap();
        let switch: Switch = Default::default();
        let layer = middleware::from_fn_with_state(switch.clone(), with_outage);
        let routes = fakes.router().layer(layer);
        tokio::spawn(async { axum::serve(listener, routes).await });
        Self { world, fakes, outage: switch.0, requests: switch.1 }
    }

    /// Sets how the gateways fail from now on.
    pub fn outage(&self, outage: Outage) {
        *self.outage.lock().unwrap() = outage;
    }

    /// Returns the requests to the gateways since the last call: method and path.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    /// Returns the services that the functions receive.
    pub fn parts(&self) -> LocalServices {
        self.world.parts.clone()
    }

    /// Initiates a top-up.
    pub async fn initiate(&self, customer: &str, amount: &str, gateway: &str) -> Answer {
        let page = if gateway == "razorpay" { "" } else { r#","return_url":"https://shop.example.com/""# };
        let body = format!(r#"{{"customer_id":"{customer}","amount":{amount},"gateway":"{gateway}"{page}}}"#);
        self.world.post(&service("wallet:topup"), "/api/integration/wallet/topup/initiate", &body).await
    }

    /// Initiates a top-up and pays it at the gateway, without delivering a report. Returns the top-up's id
    /// and the payment.
    pub async fn paid(&self, customer: &str, amount: &str, gateway: &str) -> (String, FakePayment) {
        let begun = self.initiate(customer, amount, gateway).await.expect(201);
        let order = begun.text("/gateway_order_id");
        (begun.text("/topup_id"), self.pay(&order, "captured"))
    }

    /// Pays an order at the gateway; the status can be that of a failure.
    pub fn pay(&self, order: &str, status: &str) -> FakePayment {
        self.fakes.change(|state| state.pay(order, status).unwrap())
    }

    /// Returns the values of a webhook about a payment.
    pub fn values(&self, topup: &str, payment: &FakePayment, event: &str) -> SampleValues {
        SampleValues {
            event: event.to_owned(),
            topup: topup.to_owned(),
            order: payment.order.clone(),
            payment: payment.id.clone(),
            charge: payment.charge.clone(),
            reversal: format!("rev_{}", payment.id),
            units: payment.units,
            reversed: payment.units,
            currency: "INR".to_owned(),
            at: 1_768_471_200,
        }
    }

    /// Returns a webhook's body.
    pub fn body(name: &str, values: &SampleValues) -> String {
        fixture::render(name, values).unwrap_or_else(|| panic!("no sample {name}"))
    }

    /// Delivers a sample with these values, signed.
    pub async fn deliver(&self, name: &str, values: &SampleValues) -> Answer {
        self.send(name.split('.').next().unwrap(), &values.event, &Self::body(name, values), false).await
    }

    /// Delivers a sample and asserts the resulting status of the event.
    pub async fn expect(&self, name: &str, values: &SampleValues, status: &str) {
        let answer = self.deliver(name, values).await.expect(200);
        assert_eq!(answer.text("/status"), status, "{name} {values:?}");
    }

    /// Delivers a body, signed; `forged` breaks the signature.
    pub async fn send(&self, endpoint: &str, event: &str, body: &str, forged: bool) -> Answer {
        let signer = if endpoint == "google-pay" { "razorpay" } else { endpoint };
        let headers = self.fakes.headers(signer, event, body, forged);
        self.send_with(endpoint, &headers, body.as_bytes()).await
    }

    /// Delivers bytes with these headers.
    pub async fn send_with(&self, endpoint: &str, headers: &[(String, String)], body: &[u8]) -> Answer {
        let path = format!("/api/integration/webhook/{endpoint}");
        let mut request = http::Request::builder().method(Method::POST).uri(path);
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        self.world.send(None, request.body(Body::from(body.to_vec())).unwrap()).await
    }

    /// Verifies a top-up, which polls the gateway about the payment.
    pub async fn verify(&self, caller: &Caller, topup: &str, payment: &str, signature: &str) -> Answer {
        let body =
            format!(r#"{{"topup_id":"{topup}","gateway_payment_id":"{payment}","signature":"{signature}"}}"#);
        self.world.post(caller, "/api/integration/wallet/topup/verify", &body).await
    }

    /// Returns the status of a top-up.
    pub async fn status(&self, topup: &str) -> String {
        let path = format!("/api/integration/wallet/topup/{topup}");
        self.world.get(&crate::staff(), &path).await.expect(200).text("/status")
    }

    /// Returns the ids of the events with this status.
    pub async fn events(&self, status: &str) -> Vec<String> {
        let path = format!("/api/integration/webhook/events?status={status}&limit=100");
        let list = self.world.get(&crate::admin(), &path).await.expect(200).json();
        let ids = list["events"].as_array().unwrap().iter();
        ids.map(|event| event["event_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Runs the monitor once and returns its summary.
    pub async fn monitor(&self) -> Value {
        self.world.run("monitor").await
    }
}
