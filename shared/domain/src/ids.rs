//! Identifiers: those that callers bring, and those that we mint.
//!
//! **Invariant:** an id that a caller brings is 1–128 characters of `A–Z a–z 0–9 . _ : @ - | + = ~`, so it can stand
//! in a key or a log line as it is. None of them separates parts of a key (`#`) or of a cause, which encodes them.
//! **Invariant:** an id that we mint is a function of what caused it, so a retry mints the same one.

use crate::cause::Cause;
use crate::hash::Hash;
use crate::parse::ParseError;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;

/// Segments of the wallet API's paths, and what paths treat specially: none of them can be a customer's id.
pub const RESERVED_CUSTOMER_IDS: [&str; 8] =
    ["create", "bulk", "rewards", "referral", "holds", "health", ".", ".."];

/// What ids that callers bring look like: those of shops and identity providers (`auth0|5f7c`, `ann+test@example.com`,
/// `+919812345678`) as they are.
pub const CALLER_ID_PATTERN: &str = "^[A-Za-z0-9._:@|+=~-]{1,128}$";

/// What paths treat specially: no id at all.
pub const DOT_SEGMENTS: [&str; 2] = [".", ".."];

/// What gateways' ids look like.
pub const GATEWAY_ID_PATTERN: &str = "^[A-Za-z0-9._:@-]{1,128}$";

fn is_gateways(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'@' | b'-')
}

fn is_id(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

fn caller_id(text: &str) -> Result<&str, ParseError> {
    if DOT_SEGMENTS.contains(&text) {
        return Err(ParseError("is a reserved word"));
    }
    let allowed = |b: u8| is_gateways(b) || matches!(b, b'|' | b'+' | b'=' | b'~');
    if is_id(text, allowed) {
        Ok(text)
    } else {
        Err(ParseError("must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ - | + = ~"))
    }
}

fn gateway_id(text: &str) -> Result<&str, ParseError> {
    if is_id(text, is_gateways) {
        Ok(text)
    } else {
        Err(ParseError("must be 1 to 128 characters of A-Z a-z 0-9 . _ : @ -"))
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub(crate) use text_id;

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
    /// A ledger entry as callers see it: `txn_<seq>_<hash>`; the number finds the entry in its account.
    TransactionId
}
text_id! {
    /// A wallet as callers see it: `wallet_<hash>`, one for each customer.
    WalletId
}
text_id! {
    /// What a customer hands to friends: eight characters that cannot be misread.
    ReferralCode
}
text_id! {
    /// The caller's `Idempotency-Key`: 1–255 printable ASCII characters.
    IdempotencyKey
}

text_id! {
    /// What a payment gateway calls one of its orders, payments, charges or reports.
    GatewayId
}
text_id! {
    /// A webhook event: `<endpoint>:<the gateway's id of it>`.
    EventId
}
text_id! {
    /// An alert: `alert_<hash of what it is about>`.
    AlertId
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

impl AlertId {
    /// The alert about this.
    pub fn of(kind: &str, subject: &str) -> Self {
        Self(format!("alert_{}", Hash::of(format!("{kind}|{subject}")).prefix(10)))
    }

    /// Reads an id.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let plain = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let known =
            text.strip_prefix("alert_").is_some_and(|tail| tail.len() == 20 && tail.bytes().all(plain));
        if known { Ok(Self(text.to_owned())) } else { Err(ParseError("is not the id of an alert")) }
    }

    /// Takes an id that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
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

impl WalletId {
    /// The wallet of a customer.
    pub fn of(customer: &CustomerId) -> Self {
        Self(format!("wallet_{}", Hash::of(format!("wallet|{customer}")).prefix(10)))
    }
}

impl TransactionId {
    /// The id of the entry with this number and cause.
    pub fn of(customer: &CustomerId, seq: u64, cause: &Cause) -> Self {
        Self(format!("txn_{seq}_{}", Hash::of(format!("{customer}|{seq}|{cause}")).prefix(10)))
    }

    /// Reads an id from a path; gives the entry's number to look it up by.
    pub fn parse(text: &str) -> Result<(Self, u64), ParseError> {
        const SHAPE: ParseError = ParseError("is not a transaction id");
        let rest = text.strip_prefix("txn_").ok_or(SHAPE)?;
        let (seq, hash) = rest.split_once('_').ok_or(SHAPE)?;
        if hash.len() != 20 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(SHAPE);
        }
        let number = seq.parse::<u64>().map_err(|_| SHAPE)?;
        Ok((Self(text.to_owned()), number))
    }

    /// Takes an id that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl ReferralCode {
    /// The `attempt`-th candidate for a customer's code (the first is taken unless another customer has it).
    pub fn mint(customer: &CustomerId, attempt: u32) -> Self {
        const ALPHABET: [char; 32] = [
            'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'N', 'P', 'Q', 'R', 'S', 'T', 'U',
            'V', 'W', 'X', 'Y', 'Z', '2', '3', '4', '5', '6', '7', '8', '9',
        ];
        let hash = Hash::of(format!("referral|{customer}|{attempt}"));
        let letter = |byte: &u8| ALPHABET.get(usize::from(byte % 32)).copied().unwrap_or('A');
        Self(hash.bytes().iter().take(8).map(letter).collect())
    }

    /// Takes a code that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// A hold; its text carries the customer, so that `/holds/{hold_id}` finds the wallet.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldId {
    text: String,
    customer: CustomerId,
}

impl HoldId {
    /// The id of the hold that this cause makes.
    pub fn mint(customer: &CustomerId, cause: &Cause) -> Self {
        let place = URL_SAFE_NO_PAD.encode(customer.as_str());
        let text = format!("hold_{place}.{}", Hash::of(format!("{customer}|{cause}")).prefix(10));
        Self { text, customer: customer.clone() }
    }

    /// Reads an id from a path or a stored item.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("is not a hold id");
        let (place, tail) = text.strip_prefix("hold_").and_then(|t| t.split_once('.')).ok_or(SHAPE)?;
        if tail.len() != 20 || !tail.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(SHAPE);
        }
        let customer = URL_SAFE_NO_PAD.decode(place).map_err(|_| SHAPE)?;
        let customer = String::from_utf8(customer).map_err(|_| SHAPE)?;
        let customer = CustomerId::parse(&customer).map_err(|_| SHAPE)?;
        Ok(Self { text: text.to_owned(), customer })
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whose wallet holds it.
    pub fn customer(&self) -> &CustomerId {
        &self.customer
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

impl fmt::Display for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for HoldId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
