//! Applies the rows of a part.
//!
//! **Invariant:** rows of one customer, and those of budgets, are applied in the order of their lines.
//! **Invariant:** no row is begun in the last seconds of the lease, so none is applied after another process took over.

use crate::applied::Applied;
use crate::{Failed, Invocation, accounts, imports};
use domain::context::Context;
use domain::ids::CustomerId;
use domain::jobs::job::Job;
use domain::jobs::part::{LEASE_SECONDS, MARGIN_SECONDS, Part, PartState};
use domain::jobs::row::{Row, RowOutcome, Wanted};
use domain::loyalty::account::SettlePoints;
use domain::loyalty::adjust::AdjustPoints;
use domain::rejection::Rejection;
use domain::time::Timestamp;
use domain::wallet::credit::AddCredits;
use domain::wallet::settle::Settle;
use edge::field_errors::FieldError;
use edge::{App, Problem};
use futures::FutureExt;
use futures::lock::Mutex;
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeMap;
use store::StoreError;

/// Customers whose rows are applied at once.
const AT_ONCE: usize = 8;

/// The most times that what has fallen due is written before a row of a dry run.
const MAX_SETTLED: u32 = 20;

/// A part that is being applied.
pub(crate) struct Applying<'a> {
    app: &'a App,
    job: &'a Job,
    part: &'a Part,
    owner: &'a str,
    context: Context,
    invocation: &'a Invocation,
    /// When the lease is over.
    until: Mutex<Timestamp>,
}

impl<'a> Applying<'a> {
    /// Begins to apply a part that this process holds.
    pub(crate) fn new(
        app: &'a App,
        job: &'a Job,
        (part, owner): (&'a Part, &'a str),
        (context, invocation): (Context, &'a Invocation),
    ) -> Result<Self, Failed> {
        let PartState::Applying { until, .. } = &part.state else {
            return Err(Failed::NotNow("the part is not held"));
        };
        Ok(Self { app, job, part, owner, context, invocation, until: Mutex::new(*until) })
    }

    /// Applies all rows; returns the outcomes of those that are valid, in the order of the part.
    pub(crate) async fn outcomes(&self) -> Result<Vec<Option<Applied>>, Failed> {
        // Rows that name no customer are applied one after another.
        let mut by_customer: BTreeMap<Option<&CustomerId>, Vec<(usize, &Row)>> = BTreeMap::new();
        for (at, row) in self.part.rows.iter().enumerate().filter(|(_, row)| !row.is_invalid()) {
            by_customer.entry(row.customer()).or_default().push((at, row));
        }
        let groups: Vec<_> = by_customer.into_values().map(|group| self.in_turn(group)).collect();
        let found: Vec<_> = stream::iter(groups).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut outcomes = vec![None; self.part.rows.len()];
        for (at, outcome) in found.into_iter().flatten() {
            if let Some(place) = outcomes.get_mut(at) {
                *place = Some(outcome);
            }
        }
        Ok(outcomes)
    }

    async fn in_turn(&self, rows: Vec<(usize, &Row)>) -> Result<Vec<(usize, Applied)>, Failed> {
        let mut outcomes = vec![];
        for (at, row) in rows {
            self.keep().await?;
            outcomes.push((at, self.apply(row).boxed().await?));
        }
        Ok(outcomes)
    }

    /// Prolongs the lease if too little of it is left for another row.
    async fn keep(&self) -> Result<(), Failed> {
        if self.invocation.started.elapsed() >= self.invocation.begin_within {
            return Err(Failed::NotNow("the invocation has too little time left"));
        }
        let mut until = self.until.lock().await;
        let now = self.app.clock.now();
        if now.plus_seconds(MARGIN_SECONDS).is_some_and(|end| end < *until) {
            return Ok(());
        }
        if !self.app.store.jobs().keep(self.part, self.owner, now).await? {
            return Err(Failed::NotNow("another process has taken the part"));
        }
        *until = lease(now);
        Ok(())
    }

    async fn apply(&self, row: &Row) -> Result<Applied, Failed> {
        let (job, store) = (&self.job.terms, &self.app.store);
        let unreadable = |_| StoreError::Corrupt("a row of a job".to_owned());
        let done = match &row.wanted {
            Wanted::Credit(credit) => {
                let command = credit.command(&job.id, row.line, job.currency).map_err(unreadable)?;
                if job.options.dry_run {
                    self.try_credit(&command).await.map(|()| None)
                } else {
                    let done = store.wallets().execute(&command, &self.context).await;
                    done.map(|done| Some(done.outcome.id().to_string()))
                }
            }
            Wanted::Points(points) => {
                let command = points.command(&job.id, row.line);
                if job.options.dry_run {
                    self.try_points(&command).await.map(|()| None)
                } else {
                    let done = store.loyalty().execute(&command, &self.context).await;
                    done.map(|done| Some(done.outcome.entry.id().to_string()))
                }
            }
            Wanted::Wallet(wallet) => {
                let done = imports::wallet(self.app, job, &self.context, (row.line, wallet));
                return Self::finish(done.await);
            }
            Wanted::PointsAccount(points) => {
                let done = imports::points(self.app, job, &self.context, (row.line, points));
                return Self::finish(done.await);
            }
            Wanted::Budget(budget) => {
                let done = accounts::account(self.app, job, &self.context, (row.line, budget));
                return Self::finish(done.await);
            }
            // Only the function that can write files does segments of exports.
            Wanted::Segment => return Err(Failed::Unreadable("a segment of an export is no row")),
            Wanted::Invalid(_) => return Ok(Applied::of(RowOutcome::Pending)),
        };
        Self::finish(done.map(|transaction| Applied::of(RowOutcome::Succeeded(transaction))))
    }

    /// Returns what is certain of a row.
    fn finish(done: Result<Applied, StoreError>) -> Result<Applied, Failed> {
        match done {
            Ok(applied) => Ok(applied),
            Err(StoreError::Rejected(rejection)) => refused(rejection).map(Applied::of),
            Err(error) => Err(Failed::Store(error)),
        }
    }

    /// Says whether a credit would be applied. What has fallen due before is written, as a read of the wallet does.
    async fn try_credit(&self, command: &AddCredits) -> Result<(), StoreError> {
        let wallets = self.app.store.wallets();
        for _ in 0..MAX_SETTLED {
            if wallets.try_out(command, &self.context).await? {
                return Ok(());
            }
            wallets.execute(&Settle { customer: command.customer.clone() }, &self.context).await?;
        }
        Err(StoreError::Contention("what has fallen due cannot be written".to_owned()))
    }

    /// Says whether points would be added.
    async fn try_points(&self, command: &AdjustPoints) -> Result<(), StoreError> {
        let loyalty = self.app.store.loyalty();
        for _ in 0..MAX_SETTLED {
            if loyalty.try_out(command, &self.context).await? {
                return Ok(());
            }
            loyalty.execute(&SettlePoints { user: command.user.clone() }, &self.context).await?;
        }
        Err(StoreError::Contention("what has fallen due cannot be written".to_owned()))
    }
}

fn lease(now: Timestamp) -> Timestamp {
    now.plus_seconds(LEASE_SECONDS).unwrap_or(now)
}

/// Returns the outcome of a row that was refused. What cannot be decided on what is stored has none.
fn refused(rejection: Rejection) -> Result<RowOutcome, Failed> {
    let text = rejection.to_string();
    let problem = Problem::from(rejection);
    if problem.status.is_server_error() {
        return Err(Failed::Store(StoreError::Corrupt(text)));
    }
    let field = |error: &FieldError| format!("{}: {}", error.pointer.trim_start_matches('/'), error.detail);
    let detail = problem.errors().first().map_or_else(|| problem.detail().to_owned(), field);
    Ok(RowOutcome::Failed(problem.code.to_owned(), detail))
}
