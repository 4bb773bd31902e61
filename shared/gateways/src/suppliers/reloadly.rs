//! Reloadly, a supplier of gift cards.
//!
//! Orders: `POST /orders` with our reference as `customIdentifier`, which Reloadly keeps unique.
//! Cards: `GET /orders/transactions/{id}/cards` (developers.reloadly.com). The answer to a second
//! order with the same identifier is not documented, so a refusal is accepted only after the order
//! was looked up by its identifier (`GET /reports/transactions`). Webhooks: HMAC-SHA256 in hex over
//! `body:timestamp` (as several public clients compute it).
//!
//! **Invariant:** the refusal of an order that may have been sent before is final only if the order
//! was first sent long ago and no transaction has its identifier.

use super::{CardOrder, OrderIntent, Refusal, SupplierReply, Supply, header, is_definite, unresolved};
use crate::error::{Forged, GatewayError, VerifyError};
use crate::http_client::call;
use crate::mac::signed;
use crate::minor::exact;
use domain::currency::Currency;
use domain::giftcard::card::{Part, PlainCard};
use domain::money::Money;
use domain::time::Timestamp;
use futures::future::BoxFuture;
use http::HeaderMap;
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

const ACCEPT: &str = "application/com.reloadly.giftcards-v1+json";

/// Largest difference between the time of a webhook and the time of receipt, in seconds.
const TOLERANCE_SECONDS: i64 = 300;

/// Client and configuration of Reloadly.
pub(super) struct Reloadly {
    pub(super) http: Client,
    /// Never repeats a call, because the answer to a repeated order is not documented.
    pub(super) orders: Client,
    pub(super) base_url: String,
    pub(super) auth_url: String,
    pub(super) client_id: String,
    pub(super) client_secret: SecretString,
    pub(super) webhook_secrets: Vec<SecretString>,
    pub(super) sender: String,
    pub(super) token: Mutex<Option<(SecretString, Instant)>>,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    expires_in: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    transaction_id: u64,
    status: String,
    #[serde(default)]
    amount: Option<Box<RawValue>>,
    #[serde(default)]
    currency_code: Option<String>,
    #[serde(default)]
    custom_identifier: Option<String>,
}

#[derive(Deserialize)]
struct TransactionReport {
    #[serde(default)]
    content: Vec<Transaction>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delivered {
    #[serde(default)]
    card_number: Option<Box<RawValue>>,
    #[serde(default)]
    pin_code: Option<Box<RawValue>>,
    #[serde(default)]
    redemption_url: Option<Box<RawValue>>,
}

/// Returns a text, or a number exactly as it is written, without conversion to floating point.
fn plain(raw: Option<&RawValue>) -> Option<String> {
    let raw = raw?.get();
    let text = if raw.starts_with('"') { serde_json::from_str(raw).ok()? } else { raw.to_owned() };
    (text != "null" && !text.trim().is_empty()).then_some(text)
}

impl Reloadly {
    async fn token(&self) -> Result<SecretString, GatewayError> {
        let mut token = self.token.lock().await;
        if let Some((token, until)) = token.as_ref()
            && Instant::now() < *until
        {
            return Ok(token.clone());
        }
        let body = json!({
            "client_id": self.client_id, "client_secret": self.client_secret.expose_secret(),
            "grant_type": "client_credentials", "audience": self.base_url,
        });
        let request = self.http.post(format!("{}/oauth/token", self.auth_url));
        let answer = call(request.header("content-type", "application/json").body(body.to_string())).await?;
        let fresh: Token =
            serde_json::from_str(&answer).map_err(|_| GatewayError::Unreadable("it contains no token"))?;
        let life = Duration::from_secs(fresh.expires_in.saturating_sub(60).clamp(1, 86_400));
        let fresh_token = SecretString::from(fresh.access_token);
        *token = Some((fresh_token.clone(), Instant::now() + life));
        Ok(fresh_token)
    }

    /// Makes a call with an access token; if the token is refused, requests a new one and repeats
    /// the call once.
    async fn call(
        &self,
        request: &(dyn Fn() -> RequestBuilder + Send + Sync),
    ) -> Result<String, GatewayError> {
        let token = self.token().await?;
        match call(signed_in(request(), &token)).await {
            Err(GatewayError::Refused { status: 401 | 403, .. }) => *self.token.lock().await = None,
            answer => return answer,
        }
        let token = self.token().await?;
        call(signed_in(request(), &token)).await
    }

    /// Returns the transaction with our reference, if any.
    async fn find(&self, reference: &str) -> Result<Option<Transaction>, GatewayError> {
        let url = format!("{}/reports/transactions?customIdentifier={reference}", self.base_url);
        let answer = self.call(&|| self.http.get(&url)).await?;
        let report: TransactionReport =
            serde_json::from_str(&answer).map_err(|_| GatewayError::Unreadable("not a transaction list"))?;
        let ours = |transaction: &Transaction| transaction.custom_identifier.as_deref() == Some(reference);
        Ok(report.content.into_iter().find(ours))
    }

    async fn place(&self, order: &CardOrder) -> Result<Transaction, GatewayError> {
        let price = RawValue::from_string(order.currency.format(order.amount));
        let price = price.map_err(|_| GatewayError::Unreadable("the price cannot be written"))?;
        let product = RawValue::from_string(order.product.clone()).map_err(|_| GatewayError::Refused {
            status: 400,
            code: "PRODUCT_ID".to_owned(),
            reason: None,
        })?;
        let fields: BTreeMap<&str, Box<RawValue>> = BTreeMap::from([
            ("productId", product),
            ("unitPrice", price),
            ("quantity", RawValue::from_string("1".to_owned()).unwrap_or_default()),
            ("customIdentifier", text(&order.reference)),
            ("senderName", text(&self.sender)),
        ]);
        let body = serde_json::to_string(&fields)
            .map_err(|_| GatewayError::Unreadable("the order cannot be written"))?;
        let url = format!("{}/orders", self.base_url);
        let json = "application/json";
        let answer =
            self.call(&|| self.orders.post(&url).header("content-type", json).body(body.clone())).await?;
        // The order was accepted: an unreadable answer is not a refusal.
        serde_json::from_str(&answer).map_err(|_| GatewayError::Unreadable("not a transaction"))
    }

    /// Returns the outcome of a transaction; fetches its card if it was successful.
    async fn outcome(&self, found: &Transaction, currency: Currency) -> Result<SupplierReply, GatewayError> {
        match found.status.as_str() {
            "SUCCESSFUL" => {}
            "FAILED" | "REFUNDED" => {
                return Ok(SupplierReply::Rejected(Refusal::Other(found.status.clone())));
            }
            other => return Ok(SupplierReply::Unresolved(status(other))),
        }
        let url = format!("{}/orders/transactions/{}/cards", self.base_url, found.transaction_id);
        let answer = self.call(&|| self.http.get(&url)).await?;
        let cards: Vec<Delivered> =
            serde_json::from_str(&answer).map_err(|_| GatewayError::Unreadable("not a list of cards"))?;
        let card = cards.first().ok_or(GatewayError::Unreadable("it contains no card"))?;
        let parts = [
            (Part::Code, plain(card.card_number.as_deref())),
            (Part::Number, plain(card.card_number.as_deref())),
            (Part::Pin, plain(card.pin_code.as_deref())),
            (Part::Url, plain(card.redemption_url.as_deref())),
        ];
        let parts: BTreeMap<Part, String> =
            parts.into_iter().filter_map(|(part, text)| Some((part, text?))).collect();
        let card = PlainCard { parts, expires_on: None };
        if card.identity().is_none() {
            return Err(GatewayError::Unreadable("the card has neither number, PIN nor URL"));
        }
        let paid = plain(found.amount.as_deref())
            .filter(|_| found.currency_code.as_deref() == Some(currency.code()));
        Ok(SupplierReply::Delivered(card, paid.and_then(|paid| cost(&paid, currency))))
    }

    async fn place_or_find(&self, order: &CardOrder) -> Result<SupplierReply, GatewayError> {
        if order.intent != OrderIntent::Place {
            if let Some(found) = self.find(&order.reference).await? {
                return self.outcome(&found, order.currency).await;
            }
            if order.intent == OrderIntent::LookUp {
                return Ok(SupplierReply::Unresolved("no transaction has this identifier".to_owned()));
            }
        }
        match self.place(order).await {
            Ok(found) => self.outcome(&found, order.currency).await,
            Err(GatewayError::Refused { status: 401 | 403, .. }) if order.intent == OrderIntent::Place => {
                Ok(SupplierReply::Rejected(Refusal::Other("unauthorized".to_owned())))
            }
            Err(error @ GatewayError::Refused { status: 401 | 403, .. }) => Err(error),
            Err(GatewayError::Refused { code, status, .. }) if is_definite(status) => {
                // It may be refused because it was accepted before.
                if let Some(found) = self.find(&order.reference).await? {
                    return self.outcome(&found, order.currency).await;
                }
                let is_known =
                    ["IDENTIFIER", "DUPLICATE"].iter().any(|word| code.to_uppercase().contains(word));
                if is_known || order.intent == (OrderIntent::Retry { late: false }) {
                    return Ok(SupplierReply::Unresolved(format!("refused: {code}")));
                }
                Ok(SupplierReply::Rejected(refusal(&code)))
            }
            Err(error) => Err(error),
        }
    }
}

fn signed_in(request: RequestBuilder, token: &SecretString) -> RequestBuilder {
    request.bearer_auth(token.expose_secret()).header("accept", ACCEPT)
}

fn text(text: &str) -> Box<RawValue> {
    RawValue::from_string(Value::from(text).to_string()).unwrap_or_default()
}

fn cost(text: &str, currency: Currency) -> Option<Money> {
    exact(text, currency)
}

/// Returns a status for the log, if it is a short word in capitals like all of Reloadly's statuses.
fn status(text: &str) -> String {
    let word = text.len() <= 24 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    format!("status {}", if word { text } else { "in an unknown format" })
}

fn refusal(code: &str) -> Refusal {
    let upper = code.to_uppercase();
    if upper.contains("STOCK") || upper.contains("UNAVAILABLE") {
        Refusal::OutOfStock
    } else if upper.contains("BALANCE") || upper.contains("FUNDS") {
        Refusal::OutOfFunds
    } else {
        Refusal::Other(code.to_owned())
    }
}

impl Supply for Reloadly {
    fn order<'a>(&'a self, order: &'a CardOrder) -> BoxFuture<'a, SupplierReply> {
        Box::pin(async move { self.place_or_find(order).await.unwrap_or_else(|error| unresolved(&error)) })
    }

    fn webhook_reference<'a>(
        &'a self,
        headers: &'a HeaderMap,
        body: &'a [u8],
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Option<String>, VerifyError>> {
        Box::pin(async move {
            if self.webhook_secrets.is_empty() {
                return Err(VerifyError::NotConfigured);
            }
            let tag = header(headers, "x-reloadly-signature")?;
            let at = header(headers, "x-reloadly-request-timestamp")?;
            if !signed(&self.webhook_secrets, &[body, b":", at.as_bytes()], tag) {
                return Err(Forged::Signature.into());
            }
            // Seconds or milliseconds: a number of more than eleven digits is in milliseconds.
            let sent: i64 = at.parse().map_err(|_| Forged::Shape)?;
            let millis = if sent > 99_999_999_999 { sent } else { sent.saturating_mul(1_000) };
            if now.millis().saturating_sub(millis).saturating_abs() > TOLERANCE_SECONDS * 1_000 {
                return Err(Forged::Time.into());
            }
            let body: Value = serde_json::from_slice(body).map_err(|_| Forged::Shape)?;
            let places = ["/data/customIdentifier", "/customIdentifier"];
            let named = places.iter().find_map(|place| body.pointer(place)?.as_str());
            Ok(named.map(str::to_owned))
        })
    }
}
