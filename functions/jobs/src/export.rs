//! Jobs that write files of what is in the table.
//!
//! **Invariant:** a file is named by the job once its segment has ended, under a URL that is good for some minutes.

use crate::JobsServices;
use crate::taken::{Wanted, answer, terms};
use crate::views::{AcceptedJob, FileView};
use crate::wire_files::ExportRequest;
use axum::extract::State;
use axum::response::Response;
use domain::jobs::export::{ExportedFile, segments};
use domain::jobs::job::Job;
use domain::jobs::job::JobTerms;
use domain::jobs::options::JobOptions;
use domain::jobs::part::Part;
use domain::jobs::permit::JobAction;
use domain::jobs::row::{Row, RowOutcome, Wanted as WantedRow};
use domain::rejection::Rejection;
use edge::{ApiRequest, Problem};
use std::time::Duration;
use store::{NewJob, StoreError};

/// Time for which the URL of a file is good.
const URL_TIME: Duration = Duration::from_mins(15);

/// Writes files of wallets, budgets, movements or redemptions, which the finished job names.
///
/// Wallets and budgets come in the format of imports, with the credit of their holds. Each wallet is as of one instant, a file is not.
#[utoipa::path(post, path = "/api/exports", tag = "jobs", request_body = ExportRequest,
    responses((status = 202, body = AcceptedJob)))]
pub(crate) async fn export(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.permission(JobAction::Export)?;
    let sent = ExportRequest::read(request.some_fields()?)?;
    let kind = sent.kind.0;
    let filter = sent.filter();
    let text = |value: Option<String>| value.unwrap_or_default();
    let limits = [
        text(filter.from.map(|date| date.to_string())),
        text(filter.to.map(|date| date.to_string())),
        text(filter.customer.as_ref().map(ToString::to_string)),
    ];
    let wanted = Wanted { kind, options: JobOptions::default(), currency: None, upload: None };
    let terms = terms(&services, &request, wanted, &limits.join("|"))?;
    let count = segments(kind);
    let terms = JobTerms { filter, accepted: u64::from(count), parts: count, ..terms };
    let row = |n: u32| Row::new(u64::from(n) + 1, WantedRow::Segment);
    let parts = (0..count).map(|n| Part::open(&terms.id, n, vec![row(n)])).collect();
    let new = NewJob { terms, lines: vec![], parts };
    let jobs = services.app.store.jobs();
    let made = jobs.make(&new, (new.terms.created_at, request.id())).await?;
    let made = made.map_err(|_| Problem::from(Rejection::KeyReused))?;
    if made.is_stored_now && services.tools.queues.send_work(&made.job, 0..count).await.is_err() {
        tracing::error!(job = %made.job.terms.id, "messages of a job were not sent");
    }
    answer(&services, &made).await.map_err(Problem::after_effect)
}

/// Returns the files of an export, in the order of its segments, with URLs for callers who may read them, and how many wallets in them owe something.
pub(crate) async fn files(
    services: &JobsServices,
    job: &Job,
    may_read: bool,
) -> Result<(Vec<FileView>, u64), StoreError> {
    let parts = services.app.store.jobs().parts(&job.terms.id, 0, job.terms.parts).await?;
    let rows = parts.into_iter().flat_map(|part| part.rows);
    let files: Vec<ExportedFile> = rows
        .flat_map(|row| match row.outcome {
            RowOutcome::Exported(files) => files,
            RowOutcome::Pending
            | RowOutcome::Succeeded(_)
            | RowOutcome::Imported(..)
            | RowOutcome::ImportedAccount(..)
            | RowOutcome::Failed(..)
            | RowOutcome::Cancelled => vec![],
        })
        .collect();
    let owed = files.iter().map(|file| file.owed).sum();
    let view = |file: ExportedFile| {
        let url = services.tools.files.presign_get(&file.key, URL_TIME).ok().filter(|_| may_read);
        Some(FileView { name: file.name, url, bytes: file.bytes, rows: file.rows, sha256: file.sha256 })
    };
    Ok((files.into_iter().filter_map(view).collect(), owed))
}
