//! Causes of the entries of jobs.
//!
//! **Invariant:** a row of a job has one cause, which names its line.

use crate::cause::Cause;
use crate::ids::JobId;
use crate::ledger::causes::IMPORT;

/// The common prefix of the causes of the rows of bulk jobs.
pub const BULK: &str = "bulk:";

impl Cause {
    /// Returns the cause of a row of an import; its entries are numbered.
    pub fn import(job: &JobId, line: u64) -> Self {
        Self::composed(format!("{IMPORT}{job}:{line}"))
    }

    /// Returns the cause of a movement of an imported row, counted from 1.
    pub fn imported(job: &JobId, line: u64, number: usize) -> Self {
        Self::composed(format!("{IMPORT}{job}:{line}:{number}"))
    }

    /// Returns the cause of a row of a bulk job.
    pub fn bulk(job: &JobId, line: u64) -> Self {
        Self::composed(format!("{BULK}{job}:{line}"))
    }
}
