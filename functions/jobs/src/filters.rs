//! Filters of the lists of jobs and of their rows.
//!
//! **Invariant:** a filter names what callers see, never a stored word.

use domain::jobs::kind::JobKind;
use domain::parse::ParseError;
use edge::input::Text;
use edge::schema;
use serde_json::Value;

/// The outcome of rows, as a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowStatus {
    /// Nothing yet.
    Pending,
    /// They were applied.
    Succeeded,
    /// They were refused.
    Failed,
    /// Their job was cancelled before.
    Cancelled,
}

impl RowStatus {
    const ALL: [Self; 4] = [Self::Pending, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Returns the contract's word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Text for RowStatus {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let named = Self::ALL.into_iter().find(|status| status.word() == text);
        named.ok_or(ParseError("must be pending, succeeded, failed or cancelled"))
    }

    fn schema() -> Value {
        schema::words(Self::ALL.map(Self::word))
    }
}

edge::query! {
    /// Filter of the rows of a job.
    pub(crate) struct RowsQuery {
        /// Only rows with this status.
        status: RowStatus,
    }
}

/// A kind of jobs, as a filter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindFilter(pub(crate) JobKind);

impl Text for KindFilter {
    fn parse(text: &str) -> Result<Self, ParseError> {
        JobKind::parse(text).map(Self)
    }

    fn schema() -> Value {
        schema::words(JobKind::ALL.map(JobKind::as_str))
    }
}

/// Statuses that callers see.
const STATUSES: [&str; 9] = [
    "validating",
    "rejected",
    "queued",
    "running",
    "cancelling",
    "cancelled",
    "completed",
    "completed_with_errors",
    "failed",
];

/// A status of jobs, as a filter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusFilter(pub(crate) &'static str);

impl Text for StatusFilter {
    fn parse(text: &str) -> Result<Self, ParseError> {
        let named = STATUSES.into_iter().find(|status| *status == text);
        named.map(Self).ok_or(ParseError("is not a status of a job"))
    }

    fn schema() -> Value {
        schema::words(STATUSES)
    }
}

edge::query! {
    /// Filter of the list of jobs.
    pub(crate) struct JobsQuery {
        /// Only jobs of this kind.
        kind: KindFilter,
        /// Only jobs with this status.
        status: StatusFilter,
    }
}
