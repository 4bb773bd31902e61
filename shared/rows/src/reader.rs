//! Reads the rows of a job.
//!
//! **Invariant:** every row of the request is a row of the job or is reported; none is left out unseen.
//! **Invariant:** a row of a file is read as the same row in a body is.

use crate::elements::{
    CreditElement, CreditsFile, PointsAccountsFile, PointsElement, PointsFile, WalletsFile,
};
use domain::currency::Currency;
use domain::hash::{Hash, LinesHasher};
use domain::ids::CustomerId;
use domain::jobs::figures::Figures;
use domain::jobs::job::{JobTerms, RefusedLine};
use domain::jobs::kind::JobKind;
use domain::jobs::options::JobOptions;
use domain::jobs::part::ROWS;
use domain::jobs::row::{CreditRow, INVALID_ROW, InvalidRow, PointsRow, Row, RowExpiry, Wanted};
use domain::ledger::lot::CreditSource;
use domain::loyalty::numbers::Points;
use domain::money::{Amount, Money};
use domain::policy::Policy;
use domain::time::Date;
use edge::Problem;
use edge::field_errors::FieldErrors;
use edge::fields::Fields;
use edge::input::{ExpiryDate, ExpiryDays, Input, NumberInput};
use http::StatusCode;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The most refused rows that an answer lists.
const MAX_LINES: usize = 100;

/// The most characters of what is wrong with a row.
pub(crate) const MAX_DETAIL: usize = 300;

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
}

impl RowKind {
    /// Returns the name of the field that names the customer, and of that which says how much.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Credits(_) | Self::Wallets => ("customer_id", "amount"),
            Self::Points | Self::PointsAccounts => ("user_id", "points"),
        }
    }

    /// Returns the kind of the rows of a job.
    pub fn of_job(kind: JobKind, currency: Option<Currency>) -> Option<Self> {
        match (kind, currency) {
            (JobKind::BulkCredit, Some(currency)) => Some(Self::Credits(currency)),
            (JobKind::BulkPoints, _) => Some(Self::Points),
            (JobKind::ImportWallets, _) => Some(Self::Wallets),
            (JobKind::ImportPoints, _) => Some(Self::PointsAccounts),
            (
                JobKind::BulkCredit
                | JobKind::ExportWallets
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
        }
    }

    fn read(self, fields: Fields<'_>) -> Result<Wanted, Problem> {
        match self {
            Self::Credits(currency) => credit(fields, currency).map(Wanted::Credit),
            Self::Points => points(fields).map(Wanted::Points),
            Self::Wallets | Self::PointsAccounts => Err(Problem::internal()),
        }
    }

    /// Returns whom a row names and how much it asks for, as far as that can be read.
    fn hints(self, raw: &RawValue) -> (Option<CustomerId>, Money) {
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
            Self::Wallets | Self::PointsAccounts => None,
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

/// Reads rows one by one, and keeps what is to be known of all of them.
pub struct RowReader {
    pub(crate) kind: RowKind,
    pub(crate) today: Date,
    /// Digests of the customers that were named, so that many of them are kept in little memory.
    pub(crate) seen: HashSet<[u8; 16]>,
    pub(crate) asked: LinesHasher,
    wanted: LinesHasher,
    /// The fields that are invalid.
    pub errors: FieldErrors,
    /// The first rows that are invalid.
    pub lines: Vec<RefusedLine>,
    /// The number of valid rows.
    pub accepted: u64,
    /// The number of rows that are invalid.
    pub rejected: u64,
    /// The number of rows whose customer an earlier row names.
    pub duplicates: u64,
    /// The sum of all rows, invalid ones too as far as their amount can be read.
    sum: Option<Money>,
    /// The sum of the valid rows.
    accepted_sum: Option<Money>,
    /// What the rows of an import count.
    figures: Option<Figures>,
    /// What callers should know of an import, with the number of rows.
    pub(crate) warnings: BTreeMap<&'static str, u64>,
    /// Digests of the referral codes that were named.
    pub(crate) codes: HashSet<[u8; 16]>,
    /// The rules by which tiers are compared.
    pub(crate) policy: Option<Arc<Policy>>,
    /// True if credit that has expired is left out.
    pub(crate) skip_expired: bool,
}

impl RowReader {
    /// Creates a reader of rows of this kind; `today` is the day on which their job was made.
    pub fn new(kind: RowKind, today: Date) -> Self {
        Self {
            kind,
            today,
            seen: HashSet::new(),
            asked: LinesHasher::default(),
            wanted: LinesHasher::default(),
            errors: FieldErrors::default(),
            lines: vec![],
            accepted: 0,
            rejected: 0,
            duplicates: 0,
            sum: Some(Money::ZERO),
            accepted_sum: Some(Money::ZERO),
            figures: Some(Figures::default()),
            warnings: BTreeMap::new(),
            codes: HashSet::new(),
            policy: None,
            skip_expired: false,
        }
    }

    /// Returns the same reader, which compares tiers by these rules and may leave out credit that has expired.
    #[must_use]
    pub fn for_import(self, policy: Arc<Policy>, skip_expired: bool) -> Self {
        Self { policy: Some(policy), skip_expired, ..self }
    }

    /// Returns what the rows are.
    pub fn kind(&self) -> RowKind {
        self.kind
    }

    /// Reads one row; `place` is its JSON pointer, and `known` are fields that are known to be wrong, and why.
    pub fn take(&mut self, line: u64, place: &str, raw: &RawValue, known: &[(&str, &str)]) -> Row {
        let mut errors = FieldErrors::default();
        let read = Fields::within(raw, place.to_owned()).and_then(|fields| self.kind.read(fields));
        let asked = match read {
            Ok(wanted) => Some(Row::new(line, wanted)),
            Err(problem) => {
                errors.append(problem.into_errors());
                None
            }
        };
        for (name, detail) in known {
            errors.add(|| format!("{place}/{name}"), detail);
        }
        let reads_well = errors.count() == 0;
        // The date of the request is not part of what it asks for: its repetition on another day asks for the same.
        if asked.as_ref().is_some_and(|row| row.expires_on().is_some_and(|date| date <= self.today)) {
            errors.add(|| format!("{place}/expires_on"), "must be later than today");
        }
        let row = match (asked, errors.count()) {
            (Some(row), 0) => {
                self.asked.add(&format!("{line} {}", row.canonical()));
                row
            }
            (asked, _) => {
                let (customer, amount) = self.kind.hints(raw);
                let detail = detail(&errors, place);
                self.asked.add(&asked.as_ref().map_or_else(
                    || format!("{line} invalid {detail}"),
                    |row| format!("{line} {}", row.canonical()),
                ));
                // The same rows are recognised on a day on which some of them are too late.
                if let Some(row) = asked.filter(|_| reads_well) {
                    self.wanted.add(&row.canonical());
                }
                self.errors.append(errors);
                self.refuse(line, detail.clone(), None);
                let (code, figures) = (None, Figures::default());
                Row::new(line, Wanted::Invalid(InvalidRow { customer, amount, detail, code, figures }))
            }
        };
        self.count(row)
    }

    /// Takes a row that cannot be read at all.
    pub fn unreadable(&mut self, line: u64, place: &str, detail: &str) -> Row {
        self.errors.add(|| place.to_owned(), detail);
        self.asked.add(&format!("{line} invalid {detail}"));
        self.refuse(line, detail.to_owned(), None);
        let figures = match self.kind {
            RowKind::Wallets | RowKind::PointsAccounts => Figures::of_row(1, 0, None),
            RowKind::Credits(_) | RowKind::Points => Figures::default(),
        };
        let invalid = InvalidRow {
            customer: None,
            amount: Money::ZERO,
            detail: detail.to_owned(),
            code: None,
            figures,
        };
        self.count(Row::new(line, Wanted::Invalid(invalid)))
    }

    pub(crate) fn refuse(&mut self, line: u64, detail: String, code: Option<&str>) {
        self.rejected += 1;
        if self.lines.len() < MAX_LINES {
            let code = code.unwrap_or(INVALID_ROW).to_owned();
            self.lines.push(RefusedLine { line, detail, code });
        }
    }

    pub(crate) fn count(&mut self, row: Row) -> Row {
        self.sum = self.sum.and_then(|sum| sum.checked_add(row.amount()));
        self.figures = self.figures.take().and_then(|sum| sum.plus(&row.figures()).ok());
        if row.is_invalid() {
            return row;
        }
        self.accepted += 1;
        self.accepted_sum = self.accepted_sum.and_then(|sum| sum.checked_add(row.amount()));
        self.wanted.add(&row.canonical());
        let is_new = row.customer().is_none_or(|customer| self.seen.insert(short_digest(customer.as_str())));
        if !is_new {
            self.duplicates += 1;
        }
        row
    }

    /// Returns the number of rows.
    pub fn total(&self) -> u64 {
        self.accepted.saturating_add(self.rejected)
    }

    /// Returns the digest of what the rows ask for, with their lines.
    pub fn digest(&self) -> Hash {
        self.asked.clone().finish()
    }

    /// Returns the sum of all rows, as far as their amounts can be read.
    pub fn sum(&self) -> Result<Money, Problem> {
        self.sum.ok_or_else(|| Problem::invalid("the sum of the rows is too large"))
    }

    /// Returns the sum of the valid rows.
    pub fn accepted_sum(&self) -> Result<Money, Problem> {
        self.accepted_sum.ok_or_else(|| Problem::invalid("the sum of the rows is too large"))
    }
}

impl RowReader {
    /// Checks what the caller expects of all rows.
    pub fn check_control(&self, options: &JobOptions) -> Result<(), Problem> {
        let (count, sum) = (self.total(), self.sum()?);
        let wrong = |what: String| Err(Problem::new(StatusCode::BAD_REQUEST, "control_mismatch", what));
        if let Some(expected) = options.control_rows.filter(|expected| *expected != count) {
            return wrong(format!("{expected} rows are expected; there are {count}"));
        }
        if let Some(expected) = options.control_amount.filter(|expected| *expected != sum) {
            return wrong(format!("the amounts are expected to sum to {expected}; they sum to {sum}"));
        }
        Ok(())
    }

    /// Returns the digest by which jobs with the same rows are recognised.
    fn same_rows(&self, terms: &JobTerms) -> String {
        // The rows of an import name their currencies themselves.
        let currency = terms.currency.filter(|_| !terms.kind.is_import());
        let unit = currency.map_or("points", Currency::code);
        Hash::of(format!("{}|{unit}|{}", terms.kind.as_str(), self.wanted.clone().finish())).to_string()
    }

    /// Returns true if these are the rows from which the terms of a job were made.
    pub fn is_of(&self, terms: &JobTerms) -> bool {
        terms.digest == self.same_rows(terms) && terms.total() == self.total()
    }

    /// Returns the terms of a job with what follows from its rows.
    pub fn terms(&self, terms: JobTerms) -> Result<JobTerms, Problem> {
        let warnings = self.warnings.iter().map(|(code, count)| (*code, *count));
        let warnings =
            warnings.chain([("duplicate_customer", self.duplicates)]).filter(|(_, count)| *count > 0);
        let figures = self.figures.clone();
        let figures = figures.ok_or_else(|| Problem::invalid("the sums of the rows are too large"))?;
        let currency = if terms.kind.is_import() { figures.one_currency() } else { terms.currency };
        let rows = u64::try_from(ROWS).unwrap_or(u64::MAX);
        Ok(JobTerms {
            accepted: self.accepted,
            rejected: self.rejected,
            parts: u32::try_from(self.total().div_ceil(rows)).unwrap_or(u32::MAX),
            amount_total: self.accepted_sum()?,
            digest: self.same_rows(&terms),
            warnings: warnings.map(|(code, count)| (code.to_owned(), count)).collect(),
            currency,
            file: figures,
            ..terms
        })
    }
}

/// Returns a digest by which a name is known in little memory.
pub(crate) fn short_digest(name: &str) -> [u8; 16] {
    Hash::of(name).bytes().first_chunk().copied().unwrap_or_default()
}

/// Returns what is wrong with a row, in one line.
fn detail(errors: &FieldErrors, place: &str) -> String {
    let errors = errors.listed().iter().map(|error| {
        let field = error.pointer.strip_prefix(place).unwrap_or(&error.pointer).trim_start_matches('/');
        if field.is_empty() { error.detail.clone() } else { format!("{field}: {}", error.detail) }
    });
    let text = errors.collect::<Vec<_>>().join("; ");
    text.chars().take(MAX_DETAIL).collect()
}
