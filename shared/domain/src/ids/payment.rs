//! Payment gateways, and ids of payments on both sides.
//!
//! **Invariant:** a gateway's id is 1–128 characters of `A–Z a–z 0–9 . _ : @ -`.
//! **Invariant:** an id created here is a function of its cause, so a retry creates the same id.

use super::caller::CustomerId;
use super::cause::Cause;
use super::text::{DOT_SEGMENTS, gateway_id, text_id};
use crate::fingerprint::fingerprint_by_word;
use crate::hash::Hash;
use crate::parse::ParseError;
use std::fmt;

/// A payment gateway at which orders are created for top-ups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gateway {
    /// Razorpay.
    Razorpay,
    /// Stripe.
    Stripe,
    /// PayPal.
    PayPal,
}

impl Gateway {
    /// Every gateway, the default first.
    pub const ALL: [Self; 3] = [Self::Razorpay, Self::Stripe, Self::PayPal];

    /// Parses the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = Self::ALL.into_iter().find(|gateway| gateway.as_str() == text);
        known.ok_or(ParseError("must be one of razorpay, stripe, paypal"))
    }

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Razorpay => "razorpay",
            Self::Stripe => "stripe",
            Self::PayPal => "paypal",
        }
    }
}

text_id! {
    /// An id assigned by a payment gateway to an order, payment, charge or report.
    GatewayId
}

text_id! {
    /// A webhook event: `<endpoint>:<the gateway's id of the event>`.
    EventId
}

impl GatewayId {
    /// Parses a gateway's id. Dot segments are rejected, because the id is used in request paths of
    /// the gateway's API.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if DOT_SEGMENTS.contains(&text) {
            return Err(ParseError("is not an id"));
        }
        gateway_id(text).map(|id| Self(id.to_owned()))
    }
}

impl EventId {
    /// Returns the id of the event that a gateway calls `id`; an id with other characters is
    /// replaced by its digest.
    pub fn of(endpoint: &str, id: &str) -> Self {
        let plain =
            gateway_id(id).map_or_else(|_| format!("sha256-{}", Hash::of(id).prefix(16)), str::to_owned);
        Self(format!("{endpoint}:{plain}"))
    }

    /// Parses an id from a path.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text.split_once(':') {
            Some((_, id)) if DOT_SEGMENTS.contains(&id) => Err(ParseError("is not the id of an event")),
            Some(_) | None => Self::parse_stored(text),
        }
    }

    /// Parses an id from a stored item, in which the gateway's id can be a dot segment.
    pub fn parse_stored(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not the id of an event");
        let (endpoint, id) = text.split_once(':').ok_or(SHAPE)?;
        let known = ["razorpay", "stripe", "paypal", "google-pay"].contains(&endpoint);
        if known && gateway_id(id).is_ok() { Ok(Self(text.to_owned())) } else { Err(SHAPE) }
    }
}

/// A top-up. Its text contains the customer, so that a gateway's report that names it leads to the
/// wallet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopUpId {
    text: String,
    customer: CustomerId,
}

impl TopUpId {
    /// Returns the id of the top-up that this cause starts.
    pub fn mint(customer: &CustomerId, cause: &Cause) -> Self {
        let text = format!("topup_{}.{customer}", Hash::of(format!("topup|{customer}|{cause}")).prefix(10));
        Self { text, customer: customer.clone() }
    }

    /// Parses an id from a path, a body, a gateway's report or a stored item.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not a top-up id");
        let (hash, customer) = text.strip_prefix("topup_").and_then(|t| t.split_once('.')).ok_or(SHAPE)?;
        if hash.len() != 20 || !hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(SHAPE);
        }
        let customer = CustomerId::parse(customer).map_err(|_| SHAPE)?;
        Ok(Self { text: text.to_owned(), customer })
    }

    /// Returns the id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the part without the customer: shorter, and just as unlikely to collide.
    pub fn short(&self) -> &str {
        self.text.split('.').next().unwrap_or(&self.text)
    }

    /// Returns the customer whose wallet is topped up.
    pub fn customer(&self) -> &CustomerId {
        &self.customer
    }
}

impl fmt::Display for TopUpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TopUpId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A gateway reference: the key by which a report is matched, which is an order or payment of a
/// gateway, or a top-up.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayKey(String);

impl GatewayKey {
    /// Returns the reference of a gateway's order. It differs from that of a payment, because
    /// Stripe can use the same id for both.
    pub fn order(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("{}/order:{id}", gateway.as_str()))
    }

    /// Returns the reference of a gateway's payment or charge.
    pub fn of(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("{}:{id}", gateway.as_str()))
    }

    /// Returns the reference of a top-up that a report can name before the top-up is stored.
    pub fn topup(id: &TopUpId) -> Self {
        Self(id.to_string())
    }

    /// Wraps a stored reference.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for GatewayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for GatewayKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A refund or dispute, identified by its own id: `refund:razorpay:rfnd_1`, `dispute:stripe:dp_1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReversalId(String);

impl ReversalId {
    /// Returns the id of a refund.
    pub fn refund(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("refund:{}:{id}", gateway.as_str()))
    }

    /// Returns the id of a reversal that names no dispute; PayPal takes back the money of a dispute
    /// in this way.
    pub fn reversal(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("reversal:{}:{id}", gateway.as_str()))
    }

    /// Returns true for a reversal that names no dispute.
    pub fn is_unnamed(&self) -> bool {
        self.0.starts_with("reversal:")
    }

    /// Returns true for a dispute.
    pub fn is_dispute(&self) -> bool {
        self.0.starts_with("dispute:")
    }

    /// Returns the id of a dispute.
    pub fn dispute(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("dispute:{}:{id}", gateway.as_str()))
    }

    /// Wraps a stored id.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReversalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ReversalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_id! {
    /// A payment that can be reversed, as the ledger refers to it: a top-up's id.
    PaymentRef
}

impl PaymentRef {
    /// Returns the reference to a top-up.
    pub fn topup(id: &TopUpId) -> Self {
        Self(id.to_string())
    }

    /// Returns the part without the customer: shorter, and just as unlikely to collide.
    pub fn short(&self) -> &str {
        self.0.split('.').next().unwrap_or(&self.0)
    }

    /// Wraps a stored reference.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

fingerprint_by_word!(Gateway);
