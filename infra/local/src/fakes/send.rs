//! Sends webhooks, signed with the real algorithms, including the ways in which deliveries go
//! wrong.
//!
//! **Invariant:** the bytes of a webhook are rendered once; a duplicate has the same bytes and the
//! same event id.

use super::{Fakes, PREFIX};
use crate::Failure;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::sync::PoisonError;

/// How a webhook is delivered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Deliver {
    /// Once.
    #[default]
    Once,
    /// Twice, with the same bytes.
    Duplicate,
    /// Held back until after the next delivery, or until POST /_local/deliver.
    Delayed,
    /// Held back until after the next webhook, so that the two arrive in reverse order.
    Reordered,
    /// With an amount that differs from the paid one.
    WrongAmount,
    /// Signed with a wrong secret.
    Forged,
    /// Not delivered at all.
    NeverSent,
}

/// Webhook that a gateway sends.
pub struct Outgoing {
    /// Endpoint that receives it.
    pub gateway: String,
    /// Gateway's id of the event.
    pub event: String,
    /// Body, which is signed.
    pub body: String,
}

/// Answer to a delivery.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// HTTP status; `None` if the webhook was not delivered.
    pub status: Option<u16>,
    /// Body of the answer, or the reason why the webhook was not delivered.
    pub answer: String,
    /// Number of times that the webhook was delivered.
    pub times: u8,
}

pub(super) fn hmac_hex(secret: &str, parts: &[&[u8]]) -> String {
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    for part in parts {
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

impl Fakes {
    /// Returns the signature that the client receives from Razorpay's checkout.
    pub fn checkout_signature(&self, order: &str, payment: &str) -> String {
        hmac_hex(&self.secrets.razorpay_key.1, &[order.as_bytes(), b"|", payment.as_bytes()])
    }

    /// Returns the headers with which this gateway signs a body.
    pub fn headers(&self, gateway: &str, event: &str, body: &str, forged: bool) -> Vec<(String, String)> {
        let spoil = |secret: &str| if forged { format!("{secret}-not") } else { secret.to_owned() };
        let text = |name: &str, value: String| (name.to_owned(), value);
        match gateway {
            "stripe" => {
                let time = self.now_seconds().to_string();
                let secret = spoil(&self.secrets.stripe_webhook);
                let tag = hmac_hex(&secret, &[time.as_bytes(), b".", body.as_bytes()]);
                vec![text("stripe-signature", format!("t={time},v1={tag}"))]
            }
            "paypal" => {
                let time = self.clock.now().to_string();
                let webhook = spoil(&self.secrets.paypal_webhook_id);
                let signed = format!("{event}|{time}|{webhook}|{}", crc32fast::hash(body.as_bytes()));
                let certificate = format!("{}{PREFIX}/paypal/v1/notifications/certs/CERT-local", self.url);
                vec![
                    text("paypal-auth-algo", "SHA256withRSA".to_owned()),
                    text("paypal-transmission-id", event.to_owned()),
                    text("paypal-transmission-time", time),
                    text("paypal-transmission-sig", self.secrets.paypal.sign(&signed).unwrap_or_default()),
                    text("paypal-cert-url", certificate),
                ]
            }
            _ => {
                let tag = hmac_hex(&spoil(&self.secrets.razorpay_webhook), &[body.as_bytes()]);
                vec![text("x-razorpay-signature", tag), text("x-razorpay-event-id", event.to_owned())]
            }
        }
    }

    /// Delivers a webhook in the given way; returns the last answer.
    pub async fn deliver(&self, webhook: Outgoing, how: Deliver) -> Result<Delivered, Failure> {
        let not_yet = |why: &str| Ok(Delivered { status: None, answer: why.to_owned(), times: 0 });
        match how {
            Deliver::NeverSent => return not_yet("never sent"),
            Deliver::Delayed | Deliver::Reordered => {
                self.held.lock().unwrap_or_else(PoisonError::into_inner).push(webhook);
                return not_yet("held back until the next delivery");
            }
            Deliver::Once | Deliver::Duplicate | Deliver::WrongAmount | Deliver::Forged => {}
        }
        let forged = how == Deliver::Forged;
        let mut delivered = self.post(&webhook, forged).await?;
        if how == Deliver::Duplicate {
            delivered = Delivered { times: 2, ..self.post(&webhook, forged).await? };
        }
        self.deliver_held().await?;
        Ok(delivered)
    }

    /// Delivers the webhooks that were held back; returns their number.
    pub async fn deliver_held(&self) -> Result<usize, Failure> {
        let held = std::mem::take(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner));
        for one in &held {
            self.post(one, false).await?;
        }
        Ok(held.len())
    }

    async fn post(&self, webhook: &Outgoing, forged: bool) -> Result<Delivered, Failure> {
        let Outgoing { gateway, event, body } = webhook;
        let url = format!("{}/api/integration/webhook/{gateway}", self.api);
        let mut request = self.http.post(url).header("content-type", "application/json").body(body.clone());
        // Webhooks of Google Pay payments are signed by the gateway behind it.
        let signer = if gateway == "google-pay" { "razorpay" } else { gateway.as_str() };
        for (name, value) in self.headers(signer, event, body, forged) {
            request = request.header(name, value);
        }
        let reply = request.send().await?;
        Ok(Delivered { status: Some(reply.status().as_u16()), answer: reply.text().await?, times: 1 })
    }
}
