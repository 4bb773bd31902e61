//! Parts of jobs: rows that one process applies together.
//!
//! **Invariant:** a part that was begun is never open again: it is applied to its end, by the holder of its lease.
//! **Invariant:** what a part adds to its job's progress follows from the outcomes of its rows.

use crate::ids::JobId;
use crate::jobs::figures::{Difference, Figures, ImportOutcomes};
use crate::jobs::row::{Row, RowOutcome, Wanted};
use crate::jobs::status::JobStatus;
use crate::money::Money;
use crate::rejection::Rejection;
use crate::time::Timestamp;

/// Rows of a part.
pub const ROWS: usize = 25;

/// Parts of an import that one message has applied.
pub const PARTS_OF_SEGMENT: u32 = 40;

/// Number of items among which the progress of a job is divided, so that none is changed too often.
pub const SHARDS: u32 = 16;

/// Seconds for which a process holds a part.
pub const LEASE_SECONDS: u32 = 45;

/// Seconds of the lease in which no row is begun. A row is retried for 8 s, and each of its requests may take 3 s: a row
/// that was begun ends before the lease does.
pub const MARGIN_SECONDS: u32 = 25;

/// What is being done with a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PartState {
    /// Nobody has begun it.
    Open,
    /// A process applies it.
    Applying {
        /// The process.
        owner: String,
        /// When another process may take over.
        until: Timestamp,
    },
    /// Every row has an outcome.
    Done,
}

/// A part of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The job.
    pub job: JobId,
    /// Its number, counted from 0.
    pub number: u32,
    /// What is being done with it.
    pub state: PartState,
    /// Its rows, in the order of their lines.
    pub rows: Vec<Row>,
    /// What it adds to the figures of an import when it ends.
    pub figures: ImportOutcomes,
    /// Rows of an import of which the table has something else than the row says.
    pub differences: Vec<Difference>,
}

/// How many rows of a job have each outcome, and what was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows that were applied.
    pub succeeded: u64,
    /// Rows that were refused.
    pub failed: u64,
    /// Rows whose job was cancelled before.
    pub cancelled: u64,
    /// The sum of the amounts that were applied.
    pub amount: Money,
}

impl Tally {
    /// Returns the number of rows that have an outcome.
    pub fn ended(&self) -> u64 {
        self.succeeded.saturating_add(self.failed).saturating_add(self.cancelled)
    }

    /// Returns the sum of two tallies.
    pub fn plus(self, other: Self) -> Result<Self, Rejection> {
        let overflow = Rejection::Inconsistent("the amounts of a job overflow");
        Ok(Self {
            succeeded: self.succeeded.saturating_add(other.succeeded),
            failed: self.failed.saturating_add(other.failed),
            cancelled: self.cancelled.saturating_add(other.cancelled),
            amount: self.amount.checked_add(other.amount).ok_or(overflow)?,
        })
    }
}

impl Part {
    /// Returns a part that nobody has begun.
    pub fn open(job: &JobId, number: u32, rows: Vec<Row>) -> Self {
        let (state, figures, differences) = (PartState::Open, ImportOutcomes::default(), vec![]);
        Self { job: job.clone(), number, state, rows, figures, differences }
    }

    /// Divides the rows of a job into its parts.
    pub fn of_rows(job: &JobId, rows: Vec<Row>) -> Vec<Self> {
        let (mut parts, mut rows) = (vec![], rows.into_iter().peekable());
        while rows.peek().is_some() {
            let number = u32::try_from(parts.len()).unwrap_or(u32::MAX);
            let rows: Vec<Row> = rows.by_ref().take(ROWS).collect();
            parts.push(Self::open(job, number, rows));
        }
        parts
    }

    /// Returns the number of the item that counts the part's outcomes.
    pub fn shard(&self) -> u32 {
        self.number % SHARDS
    }

    /// Returns the part as it is in a job with this status: rows that were stored while the job was cancelled, before
    /// anything of it could be applied, are cancelled.
    #[must_use]
    pub fn as_of(mut self, status: JobStatus) -> Self {
        if status == JobStatus::Cancelled {
            self.settle(&RowOutcome::Cancelled);
        }
        self
    }

    /// Counts the outcomes of its rows; `is_dry` says that nothing of it was applied.
    pub fn tally(&self, is_dry: bool) -> Result<Tally, Rejection> {
        self.rows.iter().try_fold(Tally::default(), |tally, row| {
            let one = match &row.outcome {
                RowOutcome::Pending => Tally::default(),
                RowOutcome::Imported(_, added) | RowOutcome::ImportedAccount(_, _, added) => {
                    let amount = if is_dry { Money::ZERO } else { *added };
                    Tally { succeeded: 1, amount, ..Tally::default() }
                }
                RowOutcome::Succeeded(_) | RowOutcome::Exported(_) => {
                    let amount = if is_dry { Money::ZERO } else { row.amount() };
                    Tally { succeeded: 1, amount, ..Tally::default() }
                }
                RowOutcome::Failed(..) => Tally { failed: 1, ..Tally::default() },
                RowOutcome::Cancelled => Tally { cancelled: 1, ..Tally::default() },
            };
            tally.plus(one)
        })
    }

    /// Counts the rows that have failed in the figures of an import.
    pub fn count_failed(&mut self) -> Result<(), Rejection> {
        let failed = self.rows.iter().filter(|row| matches!(row.outcome, RowOutcome::Failed(..)));
        let failed = failed.map(Row::figures).try_fold(Figures::default(), |sum, row| sum.plus(&row))?;
        self.figures.failed = failed;
        Ok(())
    }

    /// Gives every row that was invalid from the beginning its outcome; `others` is the outcome of all others that
    /// have none.
    pub fn settle(&mut self, others: &RowOutcome) {
        for row in &mut self.rows {
            if row.outcome != RowOutcome::Pending {
                continue;
            }
            row.outcome = match &row.wanted {
                Wanted::Invalid(invalid) => {
                    RowOutcome::Failed(invalid.code().to_owned(), invalid.detail.clone())
                }
                Wanted::Credit(_)
                | Wanted::Points(_)
                | Wanted::Wallet(_)
                | Wanted::PointsAccount(_)
                | Wanted::Budget(_)
                | Wanted::Segment => others.clone(),
            };
        }
    }
}
