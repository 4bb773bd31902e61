//! Parses requests about files: uploads and imports.
//!
//! **Invariant:** the options of an import are the same in a JSON body and in the query of a file.

use crate::wire::{ControlAmount, ControlInput, ControlRows, OnInvalidWord, Options, Truth, UploadName};
use domain::hash::Hash;
use domain::ids::{CustomerId, UploadId};
use domain::jobs::export::ExportFilter;
use domain::jobs::kind::JobKind;
use domain::parse::ParseError;
use domain::time::{Date, parse_date};
use edge::input::{NumberInput, Text};
use edge::params::Params;
use edge::{request, schema};
use serde_json::{Value, json};

edge::whole_numbers! {
    /// The size of a file.
    pub(crate) FileBytes(u64): 1 to 268_435_456, " of bytes";
}

/// What a file is uploaded for: the kind of the job that may read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose(pub(crate) JobKind);

impl Text for Purpose {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let kind = JobKind::parse(text).ok().filter(|kind| kind.takes_upload());
        kind.map(Self).ok_or(ParseError("is not a purpose of an upload"))
    }

    fn schema() -> Value {
        schema::words(JobKind::ALL.into_iter().filter(|kind| kind.takes_upload()).map(JobKind::as_str))
    }
}

/// The SHA-256 of a file.
#[derive(Clone, Debug)]
pub(crate) struct FileDigest(pub(crate) Hash);

impl Text for FileDigest {
    fn parse(text: &str) -> Result<Self, ParseError> {
        Hash::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::pattern("^[0-9a-f]{64}$")
    }
}

request! {
    /// A file that is to be uploaded.
    pub(crate) struct UploadRequest {
        /// The kind of the job that reads it.
        purpose: Purpose,
        /// Its size in bytes; the URL takes exactly as many.
        bytes: NumberInput<FileBytes>,
        /// Its SHA-256, as 64 lowercase hexadecimal digits; the URL takes no other file.
        sha256: Option<FileDigest>,
    }
}

/// What an import brings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ImportKind(pub(crate) JobKind);

const IMPORTS: [(&str, JobKind); 3] = [
    ("wallets", JobKind::ImportWallets),
    ("accounts", JobKind::ImportAccounts),
    ("points", JobKind::ImportPoints),
];

impl Text for ImportKind {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let named = IMPORTS.into_iter().find(|(word, _)| *word == text);
        named.map(|(_, kind)| Self(kind)).ok_or(ParseError("is not a kind of import"))
    }

    fn schema() -> Value {
        schema::words(IMPORTS.map(|(word, _)| word))
    }
}

request! {
    /// Accounts of another system, in a file.
    pub(crate) struct ImportRequest {
        /// What the file has.
        kind: ImportKind,
        /// The file.
        upload_id: UploadName,
        /// `reject` (the default) refuses a file with invalid rows; with `skip` they are rows that have failed.
        on_invalid: Option<OnInvalidWord>,
        /// Whether only to say what would happen.
        dry_run: Option<bool>,
        /// Whether credit that has expired is left out; otherwise its row is invalid.
        skip_expired: Option<bool>,
        /// The number of rows that the file should have.
        control_rows: Option<NumberInput<ControlRows>>,
        /// The sum that the balances should have.
        control_amount: Option<ControlInput>,
    }
}

impl ImportRequest {
    /// Returns what the file has, the file, and the options.
    pub(crate) fn into_parts(self) -> (JobKind, UploadId, Options) {
        let options = Options {
            on_invalid: self.on_invalid.map(|word| word.0),
            dry_run: self.dry_run,
            skip_expired: self.skip_expired,
            control_rows: self.control_rows.map(|rows| rows.0.0),
            control_amount: self.control_amount.map(|amount| amount.0.0),
            ..Options::default()
        };
        (self.kind.0, self.upload_id.0, options)
    }
}

edge::query! {
    /// The kind and the options of an import whose rows come as a file.
    pub(crate) struct ImportQuery {
        /// What the file has; required.
        kind: ImportKind,
        /// `reject` (the default) refuses a request with invalid rows; with `skip` they are rows that have failed.
        on_invalid: OnInvalidWord,
        /// Whether only to say what would happen.
        dry_run: Truth,
        /// Whether credit that has expired is left out; otherwise its row is invalid.
        skip_expired: Truth,
        /// The number of rows that the file should have.
        control_rows: ControlRows,
        /// The sum that the balances should have.
        control_amount: ControlAmount,
    }
}

/// Reads the kind and the options of an import from the query of a file.
pub(crate) fn import_options(params: &mut Params) -> (Option<JobKind>, Options) {
    let query = ImportQuery::take(params);
    let options = Options {
        on_invalid: query.on_invalid.map(|word| word.0),
        dry_run: query.dry_run.map(|truth| truth.0),
        skip_expired: query.skip_expired.map(|truth| truth.0),
        control_rows: query.control_rows.map(|rows| rows.0),
        control_amount: query.control_amount.map(|amount| amount.0),
        ..Options::default()
    };
    (query.kind.map(|kind| kind.0), options)
}

/// What an export writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExportKind(pub(crate) JobKind);

const EXPORTS: [(&str, JobKind); 4] = [
    ("wallets", JobKind::ExportWallets),
    ("accounts", JobKind::ExportAccounts),
    ("transactions", JobKind::ExportTransactions),
    ("redemptions", JobKind::ExportRedemptions),
];

impl Text for ExportKind {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let named = EXPORTS.into_iter().find(|(word, _)| *word == text);
        named.map(|(_, kind)| Self(kind)).ok_or(ParseError("is not a kind of export"))
    }

    fn schema() -> Value {
        schema::words(EXPORTS.map(|(word, _)| word))
    }
}

request! {
    /// Files of what is in the table.
    pub(crate) struct ExportRequest {
        /// What the files have.
        kind: ExportKind,
        /// The first day of movements, or of redemptions.
        from: Option<DateInput>,
        /// The last day of movements, or of redemptions.
        to: Option<DateInput>,
        /// Only this customer; not of redemptions or accounts.
        customer_id: Option<CustomerId>,
    }
    check(fields) {
        let first = from.as_ref().map(|from| from.0);
        if to.as_ref().is_some_and(|to| first.is_some_and(|first| to.0 < first)) {
            fields.offend("to", "must not be before from");
        }
        let kind = kind.as_ref().ok().map(|kind| kind.0);
        let names_nobody = matches!(kind, Some(JobKind::ExportRedemptions | JobKind::ExportAccounts));
        if names_nobody && customer_id.is_some() {
            fields.offend("customer_id", "cannot be combined with redemptions or accounts");
        }
        let has_no_days = matches!(kind, Some(JobKind::ExportWallets | JobKind::ExportAccounts));
        if has_no_days && (from.is_some() || to.is_some()) {
            let field = if from.is_some() { "from" } else { "to" };
            fields.offend(field, "cannot be combined with wallets or accounts");
        }
    }
    rules [
        schema::when(
            &json!({"properties": {"kind": {"enum": ["redemptions", "accounts"]}}}),
            &json!({"properties": {"customer_id": schema::absent()}}),
        ),
        schema::when(
            &json!({"properties": {"kind": {"enum": ["wallets", "accounts"]}}}),
            &json!({"properties": {"from": schema::absent(), "to": schema::absent()}}),
        ),
    ]
}

/// A date.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DateInput(pub(crate) Date);

impl Text for DateInput {
    fn parse(text: &str) -> Result<Self, ParseError> {
        parse_date(text).map(Self)
    }

    fn schema() -> Value {
        json!({"type": "string", "format": "date"})
    }
}

impl ExportRequest {
    /// Returns what the export is limited to.
    pub(crate) fn filter(self) -> ExportFilter {
        ExportFilter {
            from: self.from.map(|from| from.0),
            to: self.to.map(|to| to.0),
            customer: self.customer_id,
        }
    }
}
