//! Applies parts of jobs: credits to wallets, and points.
//!
//! A message names a part. The process that takes the part applies its rows one by one, each under a cause of its own,
//! and then writes down their outcomes.
//!
//! **Invariant:** however often a message comes, and wherever a process stops, a row takes effect once, and exactly if
//! its outcome says so.
//! **Invariant:** a row whose outcome is not certain has none: its part stays with the process that holds it, and comes again.

mod rows;

use domain::actor::Actor;
use domain::context::Context;
use domain::ids::{JobId, RequestId};
use domain::jobs::job::{Job, JobStatus};
use domain::jobs::part::{Part, PartState};
use domain::jobs::row::RowOutcome;
use edge::batch::{Batch, Failures, each_by};
use edge::{App, telemetry};
use lambda_runtime::LambdaEvent;
use queues::{PartMessage, VERSION};
use rows::Applying;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{Held, StoreError, Taken};

/// Messages that are handled at once.
const AT_ONCE: usize = 4;

/// Time after which no part is taken in an invocation, which ends after 60 s.
const TAKE_WITHIN: Duration = Duration::from_secs(25);

/// Numbers the parts that this process takes, so that each taking has a name of its own.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// An invocation.
pub(crate) struct Invocation {
    request: RequestId,
    started: Instant,
}

/// Why a message failed and must be delivered again.
#[derive(Debug)]
pub enum Failed {
    /// It cannot be understood, or names nothing that is stored.
    Unreadable(&'static str),
    /// Somebody else is at it, or it is too early.
    NotNow(&'static str),
    /// The table did not answer, or a row's outcome is not certain.
    Store(StoreError),
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(why) | Self::NotNow(why) => f.write_str(why),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Failed {}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Handles a batch of messages.
pub async fn handle(app: &App, event: LambdaEvent<Batch>) -> Failures {
    let request = RequestId::new(event.context.request_id);
    let invocation = Invocation { request, started: Instant::now() };
    let subject = |message: &PartMessage| Some(format!("{}#{}", message.job_id, message.part));
    each_by(event.payload, AT_ONCE, subject, |message| apply(app, message, &invocation)).await
}

async fn apply(app: &App, message: PartMessage, invocation: &Invocation) -> Result<(), Failed> {
    let started = Instant::now();
    let done = apply_part(app, &message, invocation).await;
    telemetry::count("bulk-part", done.is_err().then_some("failed"), 0, started);
    done
}

async fn apply_part(app: &App, message: &PartMessage, invocation: &Invocation) -> Result<(), Failed> {
    if message.v != VERSION {
        return Err(Failed::Unreadable("the version of the message is unknown"));
    }
    let id = JobId::parse(&message.job_id).map_err(|_| Failed::Unreadable("the message names no job"))?;
    let jobs = app.store.jobs();
    let job = jobs.job(&id).await?.ok_or(Failed::Unreadable("there is no such job"))?;
    if job.status == JobStatus::Storing {
        return Err(Failed::NotNow("the rows of the job are not stored yet"));
    }
    if !job.status.is_open() {
        return Ok(());
    }
    if invocation.started.elapsed() >= TAKE_WITHIN {
        return Err(Failed::NotNow("the invocation has too little time left"));
    }
    let owner = format!("{}#{}", invocation.request, TAKEN.fetch_add(1, Ordering::Relaxed));
    if job.status == JobStatus::Cancelling && cancel(app, &job, message.part).await? {
        jobs.settle(job, app.clock.now()).await?;
        return Ok(());
    }
    match jobs.take((&id, message.part), &owner, app.clock.now()).await? {
        Taken::Done => {}
        Taken::Others => return Err(Failed::NotNow("another process applies the part")),
        Taken::Mine(part) => {
            jobs.begin(&job, app.clock.now()).await?;
            work(app, &job, part, &owner, invocation).await?;
        }
    }
    let job = jobs.job(&id).await?.ok_or(Failed::Unreadable("there is no such job"))?;
    jobs.settle(job, app.clock.now()).await?;
    Ok(())
}

/// Cancels a part of a cancelled job; returns false if it was begun before.
async fn cancel(app: &App, job: &Job, number: u32) -> Result<bool, StoreError> {
    let jobs = app.store.jobs();
    let found = jobs.parts(&job.terms.id, number, number.saturating_add(1)).await?;
    match found.into_iter().next() {
        Some(mut part) if part.state == PartState::Open => {
            part.settle(&RowOutcome::Cancelled);
            jobs.end(job, &part, Held::Open, app.clock.now()).await
        }
        Some(part) => Ok(part.state == PartState::Done),
        None => Ok(false),
    }
}

/// Applies the rows of a part that this process holds, and ends it.
async fn work(
    app: &App,
    job: &Job,
    mut part: Part,
    owner: &str,
    invocation: &Invocation,
) -> Result<(), Failed> {
    let by = &job.terms.by;
    let actor = Actor { role: by.role, sub: by.sub.clone(), scopes: BTreeSet::new(), account: None };
    let (now, policy) = (app.clock.now(), app.policy.clone());
    let context = Context { now, actor, request: invocation.request.clone(), policy };
    let outcomes = Applying::new(app, job, (&part, owner), (context, invocation))?.outcomes().await?;
    for (row, outcome) in part.rows.iter_mut().zip(outcomes) {
        if let Some(outcome) = outcome {
            row.outcome = outcome;
        }
    }
    part.settle(&RowOutcome::Pending);
    if app.store.jobs().end(job, &part, Held::By(owner), app.clock.now()).await? {
        Ok(())
    } else {
        Err(Failed::NotNow("another process has taken the part"))
    }
}
