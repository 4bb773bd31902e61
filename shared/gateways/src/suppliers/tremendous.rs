//! Tremendous.
//!
//! Orders: `POST /orders` with our reference as `external_id`, which makes it idempotent: a repetition answers 201 with
//! the first order; insufficient funds is a 402 (developers.tremendous.com). Webhooks: `sha256=` and the HMAC-SHA256 in
//! hex over the raw body (as several public clients compute it); they name the order, which is then asked for.
//!
//! **Invariant:** every question is the same order again, so none buys a second card.

use super::{CardOrder, Refusal, Supplied, Supply, header, unresolved};
use crate::error::{Forged, GatewayError, VerifyError};
use crate::http_client::call;
use crate::mac::signed;
use crate::minor::exact;
use domain::currency::Currency;
use domain::giftcard::card::{Part, PlainCard};
use domain::time::Timestamp;
use futures::future::BoxFuture;
use http::HeaderMap;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Tremendous, as we are known there.
pub(super) struct Tremendous {
    pub(super) http: Client,
    pub(super) base_url: String,
    pub(super) api_key: SecretString,
    pub(super) webhook_secrets: Vec<SecretString>,
    pub(super) funding_source: String,
}

#[derive(Deserialize)]
struct Answer {
    order: Order,
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    orders: Vec<Order>,
}

#[derive(Deserialize)]
struct Order {
    status: String,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    payment: Option<Payment>,
    #[serde(default)]
    rewards: Vec<Reward>,
}

#[derive(Deserialize)]
struct Payment {
    #[serde(default)]
    total: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Reward {
    #[serde(default)]
    value: Option<Worth>,
    #[serde(default)]
    delivery: Option<Delivery>,
}

#[derive(Deserialize)]
struct Worth {
    #[serde(default)]
    currency_code: Option<String>,
}

#[derive(Deserialize)]
struct Delivery {
    #[serde(default)]
    link: Option<String>,
}

impl Tremendous {
    /// The order with our reference, if there is one; nothing is ordered.
    async fn look(&self, order: &CardOrder) -> Result<Supplied, GatewayError> {
        let url = format!("{}/orders?external_id={}", self.base_url, order.reference);
        let answer = call(self.http.get(url).bearer_auth(self.api_key.expose_secret())).await?;
        let list: List =
            serde_json::from_str(&answer).map_err(|_| GatewayError::Unreadable("it holds no orders"))?;
        let ours = |found: &&Order| found.external_id.as_deref() == Some(order.reference.as_str());
        let none = || Supplied::Unresolved("no order has this reference".to_owned());
        Ok(list.orders.iter().find(ours).map_or_else(none, |found| outcome(found, order.currency)))
    }

    async fn ask(&self, order: &CardOrder) -> Result<Supplied, GatewayError> {
        let price = RawValue::from_string(order.currency.format(order.amount));
        let price = price.map_err(|_| GatewayError::Unreadable("the price cannot be written"))?;
        let body = json!({
            "external_id": order.reference,
            "payment": {"funding_source_id": self.funding_source},
            "rewards": [{
                "value": {"denomination": 0, "currency_code": order.currency.code()},
                "products": [order.product],
                "delivery": {"method": "LINK"},
                "recipient": {"name": order.reference},
            }],
        });
        // The price is written as it is, not through a float.
        let body = body.to_string().replace(r#""denomination":0"#, &format!(r#""denomination":{price}"#));
        let request = self.http.post(format!("{}/orders", self.base_url));
        let request = request.bearer_auth(self.api_key.expose_secret());
        match call(request.header("content-type", "application/json").body(body)).await {
            Ok(answer) => {
                let answer: Answer =
                    serde_json::from_str(&answer).map_err(|_| GatewayError::Unreadable("it is no order"))?;
                Ok(outcome(&answer.order, order.currency))
            }
            Err(GatewayError::Refused { status: 402, .. }) => Ok(Supplied::Rejected(Refusal::OutOfFunds)),
            // With a wrong key nothing was made now; whether something was before, it does not say.
            Err(GatewayError::Refused { status: 401 | 403, code }) if order.again => {
                Ok(Supplied::Unresolved(format!("refused: {code}")))
            }
            Err(GatewayError::Refused { status, code }) => {
                let code = if code.is_empty() { status.to_string() } else { code };
                let stock = code.to_uppercase().contains("STOCK");
                Ok(Supplied::Rejected(if stock { Refusal::OutOfStock } else { Refusal::Other(code) }))
            }
            Err(error) => Err(error),
        }
    }
}

fn outcome(order: &Order, currency: Currency) -> Supplied {
    match order.status.as_str() {
        "EXECUTED" => {}
        "FAILED" | "CANCELED" => return Supplied::Rejected(Refusal::Other(order.status.clone())),
        _ => return Supplied::Unresolved("the order is not executed yet".to_owned()),
    }
    let reward = order.rewards.first();
    let link = reward.and_then(|reward| reward.delivery.as_ref()?.link.clone());
    let Some(link) = link.filter(|link| !link.is_empty()) else {
        return Supplied::Unresolved("the reward has no link yet".to_owned());
    };
    let said = reward.and_then(|reward| reward.value.as_ref()?.currency_code.as_deref());
    let total = order.payment.as_ref().and_then(|payment| payment.total.as_ref());
    let cost = total.filter(|_| said == Some(currency.code())).and_then(|total| exact(total.get(), currency));
    let card = PlainCard { parts: BTreeMap::from([(Part::Url, link)]), expires_on: None };
    Supplied::Delivered(card, cost)
}

impl Supply for Tremendous {
    fn order<'a>(&'a self, order: &'a CardOrder) -> BoxFuture<'a, Supplied> {
        Box::pin(async move {
            let answer = if order.look_only { self.look(order).await } else { self.ask(order).await };
            answer.unwrap_or_else(|error| unresolved(&error))
        })
    }

    fn told<'a>(
        &'a self,
        headers: &'a HeaderMap,
        body: &'a [u8],
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, VerifyError>> {
        Box::pin(async move {
            if self.webhook_secrets.is_empty() {
                return Err(VerifyError::NotConfigured);
            }
            let tag = header(headers, "tremendous-webhook-signature")?;
            let tag = tag.strip_prefix("sha256=").ok_or(Forged::Algorithm)?;
            if !signed(&self.webhook_secrets, &[body], tag) {
                return Err(Forged::Signature.into());
            }
            let body: Value = serde_json::from_slice(body).map_err(|_| Forged::Shape)?;
            let resource = body.pointer("/payload/resource").unwrap_or(&Value::Null);
            let kind = resource.get("type").and_then(Value::as_str).unwrap_or_default();
            let id = resource.get("id").and_then(Value::as_str).unwrap_or_default();
            let plain = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric());
            if !plain || kind != "orders" {
                return Ok(None);
            }
            let request = self.http.get(format!("{}/orders/{id}", self.base_url));
            match call(request.bearer_auth(self.api_key.expose_secret())).await {
                Ok(answer) => {
                    let answer: Answer = serde_json::from_str(&answer)
                        .map_err(|_| VerifyError::Unavailable(GatewayError::Unreadable("it is no order")))?;
                    Ok(answer.order.external_id)
                }
                Err(GatewayError::Refused { status: 404, .. }) => Ok(None),
                Err(error) => Err(VerifyError::Unavailable(error)),
            }
        })
    }
}
