//! A job: what never changes of it, its status, and how far it is.
//!
//! **Invariant:** nothing of a job is applied before all of its rows are stored.
//! **Invariant:** a job ends when no row is pending; which final status it then has follows from its outcomes.

use crate::actor::PerformedBy;
use crate::currency::Currency;
use crate::ids::{JobId, RequestId, UploadId};
use crate::jobs::export::ExportFilter;
use crate::jobs::figures::Figures;
use crate::jobs::kind::JobKind;
use crate::jobs::options::JobOptions;
use crate::jobs::part::Tally;
use crate::jobs::row::INVALID_ROW;
use crate::jobs::status::JobStatus;
use crate::money::Money;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A row that was refused when its job was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedLine {
    /// The line of the file, or the place in the list.
    pub line: u64,
    /// What is wrong with it.
    pub detail: String,
    /// The contract's code.
    #[serde(default = "invalid_row")]
    pub code: String,
}

fn invalid_row() -> String {
    INVALID_ROW.to_owned()
}

/// Why a job was refused or has failed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRefusal {
    /// The contract's code.
    pub code: String,
    /// What is wrong.
    pub detail: String,
    /// The job that has the same rows, if that is what is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}

/// What never changes of a job; what follows from its rows is set once, when a file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTerms {
    /// The job.
    pub id: JobId,
    /// Its kind.
    pub kind: JobKind,
    /// What distinguishes a repetition from another request with the same key.
    pub fingerprint: String,
    /// What the caller wishes.
    pub options: JobOptions,
    /// The file that has its rows; `None` if they came with the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload: Option<UploadId>,
    /// The currency of its amounts; `None` for points, and if its rows have several.
    pub currency: Option<Currency>,
    /// What an export is limited to.
    #[serde(default, skip_serializing_if = "ExportFilter::is_empty")]
    pub filter: ExportFilter,
    /// What the file of an import says.
    #[serde(default, skip_serializing_if = "Figures::is_empty")]
    pub file: Figures,
    /// Rows that are valid.
    pub accepted: u64,
    /// Rows that are not.
    pub rejected: u64,
    /// The number of parts.
    pub parts: u32,
    /// The sum of the amounts of valid rows.
    pub amount_total: Money,
    /// The digest of what its rows ask for.
    pub digest: String,
    /// What its caller should know, with the number of rows.
    pub warnings: BTreeMap<String, u64>,
    /// Who has made it.
    pub by: PerformedBy,
    /// The invocation that has made it.
    pub request: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl JobTerms {
    /// Returns the number of its rows.
    pub fn total(&self) -> u64 {
        self.accepted.saturating_add(self.rejected)
    }

    /// Returns true if no other job may have the same rows, unless its caller says so.
    pub fn marks_rows(&self) -> bool {
        self.kind.is_bulk() && !self.options.dry_run
    }

    /// Returns true if this request has made it.
    pub fn is_made_by(&self, request: &RequestId) -> bool {
        self.request == request.as_str()
    }
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// What never changes of it.
    pub terms: JobTerms,
    /// Its status.
    pub status: JobStatus,
    /// When the first part was begun.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// How often its messages were sent again because it made no progress.
    pub requeued: u32,
    /// When its rows began to be stored, then when its messages were last sent.
    pub quiet_since: Timestamp,
    /// The ETag of its file when that was first read.
    pub etag: Option<String>,
    /// Why it was refused or has failed as a whole.
    pub refusal: Option<JobRefusal>,
}

/// Seconds without progress after which a job's messages are sent again.
pub const QUIET_SECONDS: u32 = 600;

/// How often a job's messages are sent again because it makes no progress.
pub const MAX_REQUEUES: u32 = 3;

/// Seconds after which a job whose rows were not stored has failed.
pub const STORING_SECONDS: u32 = 15 * 60;

impl Job {
    /// Returns the job as it is when it is made.
    pub fn new(terms: JobTerms, now: Timestamp) -> Self {
        let status = if terms.upload.is_some() { JobStatus::Validating } else { JobStatus::Storing };
        Self {
            terms,
            status,
            started_at: None,
            finished_at: None,
            requeued: 0,
            quiet_since: now,
            etag: None,
            refusal: None,
        }
    }

    /// Returns the contract's word for its status: callers do not see that rows are being stored.
    pub fn shown_status(&self) -> &'static str {
        let shown = match (self.status == JobStatus::Storing, self.terms.upload.is_some()) {
            (true, true) => JobStatus::Validating,
            (true, false) => JobStatus::Queued,
            (false, _) => self.status,
        };
        shown.as_str()
    }

    /// Returns true if a message has its file read and its rows stored.
    pub fn is_to_be_split(&self) -> bool {
        self.terms.upload.is_some() && self.status.is_taken()
    }

    /// Returns true if its rows are applied in the order of their lines; what is cancelled needs nothing before it.
    pub fn is_in_order(&self) -> bool {
        self.terms.kind.is_in_order() && self.status != JobStatus::Cancelling
    }

    /// Returns true if messages carry it out.
    pub fn is_carried_out(&self) -> bool {
        self.status.is_open() || self.is_to_be_split()
    }

    /// Returns the outcomes of its rows, given those that were counted: rows of a file that was refused, or of a job that
    /// was cancelled while its file was read, are not counted one by one.
    pub fn outcomes(&self, counted: Tally) -> Tally {
        let total = self.terms.total();
        match self.status {
            JobStatus::Rejected => {
                Tally { failed: self.terms.rejected, cancelled: self.terms.accepted, ..Tally::default() }
            }
            JobStatus::Cancelled if counted.ended() < total => Tally {
                cancelled: total.saturating_sub(counted.succeeded).saturating_sub(counted.failed),
                ..counted
            },
            JobStatus::Validating
            | JobStatus::Storing
            | JobStatus::Queued
            | JobStatus::Running
            | JobStatus::Cancelling
            | JobStatus::Cancelled
            | JobStatus::Completed
            | JobStatus::CompletedWithErrors
            | JobStatus::Failed => counted,
        }
    }

    /// Returns the number of rows without an outcome.
    pub fn pending(&self, tally: &Tally) -> u64 {
        self.terms.total().saturating_sub(tally.ended())
    }

    /// Returns the final status that the job has from now on, if it ends.
    pub fn ends_as(&self, tally: &Tally, now: Timestamp) -> Option<JobStatus> {
        match self.status {
            // A message has its file read, however late.
            JobStatus::Storing if self.terms.upload.is_some() => None,
            JobStatus::Storing => {
                let is_over = self.quiet_since.plus_seconds(STORING_SECONDS).is_some_and(|at| at <= now);
                is_over.then_some(JobStatus::Failed)
            }
            JobStatus::Queued | JobStatus::Running | JobStatus::Cancelling => {
                let is_over = self.pending(tally) == 0;
                let cancelled = self.status == JobStatus::Cancelling && tally.cancelled > 0;
                is_over.then_some(if cancelled {
                    JobStatus::Cancelled
                } else if tally.failed > 0 {
                    JobStatus::CompletedWithErrors
                } else {
                    JobStatus::Completed
                })
            }
            JobStatus::Validating
            | JobStatus::Rejected
            | JobStatus::Cancelled
            | JobStatus::Completed
            | JobStatus::CompletedWithErrors
            | JobStatus::Failed => None,
        }
    }

    /// Returns how much of it has ended, in whole percent.
    pub fn progress(&self, tally: &Tally) -> u64 {
        let total = self.terms.total();
        tally.ended().saturating_mul(100).checked_div(total).unwrap_or(0)
    }
}
