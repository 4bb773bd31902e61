//! The nightly evaluation of tiers: writes down what time, and new versions of the program, have changed. It also adds
//! the days that are over to the report of points.
//!
//! **Invariant:** which tier a customer holds never depends on this job: reads, quotes and earnings see what is true
//! now. It only completes the history and the lists of members.
//! **Invariant:** it works within a time limit and resumes where it stopped: a customer whose changes are written
//! leaves the index, and the place in the lists of members is stored.

use domain::actor::Actor;
use domain::context::Context;
use domain::ids::{CustomerId, RequestId};
use domain::loyalty::account::SettlePoints;
use domain::loyalty::program::TierName;
use domain::loyalty::rules::Rules;
use domain::loyalty::tiers::{Reason, TierChange};
use domain::time::Timestamp;
use edge::scheduled::Scheduled;
use edge::sweep::{Bounds, Sweep};
use edge::{App, telemetry};
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use store::{PointDays, StoreError, TierWalk};

/// Interval between scheduled runs.
const RUN_INTERVAL: Duration = Duration::from_hours(24);

/// Seconds by which a customer who could not be evaluated is postponed.
const POSTPONE_SECONDS: u32 = 900;

/// Milliseconds for which a day that has ended may still be written to.
const MARGIN_MILLIS: i64 = 15 * 60 * 1000;

/// Number of members that are read at once.
const PAGE: usize = 100;

/// Payload of the schedule's event.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateEvent {
    /// Maximum number of customers to look at in this run; defaults to 20 000.
    #[serde(default = "default_limit")]
    pub limit: u32,
    /// Seconds after which a run leaves the rest to the next; defaults to 240.
    #[serde(default = "default_seconds")]
    pub seconds: u32,
}

impl Default for EvaluateEvent {
    fn default() -> Self {
        Self { limit: default_limit(), seconds: default_seconds() }
    }
}

fn default_limit() -> u32 {
    20_000
}

fn default_seconds() -> u32 {
    240
}

/// Result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EvaluateSummary {
    /// True if every customer that was looked at could be evaluated.
    pub success: bool,
    /// Duration of the run.
    pub duration_ms: u64,
    /// Customers looked at.
    pub looked_at: u32,
    /// Changes to a higher tier.
    pub upgraded: u32,
    /// Changes to a lower tier.
    pub downgraded: u32,
    /// Customers whose grace has begun.
    pub grace_started: u32,
    /// Customers whose grace has ended because they reach their tier again.
    pub grace_ended: u32,
    /// Customers known to be left for the next run; at least 1 if the limit or the time was reached.
    pub remaining: u32,
}

/// A run.
struct Run<'a> {
    app: &'a App,
    context: Context,
    rules: Rules,
    limit: u32,
    deadline: Instant,
    failed: u32,
    summary: EvaluateSummary,
}

impl Run<'_> {
    fn is_over(&self) -> bool {
        self.summary.looked_at >= self.limit || Instant::now() >= self.deadline
    }

    /// Returns the position of a tier in the version of the program that a change names.
    fn rank(&self, change: &TierChange, name: &TierName) -> Option<usize> {
        self.rules.program(change.program_version).ok()?.rules.tiers.rank(name)
    }

    fn count(&mut self, change: &TierChange) {
        match change.reason {
            Reason::GraceStarted => self.summary.grace_started += 1,
            Reason::GraceEnded => self.summary.grace_ended += 1,
            Reason::Upgrade
            | Reason::Ageing
            | Reason::Refund
            | Reason::Program
            | Reason::Adjustment
            | Reason::Granted
            | Reason::GrantEnded => {
                if self.rank(change, &change.to) > self.rank(change, &change.from) {
                    self.summary.upgraded += 1;
                } else {
                    self.summary.downgraded += 1;
                }
            }
        }
    }

    /// Writes down what has changed for a customer; returns false if that failed.
    async fn evaluate(&mut self, user: &CustomerId) -> bool {
        self.summary.looked_at += 1;
        let command = SettlePoints { user: user.clone() };
        match self.app.store.loyalty().execute(&command, &self.context).await {
            Ok(done) => {
                for change in &done.outcome.1 {
                    self.count(change);
                }
                true
            }
            Err(error) => {
                tracing::error!(%user, %error, "tier cannot be evaluated");
                self.failed += 1;
                false
            }
        }
    }

    /// Evaluates the customers of whom the index says that something has changed.
    async fn due(&mut self) -> Result<(), StoreError> {
        let bounds = Bounds {
            until: self.context.now,
            interval: RUN_INTERVAL,
            limit: self.limit,
            deadline: Some(self.deadline),
        };
        let mut due = Sweep::new(self.app.store.loyalty(), bounds);
        while let Some((user, _)) = due.next().await? {
            if !self.evaluate(&user).await {
                let now = self.app.clock.now();
                due.postpone(&user, now.plus_seconds(POSTPONE_SECONDS).unwrap_or(now)).await?;
            }
        }
        self.summary.remaining += u32::from(due.more());
        Ok(())
    }

    /// Adds the days that are over to the report of points.
    async fn report(&mut self) -> Result<(), StoreError> {
        let loyalty = self.app.store.loyalty();
        let work = PointDays(loyalty);
        let bounds = Bounds {
            until: self.context.now,
            interval: RUN_INTERVAL,
            limit: self.limit,
            deadline: Some(self.deadline),
        };
        let mut days = Sweep::new(&work, bounds);
        // A machine whose clock is behind, or that works in the past as the sweep does, may still write to a day that has
        // just ended.
        let today = Timestamp::from_millis(self.context.now.millis() - MARGIN_MILLIS);
        let today = today.unwrap_or(self.context.now).date();
        let mut failed = 0;
        while let Some((user, _)) = days.next().await? {
            if let Err(error) = loyalty.report_days(&user, today).await {
                tracing::error!(%user, %error, "points cannot be added to the report");
                failed += 1;
                let now = self.app.clock.now();
                days.postpone(&user, now.plus_seconds(POSTPONE_SECONDS).unwrap_or(now)).await?;
            }
        }
        self.failed += failed;
        self.summary.remaining = self.summary.remaining.max(u32::from(days.more()));
        let now = self.context.now;
        if failed > 0 {
            let again = now.plus_seconds(POSTPONE_SECONDS).unwrap_or(now);
            loyalty.block_report_through(again).await?;
        } else if self.failed == 0
            && self.summary.remaining == 0
            && let Some(yesterday) = today.pred_opt()
        {
            loyalty.set_report_through(yesterday, now).await?;
        }
        Ok(())
    }

    /// Evaluates every member after a version of the program has begun: once, and again from the first member on the
    /// night after a failure.
    async fn members(&mut self) -> Result<(), StoreError> {
        let program = self.rules.program_at(self.context.now)?.version;
        let names = self.rules.tier_names();
        let tiers: Vec<&str> = names.iter().map(TierName::as_str).collect();
        let loyalty = self.app.store.loyalty();
        let mut walk = loyalty.tier_walk().await?.filter(|walk| walk.version == program);
        // The first version has nothing before it.
        let is_first = program == 1 && walk.is_none();
        if is_first || walk.as_ref().is_some_and(|walk| walk.is_done) {
            return Ok(());
        }
        let mut place = walk.take().map_or_else(String::new, |walk| walk.place);
        let mut all = true;
        loop {
            let page = loyalty.members(&tiers, &place, PAGE).await?;
            for (user, at) in &page.members {
                if self.is_over() {
                    self.summary.remaining += 1;
                    return loyalty
                        .put_tier_walk(&TierWalk { version: program, place, is_done: false })
                        .await;
                }
                all &= self.evaluate(user).await;
                place.clone_from(at);
            }
            if page.members.is_empty() {
                place = page.end;
            }
            if !page.more {
                break;
            }
        }
        loyalty.put_tier_walk(&TierWalk { version: program, place: String::new(), is_done: all }).await
    }
}

/// Handles one event of the schedule.
pub async fn handle(
    app: &App,
    event: LambdaEvent<Scheduled<EvaluateEvent>>,
) -> Result<EvaluateSummary, lambda_runtime::Error> {
    let request = RequestId::new(event.context.request_id);
    evaluate(app, &event.payload.0, request).await.map_err(lambda_runtime::Error::from)
}

/// Writes down what has become true of tiers.
pub async fn evaluate(
    app: &App,
    wanted: &EvaluateEvent,
    request: RequestId,
) -> Result<EvaluateSummary, StoreError> {
    let started = Instant::now();
    let (now, actor) = (app.clock.now(), Actor::system("evaluate-tiers"));
    let context = Context { now, actor, request, policy: app.policy.clone() };
    let stored = app.store.loyalty().rules().await?;
    let mut run = Run {
        app,
        rules: Rules::of(&stored, app.policy.currency())?,
        context,
        limit: wanted.limit,
        deadline: started + Duration::from_secs(wanted.seconds.into()),
        failed: 0,
        summary: EvaluateSummary::default(),
    };
    run.due().await?;
    run.members().await?;
    run.report().await?;
    let Run { failed, mut summary, .. } = run;
    summary.success = failed == 0;
    summary.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(
        looked_at = summary.looked_at,
        upgraded = summary.upgraded,
        downgraded = summary.downgraded,
        remaining = summary.remaining,
        failed,
        "tiers"
    );
    telemetry::count("evaluate", (failed > 0).then_some("failed"), 0, started);
    Ok(summary)
}
