//! Envelope encryption: unwraps data keys that AWS KMS has wrapped, once at start-up.
//!
//! **Invariant:** a wrapped key is not secret: only KMS can unwrap it, and only with this product's
//! encryption context.

use crate::VaultError;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_sdk_kms::primitives::Blob;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// A client for AWS KMS.
#[derive(Clone)]
pub struct Kms(Client);

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
    let config = aws_sdk_kms::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region))
        .credentials_provider(credentials)
        .http_client(http);
    let mut config = config;
    config.set_endpoint_url(endpoint);
    Kms(Client::from_conf(config.build()))
}

impl Kms {
    /// Unwraps a data key; `blob` is the base64 of KMS's `CiphertextBlob`.
    pub async fn unwrap(&self, blob: &str) -> Result<Vec<u8>, VaultError> {
        let blob = STANDARD.decode(blob).map_err(|_| VaultError::Malformed("a wrapped key"))?;
        let request =
            self.0.decrypt().ciphertext_blob(Blob::new(blob)).encryption_context("product", "scrip");
        let answer = request.send().await.map_err(|error| {
            let code =
                error.as_service_error().map(|error| error.meta().code().unwrap_or("refused").to_owned());
            VaultError::Unwrap(code.unwrap_or_else(|| "no response".to_owned()))
        })?;
        let plain = answer.plaintext.ok_or_else(|| VaultError::Unwrap("an empty response".to_owned()))?;
        Ok(plain.into_inner())
    }
}
