//! PayPal's signature and certificates: known answers, and every kind of certificate that must be refused.

use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use domain::time::Timestamp;
use gateways::{Endpoint, Forged, Gateways, VerifiedWebhook, VerifyError, WebhookDelivery};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

const NOW: i64 = 1_768_471_200;

fn vector() -> Value {
    let text = std::fs::read_to_string(tests::process::root().join("tests/vectors/gateways.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    all["paypal_webhook"].clone()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}"))
}

/// A PayPal on loopback: it serves a file of certificates and answers verification requests.
#[derive(Clone, Default)]
struct Host {
    certificates: Arc<Mutex<String>>,
    status: Arc<Mutex<u16>>,
    verdict: Arc<Mutex<&'static str>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Host {
    async fn start(&self) -> String {
        *self.status.lock().unwrap() = 200;
        *self.verdict.lock().unwrap() = "FAILURE";
        let file = async |State(host): State<Host>| {
            host.requests.lock().unwrap().push("certificate".to_owned());
            let status = StatusCode::from_u16(*host.status.lock().unwrap()).unwrap();
            let to = [("location", "http://127.0.0.1:1/elsewhere")];
            (status, to, host.certificates.lock().unwrap().clone()).into_response()
        };
        let token =
            async || axum::response::Json(json!({"access_token": "t", "expires_in": 900})).into_response();
        let verdict = async |State(host): State<Host>, body: String| {
            host.requests.lock().unwrap().push(body);
            axum::response::Json(json!({"verification_status": *host.verdict.lock().unwrap()}))
                .into_response()
        };
        let routes = axum::Router::new()
            .route("/v1/notifications/certs/{name}", get(file))
            .route("/v1/oauth2/token", post(token))
            .route("/v1/notifications/verify-webhook-signature", post(verdict))
            .with_state(self.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, routes).await });
        url
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }
}

fn paypal(base_url: &str, webhook_id: &str, roots: &str) -> Gateways {
    let set = BTreeMap::from([
        ("SCRIP_PAYPAL_CLIENT_ID", "c"),
        ("SCRIP_PAYPAL_CLIENT_SECRET", "s"),
        ("SCRIP_PAYPAL_WEBHOOK_ID", webhook_id),
        ("SCRIP_PAYPAL_BASE_URL", base_url),
        ("SCRIP_PAYPAL_ROOTS", roots),
    ]);
    Gateways::configure(&|name| set.get(name).map(|value| (*value).to_owned())).unwrap()
}

struct Sent {
    pairs: Vec<(&'static str, String)>,
    body: String,
}

impl Sent {
    fn new(vector: &Value, address: &str) -> Self {
        let pair = |name, value: &str| (name, value.to_owned());
        let pairs = vec![
            pair("paypal-auth-algo", "SHA256withRSA"),
            pair("paypal-transmission-id", text(vector, "transmission_id")),
            pair("paypal-transmission-time", text(vector, "transmission_time")),
            pair("paypal-transmission-sig", text(vector, "signature_base64")),
            pair("paypal-cert-url", address),
        ];
        Self { pairs, body: text(vector, "body").to_owned() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.pairs.retain(|(known, _)| *known != name);
        self.pairs.push((name, value.to_owned()));
        self
    }

    fn without(mut self, name: &'static str) -> Self {
        self.pairs.retain(|(known, _)| *known != name);
        self
    }

    async fn verify(&self, ours: &Gateways, at: i64) -> Result<VerifiedWebhook, VerifyError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        let now = Timestamp::from_millis(at * 1_000).unwrap();
        let delivery = WebhookDelivery { headers: &headers, body: self.body.as_bytes(), now };
        ours.verify(Endpoint::PayPal, &delivery).await
    }
}

fn forged(why: Forged) -> Result<VerifiedWebhook, VerifyError> {
    Err(VerifyError::Forged(why))
}

struct Scene {
    vector: Value,
    host: Host,
    url: String,
    address: String,
    ours: Gateways,
}

impl Scene {
    async fn new() -> Self {
        let (vector, host) = (vector(), Host::default());
        let url = host.start().await;
        *host.certificates.lock().unwrap() = text(&vector, "certificate_pem").to_owned();
        let address = format!("{url}/v1/notifications/certs/CERT-1");
        let ours = paypal(&url, text(&vector, "webhook_id"), text(&vector, "root_pem"));
        Self { vector, host, url, address, ours }
    }

    fn sent(&self) -> Sent {
        Sent::new(&self.vector, &self.address)
    }
}

#[tokio::test]
async fn paypals_signature_is_that_of_other_tools_and_its_certificate_is_fetched_once() {
    let scene = Scene::new().await;
    for _ in 0..3 {
        scene.sent().verify(&scene.ours, NOW).await.unwrap();
    }
    assert_eq!(scene.host.requests(), ["certificate"], "the certificate is cached by its address");
    for apart in [300, -300] {
        assert!(scene.sent().verify(&scene.ours, NOW + apart).await.is_ok(), "{apart}");
    }
    for apart in [301, -301, 86_400] {
        assert_eq!(scene.sent().verify(&scene.ours, NOW + apart).await, forged(Forged::Time), "{apart}");
    }
}

#[tokio::test]
async fn another_body_time_webhook_or_algorithm_is_refused() {
    let scene = Scene::new().await;
    let mut other = scene.sent();
    other.body = serde_json::from_str::<Value>(&other.body).unwrap().to_string();
    assert_eq!(other.verify(&scene.ours, NOW).await, forged(Forged::Signature), "re-serialised");
    let theirs = paypal(&scene.url, "WH-another", text(&scene.vector, "root_pem"));
    assert_eq!(scene.sent().verify(&theirs, NOW).await, forged(Forged::Signature), "another webhook_id");
    let moved = scene.sent().with("paypal-transmission-time", "2026-01-15T10:00:01Z");
    assert_eq!(moved.verify(&scene.ours, NOW).await, forged(Forged::Signature));
    let renamed = scene.sent().with("paypal-transmission-id", "another");
    assert_eq!(renamed.verify(&scene.ours, NOW).await, forged(Forged::Signature));
    let sha1 = text(&scene.vector, "signature_sha1_base64");
    let weak = scene.sent().with("paypal-transmission-sig", sha1);
    assert_eq!(weak.verify(&scene.ours, NOW).await, forged(Forged::Signature));
    let weak = scene.sent().with("paypal-transmission-sig", sha1).with("paypal-auth-algo", "SHA1withRSA");
    assert_eq!(weak.verify(&scene.ours, NOW).await, forged(Forged::Algorithm));
    for name in ["paypal-auth-algo", "paypal-transmission-id", "paypal-transmission-time", "paypal-cert-url"]
    {
        assert_eq!(
            scene.sent().without(name).verify(&scene.ours, NOW).await,
            forged(Forged::Header),
            "{name}"
        );
        let mut twice = scene.sent();
        let again = twice.pairs.iter().find(|(known, _)| *known == name).unwrap().clone();
        twice.pairs.push(again);
        assert_eq!(twice.verify(&scene.ours, NOW).await, forged(Forged::Header), "{name}");
    }
}

#[tokio::test]
async fn an_expired_untrusted_or_otherwise_named_certificate_is_refused() {
    for (name, why) in [
        ("expired_certificate_pem", Forged::Certificate),
        ("other_name_certificate_pem", Forged::Certificate),
        ("look_alike_certificate_pem", Forged::Certificate),
    ] {
        let scene = Scene::new().await;
        *scene.host.certificates.lock().unwrap() = text(&scene.vector, name).to_owned();
        assert_eq!(scene.sent().verify(&scene.ours, NOW).await, forged(why), "{name}");
        assert_eq!(scene.host.requests(), ["certificate"], "{name}: no other request is sent");
    }
    // Issued under the trusted root's name, but signed by another key: at most PayPal is asked, and it
    // answers FAILURE.
    let scene = Scene::new().await;
    *scene.host.certificates.lock().unwrap() = text(&scene.vector, "other_root_certificate_pem").to_owned();
    assert_eq!(scene.sent().verify(&scene.ours, NOW).await, forged(Forged::Certificate));
    let scene = Scene::new().await;
    *scene.host.certificates.lock().unwrap() = "no certificate at all".to_owned();
    assert_eq!(scene.sent().verify(&scene.ours, NOW).await, forged(Forged::Certificate));
}

#[tokio::test]
async fn of_a_certificate_whose_root_is_unknown_paypal_itself_is_asked_with_the_body_as_it_came() {
    let scene = Scene::new().await;
    let others = paypal(&scene.url, text(&scene.vector, "webhook_id"), "");
    let found = scene.sent().verify(&others, NOW).await;
    assert_eq!(found, forged(Forged::Certificate), "PayPal answers FAILURE");
    let requests = scene.host.requests();
    assert!(
        requests[1].contains(&format!(r#""webhook_event":{}}}"#, text(&scene.vector, "body"))),
        "{requests:?}"
    );
    *scene.host.verdict.lock().unwrap() = "SUCCESS";
    assert!(scene.sent().verify(&others, NOW).await.is_ok());
}

#[tokio::test]
async fn a_certificate_that_cannot_be_fetched_is_asked_about_and_one_that_is_elsewhere_is_not() {
    let scene = Scene::new().await;
    *scene.host.status.lock().unwrap() = 503;
    *scene.host.verdict.lock().unwrap() = "SUCCESS";
    assert!(scene.sent().verify(&scene.ours, NOW).await.is_ok());
    let elsewhere = Scene::new().await;
    *elsewhere.host.status.lock().unwrap() = 302;
    assert_eq!(elsewhere.sent().verify(&elsewhere.ours, NOW).await, forged(Forged::Address), "a redirect");
}

/// Covers fault 58 of the requirements.
#[tokio::test]
async fn a_certificate_that_cannot_be_had_is_fetched_once_a_minute() {
    for status in [503, 429, 404] {
        let scene = Scene::new().await;
        *scene.host.status.lock().unwrap() = status;
        *scene.host.verdict.lock().unwrap() = "SUCCESS";
        let first = scene.sent().verify(&scene.ours, NOW).await;
        assert_eq!(first.is_ok(), status != 404, "{status}");
        for _ in 0..3 {
            assert_eq!(scene.sent().verify(&scene.ours, NOW).await, first, "{status}");
        }
        let fetched = scene.host.requests().into_iter().filter(|request| request == "certificate").count();
        // A call that fails with a 5xx is repeated once.
        assert_eq!(fetched, if status == 503 { 2 } else { 1 }, "{status}");
    }
}

#[tokio::test]
async fn of_the_certificates_that_a_forger_names_few_are_fetched_and_a_cached_one_is_still_used() {
    let scene = Scene::new().await;
    scene.sent().verify(&scene.ours, NOW).await.unwrap();
    *scene.host.status.lock().unwrap() = 404;
    for at in 0..30 {
        let address = format!("{}/v1/notifications/certs/NONE-{at}", scene.url);
        let sent = Sent::new(&scene.vector, &address);
        let why = if at < 8 { Forged::Address } else { Forged::Certificate };
        assert_eq!(sent.verify(&scene.ours, NOW).await, forged(why), "{at}");
    }
    assert_eq!(scene.host.requests(), ["certificate"; 9]);
    scene.sent().verify(&scene.ours, NOW).await.unwrap();
}

/// Covers fault 58 of the requirements.
#[tokio::test]
async fn a_body_that_is_not_one_json_object_is_not_sent_on() {
    let scene = Scene::new().await;
    *scene.host.status.lock().unwrap() = 503;
    *scene.host.verdict.lock().unwrap() = "SUCCESS";
    for body in
        ["", "[]", "1", "{}{}", "{},\"webhook_id\":\"WH-another\"", "{}}", "{\"id\":}", "{\"id\":1} x"]
    {
        let mut sent = scene.sent();
        sent.body = body.to_owned();
        assert_eq!(sent.verify(&scene.ours, NOW).await, forged(Forged::Shape), "{body:?}");
    }
    assert_eq!(scene.host.requests(), ["certificate", "certificate"], "PayPal is not asked");
    let mut sent = scene.sent();
    sent.body = " {\"id\": \"WH-1\"}\n".to_owned();
    assert!(sent.verify(&scene.ours, NOW).await.is_ok());
}

/// Attack 22: no connection is attempted.
#[tokio::test]
async fn an_address_that_is_not_paypals_own_is_refused_before_any_connection() {
    let vector = vector();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let live = paypal("https://api-m.paypal.com", text(&vector, "webhook_id"), text(&vector, "root_pem"));
    let addresses = [
        format!("http://127.0.0.1:{port}/v1/notifications/certs/CERT-1"),
        format!("https://127.0.0.1:{port}/v1/notifications/certs/CERT-1"),
        format!("https://api.paypal.com:{port}/v1/notifications/certs/CERT-1"),
        "https://api.paypal.com:443/v1/notifications/certs/CERT-1".to_owned(),
        format!("https://api.paypal.com@127.0.0.1:{port}/v1/notifications/certs/CERT-1"),
        "https://user:pw@api.paypal.com/v1/notifications/certs/CERT-1".to_owned(),
        format!("https://127.0.0.1:{port}#api.paypal.com/v1/notifications/certs/CERT-1"),
        format!("https://127.0.0.1:{port}\\@api.paypal.com/v1/notifications/certs/CERT-1"),
        "http://api.paypal.com/v1/notifications/certs/CERT-1".to_owned(),
        "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1".to_owned(),
        "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1".to_owned(),
        "https://evilapi.paypal.com/v1/notifications/certs/CERT-1".to_owned(),
        "https://api-paypal.com/v1/notifications/certs/CERT-1".to_owned(),
        "https://API.PAYPAL.COM/v1/notifications/certs/CERT-1".to_owned(),
        "https://api.paypal.com/v1/notifications/certs/".to_owned(),
        "https://api.paypal.com/v1/notifications/certs/../../../evil".to_owned(),
        "https://api.paypal.com/v1/notifications/certs/CERT-1?to=x".to_owned(),
        "https://api.paypal.com/v1/notifications/certs/CERT-1/../x".to_owned(),
        "https://api.paypal.com/v1/notifications/certs/%2e%2e".to_owned(),
        "https://api.paypal.com/v2/notifications/certs/CERT-1".to_owned(),
        " https://api.paypal.com/v1/notifications/certs/CERT-1".to_owned(),
        "file:///etc/passwd".to_owned(),
        "//api.paypal.com/v1/notifications/certs/CERT-1".to_owned(),
        String::new(),
    ];
    for address in addresses {
        let sent = Sent::new(&vector, address.trim_start());
        let sent = if address.starts_with(' ') {
            sent.with("paypal-cert-url", "x https://api.paypal.com/")
        } else {
            sent
        };
        assert_eq!(sent.verify(&live, NOW).await, forged(Forged::Address), "{address}");
    }
    let knocked = futures::FutureExt::now_or_never(listener.accept());
    assert!(knocked.is_none(), "a connection was attempted");
}
