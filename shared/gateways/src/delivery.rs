//! Webhooks as they are received, and as they are after verification.
//!
//! **Invariant:** the body is the raw bytes that were sent: only the base64 encoding of an API
//! gateway is undone.

use crate::error::Forged;
use crate::read::UNREADABLE;
use domain::ids::EventId;
use domain::payments::gateway_report::GatewayReport;
use domain::time::Timestamp;
use http::HeaderMap;

/// Webhook endpoint of a payment gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Webhooks of Razorpay.
    Razorpay,
    /// Webhooks of Stripe.
    Stripe,
    /// Webhooks of PayPal.
    PayPal,
    /// Webhooks of the gateway behind Google Pay, and callbacks of Wallet passes.
    GooglePay,
}

impl Endpoint {
    /// Returns the last segment of the endpoint's path, which is also the first part of its events'
    /// ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Razorpay => "razorpay",
            Self::Stripe => "stripe",
            Self::PayPal => "paypal",
            Self::GooglePay => "google-pay",
        }
    }

    /// Returns the endpoint that is the first part of an event's id.
    pub fn of(event: &EventId) -> Option<Self> {
        let (endpoint, _) = event.as_str().split_once(':')?;
        [Self::Razorpay, Self::Stripe, Self::PayPal, Self::GooglePay]
            .into_iter()
            .find(|known| known.as_str() == endpoint)
    }
}

/// A webhook as it was received.
#[derive(Clone, Copy, Debug)]
pub struct WebhookDelivery<'a> {
    /// Headers of the request.
    pub headers: &'a HeaderMap,
    /// Raw bytes of the body.
    pub body: &'a [u8],
    /// Time of receipt.
    pub now: Timestamp,
}

/// A webhook whose signature has been verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedWebhook {
    /// Id of the event: the endpoint and the gateway's id, or a digest of the body if it has none.
    pub id: EventId,
    /// Type of the event, in the gateway's words.
    pub kind: String,
    /// None if a field that the event's type requires cannot be read.
    pub report: Option<GatewayReport>,
    /// What else the event reports, if it is about several payments, each with the id of an event of its
    /// own.
    pub further: Vec<(EventId, Option<GatewayReport>)>,
    /// True if a customer has approved a PayPal order, which can now be captured.
    pub approved: bool,
}

impl VerifiedWebhook {
    /// Creates a webhook about one payment at most; `kind` is None if the body names no type.
    pub(crate) fn new(id: EventId, kind: Option<&str>, report: Option<GatewayReport>) -> Self {
        let kind = kind.unwrap_or(UNREADABLE).to_owned();
        Self { id, kind, report, further: vec![], approved: false }
    }
}

impl<'a> WebhookDelivery<'a> {
    /// Returns a header that must occur exactly once.
    pub(crate) fn header(&self, name: &str) -> Result<&'a str, Forged> {
        let mut values = self.headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Forged::Header) };
        value.to_str().map_err(|_| Forged::Header)
    }

    /// Returns a header that may be missing, but not repeated.
    pub(crate) fn maybe_header(&self, name: &str) -> Result<Option<&'a str>, Forged> {
        if self.headers.contains_key(name) { self.header(name).map(Some) } else { Ok(None) }
    }

    /// Returns an error if the time differs from the time of receipt by more than the tolerance.
    pub(crate) fn within(&self, sent_millis: i64, tolerance_seconds: i64) -> Result<(), Forged> {
        let apart = self.now.millis().saturating_sub(sent_millis).saturating_abs();
        if apart <= tolerance_seconds.saturating_mul(1_000) { Ok(()) } else { Err(Forged::Time) }
    }
}
