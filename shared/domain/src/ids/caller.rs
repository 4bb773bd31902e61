//! Ids that callers bring, and those of their requests.
//!
//! **Invariant:** what is read here can stand in a key, a path and a log line as it is.

use super::text::{RESERVED_CUSTOMER_IDS, caller_id, text_id};
use crate::fingerprint::as_printed;
use crate::parse::ParseError;

text_id! {
    /// Who owns a wallet; brought by the caller.
    CustomerId
}

text_id! {
    /// An order of the caller's shop.
    OrderId
}

text_id! {
    /// For whom a gift card is, as the caller knows them: a customer's id, or another of the caller's.
    RecipientId
}

text_id! {
    /// What a supplier of gift cards calls a product.
    SupplierProductId
}

text_id! {
    /// One invocation; minted at the edge, unique.
    RequestId
}

text_id! {
    /// The caller's `Idempotency-Key`: 1–255 printable ASCII characters.
    IdempotencyKey
}

impl CustomerId {
    /// Reads a caller's id; words that are path segments are refused.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if RESERVED_CUSTOMER_IDS.contains(&text) {
            return Err(ParseError("is a reserved word"));
        }
        caller_id(text).map(|id| Self(id.to_owned()))
    }
}

impl OrderId {
    /// Reads a caller's id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        caller_id(text).map(|id| Self(id.to_owned()))
    }
}

impl RecipientId {
    /// Reads a caller's id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        caller_id(text).map(|id| Self(id.to_owned()))
    }
}

impl SupplierProductId {
    /// Reads a supplier's id, in the alphabet of callers' ids.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        caller_id(text).map(|id| Self(id.to_owned()))
    }
}

impl RequestId {
    /// Takes the id that the platform gave this invocation.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl IdempotencyKey {
    /// Reads the header's value; quotes around it (draft-ietf-httpapi-idempotency-key-header) are not part of it.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        if bare.is_empty() || bare.len() > 255 || !bare.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(ParseError("must be 1 to 255 printable ASCII characters"));
        }
        Ok(Self(bare.to_owned()))
    }
}

as_printed!(CustomerId, OrderId);
