//! Reads the rows of a job.
//!
//! **Invariant:** every row of the request is a row of the job or is reported; none is left out unseen.
//! **Invariant:** a row of a file is read as the same row in a body is.

use crate::cells::Named;
use crate::kind::RowKind;
use crate::known::{KnownAccounts, short_digest};
use domain::currency::Currency;
use domain::hash::{Hash, LinesHasher};
use domain::jobs::figures::Figures;
use domain::jobs::job::{JobTerms, RefusedLine};
use domain::jobs::options::JobOptions;
use domain::jobs::part::ROWS;
use domain::jobs::row::{INVALID_ROW, InvalidRow, Row, Wanted};
use domain::money::Money;
use domain::policy::Policy;
use domain::time::Date;
use edge::Problem;
use edge::field_errors::FieldErrors;
use edge::fields::Fields;
use http::StatusCode;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The most refused rows that an answer lists.
const MAX_LINES: usize = 100;

/// The most characters of what is wrong with a row.
pub(crate) const MAX_DETAIL: usize = 300;

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
    /// The budgets that earlier rows bring.
    pub(crate) accounts: KnownAccounts,
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
            accounts: KnownAccounts::default(),
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
                let invalid = InvalidRow { customer, external_id: None, amount, detail, code, figures };
                Row::new(line, Wanted::Invalid(invalid))
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
            RowKind::Credits(_) | RowKind::Points => Figures::default(),
            RowKind::Wallets | RowKind::PointsAccounts | RowKind::Accounts => Figures::of_row(1, 0, None),
        };
        let invalid = InvalidRow {
            customer: None,
            external_id: None,
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
        let named = Named::of(&row);
        let is_new = named.is_none_or(|named| self.seen.insert(short_digest(named.as_str())));
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

/// Returns what is wrong with a row, in one line.
fn detail(errors: &FieldErrors, place: &str) -> String {
    let errors = errors.listed().iter().map(|error| {
        let field = error.pointer.strip_prefix(place).unwrap_or(&error.pointer).trim_start_matches('/');
        if field.is_empty() { error.detail.clone() } else { format!("{field}: {}", error.detail) }
    });
    let text = errors.collect::<Vec<_>>().join("; ");
    text.chars().take(MAX_DETAIL).collect()
}
