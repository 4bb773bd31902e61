//! The scheduled look at what should have happened by itself.
//!
//! **Invariant:** correctness never depends on it having run: it asks gateways once more before a top-up is given up, has
//! reports that wait decided anew, resolves what stands on budgets' slices, asks suppliers again, and refills pools.
//! **Invariant:** it works in bounded batches; what cannot be dealt with is pushed forward and does not block what is
//! behind it.

mod budgets;

use domain::actor::Actor;
use domain::context::Context;
use domain::ids::{EventId, RequestId, TopUpId};
use domain::payments::initiate::CloseTopUp;
use domain::payments::webhook_event::EventStatus;
use edge::scheduled::Scheduled;
use edge::seal::SealKeys;
use edge::sweep::{Bounds, Sweep};
use edge::telemetry;
use gateways::{GatewayError, Gateways};
use issuing::Issuer;
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use store::{DuePayment, DueWork, StoreError};

/// How far apart runs are.
const RUN_INTERVAL: Duration = Duration::from_mins(5);

/// How long a run goes on before it leaves the rest to the next: gateways may take seconds to answer.
const PAYMENTS_RUN_BUDGET: Duration = Duration::from_secs(40);

/// How long what could not be dealt with is left alone.
const POSTPONE_SECONDS: u32 = 900;

/// How long after it expired a top-up's gateway is still asked, if it does not answer: three days.
const GIVE_UP_SECONDS: u32 = 3 * 86_400;

/// What this function works with beside its app.
#[derive(Clone)]
pub struct MonitorTools {
    /// The gateways.
    pub gateways: Gateways,
    /// What seals reports.
    pub seal: SealKeys,
    /// What issues cards.
    pub issuer: Issuer,
}

/// What this function is given.
pub(crate) type Services = edge::Services<MonitorTools>;

/// What the schedule sends.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorEvent {
    /// How many top-ups and reports to look at, at most, in this run.
    #[serde(default = "default_limit")]
    pub limit: u32,
}

impl Default for MonitorEvent {
    fn default() -> Self {
        Self { limit: default_limit() }
    }
}

fn default_limit() -> u32 {
    200
}

/// What the run found, by what it looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    /// Top-ups whose gateway was asked once more.
    pub topups: u32,
    /// Reports that wait and were decided anew.
    pub reports: u32,
    /// Pools that are low or empty.
    pub csv_pools: u32,
    /// Campaigns with nothing left.
    pub campaigns: u32,
    /// Agencies below their threshold.
    pub agencies: u32,
    /// Clients below their threshold.
    pub clients: u32,
    /// Campaigns of which a card could not be issued within a day.
    pub provisioning_failures: u32,
    /// Attempts to spend that were settled or given back.
    pub attempts: u32,
    /// Supplier orders that were asked about.
    pub supplier_orders: u32,
    /// Cards that were delivered into buffer pools.
    pub refilled: u32,
    /// Of all, what could not be dealt with and was pushed forward.
    pub failed: u32,
}

/// What the run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MonitorSummary {
    /// True if nothing failed.
    pub success: bool,
    /// How long it took.
    pub duration_ms: u64,
    /// How many alerts it opened.
    pub alerts_generated: u32,
    /// What it looked at.
    pub breakdown: Breakdown,
    /// What someone must look at now: reports, and the ids of alerts.
    pub alerts: Vec<String>,
}

/// The handler: one event of the schedule.
pub async fn handle(
    services: &Services,
    event: LambdaEvent<Scheduled<MonitorEvent>>,
) -> Result<MonitorSummary, lambda_runtime::Error> {
    let request = RequestId::new(event.context.request_id);
    run(services, &event.payload.0, request).await.map_err(lambda_runtime::Error::from)
}

/// Why something could not be dealt with.
#[derive(Debug, thiserror::Error)]
enum DueError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// Looks at what is due.
pub async fn run(
    services: &Services,
    wanted: &MonitorEvent,
    request: RequestId,
) -> Result<MonitorSummary, StoreError> {
    let started = Instant::now();
    let actor = Actor::system("monitor");
    let (now, policy) = (services.app.clock.now(), services.app.policy.clone());
    let context = Context { now, actor, request, policy };
    let mut summary = MonitorSummary::default();
    payments(services, wanted.limit, started, &context, &mut summary).await?;
    budgets::run(services, wanted.limit, &context, &mut summary).await?;
    summary.success = summary.breakdown.failed == 0;
    summary.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Breakdown { topups, reports, attempts, supplier_orders, failed, .. } = summary.breakdown;
    tracing::info!(
        topups,
        reports,
        attempts,
        supplier_orders,
        failed,
        alerts = summary.alerts_generated,
        "monitor"
    );
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    telemetry::count("monitor", (failed > 0).then_some("failed"), 0, micros);
    Ok(summary)
}

/// Top-ups that were not paid, and reports that wait.
async fn payments(
    services: &Services,
    limit: u32,
    started: Instant,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    let deadline = Some(started + PAYMENTS_RUN_BUDGET);
    let bounds = Bounds { until: context.now, interval: RUN_INTERVAL, limit, deadline };
    let mut sweep = Sweep::new(services.app.store.payments(), bounds);
    while let Some((due, place)) = sweep.next().await? {
        if let Err(error) = one(services, &due, &place, context, summary).await {
            tracing::warn!(?due, %error, "cannot be dealt with now");
            summary.breakdown.failed += 1;
            let later = context.now.plus_seconds(POSTPONE_SECONDS).unwrap_or(context.now);
            sweep.postpone(&due, later).await?;
        }
    }
    Ok(())
}

async fn one(
    services: &Services,
    due: &DuePayment,
    place: &str,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), DueError> {
    match due {
        DuePayment::TopUp(id) => {
            summary.breakdown.topups += 1;
            poll_before_expiry(services, id, context, summary).await
        }
        DuePayment::Event(id) => {
            summary.breakdown.reports += 1;
            let before = services.app.store.payments().event(id).await?.map(|(event, _)| event.status);
            let (done, waiting) = services.app.store.payments().reprocess(id, context).await?;
            services.app.store.payments().process_waiting(waiting, context).await;
            let Some(after) = done.map(|done| done.outcome) else { return Ok(()) };
            match after.next_check(context.now) {
                Some(later) => services.app.store.payments().postpone(due, later).await?,
                None => services.app.store.payments().remove_due(due, place).await?,
            }
            record_event(summary, id, before, after.status);
            Ok(())
        }
    }
}

/// A top-up has expired unpaid, for all we know: its gateway is asked, and what was captured is credited.
async fn poll_before_expiry(
    services: &Services,
    id: &TopUpId,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), DueError> {
    let store = &services.app.store;
    let Some(topup) = store.payments().topup(id).await? else { return Ok(()) };
    if topup.credited.is_none() {
        let answers = match services.tools.gateways.poll(&topup).await {
            Ok(answers) => answers,
            Err(error) => {
                let until = topup.expires_at.plus_seconds(GIVE_UP_SECONDS).unwrap_or(context.now);
                if context.now < until {
                    return Err(error.into());
                }
                tracing::error!(topup = %id, %error, "the gateway was asked for three days in vain");
                vec![]
            }
        };
        for answered in answers {
            let sealed = answered.report(&topup, |name, body| services.tools.seal.seal(name, body));
            let Some(report) = sealed else { continue };
            let event = report.id.clone();
            let taken = store.payments().process_report(report, context).await?.outcome;
            record_event(summary, &event, None, taken.status);
        }
    }
    store.payments().execute(&CloseTopUp { topup: id.clone() }, context).await?;
    Ok(())
}

fn record_event(summary: &mut MonitorSummary, id: &EventId, before: Option<EventStatus>, after: EventStatus) {
    if after.needs_attention() && before != Some(after) {
        summary.alerts_generated += 1;
        summary.alerts.push(id.to_string());
    }
}
