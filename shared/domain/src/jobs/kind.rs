//! The kinds of jobs.
//!
//! **Invariant:** a kind's word is stored and part of URLs, so it never changes.

use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;

/// The kinds of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKind {
    /// Credits to many wallets.
    BulkCredit,
    /// Points for many customers.
    BulkPoints,
    /// Wallets of another system.
    ImportWallets,
}

impl JobKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::BulkCredit, Self::BulkPoints, Self::ImportWallets];

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BulkCredit => "bulk_credit",
            Self::BulkPoints => "bulk_points",
            Self::ImportWallets => "import_wallets",
        }
    }

    /// Parses the contract's word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let named = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        named.ok_or(ParseError("is not a kind of job"))
    }

    /// Returns true if it brings accounts of another system.
    pub fn is_import(self) -> bool {
        match self {
            Self::ImportWallets => true,
            Self::BulkCredit | Self::BulkPoints => false,
        }
    }

    /// Returns the scope by which a service may make such a job.
    pub fn scope(self) -> &'static str {
        match self {
            Self::BulkCredit => "wallet:credit",
            Self::BulkPoints => "loyalty:adjust",
            Self::ImportWallets => "books:import",
        }
    }
}

serde_by_text! { JobKind: |kind| kind.as_str().to_owned(), JobKind::parse; }
