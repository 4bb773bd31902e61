//! The answer to a request that makes a job.
//!
//! **Invariant:** a repetition gets the same answer, however far the job is by then.

use crate::JobsServices;
use crate::views;
use axum::response::Response;
use domain::cause::Operation;
use domain::jobs::job::JobKind;
use edge::reply::ReplyMeta;
use edge::{Problem, reply};
use http::StatusCode;
use store::MadeJob;

/// Returns the operation that makes a job of this kind.
pub(crate) fn operation(kind: JobKind) -> Operation {
    match kind {
        JobKind::BulkCredit => Operation::BulkCredits,
        JobKind::BulkPoints => Operation::BulkPoints,
    }
}

/// Answers that a job was taken.
pub(crate) async fn answer(services: &JobsServices, made: &MadeJob) -> Result<Response, Problem> {
    let terms = &made.job.terms;
    let lines = match terms.rejected {
        0 => vec![],
        _ if terms.upload.is_some() => vec![],
        _ => services.app.store.jobs().refused_lines(&terms.id).await?,
    };
    let location = Some(format!("/api/jobs/{}", terms.id));
    let meta = ReplyMeta { location, replayed: made.replayed, retries: 0 };
    reply::answer(StatusCode::ACCEPTED, meta, &views::accepted(terms, lines))
}
