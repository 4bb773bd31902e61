//! The status of a job.
//!
//! **Invariant:** nothing of a job is applied in a status that is not open.

use crate::parse::ParseError;

/// The status of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// Its file is being read.
    Validating,
    /// Its file was refused; nothing of it is applied.
    Rejected,
    /// Its rows are being stored.
    Storing,
    /// All is stored, and nothing has been begun.
    Queued,
    /// Its parts are being applied.
    Running,
    /// It was cancelled, and parts that were begun before are being finished.
    Cancelling,
    /// It was cancelled before every row was applied.
    Cancelled,
    /// Every row was applied.
    Completed,
    /// Every row was applied or refused.
    CompletedWithErrors,
    /// It was never stored whole.
    Failed,
}

impl JobStatus {
    const ALL: [Self; 10] = [
        Self::Validating,
        Self::Rejected,
        Self::Storing,
        Self::Queued,
        Self::Running,
        Self::Cancelling,
        Self::Cancelled,
        Self::Completed,
        Self::CompletedWithErrors,
        Self::Failed,
    ];

    /// Returns the stored word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::Rejected => "rejected",
            Self::Storing => "storing",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::CompletedWithErrors => "completed_with_errors",
            Self::Failed => "failed",
        }
    }

    /// Parses a stored word.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let named = Self::ALL.into_iter().find(|status| status.as_str() == text);
        named.ok_or(ParseError("is not a status of a job"))
    }

    /// Returns true if the job has ended.
    pub fn is_final(self) -> bool {
        !self.is_open() && !self.is_taken()
    }

    /// Returns true if its rows are still being read or stored, so that nothing of it is applied.
    pub fn is_taken(self) -> bool {
        matches!(self, Self::Validating | Self::Storing)
    }

    /// Returns true if parts of the job may be applied or cancelled.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Cancelling)
    }
}
