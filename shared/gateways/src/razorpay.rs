//! Razorpay: webhooks, checkout signatures, orders and payments.
//!
//! Source: razorpay.com/docs/webhooks and /docs/api/orders, and the official client libraries.
//!
//! **Invariant:** `X-Razorpay-Signature` is hex HMAC-SHA256 of the raw body under one of the
//! webhook secrets. It contains no time: only the event id distinguishes a repeated delivery from a
//! new one.
//! **Invariant:** an order's receipt is a function of the top-up, and `unique_receipt` makes a
//! repeated call return the same order.

use crate::PolledReport;
use crate::delivery::{Endpoint, VerifiedWebhook, WebhookDelivery};
use crate::error::{Forged, GatewayError, VerifyError};
use crate::http_client::call;
use crate::mac::signed;
use crate::minor::{from_units, to_units};
use crate::read::{Doc, answered, json, parsed};
use domain::hash::Hash;
use domain::ids::{EventId, Gateway, GatewayId, ReversalId, TopUpId};
use domain::money::Money;
use domain::payments::gateway_report::{GatewayReport, PaymentFact, ReversalState};
use domain::payments::topup::{GatewayOrder, TopUp};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json as object};

/// Client and configuration of Razorpay.
#[derive(Clone, Debug)]
pub(crate) struct Razorpay {
    pub http: Client,
    pub base_url: String,
    pub key_id: String,
    pub key_secret: SecretString,
    pub webhook_secrets: Vec<SecretString>,
    /// Page of the shop on which customers pay (Razorpay's checkout runs in the shop's own page).
    pub checkout_page: Option<String>,
}

/// Returns the receipt of a top-up's order: at most 40 characters, always the same for a top-up.
pub fn receipt(topup: &TopUpId) -> &str {
    topup.short()
}

impl Razorpay {
    /// Verifies and reads a webhook.
    pub fn verify(
        &self,
        endpoint: Endpoint,
        delivery: &WebhookDelivery<'_>,
    ) -> Result<VerifiedWebhook, VerifyError> {
        let signature = delivery.header("x-razorpay-signature")?;
        if !signed(&self.webhook_secrets, &[delivery.body], signature) {
            return Err(Forged::Signature.into());
        }
        let named = delivery.maybe_header("x-razorpay-event-id")?;
        let digest = || format!("sha256-{}", Hash::of(delivery.body).prefix(16));
        let id = EventId::of(endpoint.as_str(), &named.map_or_else(digest, str::to_owned));
        let body = parsed(delivery.body);
        let kind = Doc(&body).text("/event");
        let report = kind.and_then(|kind| report(kind, Doc(&body).at("/payload")));
        Ok(VerifiedWebhook::new(id, kind, report))
    }

    /// Verifies a checkout signature: `hex(HMAC-SHA256(key_secret, order_id + "|" + payment_id))`.
    pub fn checkout_signature(
        &self,
        order: &GatewayId,
        payment: &GatewayId,
        signature: &str,
    ) -> Result<(), VerifyError> {
        let parts = [order.as_str().as_bytes(), b"|", payment.as_str().as_bytes()];
        let secrets = [self.key_secret.clone()];
        if signed(&secrets, &parts, signature) { Ok(()) } else { Err(Forged::Signature.into()) }
    }

    pub async fn place(&self, topup: &TopUp) -> Result<GatewayOrder, GatewayError> {
        let units = to_units(Gateway::Razorpay, topup.amount, topup.currency)
            .ok_or(GatewayError::Unreadable("the amount has no minor units"))?;
        let notes = object!({"topup_id": topup.id.as_str(), "customer_id": topup.id.customer().as_str()});
        let order = object!({
            "amount": units,
            "currency": topup.currency.code(),
            "receipt": receipt(&topup.id),
            "unique_receipt": true,
            "notes": notes,
        });
        let url = format!("{}/v1/orders", self.base_url);
        let request = self.http.post(url).header("content-type", "application/json").body(order.to_string());
        let text = call(self.sign(request)).await?;
        let reply = json(&text)?;
        let order = Doc(&reply).id("/id").ok_or(GatewayError::Unreadable("an order without an id"))?;
        // If the receipt was used for another amount, Razorpay returns that order.
        let other = Doc(&reply).units("/amount").is_some_and(|report| report != units)
            || Doc(&reply).currency("/currency").is_some_and(|report| report != topup.currency);
        if other {
            return Err(GatewayError::Unreadable("the order has another amount or currency"));
        }
        let checkout = object!({
            "key_id": self.key_id,
            "order_id": order.as_str(),
            "amount": units,
            "currency": topup.currency.code(),
            "notes": notes,
        });
        let page = self.checkout_page.as_ref();
        let checkout_url = page.map(|page| {
            let query = form_urlencoded::Serializer::new(String::new())
                .append_pair("topup_id", topup.id.as_str())
                .append_pair("order_id", order.as_str())
                .finish();
            format!("{page}?{query}")
        });
        Ok(GatewayOrder { order, checkout: checkout.to_string(), checkout_url })
    }

    pub async fn payment(&self, payment: &GatewayId) -> Result<Vec<PolledReport>, GatewayError> {
        let url = format!("{}/v1/payments/{payment}", self.base_url);
        let text = match call(self.sign(self.http.get(url))).await {
            Ok(text) => text,
            // Razorpay answers 400 for an unknown id.
            Err(GatewayError::Refused { status: 400 | 404, .. }) => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        let reply = json(&text)?;
        let mut answers = vec![answered(payment_report(Doc(&reply)), text)?];
        answers.extend(self.refunds_of(Doc(&reply)).await?);
        Ok(answers)
    }

    /// Polls the refunds of a payment, if it has been refunded in part or in full.
    async fn refunds_of(&self, payment: Doc<'_>) -> Result<Vec<PolledReport>, GatewayError> {
        let some = payment.units("/amount_refunded").is_some_and(|units| units > 0);
        let (true, Some(id)) = (some, payment.id("/id")) else { return Ok(vec![]) };
        let url = format!("{}/v1/payments/{id}/refunds", self.base_url);
        let reply = match call(self.sign(self.http.get(url))).await {
            Err(GatewayError::Refused { .. }) => return Ok(vec![]),
            reply => json(&reply?)?,
        };
        let ended = |refund: Doc<'_>| match refund.text("/status") {
            Some("processed") => Some(ReversalState::Taken),
            Some("failed") => Some(ReversalState::Returned),
            Some(_) | None => None,
        };
        let refunds = Doc(&reply);
        let refunds = refunds.list("/items").filter_map(|refund| Some((refund, ended(refund)?)));
        let refunds = refunds.map(|(refund, phase)| {
            let payload = object!({"refund": {"entity": refund.0}, "payment": {"entity": payment.0}});
            answered(refunded(Doc(&payload), phase), refund.0.to_string())
        });
        refunds.collect()
    }

    pub async fn payments_of(&self, order: &GatewayId) -> Result<Vec<PolledReport>, GatewayError> {
        let url = format!("{}/v1/orders/{order}/payments", self.base_url);
        let reply = json(&call(self.sign(self.http.get(url))).await?)?;
        let mut answers = Vec::new();
        for payment in Doc(&reply).list("/items") {
            answers.push(answered(payment_report(payment), payment.0.to_string())?);
            answers.extend(self.refunds_of(payment).await?);
        }
        Ok(answers)
    }

    fn sign(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.key_id, Some(self.key_secret.expose_secret()))
    }
}

/// Returns what a payment entity reports.
fn payment_report(payment: Doc<'_>) -> Option<GatewayReport> {
    let report = |fact| named(payment, Doc(&Value::Null), fact);
    match payment.text("/status")? {
        // A payment that has been refunded was captured first.
        "captured" | "refunded" => report(captured(payment)?),
        "failed" => report(PaymentFact::Failed),
        _ => report(PaymentFact::Nothing),
    }
}

fn captured(payment: Doc<'_>) -> Option<PaymentFact> {
    let currency = payment.currency("/currency")?;
    Some(PaymentFact::Captured {
        amount: from_units(Gateway::Razorpay, payment.units("/amount")?, currency)?,
        currency,
    })
}

/// Returns the fee, tax included, if the customer bore it; it is then part of the amount.
/// (razorpay.com/docs/payments/payment-gateway/customer-fee-bearer)
fn customer_fee(payment: Doc<'_>) -> Option<Money> {
    let bears = payment.text("/fee_bearer") == Some("customer");
    from_units(Gateway::Razorpay, payment.units("/fee").filter(|_| bears)?, payment.currency("/currency")?)
}

fn named(payment: Doc<'_>, order: Doc<'_>, fact: PaymentFact) -> Option<GatewayReport> {
    Some(GatewayReport {
        gateway: Gateway::Razorpay,
        topup: payment.topup("/notes/topup_id").or_else(|| order.topup("/notes/topup_id")),
        order: payment.id("/order_id").or_else(|| order.id("/id")),
        payment: Some(payment.id("/id")?),
        charge: None,
        method: None,
        customer_fee: customer_fee(payment),
        at: None,
        fact,
    })
}

/// Returns what an event reports; `None` if a field that its type requires is missing.
fn report(kind: &str, payload: Doc<'_>) -> Option<GatewayReport> {
    let (payment, order) = (payload.at("/payment/entity"), payload.at("/order/entity"));
    let nothing = GatewayReport::nothing(Gateway::Razorpay);
    match kind {
        "payment.captured" | "order.paid" => {
            if payment.text("/status").is_some_and(|status| status != "captured" && status != "refunded") {
                return None;
            }
            named(payment, order, captured(payment)?)
        }
        "payment.failed" => named(payment, order, PaymentFact::Failed),
        "refund.processed" => refunded(payload, ReversalState::Taken),
        "refund.failed" => refunded(payload, ReversalState::Returned),
        dispute if dispute.starts_with("payment.dispute.") => disputed(dispute, payload, nothing),
        _ => Some(nothing),
    }
}

fn refunded(payload: Doc<'_>, phase: ReversalState) -> Option<GatewayReport> {
    let refund = payload.at("/refund/entity");
    let id = ReversalId::refund(Gateway::Razorpay, &refund.id("/id")?);
    reversed(payload, refund, "/amount", id, phase)
}

fn disputed(kind: &str, payload: Doc<'_>, nothing: GatewayReport) -> Option<GatewayReport> {
    let dispute = payload.at("/dispute/entity");
    let id = ReversalId::dispute(Gateway::Razorpay, &dispute.id("/id")?);
    let deducted = dispute.units("/amount_deducted").is_some_and(|units| units > 0);
    let ended = match kind {
        "payment.dispute.closed" => dispute.text("/status").unwrap_or_default(),
        other => other.trim_start_matches("payment.dispute."),
    };
    match (ended, deducted) {
        ("won", _) => reversed(payload, dispute, "/amount", id, ReversalState::Returned),
        // A deducted amount was taken from us, whatever the status of the dispute.
        (_, true) => reversed(payload, dispute, "/amount_deducted", id, ReversalState::Taken),
        ("lost", false) => reversed(payload, dispute, "/amount", id, ReversalState::Lost),
        (_, false) => Some(nothing),
    }
}

/// Reads a refund or dispute entity, together with the payment entity if it is included.
fn reversed(
    payload: Doc<'_>,
    entity: Doc<'_>,
    amount: &str,
    id: ReversalId,
    phase: ReversalState,
) -> Option<GatewayReport> {
    let payment = payload.at("/payment/entity");
    // A dispute may omit its currency, which is then the payment's.
    let currency = entity.currency("/currency").or_else(|| payment.currency("/currency"))?;
    let amount = from_units(Gateway::Razorpay, entity.units(amount)?, currency)?;
    Some(GatewayReport {
        gateway: Gateway::Razorpay,
        topup: payment.topup("/notes/topup_id").or_else(|| entity.topup("/notes/topup_id")),
        order: payment.id("/order_id"),
        payment: Some(entity.id("/payment_id").or_else(|| payment.id("/id"))?),
        charge: None,
        method: None,
        customer_fee: None,
        at: None,
        fact: PaymentFact::Reversed { id, phase, amount, currency },
    })
}

/// Reads the body of a recorded event of this type again.
pub(crate) fn read(kind: &str, body: &[u8]) -> Option<GatewayReport> {
    let body: Value = serde_json::from_slice(body).ok()?;
    report(kind, Doc(&body).at("/payload"))
}
