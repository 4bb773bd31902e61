//! Rows of jobs: what each asks for, and its outcome.
//!
//! **Invariant:** a stored row was read and found valid when its job was made, or is known to be invalid from the
//! beginning.

use crate::cause::Cause;
use crate::currency::Currency;
use crate::fingerprint::Fingerprinted;
use crate::ids::budget::{AccountId, ExternalId};
use crate::ids::{CustomerId, JobId, OrderId};
use crate::jobs::budget_row::BudgetRow;
use crate::jobs::export::ExportedFile;
use crate::jobs::figures::Figures;
use crate::jobs::import_row::{PointsAccountRow, WalletRow};
use crate::ledger::lot::CreditSource;
use crate::loyalty::adjust::{AdjustPoints, Direction};
use crate::loyalty::numbers::Points;
use crate::money::{Amount, Money};
use crate::parse::ParseError;
use crate::text::{FreeText, Metadata};
use crate::time::Date;
use crate::unit::Unit;
use crate::wallet::credit::{AddCredits, Expiry};
use serde::{Deserialize, Serialize};

/// How long what a row gives can be spent, if the row says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowExpiry {
    /// This number of days from the day on which the row is applied.
    #[serde(rename = "d")]
    Days(u32),
    /// Until the end of this date.
    #[serde(rename = "o")]
    On(Date),
}

impl RowExpiry {
    fn text(self) -> String {
        match self {
            Self::Days(days) => format!("days {days}"),
            Self::On(date) => format!("on {date}"),
        }
    }
}

/// A credit to a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditRow {
    /// The owner of the wallet.
    #[serde(rename = "c")]
    pub customer: CustomerId,
    /// In the job's currency, above zero.
    #[serde(rename = "a")]
    pub amount: Money,
    /// Shown in the wallet's history.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<FreeText>,
    /// The source of the credit.
    #[serde(rename = "s")]
    pub source: CreditSource,
    /// How long it can be spent.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<RowExpiry>,
    /// The order that the credit refers to.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// Pairs of the caller.
    #[serde(rename = "m", default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

/// Points for a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsRow {
    /// The customer.
    #[serde(rename = "u")]
    pub user: CustomerId,
    /// How many.
    #[serde(rename = "p")]
    pub points: Points,
    /// Why.
    #[serde(rename = "r")]
    pub reason: FreeText,
    /// How long they can be spent.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<RowExpiry>,
    /// Whether they count for tiers.
    #[serde(rename = "q", default, skip_serializing_if = "std::ops::Not::not")]
    pub qualifying: bool,
    /// Pairs of the caller.
    #[serde(rename = "m", default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
}

/// A row that was found invalid when the job was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvalidRow {
    /// Whom it names, if that could be read.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerId>,
    /// The account of another system that it names, if that could be read.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<ExternalId>,
    /// What it asks for; zero if that could not be read.
    #[serde(rename = "a")]
    pub amount: Money,
    /// What is wrong with it.
    #[serde(rename = "d")]
    pub detail: String,
    /// The contract's code, if it is not [`INVALID_ROW`].
    #[serde(rename = "k", default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What it would count of an import.
    #[serde(rename = "f", default, skip_serializing_if = "Figures::is_empty")]
    pub figures: Figures,
}

impl InvalidRow {
    /// Returns the contract's code.
    pub fn code(&self) -> &str {
        self.code.as_deref().unwrap_or(INVALID_ROW)
    }
}

/// What a row asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// A credit.
    #[serde(rename = "c")]
    Credit(CreditRow),
    /// Points.
    #[serde(rename = "p")]
    Points(PointsRow),
    /// A wallet.
    #[serde(rename = "w")]
    Wallet(Box<WalletRow>),
    /// An account of points.
    #[serde(rename = "q")]
    PointsAccount(Box<PointsAccountRow>),
    /// A budget account.
    #[serde(rename = "b")]
    Budget(Box<BudgetRow>),
    /// A segment of an export.
    #[serde(rename = "x")]
    Segment,
    /// Something that is invalid.
    #[serde(rename = "i")]
    Invalid(InvalidRow),
}

/// The outcome of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowOutcome {
    /// Nothing yet.
    #[default]
    #[serde(rename = "p")]
    Pending,
    /// It was applied; with the transaction, unless the job only tries.
    #[serde(rename = "s")]
    Succeeded(Option<String>),
    /// It was imported, with this code (`created` or `exists`), and what that has added.
    #[serde(rename = "i")]
    Imported(String, Money),
    /// A budget account was imported, with this code and id, and what that has added.
    #[serde(rename = "b")]
    ImportedAccount(String, AccountId, Money),
    /// These files were written.
    #[serde(rename = "x")]
    Exported(Vec<ExportedFile>),
    /// It was refused, with this code and text.
    #[serde(rename = "f")]
    Failed(String, String),
    /// Its job was cancelled before.
    #[serde(rename = "c")]
    Cancelled,
}

impl RowOutcome {
    fn is_pending(&self) -> bool {
        *self == Self::Pending
    }

    /// Returns the contract's word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded(_) | Self::Imported(..) | Self::ImportedAccount(..) | Self::Exported(_) => {
                "succeeded"
            }
            Self::Failed(..) => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The line of the file (the header is line 1), or the place in the list, counted from 1.
    #[serde(rename = "n")]
    pub line: u64,
    /// What it asks for.
    #[serde(rename = "w")]
    pub wanted: Wanted,
    /// Its outcome.
    #[serde(rename = "o", default, skip_serializing_if = "RowOutcome::is_pending")]
    pub outcome: RowOutcome,
}

/// The code of rows that were invalid from the beginning.
pub const INVALID_ROW: &str = "invalid_row";

impl Row {
    /// Creates a row of which nothing has become yet.
    pub fn new(line: u64, wanted: Wanted) -> Self {
        Self { line, wanted, outcome: RowOutcome::Pending }
    }

    /// Returns whom it names.
    pub fn customer(&self) -> Option<&CustomerId> {
        match &self.wanted {
            Wanted::Credit(row) => Some(&row.customer),
            Wanted::Points(row) => Some(&row.user),
            Wanted::Wallet(row) => Some(&row.customer),
            Wanted::PointsAccount(row) => Some(&row.user),
            Wanted::Budget(_) | Wanted::Segment => None,
            Wanted::Invalid(row) => row.customer.as_ref(),
        }
    }

    /// Returns the account of another system that it names.
    pub fn external_id(&self) -> Option<&ExternalId> {
        match &self.wanted {
            Wanted::Budget(row) => Some(&row.external_id),
            Wanted::Invalid(row) => row.external_id.as_ref(),
            Wanted::Credit(_)
            | Wanted::Points(_)
            | Wanted::Wallet(_)
            | Wanted::PointsAccount(_)
            | Wanted::Segment => None,
        }
    }

    /// Returns the amount, or the points, that it asks for.
    pub fn amount(&self) -> Money {
        match &self.wanted {
            Wanted::Credit(row) => row.amount,
            Wanted::Points(row) => row.points.money(),
            Wanted::Wallet(row) => row.balance(),
            Wanted::PointsAccount(row) => row.balance(),
            Wanted::Budget(row) => row.credit,
            Wanted::Segment => Money::ZERO,
            Wanted::Invalid(row) => row.amount,
        }
    }

    /// Returns the last date on which what it gives can be spent, if it names one.
    pub fn expires_on(&self) -> Option<Date> {
        let expiry = match &self.wanted {
            Wanted::Credit(row) => row.expiry,
            Wanted::Points(row) => row.expiry,
            Wanted::Wallet(_)
            | Wanted::PointsAccount(_)
            | Wanted::Budget(_)
            | Wanted::Segment
            | Wanted::Invalid(_) => None,
        };
        match expiry {
            Some(RowExpiry::On(date)) => Some(date),
            Some(RowExpiry::Days(_)) | None => None,
        }
    }

    /// Returns the unit of its amount, if it names one.
    pub fn unit(&self) -> Option<Unit> {
        match &self.wanted {
            Wanted::Wallet(row) => Some(Unit::Currency(row.currency)),
            Wanted::PointsAccount(_) => Some(Unit::Points),
            Wanted::Budget(row) => Some(Unit::Currency(row.currency)),
            Wanted::Invalid(row) => {
                let code = row.figures.balances().next().map(|(code, _)| code.to_owned());
                code.and_then(|code| Unit::parse(&code).ok())
            }
            Wanted::Credit(_) | Wanted::Points(_) | Wanted::Segment => None,
        }
    }

    /// Returns what it counts of an import.
    pub fn figures(&self) -> Figures {
        match &self.wanted {
            Wanted::Wallet(row) => {
                let unit = Unit::Currency(row.currency);
                Figures::of_row(1, row.lots.len(), Some((unit, row.balance())))
            }
            Wanted::PointsAccount(row) => {
                Figures::of_row(1, row.lots.len(), Some((Unit::Points, row.balance())))
            }
            Wanted::Budget(row) => Figures::of_row(1, 0, Some((Unit::Currency(row.currency), row.credit))),
            Wanted::Invalid(row) => row.figures.clone(),
            Wanted::Credit(_) | Wanted::Points(_) | Wanted::Segment => Figures::default(),
        }
    }

    /// Returns true if it was invalid from the beginning.
    pub fn is_invalid(&self) -> bool {
        matches!(self.wanted, Wanted::Invalid(_))
    }

    /// Returns a text that is the same only for rows that ask for the same; the line is not part of it.
    pub fn canonical(&self) -> String {
        let text = |value: &dyn Fingerprinted| value.fingerprint_text().unwrap_or_default();
        let parts = match &self.wanted {
            Wanted::Credit(row) => vec![
                row.customer.to_string(),
                row.amount.to_string(),
                text(&row.reason),
                row.source.as_str().to_owned(),
                row.expiry.map(RowExpiry::text).unwrap_or_default(),
                row.order_id.as_ref().map(ToString::to_string).unwrap_or_default(),
                row.metadata.canonical(),
            ],
            Wanted::Points(row) => vec![
                row.user.to_string(),
                row.points.to_string(),
                row.reason.as_str().to_owned(),
                row.expiry.map(RowExpiry::text).unwrap_or_default(),
                row.qualifying.to_string(),
                row.metadata.canonical(),
            ],
            Wanted::Wallet(row) => row.canonical(),
            Wanted::PointsAccount(row) => row.canonical(),
            Wanted::Budget(row) => row.canonical(),
            Wanted::Segment => vec!["segment".to_owned()],
            Wanted::Invalid(row) => vec!["invalid".to_owned(), row.detail.clone()],
        };
        parts.iter().map(|part| format!("{}:{part}", part.len())).collect::<Vec<_>>().join(",")
    }
}

impl CreditRow {
    /// Returns the command that applies it as a row of this job.
    pub fn command(
        &self,
        job: &JobId,
        line: u64,
        currency: Option<Currency>,
    ) -> Result<AddCredits, ParseError> {
        Ok(AddCredits {
            customer: self.customer.clone(),
            amount: Amount::parse(&self.amount.to_string())?,
            reason: self.reason.clone(),
            source: self.source,
            expiry: match self.expiry {
                None => Expiry::ByTier,
                Some(RowExpiry::Days(days)) => Expiry::Days(days),
                Some(RowExpiry::On(date)) => Expiry::On(date),
            },
            order_id: self.order_id.clone(),
            metadata: self.metadata.clone(),
            cause: Cause::bulk(job, line),
            currency,
        })
    }
}

impl PointsRow {
    /// Returns the command that applies it as a row of this job.
    pub fn command(&self, job: &JobId, line: u64) -> AdjustPoints {
        let (expires_on, expiry_days) = match self.expiry {
            None => (None, None),
            Some(RowExpiry::Days(days)) => (None, Some(days)),
            Some(RowExpiry::On(date)) => (Some(date.to_string()), None),
        };
        AdjustPoints {
            user: self.user.clone(),
            direction: Direction::In,
            points: self.points,
            reason: self.reason.clone(),
            expires_on,
            expiry_days,
            qualifying: self.qualifying,
            owe: false,
            metadata: self.metadata.clone(),
            cause: Cause::bulk(job, line),
        }
    }
}
