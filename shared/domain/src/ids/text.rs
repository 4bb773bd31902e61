//! The characters allowed in ids, and the macro that defines an id type.
//!
//! **Invariant:** an id supplied by a caller is 1–128 characters of
//! `A–Z a–z 0–9 . _ : @ - | + = ~`, so it can be used in a key or a log line as it is. None of these
//! characters separates parts of a key (`#`); causes encode their parts.

use crate::parse::ParseError;

/// Path segments of the wallet API, and dot segments: none of them can be a customer id.
pub const RESERVED_CUSTOMER_IDS: [&str; 8] =
    ["create", "bulk", "rewards", "referral", "holds", "health", ".", ".."];

/// Path segments of the order API, and dot segments: none of them can be an order id.
pub const RESERVED_ORDER_IDS: [&str; 4] = ["pay-with-wallet", "refund-to-wallet", ".", ".."];

/// Pattern of ids supplied by callers. It accepts ids of shops and identity providers unchanged
/// (`auth0|5f7c`, `ann+test@example.com`, `+919812345678`).
pub const CALLER_ID_PATTERN: &str = "^[A-Za-z0-9._:@|+=~-]{1,128}$";

/// Segments with a special meaning in paths; they cannot be ids.
pub const DOT_SEGMENTS: [&str; 2] = [".", ".."];

/// Pattern of gateways' ids.
pub const GATEWAY_ID_PATTERN: &str = "^[A-Za-z0-9._:@-]{1,128}$";

fn is_gateways(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'@' | b'-')
}

fn is_id(text: &str, allowed: impl Fn(u8) -> bool) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(allowed)
}

pub(super) fn caller_id(text: &str) -> Result<&str, ParseError> {
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

pub(super) fn gateway_id(text: &str) -> Result<&str, ParseError> {
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
            /// Returns the id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

pub(crate) use text_id;
