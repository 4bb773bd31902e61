//! Looks for refunds whose purchases or orders have not been reported for a week.
//!
//! **Invariant:** the refund stays kept, and is still applied if its purchase or order comes later.

use crate::{MonitorSummary, POSTPONE_SECONDS, RUN_INTERVAL, Services, raise};
use domain::alert::NewAlert;
use domain::context::Context;
use edge::sweep::{Bounds, Sweep};
use std::time::{Duration, Instant};
use store::{Parked, Refunded, StoreError};

/// Time for which a run looks at kept refunds.
const RUN_BUDGET: Duration = Duration::from_secs(10);

/// Raises an alert for each purchase and each order of which only refunds are known.
pub(crate) async fn run(
    services: &Services,
    limit: u32,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    let work = Parked(services.app.store.loyalty());
    let deadline = Some(Instant::now() + RUN_BUDGET);
    let bounds = Bounds { until: context.now, interval: RUN_INTERVAL, limit, deadline };
    let mut due = Sweep::new(&work, bounds);
    while let Some((id, place)) = due.next().await? {
        if let Err(error) = look(services, &work, (&id, &place), context, summary).await {
            tracing::warn!(?id, %error, "a kept refund cannot be looked at now");
            summary.breakdown.failed += 1;
            let later = context.now.plus_seconds(POSTPONE_SECONDS).unwrap_or(context.now);
            due.postpone(&id, later).await?;
        }
    }
    Ok(())
}

async fn look(
    services: &Services,
    work: &Parked<'_>,
    (id, place): (&Refunded, &str),
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    if let Some((kind, subject)) = unknown(services, id).await? {
        let detail = format!("refunds of this {kind} were reported a week ago, and nothing that they refund");
        let (kind, severity) = ("refund_without_purchase", "warning");
        raise(services, NewAlert { kind, severity, subject, detail }, context.now, summary).await?;
    }
    work.done(id, place).await
}

/// Returns what it is and its id, if only refunds are known of it.
async fn unknown(services: &Services, id: &Refunded) -> Result<Option<(&'static str, String)>, StoreError> {
    let store = &services.app.store;
    Ok(match id {
        Refunded::Purchase(id) => {
            let record = store.loyalty().purchase(id).await?;
            let lacks = record.is_some_and(|record| record.lacks_purchase());
            lacks.then(|| (id.kind(), id.id().to_owned()))
        }
        Refunded::Order(id) => {
            let record = store.rewards().order_record(id).await?;
            let lacks = record.is_some_and(|record| record.lacks_order());
            let is_registered = lacks && store.wallets().order(id).await?.is_some();
            (lacks && !is_registered).then(|| ("order", id.to_string()))
        }
    })
}
