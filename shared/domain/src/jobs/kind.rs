//! The kinds of jobs.
//!
//! **Invariant:** a kind's word is stored and part of URLs, so it never changes.

use crate::parse::ParseError;
use crate::primitives::serde_text::serde_by_text;

/// The most rows of a file.
const MAX_ROWS: u64 = 1_000_000;

/// The kinds of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum JobKind {
    /// Credits to many wallets.
    BulkCredit,
    /// Points for many customers.
    BulkPoints,
    /// Wallets of another system.
    ImportWallets,
    /// Points of another system.
    ImportPoints,
    /// Budgets of another system.
    ImportAccounts,
    /// Files of wallets, in the format of imports.
    ExportWallets,
    /// A file of budgets, in the format of imports.
    ExportAccounts,
    /// Files of movements.
    ExportTransactions,
    /// Files of redemptions of gift cards.
    ExportRedemptions,
}

impl JobKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::BulkCredit,
        Self::BulkPoints,
        Self::ImportWallets,
        Self::ImportPoints,
        Self::ImportAccounts,
        Self::ExportWallets,
        Self::ExportAccounts,
        Self::ExportTransactions,
        Self::ExportRedemptions,
    ];

    /// Returns the contract's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BulkCredit => "bulk_credit",
            Self::BulkPoints => "bulk_points",
            Self::ImportWallets => "import_wallets",
            Self::ImportPoints => "import_points",
            Self::ImportAccounts => "import_accounts",
            Self::ExportWallets => "export_wallets",
            Self::ExportAccounts => "export_accounts",
            Self::ExportTransactions => "export_transactions",
            Self::ExportRedemptions => "export_redemptions",
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
            Self::ImportWallets | Self::ImportPoints | Self::ImportAccounts => true,
            Self::BulkCredit
            | Self::BulkPoints
            | Self::ExportWallets
            | Self::ExportAccounts
            | Self::ExportTransactions
            | Self::ExportRedemptions => false,
        }
    }

    /// Returns true if it writes files of what is in the table.
    pub fn is_export(self) -> bool {
        matches!(
            self,
            Self::ExportWallets | Self::ExportAccounts | Self::ExportTransactions | Self::ExportRedemptions
        )
    }

    /// Returns true if the same rows may not be applied again unless the caller says so.
    pub fn is_bulk(self) -> bool {
        matches!(self, Self::BulkCredit | Self::BulkPoints)
    }

    /// Returns true if its rows are applied in the order of their lines, because later ones need earlier ones.
    pub fn is_in_order(self) -> bool {
        self == Self::ImportAccounts
    }

    /// Returns the most rows of a file.
    pub fn most_rows(self) -> u64 {
        if self == Self::ImportAccounts { 100_000 } else { MAX_ROWS }
    }

    /// Returns true if its rows may be in an upload.
    pub fn takes_upload(self) -> bool {
        !self.is_export()
    }

    /// Returns the scope by which a service may make such a job.
    pub fn scope(self) -> &'static str {
        match self {
            Self::BulkCredit => "wallet:credit",
            Self::BulkPoints => "loyalty:adjust",
            Self::ImportWallets | Self::ImportPoints | Self::ImportAccounts => "books:import",
            Self::ExportWallets
            | Self::ExportAccounts
            | Self::ExportTransactions
            | Self::ExportRedemptions => "books:export",
        }
    }
}

serde_by_text! { JobKind: |kind| kind.as_str().to_owned(), JobKind::parse; }
