//! Reads the file of a job, and stores its rows as parts.
//!
//! The file is read twice: first to know whether it is valid, then to store its rows. So a file that is refused leaves
//! nothing behind, and only a few rows are in memory.
//!
//! **Invariant:** the rows that are stored are those that were found valid: both readings are of the same ETag, and what
//! a row is follows from the file and from the day on which its job was made.

use crate::chunks::{Chunk, Chunks};
use crate::{Failed, MoveTools};
use domain::jobs::job::{Job, JobRefusal, JobTerms, RefusedLine};
use domain::jobs::options::OnInvalid;
use domain::jobs::part::{Part, ROWS};
use domain::jobs::row::Row;
use domain::jobs::status::JobStatus;
use domain::jobs::upload::object;
use edge::csv::{File, Position};
use edge::{Problem, Services};
use rows::{RowKind, RowReader, file};
use store::RowsTaken;

/// Parts that are stored together.
const PARTS_AT_ONCE: usize = 64;

/// Messages that are sent together.
const MESSAGES_AT_ONCE: usize = 1_000;

/// The result of reading a file.
enum Reading {
    /// All of its rows were read.
    Read(Box<RowReader>),
    /// It cannot be read as a file of rows.
    Refused(JobRefusal),
    /// It is another file by now.
    Changed,
}

impl From<Problem> for Reading {
    fn from(problem: Problem) -> Self {
        let (code, detail) = (problem.code.to_owned(), problem.detail().to_owned());
        Self::Refused(JobRefusal { code, detail, job: None })
    }
}

/// Reads the file of a job and stores its rows; then, or if they are stored, sends the messages of what is not done.
pub(crate) async fn split(services: &Services<MoveTools>, job: Job) -> Result<(), Failed> {
    let jobs = services.app.store.jobs();
    let mut job = job;
    if job.status == JobStatus::Validating {
        job = match validate(services, job).await? {
            Some(job) => job,
            None => return Ok(()),
        };
    }
    if job.is_to_be_split() {
        job = match store_rows(services, job).await? {
            Some(job) => job,
            None => return Ok(()),
        };
    }
    if !job.status.is_open() {
        return Ok(());
    }
    let left = jobs.unfinished_parts(&job).await?;
    let most = if job.is_in_order() { 1 } else { usize::MAX };
    for some in left.chunks(MESSAGES_AT_ONCE).take(most) {
        if let Err(unsent) = services.tools.queues.send_work(&job, some.iter().copied()).await {
            tracing::error!(job = %job.terms.id, unsent = unsent.0, "messages of a job are left to the monitor");
        }
    }
    Ok(())
}

/// Returns the file of a job under the ETag that was noted first; `None` if it is another one by now.
async fn opened<'a>(
    services: &'a Services<MoveTools>,
    job: &Job,
) -> Result<(Job, Option<Chunks<'a>>), Failed> {
    let upload = job.terms.upload.as_ref().ok_or(Failed::Unreadable("the job has no file"))?;
    let (key, files) = (object(upload), &services.tools.files);
    let Some(head) = files.head(&key).await? else { return Ok((job.clone(), None)) };
    let job = services.app.store.jobs().note_etag(&job.terms.id, &head.etag).await?;
    let is_same = job.etag.as_ref() == Some(&head.etag);
    Ok((job, is_same.then(|| Chunks::new(files, key, (&head.etag, head.bytes)))))
}

/// Reads all rows of a file, and stores them if they are to be stored.
async fn read(
    mut chunks: Chunks<'_>,
    (mut reader, most): (RowReader, u64),
    mut storing: Option<&mut Storing<'_>>,
) -> Result<Reading, Failed> {
    let mut position: Option<Position> = None;
    loop {
        let lines = match chunks.next().await? {
            Chunk::Lines(lines) => lines,
            Chunk::Changed => return Ok(Reading::Changed),
            Chunk::LongLine => return Ok(file::long_line().into()),
            Chunk::End if reader.total() == 0 => return Ok(file::no_row().into()),
            Chunk::End => return Ok(Reading::Read(Box::new(reader))),
        };
        let mut open = match &position {
            Some(position) => File::open_part(&lines, position),
            None => match file::open(&lines, reader.kind()) {
                Ok(open) => open,
                Err(problem) => return Ok(problem.into()),
            },
        };
        loop {
            match file::next_row(&mut open, &mut reader) {
                Ok(Some(row)) => {
                    if let Some(storing) = &mut storing {
                        storing.take(row).await?;
                    }
                }
                Ok(None) => break,
                Err(problem) => return Ok(problem.into()),
            }
            if reader.total() > most {
                return Ok(file::too_many_rows(most).into());
            }
        }
        position = Some(open.position());
    }
}

fn reader(services: &Services<MoveTools>, job: &Job) -> Result<RowReader, Failed> {
    let terms = &job.terms;
    let kind = RowKind::of_job(terms.kind, terms.currency);
    let kind = kind.ok_or(Failed::Unreadable("the job has no currency"))?;
    let reader = RowReader::new(kind, terms.created_at.date());
    Ok(reader.for_import(services.app.policy.clone(), terms.options.skip_expired))
}

/// Reads the file of a job to know whether it is valid; returns the job if its rows are to be stored.
async fn validate(services: &Services<MoveTools>, job: Job) -> Result<Option<Job>, Failed> {
    let (job, chunks) = opened(services, &job).await?;
    let Some(chunks) = chunks else { return changed(services, &job).await };
    let reading = read(chunks, (reader(services, &job)?, job.terms.kind.most_rows()), None).await?;
    let reader = match reading {
        Reading::Read(reader) => reader,
        Reading::Refused(refusal) => {
            return end(services, &job, (&job.terms, &vec![]), (JobStatus::Rejected, Some(refusal))).await;
        }
        Reading::Changed => return changed(services, &job).await,
    };
    let terms = match reader.terms(job.terms.clone()) {
        Ok(terms) => terms,
        Err(problem) => return reject(services, &job, (&job.terms, &reader.lines), problem).await,
    };
    if terms.options.on_invalid == OnInvalid::Reject && reader.rejected > 0 {
        return end(services, &job, (&terms, &reader.lines), (JobStatus::Rejected, None)).await;
    }
    if let Err(problem) = reader.check_control(&terms.options) {
        return reject(services, &job, (&terms, &reader.lines), problem).await;
    }
    let now = services.app.clock.now();
    match services.app.store.jobs().take_rows(&terms, &reader.lines, now).await? {
        RowsTaken::Taken(job) => Ok(Some(*job)),
        RowsTaken::Repeated(other) => {
            let detail = "a job with the same rows was made before; again: true makes another one";
            let refusal =
                JobRefusal { code: "job_repeated".to_owned(), detail: detail.to_owned(), job: Some(other) };
            end(services, &job, (&terms, &reader.lines), (JobStatus::Rejected, Some(refusal))).await
        }
    }
}

async fn reject(
    services: &Services<MoveTools>,
    job: &Job,
    rows: (&JobTerms, &Vec<RefusedLine>),
    problem: Problem,
) -> Result<Option<Job>, Failed> {
    let refusal =
        JobRefusal { code: problem.code.to_owned(), detail: problem.detail().to_owned(), job: None };
    end(services, job, rows, (JobStatus::Rejected, Some(refusal))).await
}

async fn changed(services: &Services<MoveTools>, job: &Job) -> Result<Option<Job>, Failed> {
    let detail = "the file is not the one that was first read; nothing of it was applied".to_owned();
    let refusal = JobRefusal { code: "upload_changed".to_owned(), detail, job: None };
    end(services, job, (&job.terms, &vec![]), (JobStatus::Failed, Some(refusal))).await
}

async fn end(
    services: &Services<MoveTools>,
    job: &Job,
    rows: (&JobTerms, &Vec<RefusedLine>),
    (status, refusal): (JobStatus, Option<JobRefusal>),
) -> Result<Option<Job>, Failed> {
    let now = services.app.clock.now();
    services.app.store.jobs().refuse(job, rows, (status, refusal.as_ref()), now).await?;
    Ok(None)
}

/// Parts that are being stored.
struct Storing<'a> {
    services: &'a Services<MoveTools>,
    job: &'a Job,
    rows: Vec<Row>,
    parts: Vec<Part>,
    next: u32,
    /// True if the job has ended meanwhile.
    is_over: bool,
}

impl Storing<'_> {
    async fn take(&mut self, row: Row) -> Result<(), Failed> {
        self.rows.push(row);
        if self.rows.len() >= ROWS {
            self.end_part();
        }
        if self.parts.len() >= PARTS_AT_ONCE { self.store().await } else { Ok(()) }
    }

    fn end_part(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        if !rows.is_empty() {
            self.parts.push(Part::open(&self.job.terms.id, self.next, rows));
            self.next += 1;
        }
    }

    async fn store(&mut self) -> Result<(), Failed> {
        let parts = std::mem::take(&mut self.parts);
        let jobs = self.services.app.store.jobs();
        // A job that was cancelled meanwhile needs no more parts.
        let job = jobs.job(&self.job.terms.id).await?;
        self.is_over = !job.is_some_and(|job| job.is_to_be_split());
        if self.is_over { Ok(()) } else { Ok(jobs.store_parts(&parts).await?) }
    }
}

/// Stores the rows of a job; returns the job if it is to be applied.
async fn store_rows(services: &Services<MoveTools>, job: Job) -> Result<Option<Job>, Failed> {
    let (job, chunks) = opened(services, &job).await?;
    let Some(chunks) = chunks else { return changed(services, &job).await };
    let mut storing = Storing { services, job: &job, rows: vec![], parts: vec![], next: 0, is_over: false };
    let from = (reader(services, &job)?, job.terms.kind.most_rows());
    let reading = read(chunks, from, Some(&mut storing)).await?;
    storing.end_part();
    storing.store().await?;
    let stored = storing.next;
    if storing.is_over {
        return Ok(services.app.store.jobs().job(&job.terms.id).await?);
    }
    match reading {
        Reading::Read(reader) if reader.is_of(&job.terms) && stored == job.terms.parts => {}
        Reading::Read(_) | Reading::Refused(_) | Reading::Changed => return changed(services, &job).await,
    }
    let job = services.app.store.jobs().queue(&job.terms.id, services.app.clock.now()).await?;
    Ok(Some(job))
}
