//! Ids supplied by callers, and the ids of their requests.
//!
//! **Invariant:** every id parsed here can be used in a key, a path and a log line as it is; an
//! idempotency key is encoded first.

use super::text::{RESERVED_CUSTOMER_IDS, RESERVED_ORDER_IDS, caller_id, text_id};
use crate::fingerprint::fingerprint_by_display;
use crate::parse::ParseError;

text_id! {
    /// The owner of a wallet; chosen by the caller.
    CustomerId
}

text_id! {
    /// An order of the caller's shop.
    OrderId
}

text_id! {
    /// The recipient of a gift card: a customer id, or another id chosen by the caller.
    RecipientId
}

text_id! {
    /// A product id assigned by a supplier of gift cards.
    SupplierProductId
}

text_id! {
    /// One invocation; unique.
    RequestId
}

text_id! {
    /// The caller's `Idempotency-Key`: 1–255 printable ASCII characters.
    IdempotencyKey
}

impl CustomerId {
    /// Parses a caller's id; rejects words that are path segments.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if RESERVED_CUSTOMER_IDS.contains(&text) {
            return Err(ParseError("is a reserved word"));
        }
        caller_id(text).map(|id| Self(id.to_owned()))
    }
}

impl OrderId {
    /// Parses a caller's id; rejects words that are path segments.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if RESERVED_ORDER_IDS.contains(&text) {
            return Err(ParseError("is a reserved word"));
        }
        Self::parse_stored(text)
    }

    /// Parses a stored id, which an earlier version may have accepted although it is a path segment.
    pub fn parse_stored(text: &str) -> Result<Self, ParseError> {
        caller_id(text).map(|id| Self(id.to_owned()))
    }
}

impl RecipientId {
    /// Parses a caller's id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        caller_id(text).map(|id| Self(id.to_owned()))
    }
}

impl SupplierProductId {
    /// Parses a supplier's id; the same characters are allowed as in callers' ids.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        caller_id(text).map(|id| Self(id.to_owned()))
    }
}

impl RequestId {
    /// Wraps the id that the platform assigned to this invocation.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl IdempotencyKey {
    /// Parses the header's value; quotes around it (draft-ietf-httpapi-idempotency-key-header) are
    /// not part of the key.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
        if bare.is_empty() || bare.len() > 255 || !bare.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            return Err(ParseError("must be 1 to 255 printable ASCII characters"));
        }
        Ok(Self(bare.to_owned()))
    }
}

fingerprint_by_display!(CustomerId, OrderId);
