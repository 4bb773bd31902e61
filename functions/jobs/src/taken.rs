//! The answer to a request that makes a job.
//!
//! **Invariant:** a repetition gets the same answer, however far the job is by then.

use crate::JobsServices;
use crate::views;
use axum::response::Response;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::ids::{JobId, UploadId};
use domain::jobs::export::ExportFilter;
use domain::jobs::figures::Figures;
use domain::jobs::job::JobTerms;
use domain::jobs::kind::JobKind;
use domain::jobs::options::JobOptions;
use domain::money::Money;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, Problem, reply};
use http::StatusCode;
use std::collections::BTreeMap;
use store::MadeJob;

/// Returns the operation that makes a job of this kind.
fn operation(kind: JobKind) -> Operation {
    match kind {
        JobKind::BulkCredit => Operation::BulkCredits,
        JobKind::BulkPoints => Operation::BulkPoints,
        JobKind::ImportWallets | JobKind::ImportPoints | JobKind::ImportAccounts => Operation::Import,
        JobKind::ExportWallets
        | JobKind::ExportAccounts
        | JobKind::ExportTransactions
        | JobKind::ExportRedemptions => Operation::Export,
    }
}

/// What a request asks a job to do.
pub(crate) struct Wanted {
    /// Its kind.
    pub(crate) kind: JobKind,
    /// What the caller wishes.
    pub(crate) options: JobOptions,
    /// The currency of its amounts; `None` for points, and as long as that follows from its rows.
    pub(crate) currency: Option<Currency>,
    /// The file that has its rows; `None` if they came with the request.
    pub(crate) upload: Option<UploadId>,
}

/// Returns the terms of a job, without what follows from its rows; `rows` is their digest, or the upload.
pub(crate) fn terms(
    services: &JobsServices,
    request: &ApiRequest,
    wanted: Wanted,
    rows: &str,
) -> Result<JobTerms, Problem> {
    let Wanted { kind, options, currency, upload } = wanted;
    let context = request.context(&services.app)?;
    let cause = Cause::of_request(operation(kind), request.key()?.as_ref(), request.id());
    Ok(JobTerms {
        id: JobId::mint(&cause),
        kind,
        fingerprint: options.fingerprint(kind, currency, rows).as_str().to_owned(),
        options,
        upload,
        currency,
        filter: ExportFilter::default(),
        file: Figures::default(),
        accepted: 0,
        rejected: 0,
        parts: 0,
        amount_total: Money::ZERO,
        digest: String::new(),
        warnings: BTreeMap::new(),
        by: context.actor.signature(),
        request: request.id().to_string(),
        created_at: context.now,
    })
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
