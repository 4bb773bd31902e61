//! Tremendous, a supplier of gift cards.
//!
//! Orders: `POST /orders` with our reference as `external_id`, which makes it idempotent: a
//! repeated order is answered with 201 and the first order; insufficient funds are a 402; costs are
//! stated in US dollars (developers.tremendous.com). Links: in the answer to the order, later from
//! `POST /rewards/{id}/generate_link` (as in the vendor's own Ruby client). Webhooks: `sha256=` and
//! the HMAC-SHA256 in hex over the raw body (as several public clients compute it); they name the
//! order, which is then fetched.
//!
//! **Invariant:** a retry sends the same order again, with the same reference, so it never buys a
//! second card. The refusal of an order that may have been sent before is final only if the order
//! was first sent long ago and no order has its reference.

use super::{CardOrder, OrderIntent, Refusal, SupplierReply, Supply, header, is_definite, unresolved};
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

/// Client and configuration of Tremendous.
pub(super) struct Tremendous {
    pub(super) http: Client,
    /// Never repeats a call.
    pub(super) orders: Client,
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
struct Linked {
    reward: Reward,
}

#[derive(Deserialize)]
struct Reward {
    #[serde(default)]
    id: String,
    #[serde(default)]
    delivery: Option<RewardDelivery>,
    #[serde(default)]
    link: Option<String>,
}

#[derive(Deserialize)]
struct RewardDelivery {
    #[serde(default)]
    link: Option<String>,
}

impl Tremendous {
    async fn get(&self, path: &str) -> Result<String, GatewayError> {
        let request = self.http.get(format!("{}/{path}", self.base_url));
        call(request.bearer_auth(self.api_key.expose_secret())).await
    }

    /// Returns the order with our reference, if any; places nothing.
    async fn find(&self, reference: &str) -> Result<Option<Order>, GatewayError> {
        let answer = self.get(&format!("orders?external_id={reference}")).await?;
        let list: List =
            serde_json::from_str(&answer).map_err(|_| GatewayError::Unreadable("not a list of orders"))?;
        Ok(list.orders.into_iter().find(|found| found.external_id.as_deref() == Some(reference)))
    }

    /// Places the order with a call that is never repeated: a repeated call could conflict with the
    /// first.
    async fn place(&self, order: &CardOrder) -> Result<Order, GatewayError> {
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
        // The price is inserted as text, without conversion to floating point.
        let body = body.to_string().replace(r#""denomination":0"#, &format!(r#""denomination":{price}"#));
        let request = self.orders.post(format!("{}/orders", self.base_url));
        let request = request.bearer_auth(self.api_key.expose_secret());
        let answer = call(request.header("content-type", "application/json").body(body)).await?;
        // The order was accepted: an unreadable answer is not a refusal.
        let answer: Answer =
            serde_json::from_str(&answer).map_err(|_| GatewayError::Unreadable("not an order"))?;
        Ok(answer.order)
    }

    async fn place_or_find(&self, order: &CardOrder) -> Result<SupplierReply, GatewayError> {
        if order.intent == OrderIntent::LookUp {
            return match self.find(&order.reference).await? {
                Some(found) => self.outcome(&found, order.currency).await,
                None => Ok(SupplierReply::Unresolved("no order has this reference".to_owned())),
            };
        }
        match self.place(order).await {
            Ok(found) => self.outcome(&found, order.currency).await,
            // With a wrong key nothing was ordered now, but an earlier call may have succeeded.
            Err(error @ GatewayError::Refused { status: 401 | 403, .. })
                if order.intent != OrderIntent::Place =>
            {
                Err(error)
            }
            Err(GatewayError::Refused { status, code, .. }) if is_definite(status) => {
                // A repeated order is answered with the first order, not with a refusal. If it is
                // refused nevertheless, the outcome of the first is unknown.
                if let OrderIntent::Retry { late } = order.intent {
                    if let Some(found) = self.find(&order.reference).await? {
                        return self.outcome(&found, order.currency).await;
                    }
                    if !late {
                        return Ok(SupplierReply::Unresolved(format!("refused: {code}")));
                    }
                }
                let code = if code.is_empty() { status.to_string() } else { code };
                let stock = code.to_uppercase().contains("STOCK");
                Ok(SupplierReply::Rejected(match status {
                    402 => Refusal::OutOfFunds,
                    _ if stock => Refusal::OutOfStock,
                    _ => Refusal::Other(code),
                }))
            }
            Err(error) => Err(error),
        }
    }

    /// Returns the outcome of an order; fetches its link if it was executed.
    async fn outcome(&self, order: &Order, currency: Currency) -> Result<SupplierReply, GatewayError> {
        match order.status.as_str() {
            "EXECUTED" => {}
            "FAILED" | "CANCELED" => {
                return Ok(SupplierReply::Rejected(Refusal::Other(order.status.clone())));
            }
            _ => return Ok(SupplierReply::Unresolved("the order is not executed yet".to_owned())),
        }
        let reward = order.rewards.first().filter(|reward| is_plain(&reward.id));
        let reward = reward.ok_or(GatewayError::Unreadable("the order has no reward"))?;
        let link = match reward.delivery.as_ref().and_then(|delivery| delivery.link.clone()) {
            Some(link) => Some(link).filter(|link| !link.is_empty()),
            None => self.link(&reward.id).await?,
        };
        let Some(link) = link else {
            return Ok(SupplierReply::Unresolved("the reward has no link yet".to_owned()));
        };
        // The cost is stated in US dollars, whatever the currency of the reward.
        let total = order.payment.as_ref().and_then(|payment| payment.total.as_ref());
        let cost = total.filter(|_| currency.code() == "USD").and_then(|total| exact(total.get(), currency));
        // A link can be generated again, so the reward's id identifies the card.
        let parts = BTreeMap::from([(Part::Number, reward.id.clone()), (Part::Url, link)]);
        Ok(SupplierReply::Delivered(PlainCard { parts, expires_on: None }, cost))
    }

    /// Generates a reward's link, which only the answer to the order itself contains.
    async fn link(&self, reward: &str) -> Result<Option<String>, GatewayError> {
        let request = self.http.post(format!("{}/rewards/{reward}/generate_link", self.base_url));
        let answer = call(request.bearer_auth(self.api_key.expose_secret())).await?;
        let answer: Linked =
            serde_json::from_str(&answer).map_err(|_| GatewayError::Unreadable("it contains no reward"))?;
        let Reward { delivery, link, .. } = answer.reward;
        Ok(link.or_else(|| delivery?.link).filter(|link| !link.is_empty()))
    }
}

/// Returns true for an id in Tremendous's format, which can be part of a URL.
fn is_plain(id: &str) -> bool {
    !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl Supply for Tremendous {
    fn order<'a>(&'a self, order: &'a CardOrder) -> BoxFuture<'a, SupplierReply> {
        Box::pin(async move { self.place_or_find(order).await.unwrap_or_else(|error| unresolved(&error)) })
    }

    fn webhook_reference<'a>(
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
            if !is_plain(id) || kind != "orders" {
                return Ok(None);
            }
            match self.get(&format!("orders/{id}")).await {
                Ok(answer) => {
                    let answer: Answer = serde_json::from_str(&answer)
                        .map_err(|_| VerifyError::Unavailable(GatewayError::Unreadable("not an order")))?;
                    Ok(answer.order.external_id)
                }
                Err(GatewayError::Refused { status: 404, .. }) => Ok(None),
                Err(error) => Err(VerifyError::Unavailable(error)),
            }
        })
    }
}
