//! Values that are stored as a JSON document in one attribute.
//!
//! **Invariant:** a document that cannot be read is an error of the stored data, never a default.

use crate::engine::error::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a value as a document.
pub(crate) fn document(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Corrupt(format!("a document: {error}")))
}

/// Reads a document.
pub(crate) fn read_document<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}
