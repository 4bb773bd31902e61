//! Makes jobs of rows that come with the request.
//!
//! **Invariant:** a request that is refused leaves nothing behind.

use crate::JobsServices;
use crate::of_upload;
use crate::taken::{Wanted, answer, terms};
use crate::views::AcceptedJob;
use crate::wire::{
    BulkCreditsRequest, BulkPointsRequest, BulkQuery, CurrencyQuery, MAX_ROWS, Options, RowsSent,
};
use crate::wire_files::{ImportQuery, ImportRequest, import_options};
use axum::extract::State;
use axum::response::Response;
use domain::jobs::job::Job;
use domain::jobs::kind::JobKind;
use domain::jobs::options::OnInvalid;
use domain::jobs::part::Part;
use domain::jobs::permit::JobAction;
use domain::jobs::row::Row;
use domain::jobs::status::JobStatus;
use domain::rejection::Rejection;
use edge::{ApiRequest, Problem};
use http::StatusCode;
use rows::elements::{CreditsFile, PointsFile, WalletsFile};
use rows::file;
use rows::{RowKind, RowReader};
use serde_json::value::RawValue;
use store::{JobError, MadeJob, NewJob};

/// What a request asks for.
struct Sent {
    wanted: Wanted,
    reader: RowReader,
    rows: Vec<Row>,
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
    let (options, currency, read) = if request.is_csv() {
        let mut params = request.params();
        let options = Options::of_query(&mut params);
        let currency = CurrencyQuery::take(&mut params).currency;
        params.finish()?;
        (options, currency, read_file(request.csv()?, reader(currency.unwrap_or(here)))?)
    } else {
        let sent = BulkCreditsRequest::read(request.some_fields()?)?;
        let currency = sent.currency;
        match sent.into_parts() {
            (RowsSent::List(list), options) => {
                (options, currency, read_list("/credits", &list, reader(currency.unwrap_or(here))))
            }
            (RowsSent::Upload(upload), options) => {
                let currency = currency.unwrap_or(here);
                let options = options.checked(Some(currency))?;
                let (kind, currency) = (JobKind::BulkCredit, Some(currency));
                let wanted = Wanted { kind, options, currency, upload: None };
                return of_upload::make(&services, &request, &upload, wanted).await;
            }
        }
    };
    let (currency, (reader, rows)) = (currency.unwrap_or(here), read);
    let options = options.checked(Some(currency))?;
    let wanted = Wanted { kind: JobKind::BulkCredit, options, currency: Some(currency), upload: None };
    make(&services, &request, Sent { wanted, reader, rows }).await
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
    let reader = RowReader::new(RowKind::Points, services.app.clock.now().date());
    let (options, read) = if request.is_csv() {
        let mut params = request.params();
        let options = Options::of_query(&mut params);
        params.finish()?;
        (options, read_file(request.csv()?, reader)?)
    } else {
        match BulkPointsRequest::read(request.some_fields()?)?.into_parts() {
            (RowsSent::List(list), options) => (options, read_list("/adjustments", &list, reader)),
            (RowsSent::Upload(upload), options) => {
                let options = options.checked(None)?;
                let kind = JobKind::BulkPoints;
                let wanted = Wanted { kind, options, currency: None, upload: None };
                return of_upload::make(&services, &request, &upload, wanted).await;
            }
        }
    };
    let (options, (reader, rows)) = (options.checked(None)?, read);
    let wanted = Wanted { kind: JobKind::BulkPoints, options, currency: None, upload: None };
    make(&services, &request, Sent { wanted, reader, rows }).await
}

/// Brings accounts of another system.
///
/// The rows come as a CSV file with `kind` and the options as query parameters, or are in an upload. A wallet, or an
/// account of points, is one transaction; a budget is opened, and then its credit is handed down by allocations. The
/// finished job compares the file with what is in the table. The columns shown are those of wallets; those of points are
/// `user_id,points,lots,qualifying,tier,tier_until,status`, those of budgets
/// `external_id,kind,parent_external_id,name,credit,low_credit_threshold,budget_mode,slices,status`.
#[utoipa::path(post, path = "/api/imports", tag = "jobs", params(ImportQuery),
    request_body(content((ImportRequest = "application/json"), (WalletsFile = "text/csv"))),
    responses((status = 202, body = AcceptedJob)))]
pub(crate) async fn import(
    State(services): State<JobsServices>,
    request: ApiRequest,
) -> Result<Response, Problem> {
    request.permission(JobAction::Import)?;
    if !request.is_csv() {
        let (kind, upload, options) = ImportRequest::read(request.some_fields()?)?.into_parts();
        let wanted = Wanted { kind, options: options.checked_import()?, currency: None, upload: None };
        return of_upload::make(&services, &request, &upload, wanted).await;
    }
    let mut params = request.params();
    let (kind, options) = import_options(&mut params);
    params.finish()?;
    let kind = kind.ok_or_else(|| Problem::field("/kind", "is required"))?;
    let options = options.checked_import()?;
    let rows = RowKind::of_job(kind, None).ok_or_else(Problem::internal)?;
    let reader = RowReader::new(rows, services.app.clock.now().date());
    let reader = reader.for_import(services.app.policy.clone(), options.skip_expired);
    let (reader, rows) = read_file(request.csv()?, reader)?;
    let wanted = Wanted { kind, options, currency: None, upload: None };
    make(&services, &request, Sent { wanted, reader, rows }).await
}

fn read_list(name: &str, list: &[Box<RawValue>], mut reader: RowReader) -> (RowReader, Vec<Row>) {
    let mut rows = Vec::with_capacity(list.len());
    for (at, raw) in list.iter().enumerate() {
        let line = u64::try_from(at).unwrap_or(u64::MAX).saturating_add(1);
        rows.push(reader.take(line, &format!("{name}/{at}"), raw, &[]));
    }
    (reader, rows)
}

fn read_file(body: &[u8], mut reader: RowReader) -> Result<(RowReader, Vec<Row>), Problem> {
    let (mut file, mut rows) = (file::open(body, reader.kind())?, vec![]);
    while let Some(row) = file::next_row(&mut file, &mut reader)? {
        if rows.len() >= MAX_ROWS {
            return Err(file::too_many_rows(u64::try_from(MAX_ROWS).unwrap_or(u64::MAX)));
        }
        rows.push(row);
    }
    if rows.is_empty() { Err(file::no_row()) } else { Ok((reader, rows)) }
}

/// Returns the job that a request asks for.
fn new_job(services: &JobsServices, request: &ApiRequest, sent: Sent) -> Result<NewJob, Problem> {
    let Sent { wanted, reader, rows } = sent;
    let terms = reader.terms(terms(services, request, wanted, &reader.digest().to_string())?)?;
    let parts = Part::of_rows(&terms.id, rows);
    Ok(NewJob { terms, lines: reader.lines, parts })
}

/// Returns the job that the same request has made before, whatever is wrong with it by now.
async fn made_before(services: &JobsServices, new: &NewJob) -> Result<Option<Job>, Problem> {
    let known = services.app.store.jobs().job(&new.terms.id).await?;
    let same = |job: &Job| job.terms.fingerprint == new.terms.fingerprint;
    Ok(known.filter(|job| same(job) && !matches!(job.status, JobStatus::Storing | JobStatus::Failed)))
}

async fn make(services: &JobsServices, request: &ApiRequest, mut sent: Sent) -> Result<Response, Problem> {
    let errors = std::mem::take(&mut sent.reader.errors);
    let control = sent.reader.check_control(&sent.wanted.options);
    let rejects = sent.wanted.options.on_invalid == OnInvalid::Reject;
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
        send(services, &made.job).await;
    }
    answer(services, &made).await.map_err(Problem::after_effect)
}

/// Sends the messages of all parts. If that fails, the monitor sends them later.
async fn send(services: &JobsServices, job: &Job) {
    if let Err(unsent) = services.tools.queues.send_work(job, 0..job.terms.parts).await {
        tracing::error!(job = %job.terms.id, unsent = unsent.0, "messages of a job were not sent");
    }
}
