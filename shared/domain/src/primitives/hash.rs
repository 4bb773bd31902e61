//! SHA-256 digests, as used in entries, ids and proofs.
//!
//! **Invariant:** a [`Hash`] is 32 bytes; its text is 64 lowercase hexadecimal digits.

use crate::parse::ParseError;
use sha2::{Digest, Sha256};
use std::fmt;

/// A SHA-256 digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hash([u8; 32]);

impl Hash {
    /// The predecessor's hash in the first entry of an account.
    pub const GENESIS: Self = Self([0; 32]);

    /// Returns the digest of the bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes.as_ref()).into())
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first `length` bytes as hexadecimal text. Ids use 10 bytes, which makes
    /// collisions practically impossible.
    pub fn prefix(&self, length: usize) -> String {
        hex(self.0.get(..length).unwrap_or(&self.0))
    }

    /// Parses 64 lowercase hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("must be 64 lowercase hexadecimal digits");
        let mut bytes = [0; 32];
        if text.len() != 64 || text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(SHAPE);
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| SHAPE)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| SHAPE)?;
        }
        Ok(Self(bytes))
    }
}

/// The digest of lines that come one by one, joined by line feeds.
#[derive(Clone, Debug, Default)]
pub struct LinesHasher {
    digest: Sha256,
    is_begun: bool,
}

impl LinesHasher {
    /// Adds a line.
    pub fn add(&mut self, line: &str) {
        if self.is_begun {
            self.digest.update(b"\n");
        }
        self.is_begun = true;
        self.digest.update(line.as_bytes());
    }

    /// Returns the digest of all lines.
    pub fn finish(self) -> Hash {
        Hash(self.digest.finalize().into())
    }
}

fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}…", self.prefix(4))
    }
}
