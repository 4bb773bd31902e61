//! A fake PayPal, with a certificate that it issues itself.
//!
//! **Invariant:** an order is captured once, and only after its customer has approved it.

use super::state::{FakeOrder, FakePayment, FakeRefund};
use super::{Fakes, PREFIX, answer};
use crate::Failure;
use crate::data::DataDir;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::currency::Currency;
use domain::money::Money;
use http::StatusCode;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, date_time_ymd,
};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::rand_core::OsRng;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::sync::Arc;

/// Key and certificates with which the fake PayPal signs.
pub struct PayPalKeys {
    key: RsaKeyPair,
    /// Certificate of the key, followed by the root that signed it, in PEM.
    pub certificate: String,
    /// Root that our side must trust, in PEM.
    pub root: String,
}

impl PayPalKeys {
    /// Reads the key and certificates of a data directory; generates them if they do not exist.
    pub fn open(data: &DataDir) -> Result<Self, Failure> {
        let pem = data.read_or_make("paypal-key.pem", || {
            Ok(RsaPrivateKey::new(&mut OsRng, 2_048)?.to_pkcs8_pem(LineEnding::LF)?.to_string())
        })?;
        let both = data.read_or_make("paypal-certificates.pem", || certificates(&pem))?;
        Self::of(&pem, &both)
    }

    /// Generates keys that are not stored.
    pub fn make() -> Result<Self, Failure> {
        let pem = RsaPrivateKey::new(&mut OsRng, 2_048)?.to_pkcs8_pem(LineEnding::LF)?.to_string();
        Self::of(&pem, &certificates(&pem)?)
    }

    fn of(pem: &str, certificates: &str) -> Result<Self, Failure> {
        let der = RsaPrivateKey::from_pkcs8_pem(pem)?.to_pkcs8_der()?;
        let key = RsaKeyPair::from_pkcs8(der.as_bytes()).map_err(|_| "the PayPal key is invalid")?;
        let at = certificates.rfind("-----BEGIN").ok_or("the PayPal certificates are invalid")?;
        Ok(Self { key, certificate: certificates.to_owned(), root: certificates.split_at(at).1.to_owned() })
    }

    /// Signs a text with RSA PKCS#1 v1.5 and SHA-256; returns the signature in base64.
    pub fn sign(&self, text: &str) -> Option<String> {
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        Some(STANDARD.encode(signature))
    }
}

/// Returns a certificate for the key, followed by the root that signs it, in PEM.
fn certificates(pem: &str) -> Result<String, Failure> {
    let mut root = CertificateParams::new(vec![])?;
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    (root.not_before, root.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2999, 1, 1));
    let root_key = KeyPair::generate()?;
    let root_certificate = root.self_signed(&root_key)?.pem();
    let key = KeyPair::from_pkcs8_pem_and_sign_algo(pem, &rcgen::PKCS_RSA_SHA256)?;
    let mut leaf = CertificateParams::new(vec!["messageverificationcerts.paypal.com".to_owned()])?;
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    (leaf.not_before, leaf.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2999, 1, 1));
    let leaf = leaf.signed_by(&key, &Issuer::new(root, root_key))?.pem();
    Ok(format!("{leaf}{root_certificate}"))
}

pub(super) fn router() -> Router<Arc<Fakes>> {
    Router::new()
        .route("/v1/oauth2/token", post(token))
        .route("/v2/checkout/orders", post(create))
        .route("/v2/checkout/orders/{order}", get(read))
        .route("/v2/checkout/orders/{order}/capture", post(capture))
        .route("/v1/notifications/certs/{name}", get(certificate))
}

async fn token() -> Response {
    let body = json!({"access_token": "local", "token_type": "Bearer", "expires_in": 32_400});
    answer(StatusCode::OK, &body)
}

/// Formats minor units: `10.00` for 1000 units of a currency with two digits.
pub(crate) fn value(units: u64, currency: &str) -> String {
    let money = |currency: Currency| {
        let units = i64::try_from(units).ok()?;
        let money = Money::try_new(Decimal::new(units, currency.digits())).ok()?;
        Some(currency.format(money))
    };
    Currency::parse(currency).ok().and_then(money).unwrap_or_default()
}

async fn create(State(fakes): State<Arc<Fakes>>, headers: HeaderMap, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |pointer: &str| request.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let currency = text("/purchase_units/0/amount/currency_code").unwrap_or_default();
    let digits = Currency::parse(&currency).map_or(2, Currency::digits);
    let value: Decimal =
        text("/purchase_units/0/amount/value").unwrap_or_default().parse().unwrap_or_default();
    let units = value * Decimal::from(10_u64.pow(digits));
    let key = headers.get("paypal-request-id").and_then(|key| key.to_str().ok()).unwrap_or_default();
    let order = FakeOrder {
        gateway: "paypal".to_owned(),
        id: String::new(),
        units: units.try_into().unwrap_or(0),
        currency,
        topup: text("/purchase_units/0/custom_id"),
        key: key.to_owned(),
        return_url: text("/application_context/return_url"),
        status: "created".to_owned(),
    };
    let order = fakes.write(|state| state.order("PP", order));
    let page = format!("{}{PREFIX}/checkout/{}", fakes.url, order.id);
    let links = json!([{"href": page, "rel": "approve", "method": "GET"}]);
    answer(StatusCode::CREATED, &json!({"id": order.id, "status": "CREATED", "links": links}))
}

fn body(order: &FakeOrder, paid: Option<&FakePayment>, refunds: &[FakeRefund]) -> Value {
    let refunds: Vec<Value> = refunds
        .iter()
        .filter(|refund| paid.is_some_and(|paid| paid.id == refund.payment))
        .map(|refund| {
            let up = format!("https://api-m.paypal.com/v2/payments/captures/{}", refund.payment);
            json!({
                "id": refund.id, "status": "COMPLETED", "links": [{"rel": "up", "href": up}],
                "amount": {"currency_code": order.currency, "value": value(refund.units, &order.currency)},
            })
        })
        .collect();
    let amount = json!({"currency_code": order.currency, "value": value(order.units, &order.currency)});
    let status = match order.status.as_str() {
        "paid" => "COMPLETED",
        "approved" => "APPROVED",
        _ => "CREATED",
    };
    let captures = paid.map(|payment| {
        json!([{"id": payment.id, "status": "COMPLETED", "amount": amount, "custom_id": order.topup}])
    });
    json!({
        "id": order.id, "intent": "CAPTURE", "status": status,
        "purchase_units": [{
            "reference_id": "default", "custom_id": order.topup, "amount": amount, "payments": {"captures": captures, "refunds": refunds},
        }],
    })
}

async fn read(State(fakes): State<Arc<Fakes>>, Path(id): Path<String>) -> Response {
    let state = fakes.read();
    let Some(order) = state.orders.get(&id) else {
        return answer(StatusCode::NOT_FOUND, &json!({"name": "RESOURCE_NOT_FOUND"}));
    };
    let paid = state.payments.values().find(|payment| payment.order == id && payment.status == "captured");
    answer(StatusCode::OK, &body(order, paid, &state.refunds))
}

async fn capture(State(fakes): State<Arc<Fakes>>, Path(id): Path<String>) -> Response {
    let status = fakes.read().orders.get(&id).map(|order| order.status.clone());
    match status.as_deref() {
        Some("approved" | "paid") => {
            let paid = fakes.write(|state| state.pay(&id, "captured"));
            let state = fakes.read();
            let order = state.orders.get(&id).map(|order| body(order, paid.as_ref(), &state.refunds));
            answer(StatusCode::CREATED, &order.unwrap_or_default())
        }
        Some(_) => {
            let details = json!([{"issue": "ORDER_NOT_APPROVED"}]);
            answer(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({"name": "UNPROCESSABLE_ENTITY", "details": details}),
            )
        }
        None => answer(StatusCode::NOT_FOUND, &json!({"name": "RESOURCE_NOT_FOUND"})),
    }
}

async fn certificate(State(fakes): State<Arc<Fakes>>) -> Response {
    fakes.secrets.paypal.certificate.clone().into_response()
}
