//! Reads jobs, and gives them their final status.
//!
//! **Invariant:** a job that is shown without pending rows has its final status: the reader who sees that none is left
//! sets it.

use super::{Jobs, items};
use crate::engine::attr::{number, text};
use crate::engine::due::{DuePage, DueWork, Place};
use crate::engine::error::StoreError;
use crate::engine::read::key_of;
use crate::keys::{self, DueKind};
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use domain::ids::JobId;
use domain::jobs::figures::{Difference, ImportOutcomes};
use domain::jobs::job::{Job, QUIET_SECONDS, RefusedLine};
use domain::jobs::kind::JobKind;
use domain::jobs::part::{Part, PartState, Tally};
use domain::jobs::row::Row;
use domain::jobs::status::JobStatus;
use domain::time::Timestamp;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeSet;

/// Parts that are read at once.
const PARTS_AT_ONCE: u32 = 40;

/// Items that are changed at once.
const PURGED_AT_ONCE: usize = 16;

/// The place in the index before every job.
const BEGINNING: &str = "0";

/// Open jobs that are listed at once.
const PAGE: u16 = 100;

/// The most parts that one page looks at.
const PARTS_OF_PAGE: u32 = 800;

/// A page of the rows of a job.
#[derive(Clone, Debug)]
pub struct RowPage {
    /// The rows, in the order of their lines.
    pub rows: Vec<Row>,
    /// The line after which the list goes on; `None` at its end.
    pub next: Option<u64>,
}

impl Jobs {
    /// Reads a job.
    pub async fn job(&self, id: &JobId) -> Result<Option<Job>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::job(id))).await?;
        item.map(|item| items::job_from_item(&item)).transpose()
    }

    /// Reads jobs of these kinds that were made before a place, newest first, each with its place; those that cannot be
    /// read are left out. Returns also the place after which the list goes on, if there may be more.
    pub async fn listed(
        &self,
        kinds: &[JobKind],
        before: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<(String, Job)>, Option<String>), StoreError> {
        let mut places = vec![];
        for kind in kinds {
            let found = self.table.page_before(&keys::job_list(*kind), before, limit).await?;
            places.extend(found.iter().filter_map(key_of).map(|key| key.sk));
        }
        places.sort_unstable_by(|one, other| other.cmp(one));
        places.truncate(limit);
        let next = places.last().filter(|_| places.len() >= limit).cloned();
        let keys: Vec<_> = places.iter().filter_map(|place| Some(keys::job(&keys::job_at(place)?))).collect();
        let found = self.table.with_retry(|| self.table.batch(&keys)).await?;
        let mut jobs = vec![];
        for place in places {
            let item = keys::job_at(&place).and_then(|id| found.get(&keys::job(&id)));
            match item.map(items::job_from_item) {
                Some(Ok(job)) => jobs.push((place, job)),
                Some(Err(error)) => tracing::error!(place, %error, "a job cannot be read"),
                None => {}
            }
        }
        Ok((jobs, next))
    }

    /// Counts the jobs of these kinds.
    pub async fn count_listed(&self, kinds: &[JobKind]) -> Result<u64, StoreError> {
        let mut count = 0;
        for kind in kinds {
            count += self.table.count_partition(&keys::job_list(*kind)).await?;
        }
        Ok(count)
    }

    /// Returns the jobs that messages carry out and that have not ended.
    pub async fn open_jobs(&self) -> Result<Vec<Job>, StoreError> {
        let mut open = vec![];
        for shard in 0..keys::DUE_SHARDS {
            let mut from = BEGINNING.to_owned();
            loop {
                let page = DuePage { shard, from: &from, until: Timestamp::LAST, limit: PAGE };
                let found = self.table.due(DueKind::Jobs, page).await?;
                for id in found.iter().filter_map(|(pk, _)| keys::job_of(pk)) {
                    match self.job(&id).await {
                        Ok(job) => open.extend(job.filter(Job::is_carried_out)),
                        Err(error) => tracing::error!(job = %id, %error, "a job cannot be read"),
                    }
                }
                match found.last().filter(|_| found.len() >= usize::from(PAGE)) {
                    Some((_, place)) => from = format!("{place}~"),
                    None => break,
                }
            }
        }
        Ok(open)
    }

    /// Adds up how far a job is, and when a part last ended.
    pub async fn tally(&self, id: &JobId) -> Result<(Tally, Option<Timestamp>), StoreError> {
        let counted = self.table.partition(&keys::job(id).pk, keys::PROGRESS).await?;
        let (mut sum, mut last) = (Tally::default(), None);
        for item in &counted {
            let (tally, at) = items::tally_from_item(item)?;
            sum = sum.plus(tally).map_err(StoreError::Rejected)?;
            last = last.max(Some(at));
        }
        Ok((sum, last))
    }

    /// Adds up the figures of an import.
    pub async fn import_outcomes(&self, id: &JobId) -> Result<ImportOutcomes, StoreError> {
        let counted = self.table.partition(&keys::job(id).pk, keys::PROGRESS).await?;
        let mut sum = ImportOutcomes::default();
        for item in &counted {
            sum = sum.plus(&items::figures_from_item(item)?).map_err(StoreError::Rejected)?;
        }
        Ok(sum)
    }

    /// Reads the first rows of an import of which the table has something else than they say.
    pub async fn differences(&self, id: &JobId, limit: usize) -> Result<Vec<Difference>, StoreError> {
        let found = self.table.partition_page(&keys::differences(id), None, limit).await?;
        found.iter().map(items::difference_from_item).collect()
    }

    /// Gives a job its final status if no row is pending; returns it as it is then, with its progress.
    pub async fn settle(&self, job: Job, now: Timestamp) -> Result<(Job, Tally), StoreError> {
        let (mut tally, _) = self.tally(&job.terms.id).await?;
        let Some(status) = job.ends_as(&tally, now) else {
            let tally = job.outcomes(tally);
            return Ok((job, tally));
        };
        let set = "SET #s = :to, finished_at = :now";
        let ended = self.move_status(&job, (&[job.status], status), set, now).await?;
        if ended.status != status {
            tally = self.tally(&job.terms.id).await?.0;
        }
        if ended.status.is_final() {
            self.keep_ended(&ended, &tally).await?;
            // The monitor looks at it a last time.
            self.table.postpone(keys::job(&ended.terms.id), now).await?;
        }
        // It may have been cancelled, or ended by another process, meanwhile.
        let again = ended.status.is_open() && ended.status != job.status;
        if again { Box::pin(self.settle(ended, now)).await } else { Ok((ended, tally)) }
    }

    /// Says until when what belongs to a job that has ended is kept, and forgets the rows of which none was applied.
    pub async fn keep_ended(&self, job: &Job, tally: &Tally) -> Result<(), StoreError> {
        let (terms, ended) = (&job.terms, job.finished_at.unwrap_or(job.quiet_since));
        let listed = keys::listed_job(terms.kind, terms.created_at, &terms.id);
        let mut kept = vec![keys::job(&terms.id), listed];
        if terms.rejected > 0 {
            kept.push(keys::refused_lines(&terms.id));
        }
        let is_never_begun = job.status == JobStatus::Cancelled && tally.ended() < terms.total();
        if job.status == JobStatus::Failed || is_never_begun {
            kept.extend((0..terms.parts).map(|part| keys::part(&terms.id, part)));
        }
        if terms.marks_rows() && tally.succeeded == 0 {
            self.forget_rows(&terms.digest, &terms.id, Some(job.status)).await?;
        } else if terms.marks_rows() {
            kept.push(keys::same_rows(&terms.digest));
        }
        let purged: Vec<_> = kept.iter().map(|key| self.purge(key, ended)).collect();
        stream::iter(purged).buffer_unordered(PURGED_AT_ONCE).try_collect::<Vec<()>>().await?;
        Ok(())
    }

    async fn purge(&self, key: &keys::Key, ended: Timestamp) -> Result<(), StoreError> {
        let purge = |update: UpdateItemFluentBuilder| {
            update
                .update_expression("SET purge_at = :at")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":at", number(items::purge_at(ended)))
        };
        self.table.until_sent(key, purge).await.map(|_| ())
    }

    /// Reads the rows that were refused when a job was made, at most the first 100.
    pub async fn refused_lines(&self, id: &JobId) -> Result<Vec<RefusedLine>, StoreError> {
        let item = self.table.with_retry(|| self.table.get(keys::refused_lines(id))).await?;
        item.map_or(Ok(vec![]), |item| items::lines_from_item(&item))
    }

    /// Reads failed rows, in the order of their lines, after a line.
    pub async fn failed(&self, id: &JobId, after: Option<u64>, limit: usize) -> Result<Vec<Row>, StoreError> {
        let after = after.map(keys::failed_line);
        let found = self.table.partition_page(&keys::failed_rows(id), after.as_deref(), limit).await?;
        found.iter().map(items::failed_from_item).collect()
    }

    /// Reads parts with consecutive numbers; those that cannot be read are left out.
    pub async fn parts(&self, id: &JobId, from: u32, until: u32) -> Result<Vec<Part>, StoreError> {
        let wanted: Vec<keys::Key> = (from..until).map(|number| keys::part(id, number)).collect();
        let found = self.table.with_retry(|| self.table.batch(&wanted)).await?;
        let part = |number: u32| match items::part_from_item(found.get(&keys::part(id, number))?, id, number)
        {
            Ok((part, _)) => Some(part),
            Err(error) => {
                tracing::error!(job = %id, part = number, %error, "a part of a job cannot be read");
                None
            }
        };
        Ok((from..until).filter_map(part).collect())
    }

    /// Returns the numbers of the parts that have not ended, or cannot be read.
    pub async fn unfinished_parts(&self, job: &Job) -> Result<Vec<u32>, StoreError> {
        let (mut left, mut from) = (vec![], 0);
        while from < job.terms.parts {
            let until = from.saturating_add(PARTS_AT_ONCE).min(job.terms.parts);
            let found = self.parts(&job.terms.id, from, until).await?;
            let done = found.iter().filter(|part| part.state == PartState::Done);
            let done: BTreeSet<u32> = done.map(|part| part.number).collect();
            left.extend((from..until).filter(|number| !done.contains(number)));
            from = until;
        }
        Ok(left)
    }

    /// Reads rows in the order of their lines, after a line; those with this outcome, or all.
    pub async fn rows(
        &self,
        job: &Job,
        outcome: Option<&str>,
        after: Option<u64>,
        limit: usize,
    ) -> Result<RowPage, StoreError> {
        let (id, parts) = (&job.terms.id, job.terms.parts);
        let mut from = match after {
            Some(line) => self.part_of(job, line).await?,
            None => 0,
        };
        let (mut rows, last) = (vec![], from.saturating_add(PARTS_OF_PAGE).min(parts));
        let wanted = |row: &Row| {
            after.is_none_or(|after| row.line > after)
                && outcome.is_none_or(|outcome| row.outcome.word() == outcome)
        };
        let mut seen = after;
        while from < last && rows.len() <= limit {
            let until = from.saturating_add(PARTS_AT_ONCE).min(last);
            let found = self.parts(id, from, until).await?;
            let found: Vec<Part> = found.into_iter().map(|part| part.as_of(job.status)).collect();
            seen = found.last().and_then(|part| part.rows.last()).map(|row| row.line).max(seen);
            rows.extend(found.into_iter().flat_map(|part| part.rows).filter(|row| wanted(row)));
            from = until;
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        let end = if more { rows.last().map(|row| row.line) } else { seen };
        Ok(RowPage { next: end.filter(|_| more || from < parts), rows })
    }

    /// Returns the number of the part that has a line, or of the first after it.
    async fn part_of(&self, job: &Job, line: u64) -> Result<u32, StoreError> {
        let (mut low, mut high) = (0, job.terms.parts);
        while high.saturating_sub(low) > 1 {
            let middle = low + (high - low) / 2;
            // The next one that can be read.
            let until = middle.saturating_add(PARTS_AT_ONCE).min(high);
            let part = self.parts(&job.terms.id, middle, until).await?;
            let begins = part.first().and_then(|part| part.rows.first()).map(|row| row.line);
            if begins.is_some_and(|begins| begins <= line) { low = middle } else { high = middle }
        }
        Ok(low)
    }

    /// Removes a job that has ended from those that are looked at.
    pub async fn done(&self, id: &JobId, place: &str) -> Result<(), StoreError> {
        self.table.remove_due(keys::job(id), place).await
    }

    /// Notes that the messages of a job were sent, how often that was because it made no progress, or that it waits.
    pub async fn sent(&self, job: &Job, requeued: u32, now: Timestamp) -> Result<(), StoreError> {
        let key = keys::job(&job.terms.id);
        let due = keys::due(now.plus_seconds(QUIET_SECONDS).unwrap_or(now), &key.pk);
        let update = |update: UpdateItemFluentBuilder| {
            update
                .update_expression("SET requeued = :n, quiet_since = :now, dsk = :due")
                .condition_expression("attribute_exists(dsk) AND attribute_not_exists(finished_at)")
                .expression_attribute_values(":n", number(requeued))
                .expression_attribute_values(":now", text(now))
                .expression_attribute_values(":due", text(&due))
        };
        self.table.until_sent(&key, update).await.map(|_| ())
    }
}

/// Jobs that have not ended when they were to be looked at.
#[derive(Clone, Debug)]
pub struct DueJob<'a>(pub &'a Jobs);

impl DueWork for DueJob<'_> {
    type Item = JobId;

    async fn due(&self, page: DuePage<'_>) -> Result<Vec<(JobId, Place)>, StoreError> {
        let found = self.0.table.due(DueKind::Jobs, page).await?;
        Ok(found.into_iter().filter_map(|(pk, at)| Some((keys::job_of(&pk)?, at))).collect())
    }

    async fn postpone(&self, id: &JobId, until: Timestamp) -> Result<(), StoreError> {
        self.0.table.postpone(keys::job(id), until).await
    }
}
