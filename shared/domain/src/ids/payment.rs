//! Payment gateways, and ids of what they and we call payments.
//!
//! **Invariant:** a gateway's id is 1–128 characters of `A–Z a–z 0–9 . _ : @ -`.
//! **Invariant:** an id that we mint is a function of what caused it, so a retry mints the same one.

use super::caller::CustomerId;
use super::cause::Cause;
use super::text::{DOT_SEGMENTS, gateway_id, text_id};
use crate::fingerprint::as_worded;
use crate::hash::Hash;
use crate::parse::ParseError;
use std::fmt;

/// A payment gateway that keeps orders of ours.
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

    /// Reads the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let known = Self::ALL.into_iter().find(|gateway| gateway.as_str() == text);
        known.ok_or(ParseError("must be one of razorpay, stripe, paypal"))
    }

    /// The contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Razorpay => "razorpay",
            Self::Stripe => "stripe",
            Self::PayPal => "paypal",
        }
    }
}

text_id! {
    /// What a payment gateway calls one of its orders, payments, charges or reports.
    GatewayId
}

text_id! {
    /// A webhook event: `<endpoint>:<the gateway's id of it>`.
    EventId
}

impl GatewayId {
    /// Reads a gateway's id; what paths treat specially is refused: we ask the gateway for it by path.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if DOT_SEGMENTS.contains(&text) {
            return Err(ParseError("is not an id"));
        }
        gateway_id(text).map(|id| Self(id.to_owned()))
    }
}

impl EventId {
    /// The event that a gateway calls `id`; an id in another alphabet is known by its digest.
    pub fn of(endpoint: &str, id: &str) -> Self {
        let plain =
            gateway_id(id).map_or_else(|_| format!("sha256-{}", Hash::of(id).prefix(16)), str::to_owned);
        Self(format!("{endpoint}:{plain}"))
    }

    /// Reads an id from a path.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text.split_once(':') {
            Some((_, id)) if DOT_SEGMENTS.contains(&id) => Err(ParseError("is not the id of an event")),
            Some(_) | None => Self::parse_stored(text),
        }
    }

    /// Reads an id from a stored item: a gateway may have called an event by a dot.
    pub fn parse_stored(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not the id of an event");
        let (endpoint, id) = text.split_once(':').ok_or(SHAPE)?;
        let known = ["razorpay", "stripe", "paypal", "google-pay"].contains(&endpoint);
        if known && gateway_id(id).is_ok() { Ok(Self(text.to_owned())) } else { Err(SHAPE) }
    }
}

/// A top-up; its text carries the customer, so that a gateway's report that names it finds the wallet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopUpId {
    text: String,
    customer: CustomerId,
}

impl TopUpId {
    /// The id of the top-up that this cause makes.
    pub fn mint(customer: &CustomerId, cause: &Cause) -> Self {
        let text = format!("topup_{}.{customer}", Hash::of(format!("topup|{customer}|{cause}")).prefix(10));
        Self { text, customer: customer.clone() }
    }

    /// Reads an id from a path, a body, a gateway's report or a stored item.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not a top-up id");
        let (hash, customer) = text.strip_prefix("topup_").and_then(|t| t.split_once('.')).ok_or(SHAPE)?;
        if hash.len() != 20 || !hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(SHAPE);
        }
        let customer = CustomerId::parse(customer).map_err(|_| SHAPE)?;
        Ok(Self { text: text.to_owned(), customer })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part without the customer: short, and as unlikely to be met twice.
    pub fn short(&self) -> &str {
        self.text.split('.').next().unwrap_or(&self.text)
    }

    /// Into whose wallet.
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

/// What a report can be found by: something of a gateway's, or a top-up of ours.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GatewayKey(String);

impl GatewayKey {
    /// An order of a gateway. Kept apart from payments: Stripe may call both the same.
    pub fn order(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("{}/order:{id}", gateway.as_str()))
    }

    /// A payment or charge of a gateway.
    pub fn of(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("{}:{id}", gateway.as_str()))
    }

    /// A top-up that a report names before we know it.
    pub fn topup(id: &TopUpId) -> Self {
        Self(id.to_string())
    }

    /// Takes a handle that was stored.
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

/// A refund or dispute, by its own id: `refund:razorpay:rfnd_1`, `dispute:stripe:dp_1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReversalId(String);

impl ReversalId {
    /// A refund.
    pub fn refund(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("refund:{}:{id}", gateway.as_str()))
    }

    /// A reversal that names no dispute: how PayPal takes a dispute's money.
    pub fn reversal(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("reversal:{}:{id}", gateway.as_str()))
    }

    /// True if it is one that names no dispute.
    pub fn is_unnamed(&self) -> bool {
        self.0.starts_with("reversal:")
    }

    /// True if it is a dispute.
    pub fn is_dispute(&self) -> bool {
        self.0.starts_with("dispute:")
    }

    /// A dispute.
    pub fn dispute(gateway: Gateway, id: &GatewayId) -> Self {
        Self(format!("dispute:{}:{id}", gateway.as_str()))
    }

    /// Takes an id that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
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
    /// A payment that can be taken back, as the ledger knows it: a top-up's id.
    PaymentRef
}

impl PaymentRef {
    /// A top-up.
    pub fn topup(id: &TopUpId) -> Self {
        Self(id.to_string())
    }

    /// Takes a reference that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

as_worded!(Gateway);
