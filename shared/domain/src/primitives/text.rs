//! Free text and metadata that callers attach to their requests.
//!
//! **Invariant:** free text has at most 500 characters and no control characters; metadata has at
//! most 20 pairs and 2 KB. Neither is interpreted: both are stored and shown as text.

use crate::fingerprint::{Fingerprinted, fingerprint_by_word};
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// Returns true for characters allowed in free text: no control characters, and no bidirectional
/// formatting characters, which can make one text look like another.
fn is_plain(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A reason, note or name.
#[derive(Clone, PartialEq, Eq)]
pub struct FreeText(String);

impl FreeText {
    /// Parses a caller's text.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if !text.chars().all(is_plain) {
            return Err(ParseError("must not contain control or bidirectional formatting characters"));
        }
        Self::parse_stored(text)
    }

    /// Parses a stored text. Bidirectional formatting characters were accepted in the past, and
    /// texts that contain them must stay readable.
    pub fn parse_stored(text: &str) -> Result<Self, ParseError> {
        if text.chars().count() > 500 {
            return Err(ParseError("must be at most 500 characters"));
        }
        if text.chars().any(char::is_control) {
            return Err(ParseError("must not contain control characters"));
        }
        Ok(Self(text.to_owned()))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for FreeText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

/// Pairs of strings supplied by a caller.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Metadata(BTreeMap<String, String>);

/// The most pairs of a caller.
const MAX_PAIRS: usize = 20;

/// The most bytes of a caller's pairs.
const MAX_BYTES: usize = 2_048;

/// The most bytes that an import adds: when the wallet was opened in another system.
const IMPORTED_BYTES: usize = 64;

fn size(pairs: &BTreeMap<String, String>) -> usize {
    pairs.iter().map(|(name, value)| name.len() + value.len()).sum()
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = ParseError;

    fn try_from(pairs: BTreeMap<String, String>) -> Result<Self, ParseError> {
        Self::parse_stored(pairs)
    }
}

impl From<Metadata> for BTreeMap<String, String> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

impl Metadata {
    /// Checks and wraps a caller's pairs.
    pub fn try_new(pairs: BTreeMap<String, String>) -> Result<Self, ParseError> {
        if !pairs.iter().all(|(k, v)| k.chars().chain(v.chars()).all(is_plain)) {
            return Err(ParseError("must not contain control or bidirectional formatting characters"));
        }
        if pairs.len() > MAX_PAIRS {
            return Err(ParseError("must have at most 20 pairs"));
        }
        if size(&pairs) > MAX_BYTES {
            return Err(ParseError("must be at most 2 KB"));
        }
        Self::parse_stored(pairs)
    }

    /// Checks and wraps stored pairs; see [`FreeText::parse_stored`].
    pub fn parse_stored(pairs: BTreeMap<String, String>) -> Result<Self, ParseError> {
        // An import adds a pair to those of the caller.
        if pairs.len() > MAX_PAIRS + 1 {
            return Err(ParseError("must have at most 20 pairs"));
        }
        if size(&pairs) > MAX_BYTES + IMPORTED_BYTES {
            return Err(ParseError("must be at most 2 KB"));
        }
        if pairs.iter().any(|(k, v)| k.is_empty() || k.chars().chain(v.chars()).any(char::is_control)) {
            return Err(ParseError("must have non-empty names and no control characters"));
        }
        Ok(Self(pairs))
    }

    /// Returns the pairs, sorted by name.
    pub fn pairs(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Returns a text that is the same only for equal pairs; used in fingerprints.
    pub fn canonical(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, (name, value)| {
            let _ = write!(text, "{}:{name}{}:{value}", name.len(), value.len());
            text
        })
    }

    /// Returns true if there are no pairs.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fingerprint_by_word!(FreeText);

impl Fingerprinted for Metadata {
    fn fingerprint_text(&self) -> Option<String> {
        Some(self.canonical())
    }
}

serde_by_text! { FreeText: |text| text.as_str().to_owned(), FreeText::parse_stored; }
