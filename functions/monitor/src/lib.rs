//! The scheduled monitor, which completes operations that were interrupted or whose outcome was
//! never reported.
//!
//! **Invariant:** correctness never depends on the monitor: it polls gateways before an unpaid
//! top-up is closed, processes waiting reports again, resolves attempts on budgets' slices, asks
//! suppliers again, refills pools, sends the messages of jobs again, and takes out dead letters of which nothing is left
//! to do.
//! **Invariant:** it works in bounded batches; an item that cannot be processed is postponed and
//! does not block the items behind it.

mod budgets;
mod dead;
mod handled;
mod hot;
mod jobs;
mod parked;
mod silent;

use domain::actor::Actor;
use domain::alert::NewAlert;
use domain::context::Context;
use domain::ids::{EventId, RequestId, TopUpId};
use domain::payments::initiate::RecordPoll;
use domain::payments::webhook_event::EventStatus;
use domain::time::Timestamp;
use edge::scheduled::Scheduled;
use edge::seal::SealKeys;
use edge::sweep::{Bounds, Sweep, in_turns};
use edge::telemetry;
use gateways::{GatewayError, Gateways};
pub use hot::HotRules;
use issuing::Issuer;
use lambda_runtime::LambdaEvent;
use queues::Queues;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use store::{DuePayment, DueWork, StoreError};

/// Interval between scheduled runs.
const RUN_INTERVAL: Duration = Duration::from_mins(5);

/// Time for which a run processes payments before it leaves the rest to the next; gateways may take
/// seconds to answer.
const PAYMENTS_RUN_BUDGET: Duration = Duration::from_secs(40);

/// Due items that are gathered for each that is processed, so that the items of one owner at the head
/// of the queue do not take up the run.
const GATHERED_PER_PROCESSED: u32 = 5;

/// Seconds by which an item that could not be processed is postponed.
const POSTPONE_SECONDS: u32 = 900;

/// Seconds after a top-up's expiry for which its gateway is polled again if polling fails: three
/// days.
const GIVE_UP_SECONDS: u32 = 3 * 86_400;

/// Services that this function needs in addition to [`edge::App`].
#[derive(Clone)]
pub struct MonitorTools {
    /// Configured payment gateways.
    pub gateways: Gateways,
    /// Keys that seal the bodies of reports.
    pub seal: SealKeys,
    /// Issues cards and refills pools.
    pub issuer: Issuer,
    /// Where messages about parts of jobs are sent.
    pub queues: Queues,
    /// When slices of budgets are raised.
    pub hot: HotRules,
}

/// State of the handler.
pub(crate) type Services = edge::Services<MonitorTools>;

/// Payload of the schedule's event.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorEvent {
    /// Maximum number of items in this run: of top-ups and reports together, of slices, of supplier
    /// orders, of kept refunds, and of jobs. Defaults to 200.
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

/// Counts of a run, by kind of item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Breakdown {
    /// Due top-ups; the gateway is polled unless the top-up has been credited.
    pub topups: u32,
    /// Waiting reports that were processed again.
    pub reports: u32,
    /// Pools of either type whose stock is below their threshold.
    pub csv_pools: u32,
    /// Vouchers for sale whose codes are few or none.
    pub vouchers: u32,
    /// Active campaigns whose credit cannot pay for another card.
    pub campaigns: u32,
    /// Agencies whose available credit is below their threshold.
    pub agencies: u32,
    /// Clients whose available credit is below their threshold.
    pub clients: u32,
    /// Campaigns for which a card could not be issued in the last day.
    pub provisioning_failures: u32,
    /// Attempts on slices that were settled or released.
    pub attempts: u32,
    /// Unresolved supplier orders that were checked.
    pub supplier_orders: u32,
    /// Cards that suppliers delivered into buffer pools.
    pub refilled: u32,
    /// Jobs whose messages were sent again.
    pub jobs_requeued: u32,
    /// Accounts whose slices were raised.
    pub slices_raised: u32,
    /// Queues of dead letters that have messages.
    pub queues_dead: u32,
    /// Items of any kind that could not be processed; due items among them are postponed.
    pub failed: u32,
}

/// Result of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct MonitorSummary {
    /// True if nothing failed.
    pub success: bool,
    /// Duration of the run, in milliseconds.
    pub duration_ms: u64,
    /// Number of alerts and reports in `alerts`.
    pub alerts_generated: u32,
    /// Counts by kind of item.
    pub breakdown: Breakdown,
    /// Ids of the reports that became quarantined or failed, and of the alerts that were raised, in
    /// this run.
    pub alerts: Vec<String>,
}

/// Handles one event of the schedule.
pub async fn handle(
    services: &Services,
    event: LambdaEvent<Scheduled<MonitorEvent>>,
) -> Result<MonitorSummary, lambda_runtime::Error> {
    let request = RequestId::new(event.context.request_id);
    run(services, &event.payload.0, request).await.map_err(lambda_runtime::Error::from)
}

/// Why a due item could not be processed.
#[derive(Debug, thiserror::Error)]
enum DueError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// Processes the due items, then checks stock and credit.
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
    hot::run(services, &context, &mut summary).await?;
    parked::run(services, wanted.limit, &context, &mut summary).await?;
    jobs::run(services, wanted.limit, &context, &mut summary).await?;
    dead::run(services, &context, &mut summary).await?;
    silent::run(services, &context, &mut summary).await?;
    handled::close(services, &context).await?;
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
    telemetry::count("monitor", (failed > 0).then_some("failed"), 0, started);
    Ok(summary)
}

/// Processes due top-ups and waiting reports.
async fn payments(
    services: &Services,
    limit: u32,
    started: Instant,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    let end = started + PAYMENTS_RUN_BUDGET;
    let gathered = limit.saturating_mul(GATHERED_PER_PROCESSED);
    let bounds = Bounds { until: context.now, interval: RUN_INTERVAL, limit: gathered, deadline: Some(end) };
    let mut sweep = Sweep::new(services.app.store.payments(), bounds);
    let due = in_turns(sweep.all().await?, |(due, _)| owner(due));
    for (due, place) in due.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)) {
        if Instant::now() >= end {
            break;
        }
        if let Err(error) = process_due(services, &due, &place, context, summary).await {
            tracing::warn!(?due, %error, "due item cannot be processed now");
            summary.breakdown.failed += 1;
            let later = context.now.plus_seconds(POSTPONE_SECONDS).unwrap_or(context.now);
            sweep.postpone(&due, later).await?;
        }
    }
    Ok(())
}

/// Returns the owner of a due item: the customer of a top-up; each report counts as an owner of its own.
fn owner(due: &DuePayment) -> String {
    match due {
        DuePayment::TopUp(id) => id.customer().to_string(),
        DuePayment::Event(id) => id.to_string(),
    }
}

async fn process_due(
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

/// Polls the gateway of a top-up that expires soon or has expired, and credits captured payments.
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
                tracing::error!(topup = %id, %error, "polling the gateway has failed for three days; the top-up is closed");
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
    store.payments().execute(&RecordPoll { topup: id.clone() }, context).await?;
    Ok(())
}

fn record_event(summary: &mut MonitorSummary, id: &EventId, before: Option<EventStatus>, after: EventStatus) {
    if after.needs_attention() && before != Some(after) {
        summary.alerts_generated += 1;
        summary.alerts.push(id.to_string());
    }
}

/// Raises an alert and counts it if it was opened; fails if that is not certain.
pub(crate) async fn raise(
    services: &Services,
    alert: NewAlert,
    now: Timestamp,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    if services.app.store.alerts().try_raise(&alert, now).await? {
        summary.alerts_generated += 1;
        summary.alerts.push(alert.id().to_string());
    }
    Ok(())
}
