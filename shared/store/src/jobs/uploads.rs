//! Uploads, and jobs whose rows are read from one.
//!
//! **Invariant:** a file is taken by one job, in the transaction that makes the job; a job that only tries takes none,
//! and one that was refused gives it back.
//! **Invariant:** what follows from the rows of a file is set once, in the transaction that says that a job has these
//! rows, before a part is stored.

use super::{Jobs, items};
use crate::engine::attr::text;
use crate::engine::document::document;
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::write::change;
use crate::keys::{self, DueKind};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use domain::ids::{JobId, RequestId, UploadId};
use domain::jobs::job::{Job, JobRefusal, JobTerms, QUIET_SECONDS, RefusedLine};
use domain::jobs::status::JobStatus;
use domain::jobs::upload::{Upload, UploadTerms};
use domain::time::Timestamp;

/// The result of a request for a job that reads an upload.
#[derive(Clone, Debug)]
pub enum UploadJob {
    /// The job, and true if an earlier request has made it.
    Made(Box<Job>, bool),
    /// The key was used for another request.
    KeyReused,
    /// This job reads the upload.
    Used(JobId),
}

/// The result of saying what the rows of a file are.
#[derive(Clone, Debug)]
pub enum RowsTaken {
    /// The job, whose rows are to be stored unless it has ended meanwhile.
    Taken(Box<Job>),
    /// Another job has the same rows.
    Repeated(JobId),
}

impl Jobs {
    /// Stores an upload, once; returns it as it is stored, or `None` if the key was used for another request.
    pub async fn make_upload(&self, terms: &UploadTerms) -> Result<Option<Upload>, StoreError> {
        let item = items::upload_to_item(terms)?;
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.put_new(item.clone()).await?;
            if retry.settled(sent).await?.is_some() {
                let stored = self.upload(&terms.id).await?;
                return Ok(stored.filter(|stored| stored.terms.fingerprint == terms.fingerprint));
            }
        }
    }

    /// Reads an upload.
    pub async fn upload(&self, id: &UploadId) -> Result<Option<Upload>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::upload(id))).await?;
        item.map(|item| items::upload_from_item(&item)).transpose()
    }

    /// Makes a job that reads an upload, once.
    pub async fn make_of_upload(
        &self,
        terms: &JobTerms,
        upload: &UploadId,
        (now, request): (Timestamp, &RequestId),
    ) -> Result<UploadJob, StoreError> {
        let mut retry = self.table.retry();
        loop {
            if let Some(job) = self.job(&terms.id).await? {
                let replayed = !job.terms.is_made_by(request);
                let is_same = job.terms.fingerprint == terms.fingerprint;
                return Ok(if is_same {
                    UploadJob::Made(Box::new(job), replayed)
                } else {
                    UploadJob::KeyReused
                });
            }
            let was = if terms.options.dry_run { None } else { self.reader_of(upload).await? };
            if let Some(job) = was.as_ref().filter(|job| job.status != JobStatus::Rejected) {
                let is_same = job.terms.fingerprint == terms.fingerprint;
                let used = UploadJob::Used(job.terms.id.clone());
                return Ok(if is_same { UploadJob::Made(Box::new(job.clone()), true) } else { used });
            }
            let due = now.plus_seconds(QUIET_SECONDS).unwrap_or(now);
            let listed = keys::listed_job(terms.kind, terms.created_at, &terms.id);
            let mut writes = vec![
                self.table.new_put(items::job_to_item(&Job::new(terms.clone(), now), due)?)?,
                self.table.any_put(listed.attributes())?,
            ];
            if !terms.options.dry_run {
                writes.push(self.take_upload(upload, &terms.id, was.as_ref().map(|job| &job.terms.id))?);
            }
            let sent = self.table.transact(writes).await?;
            // Whatever became of it is read again.
            if let Some(Certain::Refused(_)) = retry.settled(sent).await?
                && !retry.backoff().await
            {
                let why = "the upload is being taken by another job".to_owned();
                return Err(retry.certain(StoreError::Contention(why)));
            }
        }
    }

    async fn reader_of(&self, upload: &UploadId) -> Result<Option<Job>, StoreError> {
        match self.upload(upload).await?.and_then(|upload| upload.job) {
            Some(job) => self.job(&job).await,
            None => Ok(None),
        }
    }

    fn take_upload(
        &self,
        upload: &UploadId,
        job: &JobId,
        was: Option<&JobId>,
    ) -> Result<TransactWriteItem, StoreError> {
        let update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::upload(upload).attributes()))
            .update_expression("SET job = :job")
            .expression_attribute_values(":job", text(job));
        let update = match was {
            None => update.condition_expression("attribute_exists(terms) AND attribute_not_exists(job)"),
            Some(was) => {
                update.condition_expression("job = :was").expression_attribute_values(":was", text(was))
            }
        };
        Ok(change(update.build().map_err(StoreError::built)?))
    }

    /// Notes under which ETag the file of a job is read; returns the job, which has the ETag that was noted first.
    pub async fn note_etag(&self, id: &JobId, etag: &str) -> Result<Job, StoreError> {
        let note = |update: UpdateItemFluentBuilder| {
            update
                .update_expression("SET etag = :etag")
                .condition_expression("attribute_exists(terms) AND attribute_not_exists(etag)")
                .expression_attribute_values(":etag", text(etag))
        };
        let item = self.table.until_sent(&keys::job(id), note).await?;
        items::job_from_item(&item.ok_or_else(|| items::unknown("the job is gone"))?)
    }

    /// Ends a job whose file is being read: it was refused, or cannot be read. Returns the job as it is then.
    pub async fn refuse(
        &self,
        job: &Job,
        (terms, lines): (&JobTerms, &Vec<RefusedLine>),
        (status, refusal): (JobStatus, Option<&JobRefusal>),
        now: Timestamp,
    ) -> Result<Job, StoreError> {
        if !lines.is_empty() {
            self.table.put_record(items::lines_to_item(terms, lines)?).await?;
        }
        let (terms, refusal) = (document(terms)?, refusal.map(document).transpose()?);
        let end = |update: UpdateItemFluentBuilder| {
            let update = update
                .condition_expression("#s = :was")
                .expression_attribute_names("#s", "status")
                .expression_attribute_values(":was", text(job.status.as_str()))
                .expression_attribute_values(":to", text(status.as_str()))
                .expression_attribute_values(":terms", text(&terms))
                .expression_attribute_values(":now", text(now));
            match &refusal {
                None => update.update_expression("SET #s = :to, terms = :terms, finished_at = :now"),
                Some(refusal) => update
                    .update_expression("SET #s = :to, terms = :terms, finished_at = :now, refusal = :refusal")
                    .expression_attribute_values(":refusal", text(refusal)),
            }
        };
        let item = self.table.until_sent(&keys::job(&job.terms.id), end).await?;
        let ended = items::job_from_item(&item.ok_or_else(|| items::unknown("the job is gone"))?)?;
        // The monitor looks at it a last time.
        self.table.postpone(keys::job(&job.terms.id), now).await?;
        Ok(ended)
    }

    /// Says what the rows of a job's file are; from now on they are stored.
    pub async fn take_rows(
        &self,
        terms: &JobTerms,
        lines: &Vec<RefusedLine>,
        now: Timestamp,
    ) -> Result<RowsTaken, StoreError> {
        let mut retry = self.table.retry();
        let (id, key) = (&terms.id, keys::job(&terms.id));
        loop {
            let job = self.job(id).await?.ok_or_else(|| items::unknown("the job is gone"))?;
            if job.status != JobStatus::Validating {
                return Ok(RowsTaken::Taken(Box::new(job)));
            }
            let due = keys::due(now.plus_seconds(QUIET_SECONDS).unwrap_or(now), &key.pk);
            let update = Update::builder()
                .table_name(&self.table.name)
                .set_key(Some(key.attributes()))
                .update_expression(
                    "SET #s = :storing, terms = :terms, quiet_since = :now, dpk = :dpk, dsk = :dsk",
                )
                .condition_expression("#s = :validating")
                .expression_attribute_names("#s", "status")
                .expression_attribute_values(":storing", text(JobStatus::Storing.as_str()))
                .expression_attribute_values(":validating", text(JobStatus::Validating.as_str()))
                .expression_attribute_values(":terms", text(document(terms)?))
                .expression_attribute_values(":now", text(now))
                .expression_attribute_values(":dpk", text(keys::due_partition(DueKind::Jobs, &key.pk)))
                .expression_attribute_values(":dsk", text(due))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            let mut writes = vec![change(update.build().map_err(StoreError::built)?)];
            if terms.marks_rows() {
                writes.push(self.mark_rows(terms)?);
            }
            if !lines.is_empty() {
                writes.push(self.table.any_put(items::lines_to_item(terms, lines)?)?);
            }
            let sent = self.table.transact(writes).await?;
            if let Some(Certain::Refused(refused)) = retry.settled(sent).await? {
                if let Some((_, Some(item))) = refused.iter().find(|(at, _)| *at == 1 && terms.marks_rows())
                    && let Some(other) = self.who_has(item, terms, now).await?
                {
                    return Ok(RowsTaken::Repeated(other));
                }
                if !retry.backoff().await {
                    let why = "the rows are being taken by another job".to_owned();
                    return Err(retry.certain(StoreError::Contention(why)));
                }
            }
        }
    }

    /// Cancels a job whose file is being read; returns the job as it is then.
    pub async fn cancel_taken(&self, job: &Job, now: Timestamp) -> Result<Job, StoreError> {
        let from = [JobStatus::Validating, JobStatus::Storing];
        let set = "SET #s = :to, finished_at = :now";
        let ended = self.move_status(job, (&from, JobStatus::Cancelled), set, now).await?;
        if ended.status == JobStatus::Cancelled {
            self.table.postpone(keys::job(&job.terms.id), now).await?;
        }
        Ok(ended)
    }
}
