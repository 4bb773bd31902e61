//! Ids of jobs.
//!
//! **Invariant:** the id of a job is a function of its cause, so a request that is sent again finds the same job.

use super::loyalty::minted_ids;
use crate::primitives::serde_text::serde_by_text;

minted_ids! {
    /// Work on many rows, which messages of a queue carry out.
    JobId "job_";
    /// A file that a job reads.
    UploadId "upl_";
}

serde_by_text! {
    JobId: ToString::to_string, JobId::parse;
    UploadId: ToString::to_string, UploadId::parse;
}
