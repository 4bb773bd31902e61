//! Parses requests; unparsed strings go no further.
//!
//! **Invariant:** the options of a job are the same in a JSON body and in the query of a file.

use domain::currency::Currency;
use domain::ids::{JobId, UploadId};
use domain::jobs::options::{JobOptions, OnInvalid};
use domain::money::Money;
use domain::parse::ParseError;
use edge::input::{Input, NumberInput, Text};
use edge::json::{self, RawJson};
use edge::params::Params;
use edge::{Problem, request, schema};
use rows::elements::{CreditElement, MORE_DIGITS, PointsElement};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The most decimal places of any currency.
const MOST_DIGITS: u32 = 4;

/// The most rows of a job that come with the request.
pub(crate) const MAX_ROWS: usize = 50_000;

edge::whole_numbers! {
    /// The number of rows that a caller expects.
    pub(crate) ControlRows(u64): 0 to 1_000_000, " of rows";
}

/// The id of a job.
#[derive(Clone, Debug)]
pub(crate) struct JobName(pub(crate) JobId);

impl Text for JobName {
    fn parse(text: &str) -> Result<Self, ParseError> {
        JobId::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::pattern("^job_[0-9a-f]{20}$")
    }
}

/// The id of an upload.
#[derive(Clone, Debug)]
pub(crate) struct UploadName(pub(crate) UploadId);

impl Text for UploadName {
    fn parse(text: &str) -> Result<Self, ParseError> {
        UploadId::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::pattern("^upl_[0-9a-f]{20}$")
    }
}

edge::segments! {
    /// `{job_id}`
    pub(crate) JobPath: "job_id", JobName, "Id of the job";
}

/// What happens to rows that are invalid.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnInvalidWord(pub(crate) OnInvalid);

impl Text for OnInvalidWord {
    fn parse(text: &str) -> Result<Self, ParseError> {
        OnInvalid::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(["reject", "skip"])
    }
}

/// A truth value of a query or of a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Truth(pub(crate) bool);

impl Text for Truth {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "true" => Ok(Self(true)),
            "false" => Ok(Self(false)),
            _ => Err(ParseError("must be true or false")),
        }
    }

    fn schema() -> Value {
        schema::words(["true", "false"])
    }
}

/// Elements of a list that are read one by one, so that each is reported by its own fields.
pub(crate) struct Elements<T>(pub(crate) Vec<Box<RawValue>>, std::marker::PhantomData<T>);

impl<T: utoipa::PartialSchema> Input for Elements<T> {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        let items = json::items(raw)?;
        if !(1..=MAX_ROWS).contains(&items.len()) {
            return Err(ParseError("must have 1 to 50000 elements"));
        }
        Ok(Self(items.into_iter().map(ToOwned::to_owned).collect(), std::marker::PhantomData))
    }

    fn schema() -> Value {
        let element = serde_json::to_value(T::schema()).unwrap_or(Value::Null);
        json!({"type": "array", "items": element, "minItems": 1, "maxItems": MAX_ROWS})
    }
}

edge::query! {
    /// The currency of a job whose rows come as a file.
    pub(crate) struct CurrencyQuery {
        /// The currency of the amounts; the deployment's if omitted.
        currency: Currency,
    }
}

edge::query! {
    /// The options of a job whose rows come as a file.
    pub(crate) struct BulkQuery {
        /// `reject` (the default) refuses a request with invalid rows; with `skip` they are rows that have failed.
        on_invalid: OnInvalidWord,
        /// Whether only to say what would happen.
        dry_run: Truth,
        /// Whether the same rows may be applied again.
        again: Truth,
        /// Kept with the job and shown by it; this version notifies nobody.
        notify: Truth,
        /// The number of rows that the file should have.
        control_rows: ControlRows,
        /// The sum that the amounts should have.
        control_amount: ControlAmount,
    }
}

/// A sum that a caller expects, zero or more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlAmount(pub(crate) Money);

impl Text for ControlAmount {
    fn parse(text: &str) -> Result<Self, ParseError> {
        const SHAPE: ParseError = ParseError("must be a plain decimal number such as 300.10");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number =
            |text: &str| (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || fraction.len() > 4 {
            return Err(SHAPE);
        }
        text.parse().map_err(|_| SHAPE).and_then(Money::try_new).map(Self)
    }

    fn schema() -> Value {
        schema::pattern(r"^[0-9]{1,20}(\.[0-9]{1,4})?$")
    }
}

/// [`ControlAmount`] of a body: a number or a decimal string.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ControlInput(pub(crate) ControlAmount);

impl Input for ControlInput {
    fn read(raw: RawJson<'_>) -> Result<Self, ParseError> {
        json::decimal(ControlAmount::parse)(raw).map(Self)
    }

    fn schema() -> Value {
        json!({"anyOf": [schema::amount_from(0), <ControlAmount as Text>::schema()]})
    }
}

macro_rules! bulk_request {
    (
        $(#[doc = $doc:literal])* $name:ident,
        $(#[doc = $list_doc:literal])* $list:ident: $element:ty
        $(, $(#[doc = $more_doc:literal])* $more:ident: $type:ty)?
    ) => {
        request! {
            $(#[doc = $doc])*
            pub(crate) struct $name {
                $(#[doc = $list_doc])*
                $list: Option<Elements<$element>>,
                /// The file that has the rows, in place of them.
                upload_id: Option<UploadName>,
                /// `reject` (the default) refuses a request with invalid rows; with `skip` they are rows that have failed.
                on_invalid: Option<OnInvalidWord>,
                /// Whether only to say what would happen.
                dry_run: Option<bool>,
                /// Whether the same rows may be applied again.
                again: Option<bool>,
                /// Kept with the job and shown by it; this version notifies nobody.
                notify: Option<bool>,
                $($(#[doc = $more_doc])* $more: Option<$type>,)?
                /// The number of rows that the request should have.
                control_rows: Option<NumberInput<ControlRows>>,
                /// The sum that the amounts should have.
                control_amount: Option<ControlInput>,
            }
            check(fields) {
                let list = stringify!($list);
                match (fields.is_sent(list), fields.is_sent("upload_id")) {
                    (true, true) => fields.offend("upload_id", concat!("cannot be combined with ", stringify!($list))),
                    (false, false) => fields.offend(list, "is required, or upload_id"),
                    (true, false) | (false, true) => {}
                }
            }
            rules [schema::not_both(stringify!($list), "upload_id"), schema::any_sent(&[stringify!($list), "upload_id"])]
        }

        impl $name {
            /// Returns where the rows are, and the options.
            pub(crate) fn into_parts(self) -> (RowsSent, Options) {
                let options = Options {
                    on_invalid: self.on_invalid.map(|word| word.0),
                    dry_run: self.dry_run,
                    again: self.again,
                    notify: self.notify,
                    skip_expired: None,
                    control_rows: self.control_rows.map(|rows| rows.0.0),
                    control_amount: self.control_amount.map(|amount| amount.0.0),
                };
                let rows = match (self.upload_id, self.$list) {
                    (Some(upload), _) => RowsSent::Upload(upload.0),
                    (None, list) => RowsSent::List(list.map(|list| list.0).unwrap_or_default()),
                };
                (rows, options)
            }
        }
    };
}

bulk_request! {
    /// Credits to many wallets.
    BulkCreditsRequest,
    /// The credits; a row is known by its place, counted from 1.
    credits: CreditElement,
    /// The currency of the amounts; the deployment's if omitted.
    currency: Currency
}

bulk_request! {
    /// Points for many customers.
    BulkPointsRequest,
    /// The points; a row is known by its place, counted from 1.
    adjustments: PointsElement
}

/// Where the rows of a job are.
pub(crate) enum RowsSent {
    /// In the request.
    List(Vec<Box<RawValue>>),
    /// In a file.
    Upload(UploadId),
}

/// The options of a job as they were sent.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) on_invalid: Option<OnInvalid>,
    pub(crate) dry_run: Option<bool>,
    pub(crate) again: Option<bool>,
    pub(crate) notify: Option<bool>,
    pub(crate) skip_expired: Option<bool>,
    pub(crate) control_rows: Option<u64>,
    pub(crate) control_amount: Option<Money>,
}

impl Options {
    /// Reads the options from the query of a file.
    pub(crate) fn of_query(params: &mut Params) -> Self {
        let query = BulkQuery::take(params);
        Self {
            on_invalid: query.on_invalid.map(|word| word.0),
            dry_run: query.dry_run.map(|truth| truth.0),
            again: query.again.map(|truth| truth.0),
            notify: query.notify.map(|truth| truth.0),
            skip_expired: None,
            control_rows: query.control_rows.map(|rows| rows.0),
            control_amount: query.control_amount.map(|amount| amount.0),
        }
    }

    /// Returns the options of an import, whose amounts may have several currencies.
    pub(crate) fn checked_import(self) -> Result<JobOptions, Problem> {
        let skip_expired = self.skip_expired.unwrap_or(false);
        // A row that was imported is there: the same rows again do nothing.
        Ok(JobOptions { skip_expired, again: true, ..self.sums_checked(MOST_DIGITS)? })
    }

    /// Returns the options of a job in this currency, or of points.
    pub(crate) fn checked(self, currency: Option<Currency>) -> Result<JobOptions, Problem> {
        self.sums_checked(currency.map_or(0, Currency::digits))
    }

    fn sums_checked(self, digits: u32) -> Result<JobOptions, Problem> {
        if self.control_amount.is_some_and(|amount| amount.value().scale() > digits) {
            return Err(Problem::field("/control_amount", MORE_DIGITS));
        }
        Ok(JobOptions {
            on_invalid: self.on_invalid.unwrap_or_default(),
            dry_run: self.dry_run.unwrap_or(false),
            again: self.again.unwrap_or(false),
            notify: self.notify.unwrap_or(false),
            skip_expired: false,
            control_rows: self.control_rows,
            control_amount: self.control_amount,
        })
    }
}
