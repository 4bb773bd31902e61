//! Does the steps of jobs with files: reads an upload and stores its rows as parts, applies the parts of imports, and
//! writes the files of exports.
//!
//! **Invariant:** a message only says that there is a step to do. What is done follows from the table, so a step that
//! comes twice, or was broken off, does the rest.
//! **Invariant:** nothing of a file is applied before the whole file was read and found valid.

mod chunks;
mod export;
mod lines;
mod split;

use aws::Bucket;
use domain::ids::{JobId, RequestId};
use domain::jobs::job::Job;
use domain::jobs::part::{PARTS_OF_SEGMENT, PartState};
use edge::batch::{Batch, Failures, each};
use edge::{App, Services, telemetry};
use lambda_runtime::LambdaEvent;
use parts::Invocation;
use queues::{BooksMessage, Queues, Step, VERSION};
use std::time::{Duration, Instant};
use store::StoreError;

/// The services of this function.
#[derive(Clone, Debug)]
pub struct MoveTools {
    /// Where messages about parts are sent.
    pub queues: Queues,
    /// Uploads.
    pub files: Bucket,
}

/// Why a message failed and must be delivered again.
#[derive(Debug)]
pub enum Failed {
    /// It cannot be understood, or names nothing that is stored.
    Unreadable(&'static str),
    /// Somebody else is at it.
    NotNow(&'static str),
    /// The table did not answer.
    Store(StoreError),
    /// The files bucket did not answer.
    Files(aws::CallError),
    /// A part was not applied.
    Part(parts::Failed),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) | Self::NotNow(why) => f.write_str(why),
            Self::Store(error) => error.fmt(f),
            Self::Files(error) => write!(f, "the files bucket: {error}"),
            Self::Part(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failed {}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<parts::Failed> for Failed {
    fn from(error: parts::Failed) -> Self {
        Self::Part(error)
    }
}

impl From<aws::CallError> for Failed {
    fn from(error: aws::CallError) -> Self {
        Self::Files(error)
    }
}

/// Time after which no part is taken in an invocation, which ends after 900 s.
const TAKE_WITHIN: Duration = Duration::from_mins(12);

/// Time after which no row is begun in an invocation.
const BEGIN_WITHIN: Duration = Duration::from_mins(14);

/// Handles a batch of messages.
pub async fn handle(services: &Services<MoveTools>, event: LambdaEvent<Batch>) -> Failures {
    let invocation = Invocation {
        request: RequestId::new(event.context.request_id),
        started: Instant::now(),
        take_within: TAKE_WITHIN,
        begin_within: BEGIN_WITHIN,
    };
    each(event.payload, 1, |message| step(services, message, &invocation)).await
}

/// Applies the parts of a segment of an import. What is left when the time is up is another message's.
async fn apply(
    services: &Services<MoveTools>,
    job: &Job,
    segment: u32,
    invocation: &Invocation,
) -> Result<(), Failed> {
    let first = segment.saturating_mul(PARTS_OF_SEGMENT);
    let last = first.saturating_add(PARTS_OF_SEGMENT).min(job.terms.parts);
    if job.status.is_taken() || first >= last {
        return Err(Failed::Unreadable("the job has no such segment yet"));
    }
    if job.is_in_order() && first > 0 {
        // The rows before must have an outcome; the message of their segment sends for this one.
        let before = services.app.store.jobs().parts(&job.terms.id, first - 1, first).await?;
        if before.iter().all(|part| part.state != PartState::Done) {
            return Ok(());
        }
    }
    let mut failed = None;
    for part in first..last {
        if invocation.started.elapsed() >= invocation.take_within {
            let rest = services.tools.queues.send_work(job, part..last).await;
            return rest.map_err(|_| Failed::Unreadable("the rest of the segment was not sent"));
        }
        // A part that fails stops no other; the message comes again for it.
        if let Err(error) = parts::apply(&services.app, &job.terms.id, part, invocation).await {
            tracing::warn!(job = %job.terms.id, part, %error, "a part of an import was not applied");
            failed = failed.or(Some(error));
            if job.is_in_order() {
                break;
            }
        }
    }
    if let Some(error) = failed {
        return Err(error.into());
    }
    if job.is_in_order() && last < job.terms.parts {
        let rest = services.tools.queues.send_work(job, last..job.terms.parts).await;
        return rest.map_err(|_| Failed::Unreadable("the next segment was not sent"));
    }
    Ok(())
}

async fn step(
    services: &Services<MoveTools>,
    message: BooksMessage,
    invocation: &Invocation,
) -> Result<(), Failed> {
    let started = Instant::now();
    let done = do_step(services, &message, invocation).await;
    telemetry::count("books-step", done.is_err().then_some("failed"), 0, started);
    done
}

async fn do_step(
    services: &Services<MoveTools>,
    message: &BooksMessage,
    invocation: &Invocation,
) -> Result<(), Failed> {
    if message.v != VERSION {
        return Err(Failed::Unreadable("the version of the message is unknown"));
    }
    let id = JobId::parse(&message.job_id).map_err(|_| Failed::Unreadable("the message names no job"))?;
    let App { store, .. } = &services.app;
    let job = store.jobs().job(&id).await?.ok_or(Failed::Unreadable("there is no such job"))?;
    match message.step {
        Step::Split => split::split(services, job).await,
        Step::Export => export::write(services, &job, message.segment, invocation).await,
        Step::Apply => apply(services, &job, message.segment, invocation).await,
    }
}
