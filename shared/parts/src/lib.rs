//! Applies parts of jobs: credits to wallets, points, and accounts and budgets of other systems.
//!
//! The process that takes a part applies its rows one by one, each under a cause of its own, and then writes down their
//! outcomes.
//!
//! **Invariant:** however often a part is applied, and wherever a process stops, a row takes effect once, and exactly if
//! its outcome says so.
//! **Invariant:** a row whose outcome is not certain has none: its part stays with the process that holds it, and comes again.

mod accounts;
mod applied;
mod imports;
mod rows;

use domain::actor::Actor;
use domain::context::Context;
use domain::ids::{JobId, RequestId};
use domain::jobs::figures::Difference;
use domain::jobs::job::Job;
use domain::jobs::part::{Part, PartState};
use domain::jobs::row::RowOutcome;
use domain::jobs::status::JobStatus;
use edge::App;
use rows::Applying;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use store::{Held, StoreError, Taken};

/// Numbers the parts that this process takes, so that each taking has a name of its own.
static TAKEN: AtomicU64 = AtomicU64::new(0);

/// An invocation of a function.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Its id.
    pub request: RequestId,
    /// When it began.
    pub started: Instant,
    /// Time after which it takes no part.
    pub take_within: Duration,
    /// Time after which it begins no row.
    pub begin_within: Duration,
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

/// Applies a part of a job, whatever has been done of it.
pub async fn apply(app: &App, id: &JobId, number: u32, invocation: &Invocation) -> Result<(), Failed> {
    let jobs = app.store.jobs();
    let job = jobs.job(id).await?.ok_or(Failed::Unreadable("there is no such job"))?;
    if job.status.is_taken() {
        return Err(Failed::NotNow("the rows of the job are not stored yet"));
    }
    if !job.status.is_open() {
        return Ok(());
    }
    if invocation.started.elapsed() >= invocation.take_within {
        return Err(Failed::NotNow("the invocation has too little time left"));
    }
    let owner = format!("{}#{}", invocation.request, TAKEN.fetch_add(1, Ordering::Relaxed));
    if job.status == JobStatus::Cancelling && cancel(app, &job, number).await? {
        jobs.settle(job, app.clock.now()).await?;
        return Ok(());
    }
    match jobs.take((id, number), &owner, app.clock.now()).await? {
        Taken::Done => {}
        Taken::Others => return Err(Failed::NotNow("another process applies the part")),
        Taken::Mine(part) => {
            jobs.begin(&job, app.clock.now()).await?;
            work(app, &job, part, &owner, invocation).await?;
        }
    }
    let job = jobs.job(id).await?.ok_or(Failed::Unreadable("there is no such job"))?;
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
    let applied = Applying::new(app, job, (&part, owner), (context, invocation))?.outcomes().await?;
    for (row, applied) in part.rows.iter_mut().zip(applied) {
        if let Some(applied) = applied {
            row.outcome = applied.outcome;
            part.figures = part.figures.plus(&applied.figures).map_err(StoreError::Rejected)?;
            let line = row.line;
            part.differences.extend(applied.difference.map(|detail| Difference { line, detail }));
        }
    }
    part.settle(&RowOutcome::Pending);
    part.count_failed().map_err(StoreError::Rejected)?;
    if app.store.jobs().end(job, &part, Held::By(owner), app.clock.now()).await? {
        Ok(())
    } else {
        Err(Failed::NotNow("another process has taken the part"))
    }
}
