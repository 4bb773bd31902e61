//! Makes jobs of rows that come with the request.
//!
//! **Invariant:** a request that is refused leaves nothing behind.

use crate::file::{CreditsFile, PointsFile};
use crate::rows::{RowKind, RowReader};
use crate::views::{self, AcceptedJob};
use crate::wire::{BulkCreditsRequest, BulkPointsRequest, BulkQuery, CurrencyQuery, Options};
use crate::{JobsServices, file};
use axum::extract::State;
use axum::response::Response;
use domain::cause::{Cause, Operation};
use domain::currency::Currency;
use domain::fingerprint::Fingerprint;
use domain::hash::Hash;
use domain::ids::JobId;
use domain::jobs::job::{Job, JobKind, JobOptions, JobStatus, JobTerms, OnInvalid};
use domain::jobs::part::Part;
use domain::jobs::permit::JobAction;
use domain::jobs::row::digest;
use domain::money::Money;
use domain::rejection::Rejection;
use edge::reply::ReplyMeta;
use edge::{ApiRequest, Problem, reply};
use http::StatusCode;
use queues::PartMessage;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use store::{JobError, MadeJob, NewJob};

/// What a request asks for.
struct Sent {
    kind: JobKind,
    options: JobOptions,
    currency: Option<Currency>,
    rows: RowReader,
}

/// Adds credits to many wallets.
///
/// The rows are checked at once and applied one by one by messages of a queue; `GET /api/jobs/{job_id}` shows how far it
/// is. They come as JSON, or as a CSV file with the options as query parameters; its columns are
/// `customer_id,amount,reason,source,expiry_days,expires_on,order_id`.
#[utoipa::path(post, path = "/api/wallet/bulk/add-credits", tag = "jobs", params(BulkQuery, CurrencyQuery),
    request_body(content((BulkCreditsRequest = "application/json"), (CreditsFile = "text/csv"))),
    responses((status = 202, body = AcceptedJob)))]
pub(crate) async fn bulk_credits(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.permission(JobAction::Make(JobKind::BulkCredit))?;
    let (here, today) = (services.app.policy.currency(), services.app.clock.now().date());
    let reader = |currency| RowReader::new(RowKind::Credits(currency), today);
    let (options, currency, rows) = if request.is_csv() {
        let mut params = request.params();
        let options = Options::of_query(&mut params);
        let currency = CurrencyQuery::take(&mut params).currency;
        params.finish()?;
        let mut rows = reader(currency.unwrap_or(here));
        file::read(request.csv()?, CreditsFile::COLUMNS, 2, &mut rows)?;
        (options, currency, rows)
    } else {
        let sent = BulkCreditsRequest::read(request.some_fields()?)?;
        let currency = sent.currency;
        let (list, options) = sent.into_parts();
        let mut rows = reader(currency.unwrap_or(here));
        read_list("/credits", &list, &mut rows);
        (options, currency, rows)
    };
    let currency = currency.unwrap_or(here);
    let options = options.checked(Some(currency))?;
    make(&services, &request, Sent { kind: JobKind::BulkCredit, options, currency: Some(currency), rows })
        .await
}

/// Adds points for many customers.
///
/// As credits to many wallets; the columns of a file are `user_id,points,reason,expiry_days,expires_on,qualifying`.
#[utoipa::path(post, path = "/api/loyalty/bulk/points", tag = "jobs", params(BulkQuery),
    request_body(content((BulkPointsRequest = "application/json"), (PointsFile = "text/csv"))),
    responses((status = 202, body = AcceptedJob)))]
pub(crate) async fn bulk_points(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.permission(JobAction::Make(JobKind::BulkPoints))?;
    let mut rows = RowReader::new(RowKind::Points, services.app.clock.now().date());
    let options = if request.is_csv() {
        let mut params = request.params();
        let options = Options::of_query(&mut params);
        params.finish()?;
        file::read(request.csv()?, PointsFile::COLUMNS, 3, &mut rows)?;
        options
    } else {
        let (list, options) = BulkPointsRequest::read(request.some_fields()?)?.into_parts();
        read_list("/adjustments", &list, &mut rows);
        options
    };
    let options = options.checked(None)?;
    make(&services, &request, Sent { kind: JobKind::BulkPoints, options, currency: None, rows }).await
}

fn read_list(name: &str, list: &[Box<RawValue>], rows: &mut RowReader) {
    for (at, raw) in list.iter().enumerate() {
        let line = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
        rows.take(line, &format!("{name}/{at}"), raw, &[]);
    }
}

/// Checks the sums that the caller expects.
fn check_control(sent: &Sent) -> Result<(), Problem> {
    let (count, sum) = sent.rows.control()?;
    let JobOptions { control_rows, control_amount, .. } = sent.options;
    let wrong = |what: String| Err(Problem::new(StatusCode::BAD_REQUEST, "control_mismatch", what));
    if let Some(expected) = control_rows.filter(|expected| *expected != count) {
        return wrong(format!("{expected} rows are expected, the request has {count}"));
    }
    if let Some(expected) = control_amount.filter(|expected| *expected != sum) {
        return wrong(format!("the amounts are expected to sum to {expected}; they sum to {sum}"));
    }
    Ok(())
}

/// Distinguishes a repetition from another request with the same key.
fn fingerprint(sent: &Sent) -> Fingerprint {
    let JobOptions { on_invalid, dry_run, again, notify, control_rows, control_amount } = &sent.options;
    Fingerprint::of(&[
        ("op", Some(sent.kind.as_str().to_owned())),
        ("rows", Some(sent.rows.digest().to_string())),
        ("on_invalid", Some(on_invalid.as_str().to_owned())),
        ("dry_run", Some(dry_run.to_string())),
        ("again", Some(again.to_string())),
        ("notify", Some(notify.to_string())),
        ("currency", sent.currency.map(|currency| currency.code().to_owned())),
        ("control_rows", control_rows.map(|rows| rows.to_string())),
        ("control_amount", control_amount.map(|amount| amount.to_string())),
    ])
}

/// Returns the job that a request asks for.
fn new_job(services: &JobsServices, request: &ApiRequest, sent: Sent) -> Result<NewJob, Problem> {
    let operation = match sent.kind {
        JobKind::BulkCredit => Operation::BulkCredits,
        JobKind::BulkPoints => Operation::BulkPoints,
    };
    let context = request.context(&services.app)?;
    let id = JobId::mint(&Cause::of_request(operation, request.key()?.as_ref(), request.id()));
    let fingerprint = fingerprint(&sent).as_str().to_owned();
    let valid: Vec<_> = sent.rows.rows.iter().filter(|row| !row.is_invalid()).collect();
    let total = Money::checked_sum(valid.iter().map(|row| row.amount()));
    let same = format!(
        "{}|{}|{}",
        sent.kind.as_str(),
        sent.currency.map_or("points", Currency::code),
        digest(valid.iter().copied())
    );
    let accepted = u64::try_from(valid.len()).unwrap_or(u64::MAX);
    let RowReader { rows, lines, rejected, duplicates, .. } = sent.rows;
    let warnings: BTreeMap<String, u64> =
        [("duplicate_customer".to_owned(), duplicates)].into_iter().filter(|(_, count)| *count > 0).collect();
    let parts = Part::of_rows(&id, rows);
    let terms = JobTerms {
        id,
        kind: sent.kind,
        fingerprint,
        options: sent.options,
        currency: sent.currency,
        accepted,
        rejected,
        parts: u32::try_from(parts.len()).unwrap_or(u32::MAX),
        amount_total: total.ok_or_else(|| Problem::invalid("the sum of the rows is too large"))?,
        digest: Hash::of(same).to_string(),
        warnings,
        by: context.actor.signature(),
        request: request.id().to_string(),
        created_at: context.now,
    };
    Ok(NewJob { terms, lines, parts })
}

/// Returns the job that the same request has made before, whatever is wrong with it by now.
async fn made_before(services: &JobsServices, new: &NewJob) -> Result<Option<Job>, Problem> {
    let known = services.app.store.jobs().job(&new.terms.id).await?;
    let same = |job: &Job| job.terms.fingerprint == new.terms.fingerprint;
    Ok(known.filter(|job| same(job) && !matches!(job.status, JobStatus::Storing | JobStatus::Failed)))
}

async fn make(services: &JobsServices, request: &ApiRequest, mut sent: Sent) -> Result<Response, Problem> {
    let errors = std::mem::take(&mut sent.rows.errors);
    let control = check_control(&sent);
    let rejects = sent.options.on_invalid == OnInvalid::Reject;
    let new = new_job(services, request, sent)?;
    if let Some(job) = made_before(services, &new).await? {
        let replayed = !job.terms.is_made_by(request.id());
        return answer(services, &MadeJob { job, replayed, is_stored_now: false }).await;
    }
    if rejects {
        errors.finish()?;
    }
    control?;
    let made = services.app.store.jobs().make(&new, (new.terms.created_at, request.id())).await?;
    let made = made.map_err(|error| match error {
        JobError::KeyReused => Problem::from(Rejection::KeyReused),
        JobError::Repeated(job) => {
            let detail = "a job with the same rows was made before; again: true makes another one";
            Problem::new(StatusCode::CONFLICT, "job_repeated", detail).with_job(job.as_str())
        }
    })?;
    if made.is_stored_now {
        send(services, &made.job.terms).await;
    }
    answer(services, &made).await.map_err(Problem::after_effect)
}

async fn answer(services: &JobsServices, made: &MadeJob) -> Result<Response, Problem> {
    let terms = &made.job.terms;
    let lines = match terms.rejected {
        0 => vec![],
        _ => services.app.store.jobs().refused_lines(&terms.id).await?,
    };
    let location = Some(format!("/api/jobs/{}", terms.id));
    let meta = ReplyMeta { location, replayed: made.replayed, retries: 0 };
    reply::answer(StatusCode::ACCEPTED, meta, &views::accepted(terms, lines))
}

/// Sends the messages of all parts. If that fails, the monitor sends them later.
async fn send(services: &JobsServices, terms: &JobTerms) {
    let messages: Vec<PartMessage> = (0..terms.parts).map(|part| PartMessage::new(&terms.id, part)).collect();
    if let Err(unsent) = services.tools.queues.send_parts(&messages).await {
        tracing::error!(job = %terms.id, unsent = unsent.0, "messages of a job were not sent");
    }
}
