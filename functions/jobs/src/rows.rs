//! Reads the rows of a job.
//!
//! **Invariant:** every row of the request is a row of the job or is reported; none is left out unseen.
//! **Invariant:** a row of a file is read as the same row in a body is.

use crate::wire::{CreditElement, PointsElement};
use domain::currency::Currency;
use domain::hash::Hash;
use domain::ids::CustomerId;
use domain::jobs::job::RefusedLine;
use domain::jobs::row::{CreditRow, InvalidRow, PointsRow, Row, RowExpiry, Wanted};
use domain::ledger::lot::CreditSource;
use domain::loyalty::numbers::Points;
use domain::money::{Amount, Money};
use domain::time::Date;
use edge::Problem;
use edge::field_errors::FieldErrors;
use edge::fields::Fields;
use edge::input::{ExpiryDate, ExpiryDays, Input, NumberInput};
use serde_json::value::RawValue;
use std::collections::BTreeSet;

/// The most refused rows that an answer lists.
const MAX_LINES: usize = 100;

/// The most characters of what is wrong with a row.
const MAX_DETAIL: usize = 300;

/// What the rows of a job are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum RowKind {
    /// Credits in a currency.
    Credits(Currency),
    /// Points.
    Points,
}

impl RowKind {
    /// Returns the name of the field that names the customer, and of that which says how much.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Credits(_) => ("customer_id", "amount"),
            Self::Points => ("user_id", "points"),
        }
    }

    fn read(self, fields: Fields<'_>) -> Result<Wanted, Problem> {
        match self {
            Self::Credits(currency) => credit(fields, currency).map(Wanted::Credit),
            Self::Points => points(fields).map(Wanted::Points),
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

/// Rows as they are read.
pub(crate) struct RowReader {
    kind: RowKind,
    today: Date,
    seen: BTreeSet<CustomerId>,
    /// What each row asks for, with its line.
    asked: Vec<String>,
    /// The rows, in the order of their lines.
    pub(crate) rows: Vec<Row>,
    /// The fields that are invalid.
    pub(crate) errors: FieldErrors,
    /// The first rows that are invalid.
    pub(crate) lines: Vec<RefusedLine>,
    /// The number of rows that are invalid.
    pub(crate) rejected: u64,
    /// The number of rows whose customer an earlier row names.
    pub(crate) duplicates: u64,
    /// The sum of all rows, invalid ones too as far as their amount can be read.
    sum: Option<Money>,
}

impl RowReader {
    /// Creates a reader of rows of this kind.
    pub(crate) fn new(kind: RowKind, today: Date) -> Self {
        Self {
            kind,
            today,
            seen: BTreeSet::new(),
            asked: vec![],
            rows: vec![],
            errors: FieldErrors::default(),
            lines: vec![],
            rejected: 0,
            duplicates: 0,
            sum: Some(Money::ZERO),
        }
    }

    /// Reads one row; `place` is its JSON pointer, and `known` are fields that are known to be wrong, and why.
    pub(crate) fn take(&mut self, line: u64, place: &str, raw: &RawValue, known: &[(&str, &str)]) {
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
        // The date of the request is not part of what it asks for: its repetition on another day asks for the same.
        if asked.as_ref().is_some_and(|row| row.expires_on().is_some_and(|date| date <= self.today)) {
            errors.add(|| format!("{place}/expires_on"), "must be later than today");
        }
        let row = match (asked, errors.count()) {
            (Some(row), 0) => {
                self.asked.push(format!("{line} {}", row.canonical()));
                row
            }
            (asked, _) => {
                let (customer, amount) = self.kind.hints(raw);
                let detail = detail(&errors, place);
                self.asked.push(asked.map_or_else(
                    || format!("{line} invalid {detail}"),
                    |row| format!("{line} {}", row.canonical()),
                ));
                self.errors.append(errors);
                self.refuse(line, detail.clone());
                Row::new(line, Wanted::Invalid(InvalidRow { customer, amount, detail }))
            }
        };
        self.push(row);
    }

    /// Adds a row that cannot be read at all.
    pub(crate) fn unreadable(&mut self, line: u64, place: &str, detail: &str) {
        self.errors.add(|| place.to_owned(), detail);
        self.asked.push(format!("{line} invalid {detail}"));
        self.refuse(line, detail.to_owned());
        let invalid = InvalidRow { customer: None, amount: Money::ZERO, detail: detail.to_owned() };
        self.push(Row::new(line, Wanted::Invalid(invalid)));
    }

    fn refuse(&mut self, line: u64, detail: String) {
        self.rejected += 1;
        if self.lines.len() < MAX_LINES {
            self.lines.push(RefusedLine { line, detail });
        }
    }

    fn push(&mut self, row: Row) {
        self.sum = self.sum.and_then(|sum| sum.checked_add(row.amount()));
        if let Some(customer) = row.customer().filter(|_| !row.is_invalid())
            && !self.seen.insert(customer.clone())
        {
            self.duplicates += 1;
        }
        self.rows.push(row);
    }

    /// Returns the digest of what the rows ask for, with their lines.
    pub(crate) fn digest(&self) -> Hash {
        Hash::of(self.asked.join("\n"))
    }

    /// Returns the number of rows, and the sum of their amounts.
    pub(crate) fn control(&self) -> Result<(u64, Money), Problem> {
        let sum = self.sum.ok_or_else(|| Problem::invalid("the sum of the rows is too large"))?;
        Ok((u64::try_from(self.rows.len()).unwrap_or(u64::MAX), sum))
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
