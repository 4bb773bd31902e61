//! The platform's secrets: made at the first start, kept in the data directory.
//!
//! **Invariant:** no secret is in the source or printed; a token made before a restart is valid after it.

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

/// The keys of one platform.
pub struct Keys {
    /// Signs tokens.
    pub encoding: EncodingKey,
    /// Verifies tokens.
    pub decoding: DecodingKey,
    /// The id of that pair.
    pub kid: String,
    /// The public half, as a JWKS holds it.
    pub jwk: serde_json::Value,
    /// Seals cursors.
    pub cursor: Vec<u8>,
}

fn random() -> [u8; 32] {
    let mut bytes = [0_u8; 32];
    OsRng.fill_bytes(&mut bytes);
    bytes
}

/// A fresh secret, as text that stands in a header.
pub fn secret() -> String {
    URL_SAFE_NO_PAD.encode(random())
}

/// A fresh key of 32 bytes, base64.
pub fn key_bytes() -> String {
    STANDARD.encode(random())
}

impl Keys {
    /// Reads the keys, or makes them.
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
