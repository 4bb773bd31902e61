//! What a caller wishes of a job.
//!
//! **Invariant:** every option is part of the fingerprint, so a request with another option is another request.

use crate::currency::Currency;
use crate::fingerprint::Fingerprint;
use crate::jobs::kind::JobKind;
use crate::money::Money;
use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;
use serde::{Deserialize, Serialize};

/// What happens to rows that are invalid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnInvalid {
    /// The whole job is refused.
    #[default]
    Reject,
    /// They are rows of the job that have failed.
    Skip,
}

impl OnInvalid {
    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Skip => "skip",
        }
    }

    /// Parses the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "reject" => Ok(Self::Reject),
            "skip" => Ok(Self::Skip),
            _ => Err(ParseError("must be reject or skip")),
        }
    }
}

/// What a caller wishes of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobOptions {
    /// What happens to rows that are invalid.
    pub on_invalid: OnInvalid,
    /// True if nothing is to be applied.
    pub dry_run: bool,
    /// True if the same rows may be applied again.
    pub again: bool,
    /// True if customers are notified.
    pub notify: bool,
    /// True if an import leaves out credit that has expired.
    #[serde(default)]
    pub skip_expired: bool,
    /// The number of rows that the caller expects.
    pub control_rows: Option<u64>,
    /// The sum of amounts that the caller expects.
    pub control_amount: Option<Money>,
}

impl JobOptions {
    /// Distinguishes a repetition from another request with the same key; `rows` is the digest of the rows, or the upload.
    pub fn fingerprint(&self, kind: JobKind, currency: Option<Currency>, rows: &str) -> Fingerprint {
        let Self { on_invalid, dry_run, again, notify, skip_expired, control_rows, control_amount } = self;
        Fingerprint::of(&[
            ("op", Some(kind.as_str().to_owned())),
            ("rows", Some(rows.to_owned())),
            ("on_invalid", Some(on_invalid.as_str().to_owned())),
            ("dry_run", Some(dry_run.to_string())),
            ("again", Some(again.to_string())),
            ("notify", Some(notify.to_string())),
            ("skip_expired", skip_expired.then(|| "true".to_owned())),
            ("currency", currency.map(|currency| currency.code().to_owned())),
            ("control_rows", control_rows.map(|rows| rows.to_string())),
            ("control_amount", control_amount.map(|amount| amount.to_string())),
        ])
    }
}

serde_by_text! { OnInvalid: |what| what.as_str().to_owned(), OnInvalid::parse; }
