//! Fingerprints of requests: 22 characters that distinguish a repetition from another request with
//! the same key.
//!
//! **Invariant:** requests that are equal after parsing have equal fingerprints (`100` and
//! `100.00`); the caller is not part of the fingerprint.

use crate::hash::Hash;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::{self, Write};

/// The digest of a request's content: the first 16 bytes of a SHA-256, in base64url.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// Returns the fingerprint of named parts; `None` differs from any text.
    pub fn of(parts: &[(&str, Option<String>)]) -> Self {
        let mut text = String::new();
        for (name, value) in parts {
            if let Some(value) = value {
                let _ = write!(text, "{name}={}:{value};", value.len());
            }
        }
        let hash = Hash::of(text);
        Self(URL_SAFE_NO_PAD.encode(hash.bytes().get(..16).unwrap_or(hash.bytes())))
    }

    /// Wraps a stored fingerprint.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The representation of a value in a fingerprint. Fingerprints are stored, so the representation
/// of a type never changes.
pub trait Fingerprinted {
    /// Returns the text of the parsed value; equal values have equal texts. `None` means that the
    /// value was not sent, which differs from any text.
    fn fingerprint_text(&self) -> Option<String>;
}

impl<T: Fingerprinted> Fingerprinted for Option<T> {
    fn fingerprint_text(&self) -> Option<String> {
        self.as_ref().and_then(T::fingerprint_text)
    }
}

/// Implements [`Fingerprinted`] for types by their `Display` text.
macro_rules! fingerprint_by_display {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::fingerprint::Fingerprinted for $type {
            fn fingerprint_text(&self) -> Option<String> {
                Some(self.to_string())
            }
        })*
    };
}

/// Implements [`Fingerprinted`] for types by their word in the contract (`as_str`).
macro_rules! fingerprint_by_word {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::fingerprint::Fingerprinted for $type {
            fn fingerprint_text(&self) -> Option<String> {
                Some(self.as_str().to_owned())
            }
        })*
    };
}

pub(crate) use {fingerprint_by_display, fingerprint_by_word};

fingerprint_by_display!(bool, u8, u16, u32, u64, String);

/// Defines a request that an `Idempotency-Key` can name, with its fingerprint. Each field states
/// the name under which it is part of the fingerprint, or `_` if it is not part of it (because it
/// is part of the key itself, such as the account, or is the cause). So a field cannot be added
/// without this choice, and none can be forgotten.
///
/// ```
/// domain::fingerprint::keyed_request! {
///     /// Lend a book.
///     #[derive(Clone, Debug)]
///     pub struct Lend ("lend") {
///         /// To whom; every reader has keys of their own.
///         pub reader: String => _,
///         /// Which.
///         pub book: String => "book",
///         /// For how long; as the library says, if left out.
///         pub days: Option<u32> => "days",
///     }
/// }
/// let lend = |days| Lend { reader: "ann".into(), book: "b1".into(), days }.fingerprint();
/// assert!(lend(Some(7)) == lend(Some(7)) && lend(Some(7)) != lend(None));
/// ```
#[macro_export]
macro_rules! keyed_request {
    ($(#[$meta:meta])* $vis:vis struct $name:ident $(($operation:literal))? {
        $($(#[$field_meta:meta])* $field_vis:vis $field:ident: $type:ty => $part:tt),* $(,)?
    }) => {
        $(#[$meta])*
        $vis struct $name {
            $($(#[$field_meta])* $field_vis $field: $type,)*
        }

        impl $name {
            /// Returns the fingerprint, which distinguishes a repetition from another request with
            /// the same key.
            pub fn fingerprint(&self) -> $crate::fingerprint::Fingerprint {
                let parts = [
                    $(Some(("op", Some($operation.to_owned()))),)?
                    $($crate::keyed_request!(@part self.$field, $part),)*
                ];
                let parts: Vec<_> = parts.into_iter().flatten().collect();
                $crate::fingerprint::Fingerprint::of(&parts)
            }
        }
    };
    (@part $value:expr, _) => { None };
    (@part $value:expr, $name:literal) => {
        Some(($name, $crate::fingerprint::Fingerprinted::fingerprint_text(&$value)))
    };
}

pub use keyed_request;

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
