//! Why a gateway could not be asked, or a delivery is not believed.
//!
//! **Invariant:** no variant holds a body, a secret or a signature, so none can reach a log.

use std::fmt;

/// Why a gateway refuses, in its own words: for the caller, and for no log.
#[derive(Clone, PartialEq, Eq)]
pub struct Reason(String);

impl Reason {
    /// The first sentences of what a gateway says, without what no message needs.
    pub(crate) fn of(text: &str) -> Self {
        Self(text.chars().filter(|c| !c.is_control()).take(200).collect())
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reason(…)")
    }
}

/// A call that brought no answer we can use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GatewayError {
    /// This gateway is not configured.
    #[error("the gateway is not configured")]
    NotConfigured,
    /// No answer, or a 5xx: it may have been done.
    #[error("the gateway does not answer: {0}")]
    Unreachable(String),
    /// It answered that it will not.
    #[error("the gateway refuses: {status} {code}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The gateway's own code, where it gives one.
        code: String,
        /// Its reason, where it gives one.
        reason: Option<Reason>,
    },
    /// An answer that is not as documented.
    #[error("the gateway's answer is not as documented: {0}")]
    Unreadable(&'static str),
}

impl GatewayError {
    /// What went wrong when keys were exchanged for a token.
    pub(crate) fn of_keys(self) -> Self {
        match self {
            Self::Refused { code, .. } => Self::Refused { status: 401, code, reason: None },
            other @ (Self::NotConfigured | Self::Unreachable(_) | Self::Unreadable(_)) => other,
        }
    }

    /// The gateway's reason, if it refuses what it was asked whenever it is asked: not for our keys (401, 403), a conflict (409) or
    /// its load (429), and in its own format, not that of a proxy in between.
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

/// Why a delivery is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// A header that must be there once is missing or repeated.
    #[error("a signature header is missing or repeated")]
    Header,
    /// The signature is not that of these bytes under any of our secrets.
    #[error("the signature does not match")]
    Signature,
    /// Sent too long ago, or in the future.
    #[error("the time is outside the tolerance")]
    Time,
    /// Another algorithm than the one that is accepted.
    #[error("the algorithm is not accepted")]
    Algorithm,
    /// The certificate is elsewhere than it may be.
    #[error("the certificate's address is not allowed")]
    Address,
    /// The certificate is expired, untrusted, or for another name.
    #[error("the certificate is not valid")]
    Certificate,
    /// A key that signed it has expired.
    #[error("a signing key has expired")]
    Expired,
    /// It is not shaped as such deliveries are.
    #[error("the delivery is malformed")]
    Shape,
}

/// Why a delivery is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It must not be believed.
    #[error("{0}")]
    Forged(#[from] Forged),
    /// Nothing verifies deliveries of this kind here.
    #[error("the gateway is not configured")]
    NotConfigured,
    /// What is needed to verify it cannot be had at the moment.
    #[error("cannot be verified now: {0}")]
    Unavailable(#[from] GatewayError),
}
