//! Why a gateway could not be asked, or a delivery is not believed.
//!
//! **Invariant:** no variant holds a body, a secret or a signature, so none can reach a log.

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
    },
    /// An answer that is not as documented.
    #[error("the gateway's answer is not as documented: {0}")]
    Unreadable(&'static str),
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
