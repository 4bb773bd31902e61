//! Parses requests about files: uploads and imports.
//!
//! **Invariant:** the options of an import are the same in a JSON body and in the query of a file.

use crate::wire::{ControlAmount, ControlInput, ControlRows, OnInvalidWord, Options, Truth, UploadName};
use domain::hash::Hash;
use domain::ids::UploadId;
use domain::jobs::kind::JobKind;
use domain::parse::ParseError;
use edge::input::{NumberInput, Text};
use edge::params::Params;
use edge::{request, schema};
use serde_json::Value;

edge::whole_numbers! {
    /// The size of a file.
    pub(crate) FileBytes(u64): 1 to 268_435_456, " of bytes";
}

/// What a file is uploaded for: the kind of the job that may read it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose(pub(crate) JobKind);

impl Text for Purpose {
    fn parse(text: &str) -> Result<Self, ParseError> {
        JobKind::parse(text).map(Self).map_err(|_| ParseError("is not a purpose of an upload"))
    }

    fn schema() -> Value {
        schema::words(JobKind::ALL.map(JobKind::as_str))
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

const IMPORTS: [(&str, JobKind); 1] = [("wallets", JobKind::ImportWallets)];

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
