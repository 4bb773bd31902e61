//! Reads gateways' JSON: a missing or malformed field makes a report unreadable and is never
//! guessed.
//!
//! **Invariant:** a polled answer credits by the same rule as a webhook: only a captured payment,
//! with the amount that was captured.
//! **Invariant:** amounts are read from integers or decimal text, never through a binary
//! floating-point number.

use crate::PolledReport;
use crate::error::GatewayError;
use domain::currency::Currency;
use domain::hash::Hash;
use domain::ids::{GatewayId, TopUpId};
use domain::payments::gateway_report::GatewayReport;
use serde_json::Value;

/// Type of an event that states none.
pub(crate) const UNREADABLE: &str = "unreadable";

/// Parses the body as JSON; returns null if it is malformed, so that no field can be read from it.
pub(crate) fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// Returns an event's own id, or a digest of its bytes, so that the same bytes without an id are
/// the same event.
pub(crate) fn named(event: Doc<'_>, body: &[u8]) -> String {
    let digest = || format!("sha256-{}", Hash::of(body).prefix(16));
    event.text("/id").map_or_else(digest, str::to_owned)
}

/// A value in a gateway's JSON. The methods take JSON pointers.
#[derive(Clone, Copy)]
pub(crate) struct Doc<'a>(pub &'a Value);

impl<'a> Doc<'a> {
    /// Returns the value at the pointer, or null.
    pub fn at(self, pointer: &str) -> Doc<'a> {
        const NULL: &Value = &Value::Null;
        Doc(self.0.pointer(pointer).unwrap_or(NULL))
    }

    /// Returns a text.
    pub fn text(self, pointer: &str) -> Option<&'a str> {
        self.at(pointer).0.as_str()
    }

    /// Returns a gateway's id: a text, or the `id` of an object that was expanded in its place.
    pub fn id(self, pointer: &str) -> Option<GatewayId> {
        let text = self.text(pointer).or_else(|| self.at(pointer).text("/id"))?;
        GatewayId::parse(text).ok()
    }

    /// Returns a whole number of minor units.
    pub fn units(self, pointer: &str) -> Option<u64> {
        self.at(pointer).0.as_u64()
    }

    /// Returns a currency, written in capital or small letters.
    pub fn currency(self, pointer: &str) -> Option<Currency> {
        Currency::parse(&self.text(pointer)?.to_ascii_uppercase()).ok()
    }

    /// Returns the id of our top-up; `None` for any other text.
    pub fn topup(self, pointer: &str) -> Option<TopUpId> {
        TopUpId::parse(self.text(pointer)?).ok()
    }

    /// Returns the elements of a list; none if the value is not a list.
    pub fn list(self, pointer: &str) -> impl Iterator<Item = Doc<'a>> {
        self.at(pointer).0.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(Doc)
    }

    /// Returns true if the value is not null.
    pub fn is_there(self) -> bool {
        !self.0.is_null()
    }
}

/// Returns a polled report and its body; an error if a required field is missing.
pub(crate) fn answered(report: Option<GatewayReport>, body: String) -> Result<PolledReport, GatewayError> {
    let report = report.ok_or(GatewayError::Unreadable("a field of the payment is missing"))?;
    Ok(PolledReport { report, body })
}

/// Parses a gateway's answer.
pub(crate) fn json(text: &str) -> Result<serde_json::Value, GatewayError> {
    serde_json::from_str(text).map_err(|_| GatewayError::Unreadable("it is not JSON"))
}
