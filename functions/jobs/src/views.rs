//! What callers see of jobs.
//!
//! **Invariant:** the answer to a job's making is rendered from what never changes of it, so a repetition repeats it.

use crate::reconciliation::Reconciliation;
use domain::currency::Currency;
use domain::jobs::job::{Job, JobRefusal, JobTerms, RefusedLine};
use domain::jobs::kind::JobKind;
use domain::jobs::part::Tally;
use domain::jobs::row::{Row, RowOutcome};
use domain::money::Money;
use domain::unit::Unit;
use edge::json::Number;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

fn unit(terms: &JobTerms) -> Unit {
    terms.currency.map_or(Unit::Points, Unit::Currency)
}

/// A row that was refused when its job was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedRow {
    /// The line of the file (the header is line 1), or the place in the list, counted from 1.
    line: u64,
    #[schema(examples("invalid_row"))]
    status: String,
    /// What is wrong with the row.
    detail: String,
}

/// A job that was taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct AcceptedJob {
    job_id: String,
    #[schema(examples("bulk_credit"))]
    kind: &'static str,
    /// How the job begins: queued, or validating if its rows are in a file.
    #[schema(examples("queued"))]
    status: &'static str,
    /// Rows that are valid; null as long as its file was not read, and of an export.
    accepted: Option<u64>,
    /// Rows that are not.
    rejected: Option<u64>,
    /// The rows that are not valid, at most the first 100.
    lines: Vec<RefusedRow>,
    dry_run: bool,
    #[schema(format = DateTime)]
    created_at: String,
}

/// Renders a job that was taken.
pub(crate) fn accepted(terms: &JobTerms, lines: Vec<RefusedLine>) -> AcceptedJob {
    let refused = |line: RefusedLine| RefusedRow { line: line.line, status: line.code, detail: line.detail };
    let is_taken = terms.upload.is_none();
    let is_read = is_taken && !terms.kind.is_export();
    AcceptedJob {
        job_id: terms.id.to_string(),
        kind: terms.kind.as_str(),
        status: if is_taken { "queued" } else { "validating" },
        accepted: is_read.then_some(terms.accepted),
        rejected: is_read.then_some(terms.rejected),
        lines: lines.into_iter().map(refused).collect(),
        dry_run: terms.options.dry_run,
        created_at: terms.created_at.to_string(),
    }
}

/// Something that a caller should know.
#[derive(Serialize, ToSchema)]
pub(crate) struct WarningCount {
    #[schema(examples("duplicate_customer"))]
    code: String,
    /// The number of rows.
    count: u64,
}

/// A row that has failed, or why the whole file was refused.
#[derive(Serialize, ToSchema)]
pub(crate) struct RowError {
    /// Null if the whole file was refused.
    line: Option<u64>,
    customer_id: Option<String>,
    code: String,
    detail: String,
}

/// What the caller expected of all rows together.
#[derive(Serialize, ToSchema)]
pub(crate) struct ControlSums {
    rows: Option<u64>,
    amount: Option<Number>,
}

/// Who has made a job.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeBy {
    role: &'static str,
    sub: String,
}

/// A job.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobView {
    job_id: String,
    #[schema(examples("bulk_credit"))]
    kind: &'static str,
    /// validating, rejected, queued, running, cancelling, cancelled, completed, completed_with_errors or failed
    #[schema(examples("running"))]
    status: &'static str,
    dry_run: bool,
    /// Rows; always succeeded + failed + cancelled + pending.
    total: u64,
    succeeded: u64,
    failed: u64,
    cancelled: u64,
    pending: u64,
    /// Whole percent of the rows that are not pending.
    progress: u64,
    /// The sum of the valid rows; points of a job of points; null if the rows have several currencies.
    amount_total: Option<Number>,
    /// The sum of what was applied.
    amount_applied: Option<Number>,
    currency: Option<&'static str>,
    warnings: Vec<WarningCount>,
    /// The first 20 rows that have failed.
    errors: Vec<RowError>,
    control: ControlSums,
    /// What the file of an import says, and what is in the table; once the job has ended.
    reconciliation: Option<Reconciliation>,
    /// The files that an export has written; once the job has ended.
    files: Option<Vec<FileView>>,
    notify: bool,
    created_by: MadeBy,
    #[schema(format = DateTime)]
    created_at: String,
    #[schema(format = DateTime)]
    started_at: Option<String>,
    #[schema(format = DateTime)]
    finished_at: Option<String>,
}

/// What is shown of a job beside its progress.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) errors: Vec<RowError>,
    pub(crate) reconciliation: Option<Reconciliation>,
    pub(crate) files: Option<Vec<FileView>>,
    /// Wallets of an export that owe something, which its files do not say.
    pub(crate) owed: u64,
}

/// A file that an export has written.
#[derive(Serialize, ToSchema)]
pub(crate) struct FileView {
    pub(crate) name: String,
    /// Gives the file, for 15 minutes; null for callers who may not export.
    pub(crate) url: Option<String>,
    pub(crate) bytes: u64,
    /// Its lines, the first aside.
    pub(crate) rows: u64,
    /// Its SHA-256, in hexadecimal digits.
    pub(crate) sha256: String,
}

/// Renders a job with its progress and the first errors.
pub(crate) fn job(job: &Job, tally: &Tally, shown: Shown) -> JobView {
    let (terms, unit) = (&job.terms, unit(&job.terms));
    let has_one_unit = terms.file.balances().count() <= 1;
    let money = |amount: Money| Number::money(amount, unit);
    JobView {
        job_id: terms.id.to_string(),
        kind: terms.kind.as_str(),
        status: job.shown_status(),
        dry_run: terms.options.dry_run,
        total: terms.total(),
        succeeded: tally.succeeded,
        failed: tally.failed,
        cancelled: tally.cancelled,
        pending: job.pending(tally),
        progress: job.progress(tally),
        amount_total: has_one_unit.then(|| money(terms.amount_total)),
        amount_applied: has_one_unit.then(|| money(tally.amount)),
        currency: terms.currency.map(Currency::code),
        warnings: terms
            .warnings
            .iter()
            .map(|(code, count)| (code.as_str(), *count))
            .chain(Some(("owed", shown.owed)).filter(|(_, owed)| *owed > 0))
            .map(|(code, count)| WarningCount { code: code.to_owned(), count })
            .collect(),
        errors: shown.errors,
        reconciliation: shown.reconciliation,
        files: shown.files,
        control: ControlSums {
            rows: terms.options.control_rows,
            amount: terms
                .options
                .control_amount
                .map(|sum| if has_one_unit { money(sum) } else { Number::exact(sum.value()) }),
        },
        notify: terms.options.notify,
        created_by: MadeBy { role: terms.by.role.as_str(), sub: terms.by.sub.clone() },
        created_at: terms.created_at.to_string(),
        started_at: job.started_at.map(|at| at.to_string()),
        finished_at: job.finished_at.map(|at| at.to_string()),
    }
}

/// Renders a row that has failed.
pub(crate) fn row_error(row: &Row) -> Option<RowError> {
    let RowOutcome::Failed(code, detail) = &row.outcome else { return None };
    Some(RowError {
        line: Some(row.line),
        customer_id: row.customer().map(ToString::to_string),
        code: code.clone(),
        detail: detail.clone(),
    })
}

/// Renders a row of a file that was refused because of such rows.
pub(crate) fn line_error(line: RefusedLine) -> RowError {
    RowError { line: Some(line.line), customer_id: None, code: line.code, detail: line.detail }
}

/// Renders why a whole file was refused.
pub(crate) fn refusal(refusal: &JobRefusal) -> RowError {
    let detail = match &refusal.job {
        Some(job) => format!("{} ({job})", refusal.detail),
        None => refusal.detail.clone(),
    };
    RowError { line: None, customer_id: None, code: refusal.code.clone(), detail }
}

/// Where a file is to be sent.
#[derive(Serialize, ToSchema)]
pub(crate) struct UploadView {
    pub(crate) upload_id: String,
    /// Takes the file, once; needs no token.
    pub(crate) url: String,
    #[schema(examples("PUT"))]
    pub(crate) method: &'static str,
    /// The headers that the request must have.
    pub(crate) headers: BTreeMap<String, String>,
    /// When the URL is of no use any more.
    #[schema(format = DateTime)]
    pub(crate) expires_at: String,
    /// The most bytes of a file.
    pub(crate) max_bytes: u64,
}

/// A row of a job, and its outcome.
#[derive(Serialize, ToSchema)]
pub(crate) struct RowView {
    line: u64,
    customer_id: Option<String>,
    amount: Number,
    /// pending, succeeded, failed or cancelled
    #[schema(examples("succeeded"))]
    status: &'static str,
    code: Option<String>,
    detail: Option<String>,
    transaction_id: Option<String>,
}

/// A row that brings a budget of another system, and its outcome.
#[derive(Serialize, ToSchema)]
pub(crate) struct BudgetRowView {
    line: u64,
    external_id: Option<String>,
    /// The account here; null until it is known.
    account_id: Option<String>,
    /// pending, succeeded, failed or cancelled
    #[schema(examples("succeeded"))]
    status: &'static str,
    code: Option<String>,
    detail: Option<String>,
    transaction_id: Option<String>,
}

/// A row, as its job's kind has it.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum AnyRow {
    Row(RowView),
    Budget(BudgetRowView),
}

/// Returns the columns of the rows of a job as a file.
pub(crate) fn columns(terms: &JobTerms) -> [&'static str; 7] {
    if terms.kind == JobKind::ImportAccounts {
        ["line", "external_id", "account_id", "status", "code", "detail", "transaction_id"]
    } else {
        ["line", "customer_id", "amount", "status", "code", "detail", "transaction_id"]
    }
}

/// Renders a row.
pub(crate) fn row(terms: &JobTerms, row: &Row) -> AnyRow {
    let (mut code, mut detail, mut transaction_id, mut account_id) = (None, None, None, None);
    match &row.outcome {
        RowOutcome::Failed(why, text) => (code, detail) = (Some(why.clone()), Some(text.clone())),
        RowOutcome::Succeeded(transaction) => transaction_id.clone_from(transaction),
        RowOutcome::Imported(how, _) => code = Some(how.clone()),
        RowOutcome::ImportedAccount(how, id, _) => {
            (code, account_id) = (Some(how.clone()), Some(id.to_string()));
        }
        RowOutcome::Pending | RowOutcome::Exported(_) | RowOutcome::Cancelled => {}
    }
    let (line, status) = (row.line, row.outcome.word());
    if terms.kind == JobKind::ImportAccounts {
        let external_id = row.external_id().map(ToString::to_string);
        let shown = BudgetRowView { line, external_id, account_id, status, code, detail, transaction_id };
        return AnyRow::Budget(shown);
    }
    let amount = Number::money(row.amount(), row.unit().unwrap_or_else(|| unit(terms)));
    let customer_id = row.customer().map(ToString::to_string);
    AnyRow::Row(RowView { line, customer_id, amount, status, code, detail, transaction_id })
}

/// A page of the rows of a job.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rows {
    pub(crate) rows: Vec<AnyRow>,
    /// The number of rows with this status.
    pub(crate) total: u64,
    pub(crate) limit: u16,
    pub(crate) skip: u16,
    pub(crate) next_cursor: Option<String>,
}

/// A page of jobs, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct JobList {
    pub(crate) jobs: Vec<JobView>,
    /// The number of jobs of the kind; null with a status.
    pub(crate) total: Option<u64>,
    pub(crate) limit: u16,
    pub(crate) skip: u16,
    pub(crate) next_cursor: Option<String>,
}
