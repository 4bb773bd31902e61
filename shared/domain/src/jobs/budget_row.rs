//! Rows of imports of budgets.
//!
//! **Invariant:** a row names all accounts above its own, so its id follows from the row and from which of these ids are
//! accounts here.

use crate::budget::change::OpenAccount;
use crate::budget::{BudgetAccount, BudgetStatus, Mode};
use crate::cause::Cause;
use crate::currency::Currency;
use crate::ids::budget::{AccountId, BudgetKind, ExternalId};
use crate::ids::{JobId, RequestId};
use crate::money::{Amount, Money};
use crate::parse::ParseError;
use crate::text::FreeText;
use serde::{Deserialize, Serialize};

/// A budget account of another system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRow {
    /// Its id there, or that of an account here.
    #[serde(rename = "e")]
    pub external_id: ExternalId,
    /// Agency, client or campaign.
    #[serde(rename = "k")]
    pub kind: BudgetKind,
    /// The accounts above it, the highest first; that may be an account here.
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub above: Vec<ExternalId>,
    /// True if the first of these is in no row of the file: it must be an account here.
    #[serde(rename = "h", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_below_here: bool,
    /// Display name.
    #[serde(rename = "n")]
    pub name: FreeText,
    /// The currency of its credit.
    #[serde(rename = "u")]
    pub currency: Currency,
    /// The credit that it is to have itself.
    #[serde(rename = "a")]
    pub credit: Money,
    /// Available credit below which an alert is raised.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub low_credit_threshold: Option<Money>,
    /// Which account's credit a campaign spends; others have none.
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// Number of slices, 1 to 64.
    #[serde(rename = "s")]
    pub slices: u8,
    /// True if credit may not leave it.
    #[serde(rename = "x", default, skip_serializing_if = "std::ops::Not::not")]
    pub is_paused: bool,
}

impl BudgetRow {
    /// Returns the request that opens it below its parent.
    pub fn opening(&self, parent: &AccountId) -> Result<OpenAccount, ParseError> {
        let amount = |money: Money| Amount::parse(&money.to_string());
        Ok(OpenAccount {
            kind: self.kind,
            parent: parent.clone(),
            name: self.name.clone(),
            low_credit_threshold: self.low_credit_threshold.map(amount).transpose()?,
            mode: self.mode,
            slices: self.slices,
            brands: None,
            cause: Cause::external(self.external_id.as_str()),
        })
    }

    /// Returns the id of the request that opens it as a row of this job, by which the job recognises what it has opened.
    pub fn mark(job: &JobId, line: u64) -> RequestId {
        RequestId::new(Cause::import(job, line).as_str())
    }

    /// Returns true if an account that has this credit of its own is as the row says.
    pub fn is_like(&self, account: &BudgetAccount, parent: &AccountId, credit: Money) -> bool {
        let status = if self.is_paused { BudgetStatus::Paused } else { BudgetStatus::Active };
        let is_campaign = self.kind == BudgetKind::Campaign;
        let mode = !is_campaign || account.mode == self.mode.unwrap_or(Mode::Shared);
        account.kind() == self.kind
            && account.parent.as_ref() == Some(parent)
            && account.name == self.name
            && account.currency == self.currency
            && account.low_credit_threshold == self.low_credit_threshold
            && mode
            && account.slices == self.slices
            && account.status() == status
            && credit == self.credit
    }

    /// Returns its fields as texts that are the same only for rows that ask for the same.
    pub(super) fn canonical(&self) -> Vec<String> {
        vec![
            self.external_id.to_string(),
            self.kind.as_str().to_owned(),
            self.above.iter().map(ToString::to_string).collect::<Vec<_>>().join("/"),
            self.name.as_str().to_owned(),
            self.currency.code().to_owned(),
            self.credit.to_string(),
            self.low_credit_threshold.map(|amount| amount.to_string()).unwrap_or_default(),
            self.mode.map(|mode| mode.as_str().to_owned()).unwrap_or_default(),
            self.slices.to_string(),
            self.is_paused.to_string(),
        ]
    }
}
