//! A file that a caller puts into the files bucket, for a job that reads it.
//!
//! **Invariant:** a file is the natural cause of one job; jobs that only try, and those that were refused, aside.

use crate::actor::PerformedBy;
use crate::ids::{JobId, UploadId};
use crate::jobs::kind::JobKind;
use crate::time::Timestamp;
use serde::{Deserialize, Serialize};

/// The most bytes of a file.
pub const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Seconds for which the URL of an upload can be used.
pub const URL_SECONDS: u32 = 3_600;

/// What never changes of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadTerms {
    /// The upload.
    pub id: UploadId,
    /// The kind of the job that may read it.
    pub purpose: JobKind,
    /// The size of the file.
    pub bytes: u64,
    /// The SHA-256 of the file in hexadecimal digits, if its caller has named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Distinguishes a repetition from another request with the same key.
    pub fingerprint: String,
    /// Who makes it.
    pub by: PerformedBy,
    /// The invocation that has made it.
    pub request: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// An upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// What never changes of it.
    pub terms: UploadTerms,
    /// The job that reads it.
    pub job: Option<JobId>,
}

impl UploadTerms {
    /// Returns the key of its object in the files bucket.
    pub fn object(&self) -> String {
        object(&self.id)
    }
}

/// Returns the key of an upload's object in the files bucket.
pub fn object(id: &UploadId) -> String {
    format!("uploads/{id}")
}
