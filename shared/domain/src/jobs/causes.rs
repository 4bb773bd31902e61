//! Causes of the entries of jobs.
//!
//! **Invariant:** a row of a job has one cause, which names its line.

use crate::cause::Cause;
use crate::ids::JobId;

/// The common prefix of the causes of the rows of bulk jobs.
pub const BULK: &str = "bulk:";

impl Cause {
    /// Returns the cause of a row of a bulk job.
    pub fn bulk(job: &JobId, line: u64) -> Self {
        Self::composed(format!("{BULK}{job}:{line}"))
    }
}
