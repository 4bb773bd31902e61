//! Filters of the list of transactions, as query parameters.
//!
//! **Invariant:** a filter looks at nothing but an entry, which never changes: what matched once always does.

use domain::ids::AccountKind;
use domain::ledger::account::Account;
use domain::ledger::entry::{Entry, EntryType};
use domain::ledger::lot::CreditSource;
use domain::parse::ParseError;
use domain::time::Timestamp;
use edge::input::{From, Text, Until};
use edge::params::Params;
use edge::schema;
use serde_json::Value;

/// Filter of entries.
#[derive(Default)]
pub(crate) struct Filter {
    pub(crate) kind: Option<EntryType>,
    pub(crate) source: Option<CreditSource>,
    pub(crate) completed: Option<bool>,
    /// Inclusive.
    pub(crate) from: Option<Timestamp>,
    /// Exclusive.
    pub(crate) until: Option<Timestamp>,
}

/// Status of a transaction, as a filter. Every stored transaction is COMPLETED, so other statuses
/// match nothing.
pub(crate) struct MovementStatus {
    completed: bool,
}

impl Text for MovementStatus {
    fn parse(text: &str) -> Result<Self, ParseError> {
        match text {
            "COMPLETED" => Ok(Self { completed: true }),
            "PENDING" | "FAILED" | "EXPIRED" => Ok(Self { completed: false }),
            _ => Err(ParseError("must be COMPLETED, PENDING, FAILED or EXPIRED")),
        }
    }

    fn schema() -> Value {
        schema::words(["COMPLETED", "PENDING", "FAILED", "EXPIRED"])
    }
}

const UNKNOWN_TYPE: ParseError = ParseError(
    "must be one of CREDIT, DEBIT, REFUND, EXPIRY, HOLD, RELEASE, CAPTURE, TRANSFER_IN, TRANSFER_OUT, CLAWBACK, \
     OWED_COLLECTED, ADJUSTMENT",
);

/// Type of a transaction, as a filter.
pub(crate) struct MovementType(EntryType);

impl Text for MovementType {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let kind = EntryType::parse(text).ok().filter(|kind| kind.is_of(AccountKind::Wallet));
        kind.map(Self).ok_or(UNKNOWN_TYPE)
    }

    fn schema() -> Value {
        schema::words(EntryType::of_kind(AccountKind::Wallet).map(EntryType::as_str))
    }
}

/// Source of a transaction's credit, as a filter.
pub(crate) struct MovementSource(CreditSource);

impl Text for MovementSource {
    fn parse(text: &str) -> Result<Self, ParseError> {
        CreditSource::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(CreditSource::ALL.map(CreditSource::as_str))
    }
}

edge::query! {
    /// Filter of the list of transactions.
    pub(crate) struct TransactionsQuery {
        /// Only transactions of this type.
        kind as "type": MovementType,
        /// Only transactions of this source.
        source: MovementSource,
        /// Only transactions with this status; every stored transaction is COMPLETED.
        status: MovementStatus,
        /// Only transactions at or after this date or instant.
        start_date: From,
        /// Only transactions at or before this date or instant; a date counts through its end.
        end_date: Until,
    }
}

impl Filter {
    pub(crate) fn read(params: &mut Params) -> Self {
        let query = TransactionsQuery::take(params);
        // `end_date` is inclusive: the instant itself, or the whole date.
        let after = |until: Until| {
            let next = if until.is_instant { Timestamp::from_millis(until.at.millis() + 1) } else { None };
            next.unwrap_or(until.at)
        };
        Self {
            kind: query.kind.map(|kind| kind.0),
            source: query.source.map(|source| source.0),
            completed: query.status.map(|status| status.completed),
            from: query.start_date.map(|from| from.0),
            until: query.end_date.map(after),
        }
    }

    /// Returns the filter of expiries since an instant.
    pub(crate) fn expiries(from: Option<Timestamp>) -> Self {
        Self { kind: Some(EntryType::Expiry), from, ..Self::default() }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.kind.is_none()
            && self.source.is_none()
            && self.completed.is_none()
            && self.from.is_none()
            && self.until.is_none()
    }

    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        self.kind.is_none_or(|kind| entry.kind == kind)
            && self.source.is_none_or(|source| entry.source == Some(source))
            && self.completed.unwrap_or(true)
            && self.from.is_none_or(|from| entry.at >= from)
            && self.until.is_none_or(|until| entry.at < until)
    }

    /// Returns the filter as text, to which cursors are bound.
    pub(crate) fn bind(&self, account: &Account) -> String {
        format!(
            "transactions|{}|{:?}|{:?}|{:?}|{:?}|{:?}",
            account.id.customer(),
            self.kind,
            self.source,
            self.completed,
            self.from,
            self.until
        )
    }
}
