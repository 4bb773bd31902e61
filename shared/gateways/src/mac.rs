//! HMAC-SHA256 in hex, with which Razorpay, Stripe and the suppliers sign.
//!
//! **Invariant:** tags are compared in constant time; which of several secrets matched is not
//! revealed.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Returns true if `tag` (hex) is the HMAC of the concatenated `parts` under one of the secrets.
pub(crate) fn signed(secrets: &[SecretString], parts: &[&[u8]], tag: &str) -> bool {
    let Ok(tag) = hex::decode(tag) else { return false };
    let mut matched = false;
    for secret in secrets {
        let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.expose_secret().as_bytes()) else {
            continue;
        };
        for part in parts {
            mac.update(part);
        }
        matched |= mac.verify_slice(&tag).is_ok();
    }
    matched
}
