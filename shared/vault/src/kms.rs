//! Envelope encryption: unwraps data keys that AWS KMS has wrapped, once at start-up.
//!
//! **Invariant:** a wrapped key is not secret: only KMS can unwrap it, and only with this product's
//! encryption context.

use crate::VaultError;
use aws::{CallError, Credentials, Service, Settings};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use std::fmt;

/// A client for AWS KMS.
#[derive(Clone)]
pub struct Kms(Service);

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kms")
    }
}

/// Creates a client for KMS; `endpoint`, if set, replaces the AWS endpoint.
pub fn connect(
    region: String,
    endpoint: Option<String>,
    credentials: Credentials,
    http: SharedHttpClient,
) -> Kms {
    Kms(Service::new(Settings { service: "kms", region, endpoint, credentials }, http))
}

impl Kms {
    /// Unwraps a data key; `blob` is the base64 of KMS's `CiphertextBlob`.
    pub async fn unwrap(&self, blob: &str) -> Result<Vec<u8>, VaultError> {
        #[derive(Deserialize)]
        struct Decrypted {
            #[serde(rename = "Plaintext")]
            plaintext: String,
        }
        STANDARD.decode(blob).map_err(|_| VaultError::Malformed("a wrapped key"))?;
        let request = json!({"CiphertextBlob": blob, "EncryptionContext": {"product": "scrip"}});
        let answer = self.0.call::<Decrypted>("TrentService.Decrypt", &request).await;
        let plaintext = answer.map(|answer| answer.plaintext).map_err(|error| match error {
            CallError::Refused(code) => VaultError::Unwrap(code),
            CallError::NoAnswer(_) => VaultError::Unwrap("no response".to_owned()),
            CallError::Malformed => VaultError::Unwrap("an empty response".to_owned()),
        })?;
        STANDARD.decode(plaintext).map_err(|_| VaultError::Unwrap("an empty response".to_owned()))
    }
}
