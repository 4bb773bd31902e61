//! Keys of jobs.
//!
//! | item | pk | sk | indexes |
//! |---|---|---|---|
//! | job | `U#<job>` | `J` | `due` while it is open |
//! | rows that were refused when it was made | `U#<job>` | `L` | |
//! | job in the list of its kind | `L#j:<kind>` | `<instant>#<job>` | |
//! | its progress | `U#<job>` | `P#<0–15>` | |
//! | part: 25 rows and their outcomes | `U#<job>#<part>` | `R` | |
//! | failed row | `U#<job>#f` | `<line, 9 digits>` | |
//! | row of an import that differs from the table | `U#<job>#d` | `<line, 9 digits>` | |
//! | upload | `U#u:<upload>` | `U` | |
//! | the rows of a job, known by their digest | `U#x:<digest>` | `X` | |
//!
//! **Invariant:** a part has a partition of its own, so the parts of a job are written in parallel.

use super::Key;
use domain::ids::{JobId, UploadId};
use domain::jobs::kind::JobKind;
use domain::time::Timestamp;

/// Range key prefix of the items that count a job's progress.
pub const PROGRESS: &str = "P#";

fn partition(job: &JobId) -> String {
    format!("U#{job}")
}

/// Returns the key of a job.
pub fn job(job: &JobId) -> Key {
    Key::new(partition(job), "J")
}

/// Parses the job from its partition key.
pub fn job_of(pk: &str) -> Option<JobId> {
    JobId::parse(pk.strip_prefix("U#")?).ok()
}

/// Returns the key of the rows that were refused when a job was made.
pub fn refused_lines(job: &JobId) -> Key {
    Key::new(partition(job), "L")
}

/// Returns the key of an item that counts a job's progress.
pub fn progress(job: &JobId, shard: u32) -> Key {
    Key::new(partition(job), format!("{PROGRESS}{shard}"))
}

/// Returns the key of a part.
pub fn part(job: &JobId, number: u32) -> Key {
    Key::new(format!("{}#{number}", partition(job)), "R")
}

/// Returns the partition of a job's failed rows.
pub fn failed_rows(job: &JobId) -> String {
    format!("{}#f", partition(job))
}

/// Returns the range key of a failed row.
pub fn failed_line(line: u64) -> String {
    format!("{line:09}")
}

/// Returns the key of a failed row.
pub fn failed_row(job: &JobId, line: u64) -> Key {
    Key::new(failed_rows(job), failed_line(line))
}

/// Returns the partition of the rows of an import that differ from the table.
pub fn differences(job: &JobId) -> String {
    format!("{}#d", partition(job))
}

/// Returns the key of a row of an import that differs from the table.
pub fn difference(job: &JobId, line: u64) -> Key {
    Key::new(differences(job), failed_line(line))
}

/// Returns the key by which the same rows are recognised.
pub fn same_rows(digest: &str) -> Key {
    Key::new(format!("U#x:{digest}"), "X")
}

/// Returns the key of an upload.
pub fn upload(upload: &UploadId) -> Key {
    Key::new(format!("U#u:{upload}"), "U")
}

/// Returns the partition that lists the jobs of a kind.
pub fn job_list(kind: JobKind) -> String {
    format!("L#j:{}", kind.as_str())
}

/// Returns the key of a job in the list of its kind.
pub fn listed_job(kind: JobKind, created_at: Timestamp, job: &JobId) -> Key {
    Key::new(job_list(kind), format!("{created_at}#{job}"))
}

/// Parses the job from the range key of its place in a list.
pub fn job_at(place: &str) -> Option<JobId> {
    JobId::parse(place.split_once('#')?.1).ok()
}
