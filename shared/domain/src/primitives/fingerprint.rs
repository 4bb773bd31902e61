//! What a request asked for, in 22 characters: tells a repetition from another request with the same key.
//!
//! **Invariant:** requests that are equal after parsing have equal fingerprints (`100` and `100.00`); who
//! asked is no part of it.

use crate::hash::Hash;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt::{self, Write};

/// The digest of a request's meaning.
#[derive(Clone, PartialEq, Eq)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of named parts; `None` differs from any text.
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

    /// Takes a fingerprint that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How a value stands in a fingerprint; `None`: it was not sent, which differs from any text. Fingerprints are stored: the
/// text of a type never changes.
pub trait Fingerprinted {
    /// The text of the value as it was understood: equal values have equal texts.
    fn fingerprint_text(&self) -> Option<String>;
}

impl<T: Fingerprinted> Fingerprinted for Option<T> {
    fn fingerprint_text(&self) -> Option<String> {
        self.as_ref().and_then(T::fingerprint_text)
    }
}

/// Values whose text is how they print.
macro_rules! as_printed {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::fingerprint::Fingerprinted for $type {
            fn fingerprint_text(&self) -> Option<String> {
                Some(self.to_string())
            }
        })*
    };
}

/// Values whose text is their word in the contract.
macro_rules! as_worded {
    ($($type:ty),* $(,)?) => {
        $(impl $crate::fingerprint::Fingerprinted for $type {
            fn fingerprint_text(&self) -> Option<String> {
                Some(self.as_str().to_owned())
            }
        })*
    };
}

pub(crate) use {as_printed, as_worded};

as_printed!(bool, u8, u16, u32, u64, String);

/// Defines a request that an `Idempotency-Key` may name, and its fingerprint: each field says by which name it is part of
/// that, or `_` if it is not (it tells the key itself apart, such as the account; or it is the cause). So no field can be added
/// without saying so, and none can be forgotten.
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
            /// What is asked for: tells a repetition from another request with the same key.
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
