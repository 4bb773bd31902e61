//! Secrets of the platform, generated at the first start and kept in the data directory.
//!
//! **Invariant:** no secret is in the source code or printed; a token issued before a restart stays
//! valid after it.

use crate::Failure;
use crate::data::DataDir;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, EncodingKey};
use rsa::RsaPrivateKey;
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::rand_core::{OsRng, RngCore};
use rsa::traits::PublicKeyParts;
use sha2::{Digest, Sha256};

/// Keys of one platform.
pub struct Keys {
    /// Private key that signs tokens.
    pub encoding: EncodingKey,
    /// Public key that verifies tokens.
    pub decoding: DecodingKey,
    /// Id of the key pair: its RFC 7638 thumbprint.
    pub kid: String,
    /// Public key in JWK format.
    pub jwk: serde_json::Value,
    /// Key that seals cursors.
    pub cursor: Vec<u8>,
}

fn random() -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

/// Returns a random secret as text that can be used in a header.
pub fn secret() -> String {
    URL_SAFE_NO_PAD.encode(random())
}

/// Returns a random key of 32 bytes in base64.
pub fn key_bytes() -> String {
    STANDARD.encode(random())
}

impl Keys {
    /// Reads the keys; generates them if they do not exist.
    pub fn open(data: &DataDir) -> Result<Self, Failure> {
        let pem = data.read_or_make("jwt-key.pem", || {
            let key = RsaPrivateKey::new(&mut OsRng, 2_048)?;
            Ok(key.to_pkcs8_pem(LineEnding::LF)?.to_string())
        })?;
        let cursor = data.read_or_make("cursor-key", || Ok(secret()))?;
        let key = RsaPrivateKey::from_pkcs8_pem(&pem)?;
        let n = URL_SAFE_NO_PAD.encode(key.n().to_bytes_be());
        let e = URL_SAFE_NO_PAD.encode(key.e().to_bytes_be());
        // RFC 7638: the thumbprint of the required members in lexicographic order.
        let thumbprint = Sha256::digest(format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#));
        let kid = URL_SAFE_NO_PAD.encode(thumbprint);
        Ok(Self {
            encoding: EncodingKey::from_rsa_pem(pem.as_bytes())?,
            decoding: DecodingKey::from_rsa_components(&n, &e)?,
            jwk: serde_json::json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": n, "e": e}),
            kid,
            cursor: cursor.into_bytes(),
        })
    }
}
