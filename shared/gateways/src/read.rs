//! Reading gateways' JSON: what is missing or malformed is said, never guessed.
//!
//! **Invariant:** a gateway's own answer credits by the same rule as its webhook: captured, for what it says was captured.
//! **Invariant:** amounts are read from integers or decimal text; no number passes through a binary fraction.

use crate::PolledReport;
use crate::error::GatewayError;
use domain::currency::Currency;
use domain::hash::Hash;
use domain::ids::{GatewayId, TopUpId};
use domain::payments::gateway_report::GatewayReport;
use serde_json::Value;

/// The type of an event that does not say which it is.
pub(crate) const UNREADABLE: &str = "unreadable";

/// The body as JSON; null if it is none, so that nothing can be read from it.
pub(crate) fn parsed(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_default()
}

/// An event's own id; the same bytes without one are the same event.
pub(crate) fn named(event: Doc<'_>, body: &[u8]) -> String {
    let digest = || format!("sha256-{}", Hash::of(body).prefix(16));
    event.text("/id").map_or_else(digest, str::to_owned)
}

/// A value somewhere in a delivery.
#[derive(Clone, Copy)]
pub(crate) struct Doc<'a>(pub &'a Value);

impl<'a> Doc<'a> {
    /// What is at this pointer; null if there is nothing.
    pub fn at(self, pointer: &str) -> Doc<'a> {
        const NULL: &Value = &Value::Null;
        Doc(self.0.pointer(pointer).unwrap_or(NULL))
    }

    /// Text.
    pub fn text(self, pointer: &str) -> Option<&'a str> {
        self.at(pointer).0.as_str()
    }

    /// A gateway's id: text, or an object that was expanded in its place.
    pub fn id(self, pointer: &str) -> Option<GatewayId> {
        let text = self.text(pointer).or_else(|| self.at(pointer).text("/id"))?;
        GatewayId::parse(text).ok()
    }

    /// Whole minor units.
    pub fn units(self, pointer: &str) -> Option<u64> {
        self.at(pointer).0.as_u64()
    }

    /// A currency, in either case.
    pub fn currency(self, pointer: &str) -> Option<Currency> {
        Currency::parse(&self.text(pointer)?.to_ascii_uppercase()).ok()
    }

    /// A top-up of ours; another text in its place names nothing of ours.
    pub fn topup(self, pointer: &str) -> Option<TopUpId> {
        TopUpId::parse(self.text(pointer)?).ok()
    }

    /// The elements of a list.
    pub fn list(self, pointer: &str) -> impl Iterator<Item = Doc<'a>> {
        self.at(pointer).0.as_array().map(Vec::as_slice).unwrap_or_default().iter().map(Doc)
    }

    /// True if there is something.
    pub fn is_there(self) -> bool {
        !self.0.is_null()
    }
}

/// An answer that says this.
pub(crate) fn answered(report: Option<GatewayReport>, body: String) -> Result<PolledReport, GatewayError> {
    let report = report.ok_or(GatewayError::Unreadable("a field of the payment is missing"))?;
    Ok(PolledReport { report, body })
}

/// JSON that a gateway answered.
pub(crate) fn json(text: &str) -> Result<serde_json::Value, GatewayError> {
    serde_json::from_str(text).map_err(|_| GatewayError::Unreadable("it is not JSON"))
}
