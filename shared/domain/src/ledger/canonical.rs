//! Canonical bytes: what an entry's hash covers.
//!
//! **Invariant:** a line is `name=length:value`, so no value can be mistaken for the next line.

use crate::ledger::lot::Lot;

/// Returns a lot as canonical text: `date|class|source|amount`.
pub(super) fn lot_text(lot: &Lot) -> String {
    let date = lot.expires_on.map_or_else(|| "never".to_owned(), |date| date.to_string());
    format!("{date}|{}|{}|{}", lot.class.as_str(), lot.source.as_str(), lot.amount)
}

/// Canonical lines.
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Returns the bytes of all lines.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    pub(super) fn put(&mut self, name: &str, value: &dyn std::fmt::Display) {
        let value = value.to_string();
        self.0.extend_from_slice(format!("{name}={}:{value}\n", value.len()).as_bytes());
    }

    pub(super) fn maybe(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.put(name, &value);
        }
    }
}
