//! `import --kind` and `export --kind`: books in and out of a running platform, by its API.
//!
//! **Invariant:** a file is sent, and received, in pieces; none is in memory as a whole.
//! **Invariant:** the same command again imports nothing twice, and an exported file is in its place when it is whole.

use crate::Failure;
use crate::data::DataDir;
use crate::keys::Keys;
use crate::token::Grant;
use futures::stream::try_unfold;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Bytes of a file that are in memory.
const PIECE: usize = 256 * 1024;

/// Time between two looks at a job.
const LOOK: Duration = Duration::from_millis(200);

/// Time in which a request must be answered; a file may take longer.
const LONGEST: Duration = Duration::from_mins(10);

/// What is imported, and how.
pub struct BooksImport<'a> {
    /// The file.
    pub file: &'a Path,
    /// wallets, accounts or points.
    pub kind: &'a str,
    /// True if only what would happen is said.
    pub dry_run: bool,
    /// True if credit that has expired is left out.
    pub skip_expired: bool,
    /// Where rows that were refused are written.
    pub report: &'a Path,
}

/// An upload that was announced.
#[derive(Deserialize)]
struct Upload {
    upload_id: String,
    url: String,
    headers: BTreeMap<String, String>,
}

/// A job that was taken.
#[derive(Deserialize)]
struct Taken {
    job_id: String,
}

/// A job, as far as it is shown.
#[derive(Deserialize)]
struct Job {
    job_id: String,
    status: String,
    progress: u64,
    total: u64,
    succeeded: u64,
    failed: u64,
    errors: Vec<JobError>,
    warnings: Vec<Warning>,
    reconciliation: Option<Reconciliation>,
    files: Option<Vec<FilePart>>,
}

#[derive(Deserialize)]
struct JobError {
    line: Option<u64>,
    code: String,
    detail: String,
}

#[derive(Deserialize)]
struct Warning {
    code: String,
    count: u64,
}

#[derive(Deserialize)]
struct Reconciliation {
    file: Sums,
    books: Option<Sums>,
    failed: Sums,
    skipped: Sums,
    differences: Vec<RowDifference>,
    agrees: Option<bool>,
}

#[derive(Deserialize)]
struct Sums {
    rows: u64,
    lots: u64,
    balances: Vec<Balance>,
}

#[derive(Deserialize)]
struct Balance {
    currency: Option<String>,
    amount: Box<RawValue>,
}

#[derive(Deserialize)]
struct RowDifference {
    line: u64,
    detail: String,
}

#[derive(Deserialize)]
struct FilePart {
    name: String,
    url: String,
    bytes: u64,
    rows: u64,
    sha256: String,
}

/// The API of a running platform, as an admin.
struct Api {
    url: String,
    keys: Keys,
    client: reqwest::Client,
}

impl Api {
    async fn open(data: &DataDir) -> Result<Self, Failure> {
        let running = data.running().await.ok_or("no platform is running here; start one with: cargo run")?;
        Ok(Self { url: running.api, keys: Keys::open(data)?, client: gateways::client()? })
    }

    fn token(&self) -> Result<String, Failure> {
        let (role, ttl) = ("admin".to_owned(), Duration::from_mins(5));
        let grant = Grant { role, sub: None, account: None, scope: None, ttl };
        grant.sign(&self.keys, &edge::wiring::claim_names())
    }

    async fn text(&self, request: reqwest::RequestBuilder) -> Result<(String, Option<String>), Failure> {
        let reply = request.bearer_auth(self.token()?).timeout(LONGEST).send().await?;
        let link = reply.headers().get("link").and_then(|link| link.to_str().ok()).map(str::to_owned);
        let (status, text) = (reply.status(), reply.text().await?);
        if status.is_success() {
            return Ok((text, link));
        }
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        let detail = problem.get("detail").and_then(Value::as_str).unwrap_or(&text);
        Err(format!("{status}: {detail}").into())
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Failure> {
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request.header("content-type", "application/json").body(body.to_string());
        Ok(serde_json::from_str(&self.text(request).await?.0)?)
    }

    /// Looks at a job until it has ended; shows how far it is.
    async fn watch(&self, id: &str) -> Result<Job, Failure> {
        let bar = bar(100, "{msg:<12} {bar:40} {pos:>3} %")?;
        let mut looks = tokio::time::interval(LOOK);
        loop {
            looks.tick().await;
            let request = self.client.get(format!("{}/api/jobs/{id}", self.url));
            let job: Job = serde_json::from_str(&self.text(request).await?.0)?;
            bar.set_message(job.status.clone());
            bar.set_position(job.progress);
            if !["validating", "queued", "running", "cancelling"].contains(&job.status.as_str()) {
                bar.finish();
                return Ok(job);
            }
        }
    }
}

fn bar(length: u64, style: &str) -> Result<ProgressBar, Failure> {
    let bar = ProgressBar::new(length);
    bar.set_style(ProgressStyle::with_template(style)?);
    Ok(bar)
}

/// Returns the size of a file and its digest.
fn measured(path: &Path) -> Result<(u64, String), Failure> {
    let mut file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (mut digest, mut bytes, mut piece) = (Sha256::new(), 0, vec![0; PIECE]);
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok((bytes, hex::encode(digest.finalize())));
        }
        digest.update(piece.get(..length).unwrap_or_default());
        bytes += u64::try_from(length)?;
    }
}

/// Sends a file to where an upload says.
async fn send(api: &Api, upload: &Upload, path: &Path, bytes: u64) -> Result<(), Failure> {
    let bar = bar(bytes, "{msg:<12} {bar:40} {bytes} of {total_bytes}")?;
    bar.set_message("sending");
    let (file, shown) = (tokio::fs::File::open(path).await?, bar.clone());
    let pieces = try_unfold(file, move |mut file| {
        let shown = shown.clone();
        async move {
            let mut piece = vec![0; PIECE];
            let length = file.read(&mut piece).await?;
            piece.truncate(length);
            shown.inc(u64::try_from(length).unwrap_or(0));
            Ok::<_, std::io::Error>((length > 0).then_some((piece, file)))
        }
    });
    let mut request = api.client.put(&upload.url).timeout(LONGEST);
    for (name, value) in &upload.headers {
        request = request.header(name, value);
    }
    let reply = request.body(reqwest::Body::wrap_stream(pieces)).send().await?;
    bar.finish();
    if reply.status().is_success() { Ok(()) } else { Err(format!("sending: {}", reply.status()).into()) }
}

/// Imports the accounts of a file; the exit code is 1 if file and books do not agree.
pub async fn import(data: &DataDir, wanted: BooksImport<'_>) -> Result<ExitCode, Failure> {
    let api = Api::open(data).await?;
    let BooksImport { file, kind, dry_run, skip_expired, report } = wanted;
    let (bytes, sha256) = measured(file)?;
    let body = json!({"purpose": format!("import_{kind}"), "bytes": bytes, "sha256": sha256});
    let upload: Upload = api.post("/api/uploads", &body).await?;
    send(&api, &upload, file, bytes).await?;
    let body = json!({
        "kind": kind, "upload_id": upload.upload_id, "on_invalid": "skip", "dry_run": dry_run,
        "skip_expired": skip_expired,
    });
    let made: Taken = api.post("/api/imports", &body).await?;
    let job = api.watch(&made.job_id).await?;
    let (total, succeeded, failed) =
        (HumanCount(job.total), HumanCount(job.succeeded), HumanCount(job.failed));
    println!("{}: {total} rows, {succeeded} succeeded, {failed} failed", job.status);
    for error in job.errors.iter().filter(|error| error.line.is_none()) {
        println!("{}: {}", error.code, error.detail);
    }
    show_warnings(&job);
    if job.failed > 0 {
        write_report(&api, &job.job_id, report).await?;
    }
    let is_done = ["completed", "completed_with_errors"].contains(&job.status.as_str());
    let agrees = job.reconciliation.as_ref().is_some_and(show_reconciliation);
    Ok(if is_done && (dry_run || agrees) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn show_warnings(job: &Job) {
    for warning in &job.warnings {
        println!("warning: {} rows: {}", warning.count, warning.code);
    }
}

/// Writes the rows that were refused.
async fn write_report(api: &Api, job: &str, report: &Path) -> Result<(), Failure> {
    let mut next = Some(format!("/api/jobs/{job}/rows?status=failed"));
    let mut file = std::fs::File::create(report).map_err(|error| format!("{}: {error}", report.display()))?;
    let mut is_first = true;
    while let Some(path) = next {
        let request = api.client.get(format!("{}{path}", api.url)).header("accept", "text/csv");
        let (text, link) = api.text(request).await?;
        let lines = if is_first { &text } else { text.split_once('\n').map_or("", |(_, rest)| rest) };
        file.write_all(lines.as_bytes())?;
        is_first = false;
        next = link.and_then(|link| Some(link.split_once('<')?.1.split_once('>')?.0.to_owned()));
    }
    println!("rows that were refused, with the reason: {}", report.display());
    Ok(())
}

/// Prints the comparison of file and books; returns whether they agree.
fn show_reconciliation(found: &Reconciliation) -> bool {
    let sums =
        [("file", Some(&found.file)), ("failed", Some(&found.failed)), ("skipped", Some(&found.skipped))];
    for (name, sums) in sums.into_iter().chain([("books", found.books.as_ref())]) {
        let Some(sums) = sums else { continue };
        let balance =
            |one: &Balance| format!("{} {}", one.currency.as_deref().unwrap_or("points"), one.amount);
        let counts = [format!("rows {}", sums.rows), format!("lots {}", sums.lots)];
        let all: Vec<String> = counts.into_iter().chain(sums.balances.iter().map(balance)).collect();
        println!("{name:<9} {}", all.join(", "));
    }
    for difference in &found.differences {
        println!("line {}: {}", difference.line, difference.detail);
    }
    if let Some(agrees) = found.agrees {
        println!("{}", if agrees { "AGREES" } else { "DOES NOT AGREE" });
    }
    found.agrees == Some(true)
}

/// Exports to a file.
pub async fn export(data: &DataDir, file: &Path, body: &Value) -> Result<ExitCode, Failure> {
    let api = Api::open(data).await?;
    let made: Taken = api.post("/api/exports", body).await?;
    let job = api.watch(&made.job_id).await?;
    if job.status != "completed" {
        return Err(format!("the job is {}", job.status).into());
    }
    let mut beside = file.as_os_str().to_owned();
    beside.push(".part");
    let beside = PathBuf::from(beside);
    let files = job.files.as_deref().unwrap_or_default();
    let bar = bar(files.iter().map(|file| file.bytes).sum(), "{msg:<12} {bar:40} {bytes} of {total_bytes}")?;
    bar.set_message("receiving");
    let mut target =
        std::fs::File::create(&beside).map_err(|error| format!("{}: {error}", beside.display()))?;
    for (at, part) in files.iter().enumerate() {
        receive(&api, part, (&mut target, at == 0), &bar).await?;
    }
    bar.finish();
    target.sync_all()?;
    std::fs::rename(&beside, file)?;
    println!("{} rows: {}", HumanCount(files.iter().map(|file| file.rows).sum()), file.display());
    show_warnings(&job);
    Ok(ExitCode::SUCCESS)
}

/// Receives one file of an export; only the first keeps its first line.
async fn receive(
    api: &Api,
    part: &FilePart,
    (target, is_first): (&mut std::fs::File, bool),
    bar: &ProgressBar,
) -> Result<(), Failure> {
    let mut reply = api.client.get(&part.url).timeout(LONGEST).send().await?.error_for_status()?;
    let (mut digest, mut skipping) = (Sha256::new(), !is_first);
    while let Some(piece) = reply.chunk().await? {
        digest.update(&piece);
        bar.inc(u64::try_from(piece.len()).unwrap_or(0));
        let line_end = piece.iter().position(|byte| *byte == b'\n').filter(|_| skipping);
        let from = match (skipping, line_end) {
            (false, _) => 0,
            (true, Some(end)) => end + 1,
            (true, None) => piece.len(),
        };
        skipping = skipping && line_end.is_none();
        target.write_all(piece.get(from..).unwrap_or_default())?;
    }
    if hex::encode(digest.finalize()) == part.sha256 {
        Ok(())
    } else {
        Err(format!("{} is not as it was written", part.name).into())
    }
}
