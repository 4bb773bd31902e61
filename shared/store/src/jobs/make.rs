//! Makes a job: stores its rows, and only then lets them be applied.
//!
//! **Invariant:** the same request makes one job: its id follows from its cause, and each part is stored once, never over
//! one that was begun.
//! **Invariant:** rows that a job has applied, or may apply, are not taken by another job unless its caller says so.

use super::{Jobs, items};
use crate::engine::attr::{Item, number, text};
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::write::change;
use crate::keys;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use domain::ids::{JobId, RequestId};
use domain::jobs::job::{Job, JobTerms, QUIET_SECONDS, RefusedLine, STORING_SECONDS};
use domain::jobs::part::Part;
use domain::jobs::status::JobStatus;
use domain::time::Timestamp;
use futures::stream::{self, StreamExt, TryStreamExt};

/// Parts that are stored at once.
const AT_ONCE: usize = 16;

/// A job that is to be made.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// What never changes of it.
    pub terms: JobTerms,
    /// The first rows that are invalid.
    pub lines: Vec<RefusedLine>,
    /// Its rows.
    pub parts: Vec<Part>,
}

/// A job that was made, or had been.
#[derive(Clone, Debug)]
pub struct MadeJob {
    /// The job.
    pub job: Job,
    /// True if an earlier request has made it.
    pub replayed: bool,
    /// True if this request has stored its rows, so that nobody has sent its messages.
    pub is_stored_now: bool,
}

/// Why a job was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobError {
    /// The key was used for another request.
    KeyReused,
    /// This job has the same rows.
    Repeated(JobId),
}

impl Jobs {
    /// Makes a job, once.
    pub async fn make(
        &self,
        new: &NewJob,
        (now, request): (Timestamp, &RequestId),
    ) -> Result<Result<MadeJob, JobError>, StoreError> {
        let mut retry = self.table.retry();
        let job = loop {
            let known = self.job(&new.terms.id).await?;
            let has_failed = known.as_ref().is_some_and(|known| known.status == JobStatus::Failed);
            if let Some(known) = known {
                if known.terms.fingerprint != new.terms.fingerprint {
                    return Ok(Err(JobError::KeyReused));
                }
                if !has_failed {
                    break known;
                }
            }
            let sent = self.table.transact(self.first_writes(new, has_failed, now)?).await?;
            match retry.settled(sent).await? {
                Some(Certain::Refused(refused)) => {
                    let is_made = refused.iter().any(|(at, _)| *at == 0);
                    if let Some((_, Some(item))) = refused.iter().find(|(at, _)| *at == 1 && !is_made)
                        && let Some(other) = self.who_has(item, &new.terms, now).await?
                    {
                        return Ok(Err(JobError::Repeated(other)));
                    }
                    if !retry.backoff().await {
                        let why = "the rows are being taken by another job".to_owned();
                        return Err(retry.certain(StoreError::Contention(why)));
                    }
                }
                // What is stored is read again: a job that had failed keeps the terms of its first request.
                Some(Certain::Done(_)) | None => {}
            }
        };
        let replayed = !job.terms.is_made_by(request);
        if job.status != JobStatus::Storing {
            return Ok(Ok(MadeJob { job, replayed, is_stored_now: false }));
        }
        let stored = self.store(new, now).await.map_err(StoreError::after_effect)?;
        Ok(Ok(MadeJob { job: stored, replayed, is_stored_now: true }))
    }

    /// Returns the writes that come before the rows: the job, what its rows are known by, and those refused. A job that
    /// has failed because its rows were not stored in time begins again.
    fn first_writes(
        &self,
        new: &NewJob,
        has_failed: bool,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let terms = &new.terms;
        let at = now.plus_seconds(STORING_SECONDS).unwrap_or(now);
        let job = if has_failed {
            self.begin_again(terms, (now, at))?
        } else {
            self.table.new_put(items::job_to_item(&Job::new(terms.clone(), now), at)?)?
        };
        let listed = keys::listed_job(terms.kind, terms.created_at, &terms.id);
        // The rows come second: a refusal of theirs names who has them.
        let mut writes = vec![job];
        if terms.marks_rows() {
            writes.push(self.mark_rows(terms)?);
        }
        if !has_failed {
            writes.push(self.table.any_put(listed.attributes())?);
        }
        if !new.lines.is_empty() {
            writes.push(self.table.any_put(items::lines_to_item(terms, &new.lines)?)?);
        }
        Ok(writes)
    }

    /// Returns the write that says that a job has these rows; without `again`, no other may have them.
    pub(super) fn mark_rows(&self, terms: &JobTerms) -> Result<TransactWriteItem, StoreError> {
        let mut update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::same_rows(&terms.digest).attributes()))
            .update_expression("REMOVE purge_at ADD jobs :job")
            .expression_attribute_values(":job", items::job_set(&terms.id))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        if !terms.options.again {
            update = update
                .condition_expression(
                    "attribute_not_exists(jobs) OR (contains(jobs, :id) AND size(jobs) = :one)",
                )
                .expression_attribute_values(":id", text(&terms.id))
                .expression_attribute_values(":one", number(1));
        }
        Ok(change(update.build().map_err(StoreError::built)?))
    }

    fn begin_again(
        &self,
        terms: &JobTerms,
        (now, at): (Timestamp, Timestamp),
    ) -> Result<TransactWriteItem, StoreError> {
        let key = keys::job(&terms.id);
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(key.attributes()))
            .update_expression(
                "SET #s = :storing, quiet_since = :now, dpk = :dpk, dsk = :dsk REMOVE finished_at, purge_at",
            )
            .condition_expression("#s = :failed")
            .expression_attribute_names("#s", "status")
            .expression_attribute_values(":storing", text(JobStatus::Storing.as_str()))
            .expression_attribute_values(":failed", text(JobStatus::Failed.as_str()))
            .expression_attribute_values(":now", text(now))
            .expression_attribute_values(":dpk", text(keys::due_partition(keys::DueKind::Jobs, &key.pk)))
            .expression_attribute_values(":dsk", text(keys::due(at, &key.pk)));
        Ok(change(update.build().map_err(StoreError::built)?))
    }

    /// Returns another job that has applied the same rows, or still may; forgets those that have ended without.
    pub(super) async fn who_has(
        &self,
        item: &Item,
        terms: &JobTerms,
        now: Timestamp,
    ) -> Result<Option<JobId>, StoreError> {
        for other in items::same_rows_from_item(item)? {
            // It is named by an earlier send of this request, or by the same request at the same time.
            if other == terms.id {
                continue;
            }
            let seen = match self.job(&other).await? {
                Some(job) => {
                    let (job, tally) = self.settle(job, now).await?;
                    if !job.status.is_final() || tally.succeeded > 0 {
                        return Ok(Some(other));
                    }
                    Some(job.status)
                }
                None => None,
            };
            self.forget_rows(&terms.digest, &other, seen).await?;
        }
        Ok(None)
    }

    /// Removes what says that a job has these rows, if it still has this status: a job that has failed may be made
    /// again at this moment. `None` stands for a job that does not exist.
    pub(super) async fn forget_rows(
        &self,
        digest: &str,
        job: &JobId,
        seen: Option<JobStatus>,
    ) -> Result<(), StoreError> {
        let key = keys::same_rows(digest);
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(key.attributes()))
            .update_expression("DELETE jobs :job")
            .condition_expression("contains(jobs, :id)")
            .expression_attribute_values(":job", items::job_set(job))
            .expression_attribute_values(":id", text(job));
        let unchanged = match seen {
            Some(status) => self.table.has_status(&keys::job(job), status.as_str())?,
            None => self.table.absent(&keys::job(job))?,
        };
        let writes = vec![unchanged, change(update.build().map_err(StoreError::built)?)];
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.transact(writes.clone()).await?;
            match retry.settled(sent).await? {
                Some(Certain::Refused(_)) => return Ok(()),
                Some(Certain::Done(_)) => break,
                None => {}
            }
        }
        let request = self
            .table
            .client
            .delete_item()
            .table_name(&self.table.name)
            .set_key(Some(key.attributes()))
            .condition_expression("attribute_not_exists(jobs)");
        // An item that names no job does no harm.
        if let Err(error) = request.send().await {
            tracing::debug!(%error, "an item that names no job is left");
        }
        Ok(())
    }

    /// Stores the rows of a job, then lets them be applied.
    async fn store(&self, new: &NewJob, now: Timestamp) -> Result<Job, StoreError> {
        self.store_parts(&new.parts).await?;
        self.queue(&new.terms.id, now).await
    }

    /// Stores parts of a job that nobody can have begun; those that are stored stay as they are.
    pub async fn store_parts(&self, parts: &[Part]) -> Result<(), StoreError> {
        let parts: Vec<_> = parts.iter().map(|part| self.store_part(part)).collect();
        stream::iter(parts).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    /// Lets a job be applied, once all of its rows are stored; returns it as it is then.
    pub async fn queue(&self, id: &JobId, now: Timestamp) -> Result<Job, StoreError> {
        let key = keys::job(id);
        let due = keys::due(now.plus_seconds(QUIET_SECONDS).unwrap_or(now), &key.pk);
        let partition = keys::due_partition(keys::DueKind::Jobs, &key.pk);
        let found = self
            .table
            .until_sent(&key, |update| {
                update
                    .update_expression(
                        "SET #s = :queued, quiet_since = :now, requeued = :zero, dpk = :dpk, dsk = :dsk",
                    )
                    .condition_expression("#s = :storing")
                    .expression_attribute_names("#s", "status")
                    .expression_attribute_values(":queued", text(JobStatus::Queued.as_str()))
                    .expression_attribute_values(":storing", text(JobStatus::Storing.as_str()))
                    .expression_attribute_values(":zero", number(0))
                    .expression_attribute_values(":now", text(now))
                    .expression_attribute_values(":dpk", text(&partition))
                    .expression_attribute_values(":dsk", text(&due))
            })
            .await?;
        let item = found.ok_or_else(|| items::unknown("the job is gone"))?;
        let job = items::job_from_item(&item)?;
        // Storing its rows took so long that it has failed meanwhile.
        let is_late = matches!(job.status, JobStatus::Storing | JobStatus::Failed);
        if is_late { Err(items::unknown("the rows were not stored in time")) } else { Ok(job) }
    }

    async fn store_part(&self, part: &Part) -> Result<(), StoreError> {
        let item = items::part_to_item(part)?;
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.put_new(item.clone()).await?;
            if retry.settled(sent).await?.is_some() {
                return Ok(());
            }
        }
    }
}
