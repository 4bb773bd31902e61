//! Looks after jobs: sends the messages of those that make no progress once more, and says when that does not help.
//!
//! **Invariant:** a job is given up by nobody: it stays in the index until it has ended and was looked at.
//! **Invariant:** a job that waits for an older one of its queue is not stalled.

use crate::{MonitorSummary, POSTPONE_SECONDS, RUN_INTERVAL, Services, raise};
use domain::alert::NewAlert;
use domain::context::Context;
use domain::ids::JobId;
use domain::jobs::job::{Job, MAX_REQUEUES, QUIET_SECONDS};
use domain::jobs::part::Tally;
use domain::jobs::status::JobStatus;
use domain::time::Timestamp;
use edge::sweep::{Bounds, Sweep};
use std::time::{Duration, Instant};
use store::{DueJob, DueWork, StoreError};

/// Time for which a run looks at jobs.
const RUN_BUDGET: Duration = Duration::from_secs(30);

/// The fewest rows of a job of which it matters how many have failed.
const MIN_ROWS: u64 = 20;

/// A job that has not ended, and when a part of it last did.
struct Open {
    job: Job,
    moved: Option<Timestamp>,
}

/// Looks at the jobs that are due.
pub(crate) async fn run(
    services: &Services,
    limit: u32,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    let work = DueJob(services.app.store.jobs());
    let deadline = Some(Instant::now() + RUN_BUDGET);
    let bounds = Bounds { until: context.now, interval: RUN_INTERVAL, limit, deadline };
    let mut due = Sweep::new(&work, bounds);
    // Whether another job moves matters only if there is one to look at.
    let mut moving: Option<Vec<(bool, Timestamp)>> = None;
    while let Some((id, place)) = due.next().await? {
        let looked = async {
            let Some(open) = settled(services, (&id, &place), context, summary).await? else { return Ok(()) };
            if moving.is_none() {
                moving = Some(jobs_that_move(services, context.now).await?);
            }
            let (queue, created) = (uses_parts(&open.job), open.job.terms.created_at);
            let older = moving.iter().flatten().any(|(of, other)| *of == queue && *other < created);
            look(services, open, older, context, summary).await
        };
        if let Err(error) = looked.await {
            let error: StoreError = error;
            tracing::warn!(job = %id, %error, "a job cannot be looked at now");
            summary.breakdown.failed += 1;
            let later = context.now.plus_seconds(POSTPONE_SECONDS).unwrap_or(context.now);
            due.postpone(&id, later).await?;
        }
    }
    Ok(())
}

/// Looks a last time at a job that has ended; returns one that is open.
async fn settled(
    services: &Services,
    (id, place): (&JobId, &str),
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<Option<Open>, StoreError> {
    let jobs = services.app.store.jobs();
    let Some(job) = jobs.job(id).await? else { return Ok(None) };
    if job.status.is_final() {
        let (tally, _) = jobs.tally(id).await?;
        ended(services, &job, &tally, context, summary).await?;
        jobs.keep_ended(&job, &tally).await?;
        jobs.done(id, place).await?;
        return Ok(None);
    }
    // One that ends now is due again at once.
    let (job, _) = jobs.settle(job, context.now).await?;
    if !job.is_carried_out() {
        return Ok(None);
    }
    let (_, moved) = jobs.tally(id).await?;
    Ok(Some(Open { job, moved }))
}

fn alert(kind: &'static str, severity: &'static str, job: &Job, detail: String) -> NewAlert {
    NewAlert { kind, severity, subject: job.terms.id.to_string(), detail }
}

/// Says if a job has failed, or too many of its rows have.
async fn ended(
    services: &Services,
    job: &Job,
    tally: &Tally,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    let stalled = alert("bulk_stalled", "critical", job, String::new());
    services.app.store.alerts().close_alert(&stalled.id(), context.now).await?;
    let total = job.terms.total();
    let many = total >= MIN_ROWS && tally.failed.saturating_mul(20) > total;
    let detail = if job.status == JobStatus::Rejected {
        let rows = format!("{} rows of the file of this job are invalid", job.terms.rejected);
        job.refusal.as_ref().map_or(rows, |refusal| format!("its file was refused: {}", refusal.detail))
    } else if job.status == JobStatus::Failed {
        let late = "the rows of this job were not stored in time; nothing of it was applied";
        job.refusal.as_ref().map_or(late, |refusal| refusal.detail.as_str()).to_owned()
    } else if many {
        format!("{} of {total} rows of this job have failed", tally.failed)
    } else {
        return Ok(());
    };
    raise(services, alert("bulk_failed", "warning", job, detail), context.now, summary).await
}

/// Returns true if a job waits in the queue of parts, false if in that of steps.
fn uses_parts(job: &Job) -> bool {
    job.terms.kind.is_bulk() && !job.is_to_be_split()
}

/// Returns the queues of the jobs of which a part has ended just now, and when each job was made.
async fn jobs_that_move(services: &Services, now: Timestamp) -> Result<Vec<(bool, Timestamp)>, StoreError> {
    let jobs = services.app.store.jobs();
    let mut moving = vec![];
    for job in jobs.open_jobs().await? {
        match jobs.tally(&job.terms.id).await {
            Ok((_, last)) if last.is_some_and(|last| !is_quiet(last, now)) => {
                moving.push((uses_parts(&job), job.terms.created_at));
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(job = %job.terms.id, %error, "the progress of a job cannot be read");
            }
        }
    }
    Ok(moving)
}

fn is_quiet(since: Timestamp, now: Timestamp) -> bool {
    since.plus_seconds(QUIET_SECONDS).is_some_and(|end| end <= now)
}

/// Sends the messages of a job that makes no progress, or says that this has not helped.
async fn look(
    services: &Services,
    Open { mut job, moved }: Open,
    waits: bool,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    let (jobs, now) = (services.app.store.jobs(), context.now);
    if let Some(moved) = moved.filter(|moved| *moved > job.quiet_since) {
        let stalled = alert("bulk_stalled", "critical", &job, String::new());
        services.app.store.alerts().close_alert(&stalled.id(), now).await?;
        jobs.sent(&job, 0, moved).await?;
        (job.requeued, job.quiet_since) = (0, moved);
    }
    if !is_quiet(job.quiet_since, now) {
        let later = job.quiet_since.plus_seconds(QUIET_SECONDS).unwrap_or(now);
        return DueJob(jobs).postpone(&job.terms.id, later).await;
    }
    if waits {
        return jobs.sent(&job, job.requeued, now).await;
    }
    if job.requeued >= MAX_REQUEUES {
        let detail = "parts of this job are not applied although their messages were sent again".to_owned();
        raise(services, alert("bulk_stalled", "critical", &job, detail), now, summary).await?;
        let later = now.plus_seconds(QUIET_SECONDS).unwrap_or(now);
        return DueJob(jobs).postpone(&job.terms.id, later).await;
    }
    if services.tools.queues.send_left(jobs, &job).await?.is_err() {
        // It counts as sent: a queue that never answers ends in the alert.
        tracing::error!(job = %job.terms.id, "messages of a job were not sent");
        summary.breakdown.failed += 1;
    } else {
        summary.breakdown.jobs_requeued += 1;
    }
    jobs.sent(&job, job.requeued + 1, now).await
}
