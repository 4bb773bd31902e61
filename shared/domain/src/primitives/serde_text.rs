//! Stored documents: values that are written as text and read back by their parser.
//!
//! **Invariant:** a value that its parser rejects is not read; it is never replaced by a default.

/// Implements `Serialize` and `Deserialize` of a type by its text.
macro_rules! serde_by_text {
    ($($type:ty: $write:expr, $parse:expr;)*) => {
        $(
            impl serde::Serialize for $type {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let write: fn(&$type) -> String = $write;
                    serializer.serialize_str(&write(self))
                }
            }

            impl<'de> serde::Deserialize<'de> for $type {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                    let parse: fn(&str) -> Result<$type, $crate::parse::ParseError> = $parse;
                    parse(&text).map_err(|error| serde::de::Error::custom(error.0))
                }
            }
        )*
    };
}

pub(crate) use serde_by_text;
