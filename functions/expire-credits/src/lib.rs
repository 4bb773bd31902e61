//! The scheduled sweep: what has fallen due by itself is written down.
//!
//! **Invariant:** correctness never depends on it having run: balances count from the clock. It only makes
//! history complete for wallets that nobody touches.
//! **Invariant:** it works in bounded batches and resumes where it stopped, since what it has settled leaves
//! the index; a wallet that cannot be settled is pushed forward and does not block those behind it.

use domain::actor::Actor;
use domain::context::Context;
use domain::ids::RequestId;
use domain::wallet::settle::Settle;
use edge::scheduled::Scheduled;
use edge::sweep::Bounds;
use edge::{App, telemetry};
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use store::StoreError;

/// How long after it fell due something is swept: machines' clocks may differ by five minutes, and a lot that
/// one machine has expired must not be alive for another.
const GRACE_MINUTES: u32 = 10;

/// How far apart runs are.
const RUN_INTERVAL: Duration = Duration::from_mins(15);

/// How long a wallet that could not be settled is left alone.
const POSTPONE_SECONDS: u32 = 900;

/// What the schedule sends.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SweepEvent {
    /// How many wallets to settle at most in this run.
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

/// What the run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SweepSummary {
    /// Wallets looked at.
    pub wallets: u32,
    /// Entries written: expired lots, and holds whose time was up.
    pub entries: u32,
    /// Wallets that could not be settled and were pushed forward.
    pub failed: u32,
    /// True if the limit was reached; the next run goes on.
    pub more: bool,
}

/// The handler: one event of the schedule.
pub async fn handle(
    app: &App,
    event: LambdaEvent<Scheduled<SweepEvent>>,
) -> Result<SweepSummary, lambda_runtime::Error> {
    let request = RequestId::new(event.context.request_id);
    sweep(app, &event.payload.0, request).await.map_err(lambda_runtime::Error::from)
}

/// Settles what has been due for ten minutes or longer.
pub async fn sweep(app: &App, wanted: &SweepEvent, request: RequestId) -> Result<SweepSummary, StoreError> {
    let started = Instant::now();
    let actor = Actor::system("expire-credits");
    // The sweep lives ten minutes ago, in choosing wallets and in settling them.
    let now = app.clock.now().minus_minutes(GRACE_MINUTES);
    let context = Context { now, actor, request, policy: app.policy.clone() };
    let mut swept = SweepSummary::default();
    let bounds = Bounds { until: now, interval: RUN_INTERVAL, limit: wanted.limit, deadline: None };
    let mut due = edge::sweep::Sweep::new(app.store.wallets(), bounds);
    while let Some((customer, _)) = due.next().await? {
        swept.wallets += 1;
        match app.store.wallets().execute(&Settle { customer: customer.clone() }, &context).await {
            Ok(done) => swept.entries += done.entries,
            Err(error) => {
                tracing::error!(%customer, %error, "wallet cannot be settled");
                swept.failed += 1;
                let later = app.clock.now().plus_seconds(POSTPONE_SECONDS).unwrap_or(now);
                due.postpone(&customer, later).await?;
            }
        }
    }
    swept.more = due.more();
    tracing::info!(
        wallets = swept.wallets,
        entries = swept.entries,
        failed = swept.failed,
        more = swept.more,
        "sweep"
    );
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    telemetry::count("sweep", (swept.failed > 0).then_some("failed"), 0, micros);
    Ok(swept)
}
