//! The cells of one line of a file of accounts.
//!
//! **Invariant:** every cell that cannot be read is reported, with its column; what can be read is used nevertheless to
//! count the row.

use domain::giftcard::code::is_scientific;
use domain::ids::CustomerId;
use domain::ids::budget::ExternalId;
use domain::jobs::figures::Figures;
use domain::jobs::row::Row;
use domain::money::{Amount, Money};
use domain::parse::ParseError;
use domain::rejection::ImportRejection;
use domain::time::{Date, parse_date};
use edge::csv::{Line, unquoted};

/// What is wrong with an id that a spreadsheet has made into a number such as `9.19E+11`.
pub(crate) const CHANGED: &str = "was changed by a spreadsheet: format the column as text";

/// What is wrong with an id that a spreadsheet would run.
pub(crate) const FORMULA: &str =
    "starts like a formula: an id that begins with = needs an apostrophe before it";

/// The cells of a line, as they are read.
pub(crate) struct Cells<'l, 'f> {
    line: &'l Line<'f>,
    errors: Vec<(&'static str, String)>,
    code: Option<ImportRejection>,
}

/// What is wrong with which column, and the code of the row, if it has one of its own.
pub(crate) type Wrong = (Vec<(&'static str, String)>, Option<ImportRejection>);

/// Whom or what a row is about.
#[derive(Clone, Debug)]
pub(crate) enum Named {
    /// A customer.
    Customer(CustomerId),
    /// An account of another system.
    Account(ExternalId),
}

impl Named {
    /// Returns whom or what a row is about.
    pub(crate) fn of(row: &Row) -> Option<Box<Self>> {
        let customer = row.customer().cloned().map(Self::Customer);
        customer.or(row.external_id().cloned().map(Self::Account)).map(Box::new)
    }

    /// Returns a customer that a row is about.
    pub(crate) fn customer(id: Option<CustomerId>) -> Option<Box<Self>> {
        id.map(|id| Box::new(Self::Customer(id)))
    }

    /// Returns an account that a row is about.
    pub(crate) fn account(id: Option<ExternalId>) -> Option<Box<Self>> {
        id.map(|id| Box::new(Self::Account(id)))
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Customer(id) => id.as_str(),
            Self::Account(id) => id.as_str(),
        }
    }

    /// Returns the customer, or the account.
    pub(crate) fn into_parts(self) -> (Option<CustomerId>, Option<ExternalId>) {
        match self {
            Self::Customer(id) => (Some(id), None),
            Self::Account(id) => (None, Some(id)),
        }
    }
}

/// A row that is invalid, and what can be read of it.
pub(crate) struct RefusedRow {
    /// What is wrong with which column.
    pub(crate) errors: Vec<(&'static str, String)>,
    /// The code, if the row has one of its own.
    pub(crate) code: Option<ImportRejection>,
    /// Whom or what it names.
    pub(crate) named: Option<Box<Named>>,
    /// The referral code that it names.
    pub(crate) referral_code: Option<String>,
    /// Its amount; zero if that cannot be read.
    pub(crate) amount: Money,
    /// What it counts.
    pub(crate) figures: Figures,
}

impl<'l, 'f> Cells<'l, 'f> {
    pub(crate) fn new(line: &'l Line<'f>) -> Self {
        Self { line, errors: vec![], code: None }
    }

    /// Returns the text of a cell; `None` if it is empty.
    pub(crate) fn text(&self, name: &'static str) -> Option<String> {
        let text = self.line.text(name)?;
        let text = unquoted(text.trim());
        (!text.is_empty()).then(|| text.to_owned())
    }

    pub(crate) fn offend(&mut self, name: &'static str, detail: impl Into<String>) {
        self.errors.push((name, detail.into()));
    }

    /// Reports a row that has a code of its own.
    pub(crate) fn refuse(&mut self, name: &'static str, code: ImportRejection) {
        self.offend(name, code.to_string());
        self.code = self.code.or(Some(code));
    }

    /// Reads a cell that may be empty.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match parse(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.offend(name, error.to_string());
                None
            }
        }
    }

    /// Reads a cell that must not be empty.
    pub(crate) fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        if self.text(name).is_none() {
            self.offend(name, "is required");
            return None;
        }
        self.optional(name, parse)
    }

    /// Reads a text that keeps the space around it.
    pub(crate) fn exact<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        let text = self.line.text(name).unwrap_or_default();
        parse(unquoted(&text)).map_err(|error| self.offend(name, error.to_string())).ok()
    }

    /// Reads the id of a customer.
    pub(crate) fn customer(&mut self, name: &'static str) -> Option<CustomerId> {
        self.id(name, CustomerId::parse)
    }

    /// Reads an id.
    pub(crate) fn id<T>(
        &mut self,
        name: &'static str,
        parse: impl Fn(&str) -> Result<T, ParseError>,
    ) -> Option<T> {
        if self.line.text(name).is_some_and(|text| text.trim().starts_with('=')) {
            self.offend(name, FORMULA);
            return None;
        }
        self.required(name, |text| if is_scientific(text) { Err(ParseError(CHANGED)) } else { parse(text) })
    }

    /// Returns the errors of the row, if it has any.
    pub(crate) fn finish(self) -> Result<(), Wrong> {
        if self.errors.is_empty() {
            return Ok(());
        }
        // A row that cannot be read is invalid, whatever else is wrong with it.
        let code = self.code.filter(|code| self.errors.iter().all(|(_, detail)| *detail == code.to_string()));
        Err((self.errors, code))
    }
}

/// Reads an amount of at least zero with at most this many decimal places.
pub(crate) fn amount(text: &str, digits: u32) -> Result<Money, ParseError> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_zero = |digits: &str| (1..=4).contains(&digits.len()) && digits.bytes().all(|digit| digit == b'0');
    if is_zero(whole) && is_zero(fraction) {
        return Ok(Money::ZERO);
    }
    let amount = Amount::parse(text)?.with_digits(digits);
    amount.ok_or(ParseError("has more digits than the currency"))
}

/// Reads the last date of credit, or `never`.
pub(crate) fn until(text: &str) -> Result<Option<Date>, ParseError> {
    if text == "never" { Ok(None) } else { parse_date(text).map(Some) }
}
