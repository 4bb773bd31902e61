//! Sealing: encrypts stored secrets with AES-256-GCM, so that read access to the table does not reveal
//! them.
//!
//! **Invariant:** sealed bytes open only under the name that they were sealed under (the associated
//! data), and only while their key is configured.
//! **Invariant:** the first key seals, the others only open, so keys can be rotated.

use crate::VaultError;
use crate::kms::Kms;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// Sealing keys by id; `Debug` shows only the ids.
#[derive(Clone)]
pub struct SealKeys(Arc<Vec<(String, LessSafeKey)>>);

impl fmt::Debug for SealKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<&str> = self.0.iter().map(|(id, _)| id.as_str()).collect();
        write!(f, "SealKeys({})", ids.join(", "))
    }
}

fn key_of(text: &str) -> Option<[u8; 32]> {
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.or_else(|| (text.len() >= 32).then(|| Sha256::digest(text).into()))
}

impl SealKeys {
    /// Parses `id:key,id:key`. A key is 32 bytes in base64, or a random text of at least 32 characters,
    /// whose SHA-256 is used as the key.
    pub fn parse(text: &str) -> Option<Self> {
        let key = |part: &str| {
            let (id, key) = part.trim().split_once(':')?;
            let key = UnboundKey::new(&AES_256_GCM, &key_of(key)?).ok()?;
            let plain = !id.is_empty() && id.len() <= 32 && id.bytes().all(|b| b.is_ascii_alphanumeric());
            plain.then(|| (id.to_owned(), LessSafeKey::new(key)))
        };
        let keys: Option<Vec<_>> = text.split(',').map(key).collect();
        keys.filter(|keys| !keys.is_empty()).map(|keys| Self(Arc::new(keys)))
    }

    /// Returns an empty set of keys, which can neither seal nor open.
    pub(crate) fn none() -> Self {
        Self(Arc::default())
    }

    /// Parses keys as [`SealKeys::parse`] does, and unwraps those of the form `id:kms:blob` with KMS.
    pub async fn open_all(text: &str, kms: Option<&Kms>) -> Result<Self, VaultError> {
        const MALFORMED: VaultError = VaultError::Malformed("a list of keys");
        let mut plain = Vec::new();
        for part in text.split(',') {
            let (id, key) = part.trim().split_once(':').ok_or(MALFORMED)?;
            plain.push(match (key.strip_prefix("kms:"), kms) {
                (Some(blob), Some(kms)) => format!("{id}:{}", STANDARD.encode(kms.unwrap(blob).await?)),
                (Some(_), None) => return Err(MALFORMED),
                (None, _) => format!("{id}:{key}"),
            });
        }
        Self::parse(&plain.join(",")).ok_or(MALFORMED)
    }

    /// Seals bytes under a name with the first key.
    ///
    /// The result is the key's id, a colon, the nonce, and the ciphertext with its tag.
    pub fn seal(&self, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let (id, key) = self.0.first()?;
        let mut nonce = [0_u8; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = bytes.to_vec();
        let aad = Aad::from(name.as_bytes());
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
        Some([id.as_bytes(), b":", &nonce, &sealed].concat())
    }

    /// Opens bytes that were sealed under this name; `None` if the key is unknown or the tag does not
    /// match.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let end = sealed.iter().position(|byte| *byte == b':')?;
        let (id, rest) = sealed.split_at_checked(end)?;
        let (nonce, sealed) = rest.get(1..)?.split_first_chunk::<NONCE_LEN>()?;
        let (_, key) = self.0.iter().find(|(known, _)| known.as_bytes() == id)?;
        let mut bytes = sealed.to_vec();
        let aad = Aad::from(name.as_bytes());
        let opened = key.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut bytes).ok()?;
        Some(opened.to_vec())
    }
}
