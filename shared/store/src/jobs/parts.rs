//! Takes parts of jobs, and ends them.
//!
//! **Invariant:** a part is taken if nobody has begun it, or if the lease of who has is over; it is never open again.
//! **Invariant:** a part ends in one transaction with what it adds to the job's progress and with its failed rows, so it
//! counts once, however often it is sent.

use super::{Jobs, items};
use crate::engine::attr::{Item, number, text};
use crate::engine::error::StoreError;
use crate::engine::retry::Certain;
use crate::engine::write::change;
use crate::keys;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{
    AttributeValue, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use domain::ids::JobId;
use domain::jobs::job::Job;
use domain::jobs::part::{LEASE_SECONDS, Part, PartState};
use domain::jobs::row::RowOutcome;
use domain::jobs::status::JobStatus;
use domain::time::Timestamp;

/// Who holds a part that is being ended.
#[derive(Clone, Copy, Debug)]
pub enum Held<'a> {
    /// This process.
    By(&'a str),
    /// Nobody: it has not been begun.
    Open,
}

/// The result of an attempt to take a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// This process holds it until its lease is over.
    Mine(Part),
    /// Another process holds it.
    Others,
    /// It was ended before.
    Done,
}

impl Jobs {
    /// Takes a part for this process.
    pub async fn take(
        &self,
        (job, part): (&JobId, u32),
        owner: &str,
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let until = lease(now);
        let found = self
            .table
            .until_sent(&keys::part(job, part), |update| {
                update
                    .update_expression("SET #s = :applying, #o = :me, #u = :until")
                    .condition_expression("#s = :open OR (#s = :applying AND (#u < :now OR #o = :me))")
                    .expression_attribute_names("#s", "state")
                    .expression_attribute_names("#o", "owner")
                    .expression_attribute_names("#u", "until")
                    .expression_attribute_values(":applying", text("applying"))
                    .expression_attribute_values(":open", text("open"))
                    .expression_attribute_values(":me", text(owner))
                    .expression_attribute_values(":now", text(now))
                    .expression_attribute_values(":until", text(until))
            })
            .await?;
        let item = found.ok_or_else(|| items::unknown("the job has no such part"))?;
        let (part, _) = items::part_from_item(&item, job, part)?;
        Ok(match &part.state {
            PartState::Done => Taken::Done,
            PartState::Applying { owner: held_by, .. } if held_by == owner => Taken::Mine(part),
            PartState::Applying { .. } | PartState::Open => Taken::Others,
        })
    }

    /// Prolongs the lease of a part; returns false if another process has taken it.
    pub async fn keep(&self, part: &Part, owner: &str, now: Timestamp) -> Result<bool, StoreError> {
        let found = self
            .table
            .until_sent(&keys::part(&part.job, part.number), |update| {
                let update = update
                    .update_expression("SET #u = :until")
                    .expression_attribute_names("#u", "until")
                    .expression_attribute_values(":until", text(lease(now)));
                held_by(update, owner)
            })
            .await?;
        let Some(item) = found else { return Ok(false) };
        let (part, _) = items::part_from_item(&item, &part.job, part.number)?;
        Ok(matches!(&part.state, PartState::Applying { owner: held_by, .. } if held_by == owner))
    }

    /// Ends a part whose rows all have outcomes; returns false if another process has taken or ended it.
    pub async fn end(
        &self,
        job: &Job,
        part: &Part,
        held: Held<'_>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut retry = self.table.retry();
        loop {
            let sent = self.table.transact(self.ending(job, part, held, now)?).await?;
            match retry.settled(sent).await? {
                Some(Certain::Done(_)) => return Ok(true),
                Some(Certain::Refused(found)) => {
                    // An earlier send may have been applied without an answer.
                    let item = found.into_iter().find(|(at, _)| *at == 0).and_then(|(_, item)| item);
                    return is_ended_by(item, part, held);
                }
                None => {}
            }
        }
    }

    fn ending(
        &self,
        job: &Job,
        part: &Part,
        held: Held<'_>,
        now: Timestamp,
    ) -> Result<Vec<TransactWriteItem>, StoreError> {
        let end = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::part(&part.job, part.number).attributes()))
            .update_expression("SET #s = :done, #r = :rows, purge_at = :purge REMOVE #u")
            .expression_attribute_names("#s", "state")
            .expression_attribute_names("#r", "rows")
            .expression_attribute_names("#u", "until")
            .expression_attribute_values(":done", text("done"))
            .expression_attribute_values(":rows", text(items::rows_text(&part.rows)?))
            .expression_attribute_values(":purge", number(items::purge_at(now)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let end = match held {
            Held::By(owner) => end
                .condition_expression("#s = :applying AND #o = :me")
                .expression_attribute_names("#o", "owner")
                .expression_attribute_values(":applying", text("applying"))
                .expression_attribute_values(":me", text(owner)),
            Held::Open => {
                end.condition_expression("#s = :open").expression_attribute_values(":open", text("open"))
            }
        };
        let mut writes = vec![change(end.build().map_err(StoreError::built)?), self.count(job, part, now)?];
        for row in part.rows.iter().filter(|row| matches!(row.outcome, RowOutcome::Failed(..))) {
            writes.push(self.table.any_put(items::failed_to_item(&part.job, row, now)?)?);
        }
        for difference in &part.differences {
            writes.push(self.table.any_put(items::difference_to_item(&part.job, difference, now)?)?);
        }
        Ok(writes)
    }

    /// Returns the write that adds the outcomes of a part to the progress of its job.
    fn count(&self, job: &Job, part: &Part, now: Timestamp) -> Result<TransactWriteItem, StoreError> {
        let tally = part.tally(job.terms.options.dry_run).map_err(StoreError::Rejected)?;
        let mut counted: Vec<(String, AttributeValue)> =
            items::counted(&tally).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        counted.extend(items::figures(&part.figures));
        let added: Vec<String> = counted.iter().map(|(name, _)| format!("#{name} :{name}")).collect();
        let mut update = Update::builder()
            .table_name(&self.table.name)
            .set_key(Some(keys::progress(&part.job, part.shard()).attributes()))
            .update_expression(format!("SET #at = :at, purge_at = :purge ADD {}", added.join(", ")))
            .expression_attribute_names("#at", "at")
            .expression_attribute_values(":at", text(now))
            .expression_attribute_values(":purge", number(items::purge_at(now)));
        for (name, value) in counted {
            update = update
                .expression_attribute_values(format!(":{name}"), value)
                .expression_attribute_names(format!("#{name}"), name);
        }
        Ok(change(update.build().map_err(StoreError::built)?))
    }

    /// Notes that the first part of a job was begun.
    pub async fn begin(&self, job: &Job, now: Timestamp) -> Result<(), StoreError> {
        if job.status != JobStatus::Queued {
            return Ok(());
        }
        let set = "SET #s = :to, started_at = if_not_exists(started_at, :now)";
        let begun = self.move_status(job, (&[JobStatus::Queued], JobStatus::Running), set, now).await?;
        if begun.status == JobStatus::Cancelling && begun.started_at.is_none() {
            // It was cancelled after the part was taken.
            self.move_status(&begun, (&[JobStatus::Cancelling], JobStatus::Cancelling), set, now).await?;
        }
        Ok(())
    }

    /// Cancels a job: from now on its open parts are cancelled. Returns the job as it is then.
    pub async fn cancel(&self, job: &Job, now: Timestamp) -> Result<Job, StoreError> {
        let from = [JobStatus::Queued, JobStatus::Running];
        self.move_status(job, (&from, JobStatus::Cancelling), "SET #s = :to, quiet_since = :now", now).await
    }

    /// Sets the status of a job if it is one of these; returns the job as it is then.
    pub(super) async fn move_status(
        &self,
        job: &Job,
        (from, to): (&[JobStatus], JobStatus),
        change: &str,
        now: Timestamp,
    ) -> Result<Job, StoreError> {
        let names: Vec<String> = (0..from.len()).map(|at| format!(":from{at}")).collect();
        let condition = format!("#s IN ({})", names.join(", "));
        let found = self
            .table
            .until_sent(&keys::job(&job.terms.id), |update| {
                let mut update = update
                    .update_expression(change)
                    .condition_expression(&condition)
                    .expression_attribute_names("#s", "status")
                    .expression_attribute_values(":to", text(to.as_str()))
                    .expression_attribute_values(":now", text(now));
                for (name, status) in names.iter().zip(from) {
                    update = update.expression_attribute_values(name, text(status.as_str()));
                }
                update
            })
            .await?;
        let item = found.ok_or_else(|| items::unknown("the job is gone"))?;
        items::job_from_item(&item)
    }
}

fn lease(now: Timestamp) -> Timestamp {
    now.plus_seconds(LEASE_SECONDS).unwrap_or(now)
}

fn held_by(update: UpdateItemFluentBuilder, owner: &str) -> UpdateItemFluentBuilder {
    update
        .condition_expression("#s = :applying AND #o = :me")
        .expression_attribute_names("#s", "state")
        .expression_attribute_names("#o", "owner")
        .expression_attribute_values(":applying", text("applying"))
        .expression_attribute_values(":me", text(owner))
}

fn is_ended_by(item: Option<Item>, part: &Part, held: Held<'_>) -> Result<bool, StoreError> {
    let Some(item) = item else { return Ok(false) };
    let (found, owner) = items::part_from_item(&item, &part.job, part.number)?;
    Ok(match held {
        Held::By(me) => found.state == PartState::Done && owner.as_deref() == Some(me),
        Held::Open => found.state == PartState::Done,
    })
}
