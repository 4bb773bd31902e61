//! Reads jobs and their rows.
//!
//! **Invariant:** a service sees the jobs that it has made; others do not exist for it.

use crate::filters::{JobsQuery, RowStatus, RowsQuery};
use crate::views::{self, JobList, JobView, RowError, Rows, Shown};
use crate::wire::JobPath;
use crate::{JobsServices, export, reconciliation};
use axum::extract::State;
use axum::response::Response;
use domain::jobs::job::Job;
use domain::jobs::kind::JobKind;
use domain::jobs::part::Tally;
use domain::jobs::permit::JobAction;
use domain::jobs::status::JobStatus;
use domain::time::Timestamp;
use edge::params::WindowQuery;
use edge::{ApiRequest, Problem, csv, reply};
use http::{HeaderValue, StatusCode, header};
use store::{RowPage, StoreError};

/// Failed rows that a job shows.
const SHOWN_ERRORS: usize = 20;

/// Differences that a job shows.
const SHOWN_DIFFERENCES: usize = 100;

/// The most rows of a file.
const MAX_FILE_ROWS: usize = 10_000;

pub(crate) fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "job_not_found", "there is no such job")
}

/// Returns a job that the caller may do this with.
pub(crate) async fn find(
    services: &JobsServices,
    request: &ApiRequest,
    action: JobAction,
) -> Result<Job, Problem> {
    let permission = request.permission(action)?;
    let id = request.segment::<JobPath>().map_err(|_| unknown())?.0;
    let job = services.app.store.jobs().job(&id).await?.ok_or_else(unknown)?;
    permission.on(&job.terms.by).map_err(|denial| Problem::denied(denial, unknown))?;
    Ok(job)
}

/// Returns a job as it is now, with its progress.
pub(crate) async fn settled(
    services: &JobsServices,
    job: Job,
    now: Timestamp,
) -> Result<(Job, Tally), Problem> {
    Ok(services.app.store.jobs().settle(job, now).await?)
}

/// Renders a job.
pub(crate) async fn shown(
    (services, request): (&JobsServices, &ApiRequest),
    job: &Job,
    tally: &Tally,
) -> Result<Response, Problem> {
    let may_export = request.permission(JobAction::Export).is_ok();
    reply::ok(&views::job(job, tally, shown_beside(services, job, tally, may_export).await?))
}

async fn show(services: &JobsServices, request: &ApiRequest) -> Result<Response, Problem> {
    request.params().finish()?;
    let job = find(services, request, JobAction::Read).await?;
    let (job, tally) = settled(services, job, services.app.clock.now()).await?;
    shown((services, request), &job, &tally).await
}

/// Returns a job and how far it is.
#[utoipa::path(get, path = "/api/jobs/{job_id}", tag = "jobs", params(JobPath),
    responses((status = 200, body = JobView)))]
pub(crate) async fn job(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    show(&services, &request).await
}

/// Returns a bulk job and how far it is.
#[utoipa::path(get, path = "/api/wallet/bulk/{job_id}", tag = "jobs", params(JobPath),
    responses((status = 200, body = JobView)))]
pub(crate) async fn bulk_job(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    show(&services, &request).await
}

/// Lists the rows of a job in the order of their lines; as `text/csv` at most 10 000, and `Link` leads to the next.
#[utoipa::path(get, path = "/api/jobs/{job_id}/rows", tag = "jobs", params(JobPath, RowsQuery, WindowQuery),
    responses((status = 200, content((Rows = "application/json"), (String = "text/csv")))))]
pub(crate) async fn rows(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    list(&services, &request, "/api/jobs").await
}

/// Lists the rows of a bulk job in the order of their lines.
#[utoipa::path(get, path = "/api/wallet/bulk/{job_id}/rows", tag = "jobs", params(JobPath, RowsQuery, WindowQuery),
    responses((status = 200, content((Rows = "application/json"), (String = "text/csv")))))]
pub(crate) async fn bulk_rows(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    list(&services, &request, "/api/wallet/bulk").await
}

async fn list(services: &JobsServices, request: &ApiRequest, base: &str) -> Result<Response, Problem> {
    let mut params = request.params();
    let status = RowsQuery::take(&mut params).status;
    let window = params.window();
    params.finish()?;
    let job = find(services, request, JobAction::Read).await?;
    let (id, cursors) = (&job.terms.id, &services.app.cursors);
    let query = format!("rows|{id}|{}", status.map_or("", RowStatus::word));
    let (after, skipped) = match &window.cursor {
        Some(cursor) => place(&cursors.open_text(&query, cursor)?).ok_or_else(Problem::internal)?,
        None => (None, 0),
    };
    let (skip, limit) = (usize::from(window.skip).saturating_add(skipped), usize::from(window.limit));
    let wanted = if request.accepts_csv() { MAX_FILE_ROWS } else { limit };
    let read = page(services, &job, status, after, wanted.saturating_add(skip)).await?;
    // A page that looked at as much as it may before it has skipped enough goes on with the rest.
    let left = skip.saturating_sub(read.rows.len());
    let next_cursor = read.next.and_then(|line| cursors.seal_text(&query, &format!("{line} {left}")));
    let rows: Vec<_> = read.rows.iter().skip(skip).map(|row| views::row(&job.terms, row)).collect();
    if request.accepts_csv() {
        let mut response =
            reply::csv(csv::file(&views::columns(&job.terms), &rows).ok_or_else(Problem::internal)?);
        if let Some(cursor) = next_cursor {
            let filter = status.map(|status| format!("&status={}", status.word())).unwrap_or_default();
            let link = format!("<{base}/{id}/rows?cursor={cursor}{filter}>; rel=\"next\"");
            let link = HeaderValue::try_from(link).map_err(|_| Problem::internal())?;
            response.headers_mut().insert(header::LINK, link);
        }
        return Ok(response);
    }
    let (_, tally) = settled(services, job.clone(), services.app.clock.now()).await?;
    let total = match status {
        None => job.terms.total(),
        Some(RowStatus::Pending) => job.pending(&tally),
        Some(RowStatus::Succeeded) => tally.succeeded,
        Some(RowStatus::Failed) => tally.failed,
        Some(RowStatus::Cancelled) => tally.cancelled,
    };
    reply::ok(&Rows { rows, total, limit: window.limit, skip: window.skip, next_cursor })
}

/// Reads the place of a cursor: a line, and how many rows after it are still to be skipped.
fn place(text: &str) -> Option<(Option<u64>, usize)> {
    let (line, skip) = text.split_once(' ')?;
    Some((Some(line.parse().ok()?), skip.parse().ok()?))
}

async fn page(
    services: &JobsServices,
    job: &Job,
    status: Option<RowStatus>,
    after: Option<u64>,
    wanted: usize,
) -> Result<RowPage, StoreError> {
    let jobs = services.app.store.jobs();
    if status != Some(RowStatus::Failed) {
        return jobs.rows(job, status.map(RowStatus::word), after, wanted).await;
    }
    let mut rows = jobs.failed(&job.terms.id, after, wanted.saturating_add(1)).await?;
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().map(|row| row.line).filter(|_| more);
    Ok(RowPage { rows, next })
}

/// Jobs that are looked at to find those with a status.
const MAX_LOOKED_AT: usize = 500;

/// Jobs that are read at once.
const PAGE: usize = 100;

/// Returns what a job shows beside its progress.
async fn shown_beside(
    services: &JobsServices,
    job: &Job,
    tally: &Tally,
    may_export: bool,
) -> Result<Shown, StoreError> {
    let errors = shown_errors(services, job, tally).await?;
    let has_ended = job.status.is_final() && !matches!(job.status, JobStatus::Rejected | JobStatus::Failed);
    if job.terms.kind.is_export() && has_ended {
        let (files, owed) = export::files(services, job, may_export).await?;
        return Ok(Shown { errors, files: Some(files), owed, ..Shown::default() });
    }
    if !job.terms.kind.is_import() || !has_ended {
        return Ok(Shown { errors, ..Shown::default() });
    }
    let jobs = services.app.store.jobs();
    let outcomes = jobs.import_outcomes(&job.terms.id).await?;
    let differences = jobs.differences(&job.terms.id, SHOWN_DIFFERENCES).await?;
    let reconciliation = Some(reconciliation::compare(&job.terms, &outcomes, differences));
    Ok(Shown { errors, reconciliation, ..Shown::default() })
}

/// Returns the errors that a job shows: why it was refused as a whole, or the first rows that have failed.
async fn shown_errors(
    services: &JobsServices,
    job: &Job,
    tally: &Tally,
) -> Result<Vec<RowError>, StoreError> {
    let jobs = services.app.store.jobs();
    if let Some(refusal) = &job.refusal {
        return Ok(vec![views::refusal(refusal)]);
    }
    if job.status == JobStatus::Rejected {
        let lines = jobs.refused_lines(&job.terms.id).await?;
        return Ok(lines.into_iter().take(SHOWN_ERRORS).map(views::line_error).collect());
    }
    if tally.failed == 0 {
        return Ok(vec![]);
    }
    let failed = jobs.failed(&job.terms.id, None, SHOWN_ERRORS).await?;
    Ok(failed.iter().filter_map(views::row_error).collect())
}

/// Lists jobs, newest first.
#[utoipa::path(get, path = "/api/jobs", tag = "jobs", params(JobsQuery, WindowQuery),
    responses((status = 200, body = JobList)))]
pub(crate) async fn list_jobs(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    let mut params = request.params();
    let JobsQuery { kind, status } = JobsQuery::take(&mut params);
    let (kind, status) = (kind.map(|kind| kind.0), status.map(|status| status.0));
    let window = params.window();
    params.finish()?;
    request.permission(JobAction::List)?;
    let query = format!("jobs|{}|{}", kind.map_or("", JobKind::as_str), status.unwrap_or(""));
    let (cursors, jobs) = (&services.app.cursors, services.app.store.jobs());
    let (mut before, skipped) = match &window.cursor {
        Some(cursor) => {
            let place = cursors.open_text(&query, cursor)?;
            let (place, skip) = place.rsplit_once(' ').ok_or_else(Problem::internal)?;
            (Some(place.to_owned()), skip.parse::<usize>().map_err(|_| Problem::internal())?)
        }
        None => (None, 0),
    };
    let may_export = request.permission(JobAction::Export).is_ok();
    let kinds = kind.map_or_else(|| JobKind::ALL.to_vec(), |kind| vec![kind]);
    let (limit, mut skip) = (usize::from(window.limit), usize::from(window.skip).saturating_add(skipped));
    let (mut found, mut looked_at, mut more) = (vec![], 0, true);
    'pages: while more && looked_at < MAX_LOOKED_AT {
        let (page, next) = jobs.listed(&kinds, before.as_deref(), PAGE).await?;
        more = next.is_some();
        for (place, job) in page {
            if found.len() >= limit {
                more = true;
                break 'pages;
            }
            before = Some(place);
            if status.is_none() && skip > 0 {
                skip -= 1;
                continue;
            }
            looked_at += 1;
            let (job, tally) = settled(&services, job, services.app.clock.now()).await?;
            if status.is_some_and(|status| job.shown_status() != status) {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let shown = shown_beside(&services, &job, &tally, may_export).await?;
            found.push(views::job(&job, &tally, shown));
        }
        before = next.or(before);
    }
    let next_cursor =
        before.filter(|_| more).and_then(|place| cursors.seal_text(&query, &format!("{place} {skip}")));
    let total = if status.is_none() { Some(jobs.count_listed(&kinds).await?) } else { None };
    reply::ok(&JobList { jobs: found, total, limit: window.limit, skip: window.skip, next_cursor })
}
