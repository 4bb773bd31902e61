//! The scheduled sweep that writes entries for expired lots, expired holds and pending points whose date has come.
//!
//! **Invariant:** correctness never depends on the sweep: balances are computed for the current
//! time. It only completes the history of wallets that no caller uses.
//! **Invariant:** it works in bounded batches and resumes where it stopped, because a settled
//! wallet leaves the index; a wallet that cannot be settled is postponed and does not block the
//! wallets behind it.

use domain::actor::Actor;
use domain::context::Context;
use domain::ids::{CustomerId, RequestId};
use domain::loyalty::account::SettlePoints;
use domain::wallet::settle::Settle;
use edge::scheduled::Scheduled;
use edge::sweep::Bounds;
use edge::{App, telemetry};
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use store::{Done, StoreError};

/// Minutes after its due time at which a lot or hold is swept. The clocks of machines may differ by
/// up to five minutes, and a lot that one machine has expired must not still be valid on another.
const GRACE_MINUTES: u32 = 10;

/// Interval between scheduled runs.
const RUN_INTERVAL: Duration = Duration::from_mins(15);

/// Time after which a run leaves the remaining accounts to the next.
const RUN_BUDGET: Duration = Duration::from_secs(90);

/// Seconds by which an account that could not be settled is postponed.
const POSTPONE_SECONDS: u32 = 900;

/// Payload of the schedule's event.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepEvent {
    /// Maximum number of accounts to settle in this run; defaults to 500.
    #[serde(default = "default_limit")]
    pub limit: u32,
}

impl Default for SweepEvent {
    fn default() -> Self {
        Self { limit: default_limit() }
    }
}

fn default_limit() -> u32 {
    500
}

/// Result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SweepSummary {
    /// Wallets and accounts of points processed, including failed ones.
    pub wallets: u32,
    /// Entries written for what was due.
    pub entries: u32,
    /// Accounts that could not be settled and were postponed.
    pub failed: u32,
    /// True if the limit or the time was reached; the next run continues.
    pub more: bool,
}

impl SweepSummary {
    /// Counts an account; returns false if it could not be settled.
    fn add<O>(&mut self, customer: &CustomerId, done: Result<Done<O>, StoreError>) -> bool {
        self.wallets += 1;
        match done {
            Ok(done) => self.entries += done.entries,
            Err(error) => {
                tracing::error!(%customer, %error, "account cannot be settled");
                self.failed += 1;
                return false;
            }
        }
        true
    }
}

/// Handles one event of the schedule.
pub async fn handle(
    app: &App,
    event: LambdaEvent<Scheduled<SweepEvent>>,
) -> Result<SweepSummary, lambda_runtime::Error> {
    let request = RequestId::new(event.context.request_id);
    sweep(app, &event.payload.0, request).await.map_err(lambda_runtime::Error::from)
}

/// Settles wallets, then points, that have been due for ten minutes or longer.
pub async fn sweep(app: &App, wanted: &SweepEvent, request: RequestId) -> Result<SweepSummary, StoreError> {
    let started = Instant::now();
    let actor = Actor::system("expire-credits");
    // The sweep both selects and settles wallets as of ten minutes ago.
    let now = app.clock.now().minus_minutes(GRACE_MINUTES);
    let context = Context { now, actor, request, policy: app.policy.clone() };
    let mut swept = SweepSummary::default();
    let bounds = Bounds {
        until: now,
        interval: RUN_INTERVAL,
        limit: wanted.limit,
        deadline: Some(started + RUN_BUDGET),
    };
    let mut due = edge::sweep::Sweep::new(app.store.wallets(), bounds);
    while let Some((customer, _)) = due.next().await? {
        let done = app.store.wallets().execute(&Settle { customer: customer.clone() }, &context).await;
        if !swept.add(&customer, done) {
            due.postpone(&customer, app.clock.now().plus_seconds(POSTPONE_SECONDS).unwrap_or(now)).await?;
        }
    }
    swept.more = due.more();
    let limit = wanted.limit.saturating_sub(swept.wallets);
    let mut due = edge::sweep::Sweep::new(app.store.loyalty(), Bounds { limit, ..bounds });
    while let Some((user, _)) = due.next().await? {
        let done = app.store.loyalty().execute(&SettlePoints { user: user.clone() }, &context).await;
        if !swept.add(&user, done) {
            due.postpone(&user, app.clock.now().plus_seconds(POSTPONE_SECONDS).unwrap_or(now)).await?;
        }
    }
    swept.more = swept.more || due.more();
    tracing::info!(
        wallets = swept.wallets,
        entries = swept.entries,
        failed = swept.failed,
        more = swept.more,
        "sweep"
    );
    telemetry::count("sweep", (swept.failed > 0).then_some("failed"), 0, started);
    Ok(swept)
}
