//! Cancels and resumes jobs.
//!
//! **Invariant:** only parts that nobody has begun are cancelled; what was begun is finished by the process that holds it.
//! **Invariant:** resuming a job only says again that there is something to do.

use crate::JobsServices;
use crate::reads::{find, settled, shown};
use crate::views::JobView;
use crate::wire::JobPath;
use axum::extract::State;
use axum::response::Response;
use domain::jobs::job::Job;
use domain::jobs::part::{Part, PartState};
use domain::jobs::permit::JobAction;
use domain::jobs::row::RowOutcome;
use domain::jobs::status::JobStatus;
use domain::time::Timestamp;
use edge::{ApiRequest, Problem};
use futures::stream::{self, StreamExt, TryStreamExt};
use http::StatusCode;
use std::time::{Duration, Instant};
use store::{Held, Jobs, StoreError};

/// Parts that are read at once.
const PARTS_AT_ONCE: u32 = 40;

/// Parts that are cancelled at once.
const CANCELLED_AT_ONCE: usize = 16;

/// Time for which a request cancels parts; messages cancel the rest.
const BUDGET: Duration = Duration::from_secs(5);

fn finished() -> Problem {
    Problem::new(StatusCode::CONFLICT, "job_finished", "the job has ended, or was never taken whole")
}

/// Cancels what has not been begun of a job; what was begun is finished.
#[utoipa::path(post, path = "/api/jobs/{job_id}/cancel", tag = "jobs", params(JobPath),
    responses((status = 200, body = JobView)))]
pub(crate) async fn cancel(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.fields()?.finish()?;
    let now = services.app.clock.now();
    let job = find(&services, &request, JobAction::Change).await?;
    let (job, tally) = settled(&services, job, now).await?;
    match job.status {
        JobStatus::Cancelled => return shown((&services, &request), &job, &tally).await,
        JobStatus::Queued | JobStatus::Running | JobStatus::Cancelling => {}
        JobStatus::Validating | JobStatus::Storing if job.is_to_be_split() => {
            let job = services.app.store.jobs().cancel_taken(&job, now).await?;
            if job.status == JobStatus::Cancelled {
                let tally = job.outcomes(tally);
                return shown((&services, &request), &job, &tally).await.map_err(Problem::after_effect);
            }
            // It was taken whole meanwhile.
            if !job.status.is_open() {
                return Err(finished());
            }
        }
        JobStatus::Validating
        | JobStatus::Rejected
        | JobStatus::Storing
        | JobStatus::Completed
        | JobStatus::CompletedWithErrors
        | JobStatus::Failed => {
            return Err(finished());
        }
    }
    let job = services.app.store.jobs().cancel(&job, now).await?;
    if job.status != JobStatus::Cancelling {
        // Its last part has ended meanwhile.
        if job.status != JobStatus::Cancelled {
            return Err(finished());
        }
        let (job, tally) = settled(&services, job, now).await?;
        return shown((&services, &request), &job, &tally).await;
    }
    cancel_parts(&services, &job, now).await.map_err(StoreError::after_effect)?;
    let (job, tally) = settled(&services, job, now).await.map_err(Problem::after_effect)?;
    shown((&services, &request), &job, &tally).await.map_err(Problem::after_effect)
}

/// Cancels the parts that nobody has begun, for some time.
async fn cancel_parts(services: &JobsServices, job: &Job, now: Timestamp) -> Result<(), StoreError> {
    let (jobs, started, mut from) = (services.app.store.jobs(), Instant::now(), 0);
    while from < job.terms.parts && started.elapsed() < BUDGET {
        let until = from.saturating_add(PARTS_AT_ONCE).min(job.terms.parts);
        let parts = jobs.parts(&job.terms.id, from, until).await?;
        let open = parts.into_iter().filter(|part| part.state == PartState::Open);
        let cancelled: Vec<_> = open.map(|part| cancel_part(jobs, job, part, now)).collect();
        stream::iter(cancelled).buffer_unordered(CANCELLED_AT_ONCE).try_collect::<Vec<bool>>().await?;
        from = until;
    }
    Ok(())
}

async fn cancel_part(jobs: &Jobs, job: &Job, mut part: Part, now: Timestamp) -> Result<bool, StoreError> {
    part.settle(&RowOutcome::Cancelled);
    jobs.end(job, &part, Held::Open, now).await
}

/// Says again that a job has parts to be applied.
#[utoipa::path(post, path = "/api/jobs/{job_id}/resume", tag = "jobs", params(JobPath),
    responses((status = 200, body = JobView)))]
pub(crate) async fn resume(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.fields()?.finish()?;
    let job = find(&services, &request, JobAction::Change).await?;
    let (job, tally) = settled(&services, job, services.app.clock.now()).await?;
    match job.status {
        JobStatus::Queued | JobStatus::Running | JobStatus::Cancelling => {}
        JobStatus::Completed | JobStatus::CompletedWithErrors => {
            return shown((&services, &request), &job, &tally).await;
        }
        JobStatus::Validating | JobStatus::Storing if job.is_to_be_split() => {}
        JobStatus::Validating
        | JobStatus::Rejected
        | JobStatus::Storing
        | JobStatus::Cancelled
        | JobStatus::Failed => return Err(finished()),
    }
    let jobs = services.app.store.jobs();
    if services.tools.queues.send_left(jobs, &job).await?.is_err() {
        let detail = "the queue does not answer; nothing was applied, try again";
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail));
    }
    jobs.sent(&job, 0, services.app.clock.now()).await?;
    shown((&services, &request), &job, &tally).await
}
