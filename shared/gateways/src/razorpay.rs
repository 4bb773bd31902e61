//! Razorpay: webhooks, checkout signatures, orders and payments.
//!
//! Source: razorpay.com/docs/webhooks and /docs/api/orders, and the official client libraries.
//!
//! **Invariant:** `X-Razorpay-Signature` is hex HMAC-SHA256 of the raw body under one of the webhook secrets. It has
//! no time in it: an old delivery is told from a new one by its event id alone.
//! **Invariant:** an order's receipt is a function of the top-up, and `unique_receipt` makes a repetition give the
//! same order.

use crate::Answered;
use crate::delivery::{Delivery, Endpoint, Report};
use crate::error::{Forged, GatewayError, VerifyError};
use crate::http_client::call;
use crate::mac::signed;
use crate::minor::{from_units, to_units};
use crate::read::{Doc, UNREADABLE, answered, json, parsed};
use domain::hash::Hash;
use domain::ids::{EventId, Gateway, GatewayId, ReversalId, TopUpId};
use domain::money::Money;
use domain::payments::gateway_report::{Fact, Phase, Told};
use domain::payments::topup::{Placed, TopUp};
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json as object};

/// Razorpay, configured.
#[derive(Clone, Debug)]
pub(crate) struct Razorpay {
    pub http: Client,
    pub base_url: String,
    pub key_id: String,
    pub key_secret: SecretString,
    pub webhook_secrets: Vec<SecretString>,
    /// A page of the shop on which its customers pay (Razorpay's checkout runs in the shop's own page).
    pub checkout_page: Option<String>,
}

/// The receipt of a top-up's order: at most 40 characters, the same whenever it is asked for.
pub fn receipt(topup: &TopUpId) -> &str {
    topup.short()
}

impl Razorpay {
    /// Verifies and reads a webhook.
    pub fn verify(&self, endpoint: Endpoint, delivery: &Delivery<'_>) -> Result<Report, VerifyError> {
        let signature = delivery.header("x-razorpay-signature")?;
        if !signed(&self.webhook_secrets, &[delivery.body], signature) {
            return Err(Forged::Signature.into());
        }
        let named = delivery.maybe_header("x-razorpay-event-id")?;
        let digest = || format!("sha256-{}", Hash::of(delivery.body).prefix(16));
        let id = EventId::of(endpoint.as_str(), &named.map_or_else(digest, str::to_owned));
        let body = parsed(delivery.body);
        let kind = Doc(&body).text("/event");
        let told = kind.and_then(|kind| told(kind, Doc(&body).at("/payload")));
        Ok(Report { id, kind: kind.unwrap_or(UNREADABLE).to_owned(), told, approved: false })
    }

    /// `hex(HMAC-SHA256(key_secret, order_id + "|" + payment_id))`
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

    pub async fn place(&self, topup: &TopUp) -> Result<Placed, GatewayError> {
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
        // A receipt that was used for another amount would give that order.
        let other = Doc(&reply).units("/amount").is_some_and(|told| told != units)
            || Doc(&reply).currency("/currency").is_some_and(|told| told != topup.currency);
        if other {
            return Err(GatewayError::Unreadable("an order of another amount"));
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
        Ok(Placed { order, checkout: checkout.to_string(), checkout_url })
    }

    pub async fn payment(&self, payment: &GatewayId) -> Result<Vec<Answered>, GatewayError> {
        let url = format!("{}/v1/payments/{payment}", self.base_url);
        let text = match call(self.sign(self.http.get(url))).await {
            Ok(text) => text,
            // Razorpay answers 400 for an id that it does not know.
            Err(GatewayError::Refused { status: 400 | 404, .. }) => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        let reply = json(&text)?;
        let mut answers = vec![answered(payment_told(Doc(&reply)), text)?];
        answers.extend(self.refunds_of(Doc(&reply)).await?);
        Ok(answers)
    }

    /// The refunds of a payment that says it has some.
    async fn refunds_of(&self, payment: Doc<'_>) -> Result<Vec<Answered>, GatewayError> {
        let some = payment.units("/amount_refunded").is_some_and(|units| units > 0);
        let (true, Some(id)) = (some, payment.id("/id")) else { return Ok(vec![]) };
        let url = format!("{}/v1/payments/{id}/refunds", self.base_url);
        let reply = match call(self.sign(self.http.get(url))).await {
            Err(GatewayError::Refused { .. }) => return Ok(vec![]),
            reply => json(&reply?)?,
        };
        let ended = |refund: Doc<'_>| match refund.text("/status") {
            Some("processed") => Some(Phase::Taken),
            Some("failed") => Some(Phase::Returned),
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

    pub async fn payments_of(&self, order: &GatewayId) -> Result<Vec<Answered>, GatewayError> {
        let url = format!("{}/v1/orders/{order}/payments", self.base_url);
        let reply = json(&call(self.sign(self.http.get(url))).await?)?;
        let mut answers = Vec::new();
        for payment in Doc(&reply).list("/items") {
            answers.push(answered(payment_told(payment), payment.0.to_string())?);
            answers.extend(self.refunds_of(payment).await?);
        }
        Ok(answers)
    }

    fn sign(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request.basic_auth(&self.key_id, Some(self.key_secret.expose_secret()))
    }
}

/// What a payment entity says.
fn payment_told(payment: Doc<'_>) -> Option<Told> {
    let told = |fact| named(payment, Doc(&Value::Null), fact);
    match payment.text("/status")? {
        // A payment that has been refunded was captured first.
        "captured" | "refunded" => told(captured(payment)?),
        "failed" => told(Fact::Failed),
        _ => told(Fact::Nothing),
    }
}

fn captured(payment: Doc<'_>) -> Option<Fact> {
    let currency = payment.currency("/currency")?;
    Some(Fact::Captured {
        amount: from_units(Gateway::Razorpay, payment.units("/amount")?, currency)?,
        currency,
    })
}

/// The fee (its tax included), where the payment says that the customer bore it: then it is part of the amount.
/// (razorpay.com/docs/payments/payment-gateway/customer-fee-bearer)
fn customer_fee(payment: Doc<'_>) -> Option<Money> {
    let bears = payment.text("/fee_bearer") == Some("customer");
    from_units(Gateway::Razorpay, payment.units("/fee").filter(|_| bears)?, payment.currency("/currency")?)
}

fn named(payment: Doc<'_>, order: Doc<'_>, fact: Fact) -> Option<Told> {
    Some(Told {
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

/// What an event says; none if a field that its type must have is missing.
fn told(kind: &str, payload: Doc<'_>) -> Option<Told> {
    let (payment, order) = (payload.at("/payment/entity"), payload.at("/order/entity"));
    let nothing = Told::nothing(Gateway::Razorpay);
    match kind {
        "payment.captured" | "order.paid" => {
            if payment.text("/status").is_some_and(|status| status != "captured" && status != "refunded") {
                return None;
            }
            named(payment, order, captured(payment)?)
        }
        "payment.failed" => named(payment, order, Fact::Failed),
        "refund.processed" => refunded(payload, Phase::Taken),
        "refund.failed" => refunded(payload, Phase::Returned),
        dispute if dispute.starts_with("payment.dispute.") => disputed(dispute, payload, nothing),
        _ => Some(nothing),
    }
}

fn refunded(payload: Doc<'_>, phase: Phase) -> Option<Told> {
    let refund = payload.at("/refund/entity");
    let id = ReversalId::refund(Gateway::Razorpay, &refund.id("/id")?);
    reversed(payload, refund, "/amount", (id, phase))
}

fn disputed(kind: &str, payload: Doc<'_>, nothing: Told) -> Option<Told> {
    let dispute = payload.at("/dispute/entity");
    let id = ReversalId::dispute(Gateway::Razorpay, &dispute.id("/id")?);
    let deducted = dispute.units("/amount_deducted").is_some_and(|units| units > 0);
    let ended = match kind {
        "payment.dispute.closed" => dispute.text("/status").unwrap_or_default(),
        other => other.trim_start_matches("payment.dispute."),
    };
    match (ended, deducted) {
        ("won", _) => reversed(payload, dispute, "/amount", (id, Phase::Returned)),
        // What was deducted is what was withdrawn, whenever that is said.
        (_, true) => reversed(payload, dispute, "/amount_deducted", (id, Phase::Taken)),
        ("lost", false) => reversed(payload, dispute, "/amount", (id, Phase::Lost)),
        (_, false) => Some(nothing),
    }
}

/// A refund or dispute entity, with the payment's own entity where it is sent along.
fn reversed(payload: Doc<'_>, entity: Doc<'_>, amount: &str, what: (ReversalId, Phase)) -> Option<Told> {
    let payment = payload.at("/payment/entity");
    // A dispute need not name its currency: it is the payment's.
    let currency = entity.currency("/currency").or_else(|| payment.currency("/currency"))?;
    let amount = from_units(Gateway::Razorpay, entity.units(amount)?, currency)?;
    let (id, phase) = what;
    Some(Told {
        gateway: Gateway::Razorpay,
        topup: payment.topup("/notes/topup_id").or_else(|| entity.topup("/notes/topup_id")),
        order: payment.id("/order_id"),
        payment: Some(entity.id("/payment_id").or_else(|| payment.id("/id"))?),
        charge: None,
        method: None,
        customer_fee: None,
        at: None,
        fact: Fact::Reversed { id, phase, amount, currency },
    })
}

/// Reads the body of an event of this type again.
pub(crate) fn read(kind: &str, body: &[u8]) -> Option<Told> {
    let body: Value = serde_json::from_slice(body).ok()?;
    told(kind, Doc(&body).at("/payload"))
}
