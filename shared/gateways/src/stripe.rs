//! Stripe: webhooks, checkout sessions and payment intents.
//!
//! Source: docs.stripe.com/webhooks (signatures) and /api, and the official client libraries.
//!
//! **Invariant:** `Stripe-Signature` contains `t` once and `v1` at least once. One `v1` must be hex
//! HMAC-SHA256 of `"{t}.{raw body}"` under one of the secrets (the whole `whsec_…` text), and `t`
//! must be at most 300 s before or after the time of receipt. Other schemes are ignored.

use crate::delivery::{Endpoint, VerifiedWebhook, WebhookDelivery};
use crate::error::{Forged, GatewayError, VerifyError};
use crate::http_client::call;
use crate::mac::signed;
use crate::minor::{from_units, to_units};
use crate::read::{Doc, answered, json, named, parsed};
use crate::{PolledReport, request_id};
use domain::ids::{EventId, Gateway, GatewayId, ReversalId};
use domain::payments::gateway_report::{GatewayReport, PaymentFact, ReversalState};
use domain::payments::topup::{GatewayOrder, TopUp};
use domain::time::Timestamp;
use reqwest::{Client, RequestBuilder};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json as object};

/// Largest difference between the time of a delivery and the time of receipt, in seconds.
const TOLERANCE_SECONDS: i64 = 300;

/// Version of Stripe's API that this module uses.
const VERSION: &str = "2026-01-28.clover";

/// Client and configuration of Stripe.
#[derive(Clone, Debug)]
pub(crate) struct Stripe {
    pub http: Client,
    pub base_url: String,
    pub secret_key: SecretString,
    pub webhook_secrets: Vec<SecretString>,
}

impl Stripe {
    /// Verifies and reads a webhook.
    pub fn verify(
        &self,
        endpoint: Endpoint,
        delivery: &WebhookDelivery<'_>,
    ) -> Result<VerifiedWebhook, VerifyError> {
        let header = delivery.header("stripe-signature")?;
        let mut time = None;
        let mut tags = Vec::new();
        for (scheme, value) in header.split(',').filter_map(|part| part.trim().split_once('=')) {
            match scheme {
                "t" if time.is_some() => return Err(Forged::Header.into()),
                "t" => time = Some(value),
                "v1" => tags.push(value),
                _ => {}
            }
        }
        let time = time.filter(|time| !time.is_empty() && time.bytes().all(|b| b.is_ascii_digit()));
        let time = time.ok_or(Forged::Header)?;
        if tags.is_empty() {
            return Err(Forged::Header.into());
        }
        let parts = [time.as_bytes(), b".", delivery.body];
        let mut matched = false;
        for tag in tags {
            matched |= signed(&self.webhook_secrets, &parts, tag);
        }
        if !matched {
            return Err(Forged::Signature.into());
        }
        let seconds: i64 = time.parse().map_err(|_| Forged::Time)?;
        delivery.within(seconds.saturating_mul(1_000), TOLERANCE_SECONDS)?;
        let body = parsed(delivery.body);
        let event = Doc(&body);
        let id = EventId::of(endpoint.as_str(), &named(event, delivery.body));
        let kind = event.text("/type");
        let report = kind.and_then(|kind| report(kind, event));
        Ok(VerifiedWebhook::new(id, kind, report))
    }

    /// Creates a checkout session on Stripe's own page if the top-up has a return URL, else a
    /// payment intent for the client's own form.
    pub async fn place(&self, topup: &TopUp) -> Result<GatewayOrder, GatewayError> {
        let (path, form) = form(topup)?;
        let request = self
            .http
            .post(format!("{}/v1/{path}", self.base_url))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("idempotency-key", request_id(topup))
            .body(form);
        let reply = json(&call(self.sign(request)).await?)?;
        let reply = Doc(&reply);
        let order = reply.id("/id").ok_or(GatewayError::Unreadable("a session without an id"))?;
        let checkout_url = reply.text("/url").map(str::to_owned);
        let mut checkout = object!({"id": order.as_str(), "object": reply.text("/object")});
        for name in ["client_secret", "url"] {
            if let (Some(text), Some(fields)) = (reply.text(&format!("/{name}")), checkout.as_object_mut()) {
                fields.insert(name.to_owned(), text.into());
            }
        }
        Ok(GatewayOrder { order, checkout: checkout.to_string(), checkout_url })
    }

    /// Polls a session or payment intent, with the refunds of its charge.
    pub async fn payment(&self, id: &GatewayId) -> Result<Vec<PolledReport>, GatewayError> {
        let is_session = id.as_str().starts_with("cs_");
        let (kind, expand) = if is_session {
            ("checkout/sessions", "payment_intent.latest_charge.refunds")
        } else {
            ("payment_intents", "latest_charge.refunds")
        };
        let url = format!("{}/v1/{kind}/{id}?expand[]={expand}", self.base_url);
        let text = match call(self.sign(self.http.get(url))).await {
            Ok(text) => text,
            Err(GatewayError::Refused { status: 404, .. }) => return Ok(vec![]),
            Err(error) => return Err(error),
        };
        let reply = json(&text)?;
        let reply = Doc(&reply);
        let report = if is_session { session(reply, false) } else { intent(reply) };
        let charge = reply.at(if is_session { "/payment_intent/latest_charge" } else { "/latest_charge" });
        let refunds = charge.units("/amount_refunded").is_some_and(|units| units > 0);
        let mut answers = vec![answered(report, text)?];
        if refunds {
            answers.push(answered(charge_refunded(charge), charge.0.to_string())?);
        }
        for single in charge.list("/refunds/data") {
            answers.push(answered(refund(single), single.0.to_string())?);
        }
        Ok(answers)
    }

    fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(self.secret_key.expose_secret()).header("stripe-version", VERSION)
    }
}

/// Returns the path and the form that create a session or payment intent.
fn form(topup: &TopUp) -> Result<(&'static str, String), GatewayError> {
    let units = to_units(Gateway::Stripe, topup.amount, topup.currency)
        .ok_or(GatewayError::Unreadable("the amount has no minor units"))?;
    let currency = topup.currency.code().to_ascii_lowercase();
    let id = topup.id.as_str();
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("metadata[topup_id]", id);
    form.append_pair("metadata[customer_id]", topup.id.customer().as_str());
    let path = if let Some(url) = &topup.return_url {
        form.append_pair("mode", "payment")
            .append_pair("client_reference_id", id)
            .append_pair("payment_intent_data[metadata][topup_id]", id)
            .append_pair("line_items[0][quantity]", "1")
            .append_pair("line_items[0][price_data][currency]", &currency)
            .append_pair("line_items[0][price_data][unit_amount]", &units.to_string())
            .append_pair("line_items[0][price_data][product_data][name]", "Wallet credit")
            .append_pair("success_url", url)
            .append_pair("cancel_url", url);
        "checkout/sessions"
    } else {
        form.append_pair("amount", &units.to_string())
            .append_pair("currency", &currency)
            .append_pair("automatic_payment_methods[enabled]", "true");
        "payment_intents"
    };
    Ok((path, form.finish()))
}

fn money(object: Doc<'_>, amount: &str) -> Option<(domain::money::Money, domain::currency::Currency)> {
    let currency = object.currency("/currency")?;
    Some((from_units(Gateway::Stripe, object.units(amount)?, currency)?, currency))
}

fn naming(object: Doc<'_>, fact: PaymentFact) -> GatewayReport {
    GatewayReport {
        gateway: Gateway::Stripe,
        topup: object.topup("/metadata/topup_id").or_else(|| object.topup("/client_reference_id")),
        order: None,
        payment: object.id("/payment_intent"),
        charge: object.id("/charge"),
        method: None,
        customer_fee: None,
        at: None,
        fact,
    }
}

/// Reads a payment intent, which is captured once it has succeeded.
fn intent(object: Doc<'_>) -> Option<GatewayReport> {
    let fact = match object.text("/status")? {
        "succeeded" => {
            let (amount, currency) = money(object, "/amount_received")?;
            PaymentFact::Captured { amount, currency }
        }
        "canceled" => PaymentFact::Failed,
        _ => PaymentFact::Nothing,
    };
    let report = naming(object, fact);
    Some(GatewayReport { payment: Some(object.id("/id")?), charge: object.id("/latest_charge"), ..report })
}

/// Reads a checkout session, which is captured only if its payment status is `paid`.
fn session(object: Doc<'_>, failed: bool) -> Option<GatewayReport> {
    let fact = if failed {
        PaymentFact::Failed
    } else if object.text("/payment_status")? == "paid" {
        let (amount, currency) = money(object, "/amount_total")?;
        PaymentFact::Captured { amount, currency }
    } else {
        PaymentFact::Nothing
    };
    let order = object.id("/id")?;
    let report = naming(object, fact);
    // A session without a payment intent is its own payment.
    let payment = report.payment.clone().or_else(|| Some(order.clone()));
    Some(GatewayReport { payment, order: Some(order), ..report })
}

/// Returns what an event reports, with its time; `None` if a field that its type requires is
/// missing.
fn report(kind: &str, event: Doc<'_>) -> Option<GatewayReport> {
    let at = event.units("/created").and_then(|seconds| i64::try_from(seconds).ok()?.checked_mul(1_000));
    let report = event_report(kind, event.at("/data/object"))?;
    Some(GatewayReport { at: at.and_then(Timestamp::from_millis), ..report })
}

fn event_report(kind: &str, object: Doc<'_>) -> Option<GatewayReport> {
    match kind {
        "payment_intent.succeeded" => intent(object).filter(|report| report.fact != PaymentFact::Nothing),
        "payment_intent.payment_failed" => {
            Some(GatewayReport { payment: Some(object.id("/id")?), ..naming(object, PaymentFact::Failed) })
        }
        "checkout.session.completed" | "checkout.session.async_payment_succeeded" => session(object, false),
        "checkout.session.async_payment_failed" => session(object, true),
        "charge.refunded" => charge_refunded(object),
        "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated" => refund(object),
        "charge.dispute.funds_withdrawn" => disputed(object, ReversalState::Taken),
        "charge.dispute.funds_reinstated" => disputed(object, ReversalState::Returned),
        "charge.dispute.closed" => match object.text("/status")? {
            "won" => disputed(object, ReversalState::Returned),
            "lost" => disputed(object, ReversalState::Lost),
            _ => Some(naming(object, PaymentFact::Nothing)),
        },
        _ => Some(naming(object, PaymentFact::Nothing)),
    }
}

/// Reads the total refunded amount of a charge.
fn charge_refunded(charge: Doc<'_>) -> Option<GatewayReport> {
    let id = charge.id("/id")?;
    let (amount, currency) = money(charge, "/amount_refunded")?;
    let reversal = ReversalId::refund(Gateway::Stripe, &id);
    let report =
        naming(charge, PaymentFact::Reversed { id: reversal, phase: ReversalState::Taken, amount, currency });
    Some(GatewayReport { charge: Some(id), ..report })
}

/// Reads a single refund. It counts from its creation, and no longer once it has failed or was
/// cancelled.
/// (docs.stripe.com/api/refunds/object, `status`)
fn refund(object: Doc<'_>) -> Option<GatewayReport> {
    let failed = match object.text("/status")? {
        "failed" | "canceled" => true,
        "succeeded" | "pending" => false,
        // Other statuses wait for the customer: nothing has been paid back yet.
        _ => return Some(naming(object, PaymentFact::Nothing)),
    };
    let (amount, currency) = money(object, "/amount")?;
    let named = naming(object, PaymentFact::Nothing);
    // The refunds of a payment are kept under its charge, if it has one.
    let of = ReversalId::refund(Gateway::Stripe, named.charge.as_ref().or(named.payment.as_ref())?);
    Some(GatewayReport {
        fact: PaymentFact::Refund { of, refund: object.id("/id")?, failed, amount, currency },
        ..named
    })
}

fn disputed(object: Doc<'_>, phase: ReversalState) -> Option<GatewayReport> {
    let id = ReversalId::dispute(Gateway::Stripe, &object.id("/id")?);
    let (amount, currency) = money(object, "/amount")?;
    let report = naming(object, PaymentFact::Reversed { id, phase, amount, currency });
    (report.payment.is_some() || report.charge.is_some()).then_some(report)
}

/// Reads the body of a recorded event of this type again.
pub(crate) fn read(kind: &str, body: &[u8]) -> Option<GatewayReport> {
    let body: Value = serde_json::from_slice(body).ok()?;
    report(kind, Doc(&body))
}
