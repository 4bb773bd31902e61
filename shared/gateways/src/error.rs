//! Errors of calls to gateways, and reasons to refuse a delivery.
//!
//! **Invariant:** no variant contains a body, a secret or a signature, so none can reach a log.

use std::fmt;

/// A gateway's explanation of a refusal, in its own words. Shown to the caller, never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// Keeps the first 200 characters of a gateway's text, without control characters.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.chars().filter(|c| !c.is_control()).take(200).collect())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reason(…)")
    }
}

/// Error of a call that brought no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// The gateway is not configured.
    #[error("the gateway is not configured")]
    NotConfigured,
    /// No answer, a 429 or a 5xx: the outcome of the call is unknown.
    #[error("the gateway is unavailable: {0}")]
    Unreachable(String),
    /// The gateway refused the call.
    #[error("the gateway refused the call: {status} {code}")]
    Refused {
        /// HTTP status of the answer.
        status: u16,
        /// Gateway's error code; empty if it sends none.
        code: String,
        /// Gateway's explanation, if it sends one.
        reason: Option<Reason>,
    },
    /// The answer is not as documented, or the call cannot be prepared.
    #[error("the gateway's answer is not as documented: {0}")]
    Unreadable(&'static str),
}

impl GatewayError {
    /// Returns the error of a failed exchange of API keys for a token: a refusal is about the keys,
    /// so its status becomes 401.
    pub(crate) fn of_keys(self) -> Self {
        match self {
            Self::Refused { code, .. } => Self::Refused { status: 401, code, reason: None },
            other @ (Self::NotConfigured | Self::Unreachable(_) | Self::Unreadable(_)) => other,
        }
    }

    /// Returns the gateway's reason if it would refuse the same call every time. `None` for a
    /// refusal because of our keys (401, 403), a conflict (409) or load (429), and for an answer
    /// without an error code of the gateway, such as that of a proxy.
    pub fn final_reason(&self) -> Option<&str> {
        match self {
            Self::Refused { status: 400 | 402 | 422, code, reason }
                if !code.is_empty() && code != "idempotency_error" =>
            {
                Some(reason.as_ref().map_or(code.as_str(), Reason::as_str))
            }
            Self::Refused { .. } | Self::NotConfigured | Self::Unreachable(_) | Self::Unreadable(_) => None,
        }
    }
}

/// Why a delivery fails verification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// A header that must occur exactly once is missing or repeated.
    #[error("a signature header is missing or repeated")]
    Header,
    /// The signature does not match these bytes under any of our secrets.
    #[error("the signature does not match")]
    Signature,
    /// The delivery was sent too long ago, or its time is in the future.
    #[error("the time is outside the tolerance")]
    Time,
    /// The signature algorithm is not the accepted one.
    #[error("the algorithm is not accepted")]
    Algorithm,
    /// The certificate is at an address that is not allowed.
    #[error("the certificate's address is not allowed")]
    Address,
    /// The certificate is expired, untrusted, or issued for another name.
    #[error("the certificate is not valid")]
    Certificate,
    /// A key that signed the delivery has expired.
    #[error("a signing key has expired")]
    Expired,
    /// The delivery does not have the documented form.
    #[error("the delivery is malformed")]
    Shape,
}

/// Why a delivery is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The delivery fails verification.
    #[error("{0}")]
    Forged(#[from] Forged),
    /// The gateway that could verify it is not configured.
    #[error("the gateway is not configured")]
    NotConfigured,
    /// A certificate or service that the verification needs is unavailable.
    #[error("cannot be verified now: {0}")]
    Unavailable(#[from] GatewayError),
}
