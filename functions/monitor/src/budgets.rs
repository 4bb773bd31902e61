//! Checks attempts on budgets' slices, unresolved supplier orders, stock and credit.
//!
//! **Invariant:** the outcome of an attempt is read from its cause's key, that of a supplier's
//! order from the supplier.

use crate::{GATHERED_PER_PROCESSED, MonitorSummary, POSTPONE_SECONDS, RUN_INTERVAL, Services};
use domain::context::Context;
use edge::sweep::{Bounds, Sweep, in_turns};
use issuing::{AccountBounds, WatchBounds};
use std::time::{Duration, Instant};
use store::{DueBudget, StoreError};

/// Time for which a run processes slices, which need no external call.
const SLICES_RUN_BUDGET: Duration = Duration::from_secs(20);
/// Time for which a run processes supplier orders; suppliers may take seconds to answer.
const ORDERS_RUN_BUDGET: Duration = Duration::from_secs(30);

/// Bounds of the check of stock and credit; suppliers may take seconds to answer.
const WATCH: WatchBounds = WatchBounds {
    accounts: AccountBounds { time: Duration::from_secs(20), limit: usize::MAX, share: 1_000 },
    alerts: Duration::from_secs(10),
    refills: Duration::from_mins(1),
};

pub(crate) async fn run(
    services: &Services,
    limit: u32,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    // Slices come first, so that an outage of a supplier does not delay them.
    let slices: fn(&DueBudget) -> bool = |due| matches!(due, DueBudget::Slice(..));
    let orders: fn(&DueBudget) -> bool = |due| matches!(due, DueBudget::Redemption(_));
    for (wanted, time) in [(slices, SLICES_RUN_BUDGET), (orders, ORDERS_RUN_BUDGET)] {
        let end = Instant::now() + time;
        let gathered = limit.saturating_mul(GATHERED_PER_PROCESSED);
        let bounds =
            Bounds { until: context.now, interval: RUN_INTERVAL, limit: gathered, deadline: Some(end) };
        let mut sweep = Sweep::new(services.app.store.gift_cards(), bounds).only(wanted);
        let due: Vec<DueBudget> = sweep.all().await?.into_iter().map(|(due, _)| due).collect();
        let agencies = services.app.store.gift_cards().agencies(&due).await?;
        let due = in_turns(due, |due| agencies.get(due).cloned());
        for due in due.into_iter().take(usize::try_from(limit).unwrap_or(usize::MAX)) {
            if Instant::now() >= end {
                break;
            }
            if let Err(error) = one(services, &due, context, summary).await {
                tracing::warn!(?due, %error, "due item cannot be processed now");
                summary.breakdown.failed += 1;
                let later = context.now.plus_seconds(POSTPONE_SECONDS).unwrap_or(context.now);
                sweep.postpone(&due, later).await?;
            }
        }
    }
    let watched = services.tools.issuer.watch(context, WATCH).await;
    let breakdown = &mut summary.breakdown;
    breakdown.csv_pools = watched.csv_pools;
    breakdown.vouchers = watched.vouchers;
    breakdown.campaigns = watched.campaigns;
    breakdown.agencies = watched.agencies;
    breakdown.clients = watched.clients;
    breakdown.provisioning_failures = watched.provisioning_failures;
    breakdown.refilled = watched.refilled;
    breakdown.failed += watched.failed;
    summary.alerts_generated += u32::try_from(watched.opened.len()).unwrap_or(u32::MAX);
    summary.alerts.extend(watched.opened.iter().map(ToString::to_string));
    Ok(())
}

async fn one(
    services: &Services,
    due: &DueBudget,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    let store = &services.app.store;
    match due {
        DueBudget::Slice(account, slice) => {
            // Slice 0 is the account item: copying its status, or closing it, may have been
            // interrupted.
            if *slice == 0 {
                store.budgets().copy_status(account, context.now).await?;
                store.budgets().finish_closing(account, context).await?;
            }
            let resolved = store.budgets().resolve_one(account, *slice, context.now).await?;
            store.budgets().rebalance(account, context).await?;
            summary.breakdown.attempts += resolved.settled + resolved.released;
        }
        DueBudget::Redemption(id) => {
            summary.breakdown.supplier_orders += 1;
            if let Some(pending) = store.gift_cards().redemption(id).await? {
                services.tools.issuer.settle_order(&pending, context).await?;
            }
        }
    }
    Ok(())
}
