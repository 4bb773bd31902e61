//! What the rows of a job are, and how a row is read as such.
//!
//! **Invariant:** the columns of a file are the fields of a row in a body.

use crate::elements::{
    AccountsFile, CreditElement, CreditsFile, PointsAccountsFile, PointsElement, PointsFile, WalletsFile,
};
use domain::currency::Currency;
use domain::ids::CustomerId;
use domain::jobs::kind::JobKind;
use domain::jobs::row::{CreditRow, PointsRow, RowExpiry, Wanted};
use domain::ledger::lot::CreditSource;
use domain::loyalty::numbers::Points;
use domain::money::{Amount, Money};
use edge::Problem;
use edge::fields::Fields;
use edge::input::{ExpiryDate, ExpiryDays, Input, NumberInput};
use serde_json::value::RawValue;

/// What the rows of a job are.
#[derive(Clone, Copy, Debug)]
pub enum RowKind {
    /// Credits in a currency.
    Credits(Currency),
    /// Points.
    Points,
    /// Wallets of another system.
    Wallets,
    /// Points of another system.
    PointsAccounts,
    /// Budgets of another system.
    Accounts,
}

impl RowKind {
    /// Returns the name of the field that names the customer, and of that which says how much.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Credits(_) | Self::Wallets => ("customer_id", "amount"),
            Self::Points | Self::PointsAccounts => ("user_id", "points"),
            Self::Accounts => ("external_id", "credit"),
        }
    }

    /// Returns the kind of the rows of a job.
    pub fn of_job(kind: JobKind, currency: Option<Currency>) -> Option<Self> {
        match (kind, currency) {
            (JobKind::BulkCredit, Some(currency)) => Some(Self::Credits(currency)),
            (JobKind::BulkPoints, _) => Some(Self::Points),
            (JobKind::ImportWallets, _) => Some(Self::Wallets),
            (JobKind::ImportPoints, _) => Some(Self::PointsAccounts),
            (JobKind::ImportAccounts, _) => Some(Self::Accounts),
            (
                JobKind::BulkCredit
                | JobKind::ExportWallets
                | JobKind::ExportAccounts
                | JobKind::ExportTransactions
                | JobKind::ExportRedemptions,
                _,
            ) => None,
        }
    }

    /// Returns the columns of a file, and how many of them, from the first, must be there.
    pub fn columns(self) -> (&'static [&'static str], usize) {
        match self {
            Self::Credits(_) => (CreditsFile::COLUMNS, 2),
            Self::Points => (PointsFile::COLUMNS, 3),
            Self::Wallets => (WalletsFile::COLUMNS, 3),
            Self::PointsAccounts => (PointsAccountsFile::COLUMNS, 3),
            Self::Accounts => (AccountsFile::COLUMNS, 4),
        }
    }

    /// Returns true if the rows are accounts of another system.
    pub(crate) fn is_accounts(self) -> bool {
        matches!(self, Self::Wallets | Self::PointsAccounts | Self::Accounts)
    }

    pub(crate) fn read(self, fields: Fields<'_>) -> Result<Wanted, Problem> {
        match self {
            Self::Credits(currency) => credit(fields, currency).map(Wanted::Credit),
            Self::Points => points(fields).map(Wanted::Points),
            Self::Wallets | Self::PointsAccounts | Self::Accounts => Err(Problem::internal()),
        }
    }

    /// Returns whom a row names and how much it asks for, as far as that can be read.
    pub(crate) fn hints(self, raw: &RawValue) -> (Option<CustomerId>, Money) {
        let Ok(mut fields) = Fields::within(raw, String::new()) else { return (None, Money::ZERO) };
        let (name, much) = self.names();
        let customer = fields.optional(name, <CustomerId as Input>::read);
        let amount = match self {
            Self::Credits(currency) => {
                fields.optional(much, Amount::read).and_then(|amount| amount.in_currency(currency))
            }
            Self::Points => {
                fields.optional(much, |raw| Points::parse(raw.get().trim_matches('"'))).map(Points::money)
            }
            Self::Wallets | Self::PointsAccounts | Self::Accounts => None,
        };
        (customer, amount.unwrap_or(Money::ZERO))
    }
}

fn expiry(days: Option<NumberInput<ExpiryDays>>, on: Option<ExpiryDate>) -> Option<RowExpiry> {
    let days = days.map(|days| RowExpiry::Days(days.0.0));
    days.or(on.map(|on| RowExpiry::On(on.0)))
}

fn credit(fields: Fields<'_>, currency: Currency) -> Result<CreditRow, Problem> {
    let sent = CreditElement::read(fields, currency)?;
    Ok(CreditRow {
        customer: sent.customer_id,
        amount: sent.amount.in_currency(currency).ok_or_else(Problem::internal)?,
        reason: sent.reason,
        source: sent.source.map_or(CreditSource::Manual, |source| source.0),
        expiry: expiry(sent.expiry_days, sent.expires_on),
        order_id: sent.order_id,
        metadata: sent.metadata.unwrap_or_default(),
    })
}

fn points(fields: Fields<'_>) -> Result<PointsRow, Problem> {
    let sent = PointsElement::read(fields)?;
    Ok(PointsRow {
        user: sent.user_id,
        points: sent.points.0,
        reason: sent.reason.0,
        expiry: expiry(sent.expiry_days, sent.expires_on),
        qualifying: sent.qualifying.unwrap_or(false),
        metadata: sent.metadata.unwrap_or_default(),
    })
}
