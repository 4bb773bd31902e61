//! Envelope keys: data keys that AWS KMS has wrapped, unwrapped once at start.
//!
//! **Invariant:** a wrapped key is no secret; it opens only with KMS's consent, and only for this product (the
//! encryption context).

use crate::VaultError;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::{BehaviorVersion, Credentials, Region, SharedHttpClient};
use aws_sdk_kms::primitives::Blob;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// KMS.
#[derive(Clone)]
pub struct Kms(Client);

impl fmt::Debug for Kms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kms")
    }
}

/// A client for KMS; `endpoint` is another than AWS's own.
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
    /// Unwraps a data key (base64 of `CiphertextBlob`).
    pub async fn unwrap(&self, blob: &str) -> Result<Vec<u8>, VaultError> {
        let blob = STANDARD.decode(blob).map_err(|_| VaultError::Malformed("a wrapped key"))?;
        let request =
            self.0.decrypt().ciphertext_blob(Blob::new(blob)).encryption_context("product", "scrip");
        let answer = request.send().await.map_err(|error| {
            let code =
                error.as_service_error().map(|error| error.meta().code().unwrap_or("refused").to_owned());
            VaultError::Unwrap(code.unwrap_or_else(|| "no answer".to_owned()))
        })?;
        let plain = answer.plaintext.ok_or_else(|| VaultError::Unwrap("an empty answer".to_owned()))?;
        Ok(plain.into_inner())
    }
}
