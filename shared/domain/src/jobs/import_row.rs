//! Rows of imports: accounts as they were in another system.
//!
//! **Invariant:** a row has all that its account is to have; nothing is added when it is applied but the time.

use crate::cause::Cause;
use crate::currency::Currency;
use crate::ids::{CustomerId, JobId, ReferralCode};
use crate::ledger::account::AccountStatus;
use crate::loyalty::import::{ImportPoints, ImportedPoints};
use crate::loyalty::program::TierName;
use crate::money::Money;
use crate::text::Metadata;
use crate::time::Date;
use crate::wallet::import::{ImportWallet, ImportedLot};
use serde::{Deserialize, Serialize};

/// A wallet of another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletRow {
    /// The owner of the wallet.
    #[serde(rename = "c")]
    pub customer: CustomerId,
    /// The currency of the wallet.
    #[serde(rename = "u")]
    pub currency: Currency,
    /// Its credit.
    #[serde(rename = "l")]
    pub lots: Vec<ImportedLot>,
    /// Its status.
    #[serde(rename = "s")]
    pub status: AccountStatus,
    /// Its referral code.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub referral_code: Option<String>,
    /// The number of customers referred.
    #[serde(rename = "n", default)]
    pub referral_count: u64,
    /// Pairs of the caller.
    #[serde(rename = "m", default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

impl WalletRow {
    /// Returns the sum of its credit.
    pub fn balance(&self) -> Money {
        self.lots.iter().map(|lot| lot.amount).sum()
    }

    /// Returns the command that applies it as a row of this job.
    pub fn command(&self, job: &JobId, line: u64, skip_expired: bool) -> ImportWallet {
        ImportWallet {
            customer: self.customer.clone(),
            currency: self.currency,
            lots: self.lots.clone(),
            status: self.status,
            referral_code: self.referral_code.clone().map(ReferralCode::stored),
            referral_count: self.referral_count,
            metadata: self.metadata.clone(),
            skip_expired,
            cause: Cause::import(job, line),
        }
    }

    /// Returns its fields as texts that are the same only for rows that ask for the same.
    pub(super) fn canonical(&self) -> Vec<String> {
        let lot = |lot: &ImportedLot| {
            let date = lot.expires_on.map_or_else(|| "never".to_owned(), |date| date.to_string());
            format!("{}|{date}|{}", lot.amount, lot.source.as_str())
        };
        vec![
            self.customer.to_string(),
            self.currency.code().to_owned(),
            self.lots.iter().map(lot).collect::<Vec<_>>().join(";"),
            self.status.as_str().to_owned(),
            self.referral_code.clone().unwrap_or_default(),
            self.referral_count.to_string(),
            self.metadata.canonical(),
        ]
    }
}

/// An account of points of another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsAccountRow {
    /// The customer.
    #[serde(rename = "u")]
    pub user: CustomerId,
    /// The points.
    #[serde(rename = "l")]
    pub lots: Vec<ImportedPoints>,
    /// True if they count for tiers.
    #[serde(rename = "q", default)]
    pub qualifying: bool,
    /// The tier that was granted, and its last date.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<(TierName, Date)>,
    /// ACTIVE or FROZEN.
    #[serde(rename = "s")]
    pub status: AccountStatus,
}

impl PointsAccountRow {
    /// Returns the sum of its points.
    pub fn balance(&self) -> Money {
        self.lots.iter().map(|lot| lot.points.money()).sum()
    }

    /// Returns the command that applies it as a row of this job.
    pub fn command(&self, job: &JobId, line: u64, skip_expired: bool) -> ImportPoints {
        ImportPoints {
            user: self.user.clone(),
            lots: self.lots.clone(),
            qualifying: self.qualifying,
            grant: self.grant.clone(),
            status: self.status,
            skip_expired,
            cause: Cause::import(job, line),
        }
    }

    /// Returns its fields as texts that are the same only for rows that ask for the same.
    pub(super) fn canonical(&self) -> Vec<String> {
        let lot = |lot: &ImportedPoints| {
            let date = lot.expires_on.map_or_else(|| "never".to_owned(), |date| date.to_string());
            format!("{}|{date}", lot.points)
        };
        let grant = self.grant.as_ref().map(|(tier, until)| format!("{}|{until}", tier.as_str()));
        vec![
            self.user.to_string(),
            self.lots.iter().map(lot).collect::<Vec<_>>().join(";"),
            self.qualifying.to_string(),
            grant.unwrap_or_default(),
            self.status.as_str().to_owned(),
        ]
    }
}
