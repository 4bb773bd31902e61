//! Sending webhooks, signed with the real algorithms, in every way that deliveries go wrong.
//!
//! **Invariant:** a delivery's bytes are made once; a duplicate is the same bytes under the same event id.

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
    /// Twice, the same.
    Duplicate,
    /// Later: when the next delivery has been made, or when asked to.
    Delayed,
    /// After the one that comes next.
    Reordered,
    /// For another amount than was paid.
    WrongAmount,
    /// Signed with another secret.
    Forged,
    /// Not at all.
    NeverSent,
}

/// A webhook that a gateway sends.
pub struct Outgoing {
    /// The endpoint that it goes to.
    pub gateway: String,
    /// The gateway's id of the event.
    pub event: String,
    /// Its bytes, which are signed.
    pub body: String,
}

/// How a delivery was answered.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// The status; none if it was not delivered.
    pub status: Option<u16>,
    /// The answer.
    pub answer: String,
    /// How often it was delivered.
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
    /// The signature that Razorpay's checkout gives the client.
    pub fn checkout_signature(&self, order: &str, payment: &str) -> String {
        hmac_hex(&self.secrets.razorpay_key.1, &[order.as_bytes(), b"|", payment.as_bytes()])
    }

    /// The headers that sign a body as this gateway does.
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

    /// Delivers a webhook in this way; gives the last answer.
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

    /// Delivers what was held back; gives how many.
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
        // What comes through Google Pay is signed by the gateway behind it.
        let signer = if gateway == "google-pay" { "razorpay" } else { gateway.as_str() };
        for (name, value) in self.headers(signer, event, body, forged) {
            request = request.header(name, value);
        }
        let reply = request.send().await?;
        Ok(Delivered { status: Some(reply.status().as_u16()), answer: reply.text().await?, times: 1 })
    }
}
