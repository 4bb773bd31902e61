//! Sealing what is kept but not to be read by whoever can read the table: AES-256-GCM, keys by id.
//!
//! **Invariant:** what is sealed opens only under its own name (the associated data), with a key that is still
//! configured; the first key seals, the others only open, so keys can be rotated.

use crate::VaultError;
use crate::kms::Kms;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom, SystemRandom};
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::Arc;

/// Keys by id; they do not print.
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
    /// Reads `id:key,id:key`; a key is 32 bytes in base64, or a random text of 32 characters or more, of which the
    /// SHA-256 is the key.
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

    /// No keys: nothing is sealed or opened.
    pub(crate) fn none() -> Self {
        Self(Arc::default())
    }

    /// As [`SealKeys::parse`], where a key may also be `id:kms:blob`: wrapped by KMS.
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

    /// Seals bytes under a name: the key's id, a colon, a nonce, and the sealed bytes with their tag.
    pub fn seal(&self, name: &str, bytes: &[u8]) -> Option<Vec<u8>> {
        let (id, key) = self.0.first()?;
        let mut nonce = [0_u8; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = bytes.to_vec();
        let aad = Aad::from(name.as_bytes());
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
        Some([id.as_bytes(), b":", &nonce, &sealed].concat())
    }

    /// Opens what was sealed under this name.
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
