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
use edge::{App, telemetry};
use gateways::suppliers::Suppliers;
use gateways::{GatewayError, Gateways};
use lambda_runtime::LambdaEvent;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};
use store::{DuePayment, DueWork, StoreError};
use vault::Vault;

/// How far apart runs are.
const INTERVAL: Duration = Duration::from_mins(5);

/// How long a run goes on before it leaves the rest to the next: gateways may take seconds to answer.
const TIME: Duration = Duration::from_secs(40);

/// How long what could not be dealt with is left alone.
const POSTPONE_SECONDS: u32 = 900;

/// How long after it expired a top-up's gateway is still asked, if it does not answer: three days.
const GIVE_UP_SECONDS: u32 = 3 * 86_400;

/// What this function is given.
#[derive(Clone)]
pub struct Desk {
    /// The table, the clock, the rules.
    pub app: App,
    /// The gateways.
    pub gateways: Gateways,
    /// What seals reports.
    pub seal: SealKeys,
    /// What opens and seals cards.
    pub vault: Vault,
    /// Who delivers cards on demand.
    pub suppliers: Suppliers,
}

impl Desk {
    fn issuing(&self) -> issuing::Desk {
        issuing::Desk {
            store: self.app.store.clone(),
            vault: self.vault.clone(),
            suppliers: self.suppliers.clone(),
        }
    }
}

/// What the schedule sends.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Look {
    /// How many top-ups and reports to look at, at most, in this run.
    #[serde(default = "default_limit")]
    pub limit: u32,
}

impl Default for Look {
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
pub struct Looked {
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
    desk: &Desk,
    event: LambdaEvent<Scheduled<Look>>,
) -> Result<Looked, lambda_runtime::Error> {
    let request = RequestId::new(event.context.request_id);
    look(desk, &event.payload.0, request).await.map_err(lambda_runtime::Error::from)
}

/// Why something could not be dealt with.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

/// Looks at what is due.
pub async fn look(desk: &Desk, wanted: &Look, request: RequestId) -> Result<Looked, StoreError> {
    let started = Instant::now();
    let actor = Actor::system("monitor");
    let (now, policy) = (desk.app.clock.now(), desk.app.policy.clone());
    let context = Context { now, actor, request, policy };
    let mut looked = Looked::default();
    payments(desk, wanted.limit, started, &context, &mut looked).await?;
    budgets::look(desk, wanted.limit, &context, &mut looked).await?;
    looked.success = looked.breakdown.failed == 0;
    looked.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let Breakdown { topups, reports, attempts, supplier_orders, failed, .. } = looked.breakdown;
    tracing::info!(
        topups,
        reports,
        attempts,
        supplier_orders,
        failed,
        alerts = looked.alerts_generated,
        "monitor"
    );
    let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    telemetry::count("monitor", (failed > 0).then_some("failed"), 0, micros);
    Ok(looked)
}

/// Top-ups that were not paid, and reports that wait.
async fn payments(
    desk: &Desk,
    limit: u32,
    started: Instant,
    context: &Context,
    looked: &mut Looked,
) -> Result<(), StoreError> {
    let deadline = Some(started + TIME);
    let bounds = Bounds { until: context.now, interval: INTERVAL, limit, deadline };
    let mut sweep = Sweep::new(desk.app.store.payments(), bounds);
    while let Some((due, place)) = sweep.next().await? {
        if let Err(error) = one(desk, (&due, &place), context, looked).await {
            tracing::warn!(?due, %error, "cannot be dealt with now");
            looked.breakdown.failed += 1;
            let later = context.now.plus_seconds(POSTPONE_SECONDS).unwrap_or(context.now);
            sweep.postpone(&due, later).await?;
        }
    }
    Ok(())
}

async fn one(
    desk: &Desk,
    (due, place): (&DuePayment, &str),
    context: &Context,
    looked: &mut Looked,
) -> Result<(), Trouble> {
    match due {
        DuePayment::TopUp(id) => {
            looked.breakdown.topups += 1;
            ask_once_more(desk, id, context, looked).await
        }
        DuePayment::Event(id) => {
            looked.breakdown.reports += 1;
            let before = desk.app.store.payments().event(id).await?.map(|(event, _)| event.status);
            let (done, waiting) = desk.app.store.payments().take_again(id, context).await?;
            desk.app.store.payments().follow(waiting, context).await;
            let Some(after) = done.map(|done| done.outcome) else { return Ok(()) };
            match after.next_visit(context.now) {
                Some(later) => desk.app.store.payments().postpone(due, later).await?,
                None => desk.app.store.payments().remove_due(due, place).await?,
            }
            note(looked, id, before, after.status);
            Ok(())
        }
    }
}

/// A top-up has expired unpaid, for all we know: its gateway is asked, and what was captured is credited.
async fn ask_once_more(
    desk: &Desk,
    id: &TopUpId,
    context: &Context,
    looked: &mut Looked,
) -> Result<(), Trouble> {
    let store = &desk.app.store;
    let Some(topup) = store.payments().topup(id).await? else { return Ok(()) };
    if topup.credited.is_none() {
        let answers = match desk.gateways.ask(&topup).await {
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
            let sealed = answered.report(&topup, |name, body| desk.seal.seal(name, body));
            let Some(report) = sealed else { continue };
            let event = report.id.clone();
            let taken = store.payments().take_report(report, context).await?.outcome;
            note(looked, &event, None, taken.status);
        }
    }
    store.payments().execute(&CloseTopUp { topup: id.clone() }, context).await?;
    Ok(())
}

fn note(looked: &mut Looked, id: &EventId, before: Option<EventStatus>, after: EventStatus) {
    if after.needs_someone() && before != Some(after) {
        looked.alerts_generated += 1;
        looked.alerts.push(id.to_string());
    }
}
