//! PayPal: webhooks, orders and captures.
//!
//! Source: developer.paypal.com/api/rest/webhooks and /docs/api/orders/v2.
//!
//! **Invariant:** a delivery is accepted if its signature, RSA PKCS#1 v1.5 with SHA-256 over
//! `transmission id|transmission time|webhook id|crc32 of the raw body`, verifies with a
//! certificate that [`crate::certificates`] trusts, or if PayPal itself verifies it. The webhook id
//! comes from the configuration. No other algorithm is accepted.
//! **Invariant:** an approval is not money: the order is captured, with a request id that makes
//! this happen once.

use crate::certificates::{Certificates, NotTrusted};
use crate::delivery::{Endpoint, VerifiedWebhook, WebhookDelivery};
use crate::error::{Forged, GatewayError, VerifyError};
use crate::http_client::call;
use crate::minor::{exact, paypal_text};
use crate::read::{Doc, answered, json, named, parsed};
use crate::{PolledReport, request_id};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::currency::Currency;
use domain::ids::{EventId, Gateway, GatewayId, ReversalId};
use domain::money::Money;
use domain::payments::gateway_report::{GatewayReport, PaymentFact, ReversalState};
use domain::payments::topup::{GatewayOrder, TopUp};
use domain::time::Timestamp;
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json as object};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Largest difference between the time of a transmission (not of its event) and the time of
/// receipt, in seconds.
const TOLERANCE_SECONDS: i64 = 300;

/// Longest `custom_id` that PayPal accepts, in characters.
const MAX_CUSTOM_ID: usize = 127;

/// Client and configuration of PayPal.
#[derive(Clone, Debug)]
pub(crate) struct PayPal {
    pub http: Client,
    pub base_url: String,
    pub client_id: String,
    pub client_secret: SecretString,
    pub webhook_id: String,
    pub certificates: Arc<Certificates>,
    pub token: Arc<Mutex<Option<(SecretString, Instant)>>>,
}

impl PayPal {
    /// Verifies and reads a webhook.
    pub async fn verify(&self, delivery: &WebhookDelivery<'_>) -> Result<VerifiedWebhook, VerifyError> {
        let algorithm = delivery.header("paypal-auth-algo")?;
        let id = delivery.header("paypal-transmission-id")?;
        let time = delivery.header("paypal-transmission-time")?;
        let signature = delivery.header("paypal-transmission-sig")?;
        let address = delivery.header("paypal-cert-url")?;
        if algorithm != "SHA256withRSA" {
            return Err(Forged::Algorithm.into());
        }
        let sent = Timestamp::parse(time).map_err(|_| Forged::Time)?;
        delivery.within(sent.millis(), TOLERANCE_SECONDS)?;
        let signature = STANDARD.decode(signature).map_err(|_| Forged::Signature)?;
        let text = format!("{id}|{time}|{}|{}", self.webhook_id, crc32fast::hash(delivery.body));
        // PayPal is asked if the certificate cannot be fetched, or its root is not trusted here.
        match self.certificates.fetch(&self.http, address).await {
            Ok(chain) => match chain.verify(delivery.now, text.as_bytes(), &signature) {
                Ok(()) => {}
                Err(NotTrusted::Root) => self.ask_paypal(delivery).await?,
                Err(NotTrusted::Otherwise(forged)) => return Err(forged.into()),
            },
            Err(VerifyError::Unavailable(_)) => self.ask_paypal(delivery).await?,
            Err(error) => return Err(error),
        }
        Ok(read(delivery.body))
    }

    /// Asks PayPal to verify a delivery: `POST /v1/notifications/verify-webhook-signature`, with
    /// the raw body inserted unchanged.
    async fn ask_paypal(&self, delivery: &WebhookDelivery<'_>) -> Result<(), VerifyError> {
        let event = std::str::from_utf8(delivery.body).map_err(|_| Forged::Shape)?;
        // One JSON object and nothing after it: anything else could change what PayPal is asked.
        serde_json::from_str::<serde_json::Map<String, Value>>(event).map_err(|_| Forged::Shape)?;
        let mut fields = String::new();
        for name in ["auth_algo", "cert_url", "transmission_id", "transmission_sig", "transmission_time"] {
            let header = format!("paypal-{}", name.replace('_', "-"));
            let value = object!(delivery.header(&header)?);
            let _ = write!(fields, "\"{name}\":{value},");
        }
        let webhook = object!(self.webhook_id);
        let body = format!("{{{fields}\"webhook_id\":{webhook},\"webhook_event\":{event}}}");
        let url = format!("{}/v1/notifications/verify-webhook-signature", self.base_url);
        let request = self.authorized(self.http.post(url)).await?;
        let reply = json(&call(request.header("content-type", "application/json").body(body)).await?)?;
        match Doc(&reply).text("/verification_status") {
            Some("SUCCESS") => Ok(()),
            _ => Err(Forged::Certificate.into()),
        }
    }

    pub async fn place(&self, topup: &TopUp) -> Result<GatewayOrder, GatewayError> {
        let value = paypal_text(topup.amount, topup.currency)
            .ok_or(GatewayError::Unreadable("PayPal accepts no decimals in this currency"))?;
        let mut unit = object!({"amount": {"currency_code": topup.currency.code(), "value": value}});
        if let (Some(fields), true) = (unit.as_object_mut(), topup.id.as_str().len() <= MAX_CUSTOM_ID) {
            fields.insert("custom_id".to_owned(), topup.id.as_str().into());
        }
        let mut order = object!({"intent": "CAPTURE", "purchase_units": [unit]});
        if let (Some(url), Some(fields)) = (&topup.return_url, order.as_object_mut()) {
            let context = object!({"return_url": url, "cancel_url": url, "user_action": "PAY_NOW"});
            fields.insert("application_context".to_owned(), context);
        }
        let url = format!("{}/v2/checkout/orders", self.base_url);
        let request =
            self.authorized(self.http.post(url)).await?.header("paypal-request-id", request_id(topup));
        let text = call(request.header("content-type", "application/json").body(order.to_string())).await?;
        let reply = json(&text)?;
        let order = Doc(&reply).id("/id").ok_or(GatewayError::Unreadable("an order without an id"))?;
        let is_page = |link: &Doc<'_>| matches!(link.text("/rel"), Some("approve" | "payer-action"));
        let page = Doc(&reply).list("/links").find(is_page).and_then(|link| link.text("/href"));
        let checkout = object!({"client_id": self.client_id, "order_id": order.as_str()});
        Ok(GatewayOrder { order, checkout: checkout.to_string(), checkout_url: page.map(str::to_owned) })
    }

    /// Captures the order if its customer has approved it; returns reports of its payments and
    /// refunds.
    pub async fn settle(&self, topup: &TopUp, order: &GatewayId) -> Result<Vec<PolledReport>, GatewayError> {
        let url = format!("{}/v2/checkout/orders/{order}", self.base_url);
        let reply = call(self.authorized(self.http.get(&url)).await?).await;
        let (mut text, approved) = match reply {
            Ok(text) => {
                let approved = Doc(&json(&text)?).text("/status") == Some("APPROVED");
                (text, approved)
            }
            // The capture is tried even if the order cannot be read: PayPal refuses it if it is not
            // approved.
            Err(GatewayError::Refused { status: 404 | 405, .. }) => (String::from("{}"), true),
            Err(error) => {
                if matches!(error, GatewayError::Refused { status: 401, .. }) {
                    // The token was revoked: the next call requests another.
                    *self.token.lock().await = None;
                }
                return Err(error);
            }
        };
        if approved {
            let request = self.authorized(self.http.post(format!("{url}/capture"))).await?;
            let request = request
                .header("paypal-request-id", format!("capture-{}", topup.id.short()))
                .header("content-type", "application/json")
                .header("prefer", "return=representation")
                .body("{}");
            text = match call(request).await {
                Ok(text) => text,
                // The order was captured meanwhile, or the capture is refused: read the order.
                Err(GatewayError::Refused { status: 422, .. }) => {
                    call(self.authorized(self.http.get(&url)).await?).await?
                }
                Err(error) => return Err(error),
            };
        }
        let reply = json(&text)?;
        let mut answers = Vec::new();
        for unit in Doc(&reply).list("/purchase_units") {
            for found in unit.list("/payments/captures") {
                let report = capture_fact(found).and_then(|fact| capture(found, fact));
                let report = report.map(|report| GatewayReport { order: Some(order.clone()), ..report });
                answers.push(answered(report, found.0.to_string())?);
            }
            for found in unit.list("/payments/refunds") {
                if let Some(phase) = refund_phase(found) {
                    answers.push(answered(refunded(found, phase), found.0.to_string())?);
                }
            }
        }
        Ok(answers)
    }

    /// Adds an access token to a request; the token is cached until a minute before it expires.
    async fn authorized(&self, request: RequestBuilder) -> Result<RequestBuilder, GatewayError> {
        let mut kept = self.token.lock().await;
        if let Some((token, until)) = kept.as_ref()
            && Instant::now() < *until
        {
            return Ok(request.bearer_auth(token.expose_secret()));
        }
        let url = format!("{}/v1/oauth2/token", self.base_url);
        let reply = self
            .http
            .post(url)
            .basic_auth(&self.client_id, Some(self.client_secret.expose_secret()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        // A refused token means wrong API keys, and says nothing about the payment.
        let reply = json(&call(reply).await.map_err(GatewayError::of_keys)?)?;
        let token = Doc(&reply).text("/access_token").ok_or(GatewayError::Unreadable("no access token"))?;
        let seconds = Doc(&reply).units("/expires_in").unwrap_or(0).saturating_sub(60);
        let until = Instant::now() + Duration::from_secs(seconds.min(86_400));
        *kept = Some((SecretString::from(token), until));
        Ok(request.bearer_auth(token))
    }
}

/// Reads a verified delivery.
fn read(bytes: &[u8]) -> VerifiedWebhook {
    let body = parsed(bytes);
    let event = Doc(&body);
    let id = EventId::of(Endpoint::PayPal.as_str(), &named(event, bytes));
    let kind = event.text("/event_type");
    let mut reports =
        kind.map_or_else(|| vec![None], |kind| reports(kind, event.at("/resource"))).into_iter();
    let report = reports.next().flatten();
    let part = |(at, report): (usize, Option<GatewayReport>)| {
        let id = format!("{}{PART}{}", named(event, bytes), at + 2);
        (EventId::of(Endpoint::PayPal.as_str(), &id), report)
    };
    let further = reports.enumerate().map(part).collect();
    let approved = kind == Some("CHECKOUT.ORDER.APPROVED");
    VerifiedWebhook { further, approved, ..VerifiedWebhook::new(id, kind, report) }
}

/// Separates the id of an event from the number of its part: an event about several payments is processed
/// as one event for each.
const PART: &str = ":part-";

fn money(amount: Doc<'_>) -> Option<(Money, Currency)> {
    let currency = amount.currency("/currency_code")?;
    Some((exact(amount.text("/value")?, currency)?, currency))
}

fn capture_fact(capture: Doc<'_>) -> Option<PaymentFact> {
    Some(match capture.text("/status")? {
        "COMPLETED" | "REFUNDED" | "PARTIALLY_REFUNDED" => {
            let (amount, currency) = money(capture.at("/amount"))?;
            PaymentFact::Captured { amount, currency }
        }
        "DECLINED" | "FAILED" => PaymentFact::Failed,
        _ => PaymentFact::Nothing,
    })
}

fn capture(capture: Doc<'_>, fact: PaymentFact) -> Option<GatewayReport> {
    Some(GatewayReport {
        gateway: Gateway::PayPal,
        topup: capture.topup("/custom_id"),
        order: capture.id("/supplementary_data/related_ids/order_id"),
        payment: Some(capture.id("/id")?),
        charge: None,
        method: None,
        customer_fee: None,
        at: None,
        fact,
    })
}

/// Returns what an event reports, for each payment that it is about: one, except for disputes.
fn reports(kind: &str, resource: Doc<'_>) -> Vec<Option<GatewayReport>> {
    if kind == "CUSTOMER.DISPUTE.RESOLVED" { disputed(resource) } else { vec![report(kind, resource)] }
}

/// Returns what an event reports; `None` if a field that its type requires is missing.
fn report(kind: &str, resource: Doc<'_>) -> Option<GatewayReport> {
    let nothing = GatewayReport::nothing(Gateway::PayPal);
    match kind {
        "CHECKOUT.ORDER.APPROVED" => Some(GatewayReport {
            topup: resource.topup("/purchase_units/0/custom_id"),
            order: Some(resource.id("/id")?),
            ..nothing
        }),
        "PAYMENT.CAPTURE.COMPLETED" => {
            let fact = capture_fact(resource)?;
            if matches!(fact, PaymentFact::Captured { .. }) { capture(resource, fact) } else { None }
        }
        "PAYMENT.CAPTURE.DENIED" | "PAYMENT.CAPTURE.DECLINED" => capture(resource, PaymentFact::Failed),
        "PAYMENT.CAPTURE.REFUNDED" => match refund_phase(resource) {
            Some(phase) => refunded(resource, phase),
            None => Some(nothing),
        },
        "PAYMENT.REFUND.FAILED" | "PAYMENT.REFUND.CANCELLED" => refunded(resource, ReversalState::Returned),
        "PAYMENT.CAPTURE.REVERSED" => taken_back(resource, ReversalId::reversal, ReversalState::Taken),
        _ => Some(nothing),
    }
}

/// Returns the state that a refund's status means; `None` while the refund is pending.
/// (developer.paypal.com/docs/api/payments/v2, `refund_status`)
fn refund_phase(refund: Doc<'_>) -> Option<ReversalState> {
    match refund.text("/status") {
        Some("COMPLETED") | None => Some(ReversalState::Taken),
        Some("FAILED" | "CANCELLED") => Some(ReversalState::Returned),
        Some(_) => None,
    }
}

fn refunded(resource: Doc<'_>, phase: ReversalState) -> Option<GatewayReport> {
    taken_back(resource, ReversalId::refund, phase)
}

/// Reads a refund, whose link with `rel` `up` names its capture. Some reversals are sent as the
/// capture itself.
fn taken_back(
    resource: Doc<'_>,
    named: impl Fn(Gateway, &GatewayId) -> ReversalId,
    phase: ReversalState,
) -> Option<GatewayReport> {
    let is_up = |link: &Doc<'_>| link.text("/rel") == Some("up");
    let up = resource.list("/links").find(is_up).and_then(|link| link.text("/href"));
    let up = up.and_then(|href| href.split_once("/captures/")).and_then(|(_, id)| GatewayId::parse(id).ok());
    let id = resource.id("/id")?;
    let related = resource.id("/supplementary_data/related_ids/capture_id");
    let payment = up.or(related).unwrap_or_else(|| id.clone());
    let (amount, currency) = money(resource.at("/amount"))?;
    let id = named(Gateway::PayPal, &id);
    Some(GatewayReport {
        payment: Some(payment),
        ..capture(resource, PaymentFact::Reversed { id, phase, amount, currency })?
    })
}

/// Reads a resolved dispute: a report for each disputed transaction.
/// (developer.paypal.com/docs/api/customer-disputes: `outcome_code`, `transaction_info`)
///
/// The amount of the dispute is that of all its transactions. Each takes up to its own gross amount, in
/// their order; one without a gross amount, up to all of what is left.
fn disputed(resource: Doc<'_>) -> Vec<Option<GatewayReport>> {
    let phase = match resource.text("/dispute_outcome/outcome_code").unwrap_or("NONE") {
        "RESOLVED_BUYER_FAVOUR" | "RESOLVED_BUYER_FAVOR" | "ACCEPTED" => ReversalState::Lost,
        "RESOLVED_SELLER_FAVOUR" | "RESOLVED_SELLER_FAVOR" | "CANCELED_BY_BUYER" | "DENIED" => {
            ReversalState::Returned
        }
        _ => return vec![Some(GatewayReport::nothing(Gateway::PayPal))],
    };
    let refunded = resource.at("/dispute_outcome/amount_refunded");
    let amount = if phase == ReversalState::Lost && refunded.is_there() {
        refunded
    } else {
        resource.at("/dispute_amount")
    };
    let (Some((amount, currency)), Some(dispute)) = (money(amount), resource.id("/dispute_id")) else {
        return vec![None];
    };
    let id = ReversalId::dispute(Gateway::PayPal, &dispute);
    let transactions: Vec<Doc<'_>> = resource.list("/disputed_transactions").collect();
    let is_one = transactions.len() <= 1;
    let mut left = amount;
    let report = |transaction: Doc<'_>| {
        let payment = transaction.id("/seller_transaction_id")?;
        let gross = money(transaction.at("/gross_amount")).filter(|(_, of)| !is_one && *of == currency);
        // A payment is never taken back beyond its credit, whatever the amount.
        let amount = gross.map_or(left, |(gross, _)| gross.min(left));
        if gross.is_some() {
            left = left.saturating_sub(amount);
        }
        Some(GatewayReport {
            topup: transaction.topup("/custom"),
            payment: Some(payment),
            fact: PaymentFact::Reversed { id: id.clone(), phase, amount, currency },
            ..GatewayReport::nothing(Gateway::PayPal)
        })
    };
    let reports: Vec<_> = transactions.into_iter().map(report).collect();
    if reports.is_empty() { vec![None] } else { reports }
}

/// Reads the body of a recorded event of this type again: the part that the id names.
pub(crate) fn read_again(id: &EventId, kind: &str, body: &[u8]) -> Option<GatewayReport> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let part = id.as_str().rsplit_once(PART).and_then(|(_, part)| part.parse::<usize>().ok());
    let at = part.map_or(0, |part| part.saturating_sub(1));
    reports(kind, Doc(&body).at("/resource")).into_iter().nth(at).flatten()
}
