//! A webhook as it came, and what it is once it is believed.
//!
//! **Invariant:** the body is the raw bytes that were sent: base64 of a gateway in between is undone, nothing else.

use crate::error::Forged;
use domain::ids::EventId;
use domain::payments::gateway_report::GatewayReport;
use domain::time::Timestamp;
use http::HeaderMap;

/// Which webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Razorpay's.
    Razorpay,
    /// Stripe's.
    Stripe,
    /// PayPal's.
    PayPal,
    /// Google Pay's: the gateway behind it, or wallet callbacks.
    GooglePay,
}

impl Endpoint {
    /// The last segment of its path, and the first part of its events' ids.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Razorpay => "razorpay",
            Self::Stripe => "stripe",
            Self::PayPal => "paypal",
            Self::GooglePay => "google-pay",
        }
    }

    /// The endpoint that an event's id begins with.
    pub fn of(event: &EventId) -> Option<Self> {
        let (endpoint, _) = event.as_str().split_once(':')?;
        [Self::Razorpay, Self::Stripe, Self::PayPal, Self::GooglePay]
            .into_iter()
            .find(|known| known.as_str() == endpoint)
    }
}

/// A webhook as it came.
#[derive(Clone, Copy, Debug)]
pub struct WebhookDelivery<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Its raw bytes.
    pub body: &'a [u8],
    /// When it came.
    pub now: Timestamp,
}

/// What a delivery says, once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedWebhook {
    /// Which.
    pub id: EventId,
    /// The gateway's word for its type.
    pub kind: String,
    /// What it says; none if a field that its type must have cannot be read.
    pub report: Option<GatewayReport>,
    /// It says that a customer has approved a PayPal order, which waits to be captured.
    pub approved: bool,
}

impl<'a> WebhookDelivery<'a> {
    /// A header that must be there once.
    pub(crate) fn header(&self, name: &str) -> Result<&'a str, Forged> {
        let mut values = self.headers.get_all(name).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Forged::Header) };
        value.to_str().map_err(|_| Forged::Header)
    }

    /// A header that may be missing, but not be repeated.
    pub(crate) fn maybe_header(&self, name: &str) -> Result<Option<&'a str>, Forged> {
        if self.headers.contains_key(name) { self.header(name).map(Some) } else { Ok(None) }
    }

    /// Refuses an instant that is further than this from now, in either direction.
    pub(crate) fn within(&self, sent_millis: i64, tolerance_seconds: i64) -> Result<(), Forged> {
        let apart = self.now.millis().saturating_sub(sent_millis).saturating_abs();
        if apart <= tolerance_seconds.saturating_mul(1_000) { Ok(()) } else { Err(Forged::Time) }
    }
}
