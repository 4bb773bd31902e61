//! Does the steps of jobs with files: reads an upload and stores its rows as parts.
//!
//! **Invariant:** a message only says that there is a step to do. What is done follows from the table, so a step that
//! comes twice, or was broken off, does the rest.
//! **Invariant:** nothing of a file is applied before the whole file was read and found valid.

mod chunks;
mod split;

use aws::Bucket;
use domain::ids::JobId;
use edge::batch::{Batch, Failures, each};
use edge::{App, Services, telemetry};
use lambda_runtime::LambdaEvent;
use queues::{BooksMessage, Queues, Step, VERSION};
use std::time::Instant;
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
    /// The table did not answer.
    Store(StoreError),
    /// The files bucket did not answer.
    Files(aws::CallError),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) => f.write_str(why),
            Self::Store(error) => error.fmt(f),
            Self::Files(error) => write!(f, "the files bucket: {error}"),
        }
    }
}

impl std::error::Error for Failed {}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<aws::CallError> for Failed {
    fn from(error: aws::CallError) -> Self {
        Self::Files(error)
    }
}

/// Handles a batch of messages.
pub async fn handle(services: &Services<MoveTools>, event: LambdaEvent<Batch>) -> Failures {
    each(event.payload, 1, |message| step(services, message)).await
}

async fn step(services: &Services<MoveTools>, message: BooksMessage) -> Result<(), Failed> {
    let started = Instant::now();
    let done = do_step(services, &message).await;
    telemetry::count("books-step", done.is_err().then_some("failed"), 0, started);
    done
}

async fn do_step(services: &Services<MoveTools>, message: &BooksMessage) -> Result<(), Failed> {
    if message.v != VERSION {
        return Err(Failed::Unreadable("the version of the message is unknown"));
    }
    let id = JobId::parse(&message.job_id).map_err(|_| Failed::Unreadable("the message names no job"))?;
    let App { store, .. } = &services.app;
    let job = store.jobs().job(&id).await?.ok_or(Failed::Unreadable("there is no such job"))?;
    match message.step {
        Step::Split => split::split(services, job).await,
    }
}
