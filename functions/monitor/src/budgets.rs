//! What stands on budgets' slices, orders that suppliers have not resolved, stock and credit.
//!
//! **Invariant:** an attempt is judged by what stands at its cause's key, a supplier's order by what the supplier says.

use crate::{Desk, Looked, POSTPONE_SECONDS, TIME};
use domain::context::Context;
use std::collections::BTreeSet;
use std::time::Instant;
use store::{DueBudget, StoreError, keys};

/// How many one look at the index takes.
const BATCH: u16 = 25;

pub(crate) async fn look(
    desk: &Desk,
    (limit, started): (u32, Instant),
    context: &Context,
    looked: &mut Looked,
) -> Result<(), StoreError> {
    let mut left = limit;
    for shard in 0..keys::DUE_SHARDS {
        shard_of(desk, (shard, &mut left, started), context, looked).await?;
    }
    if started.elapsed() >= TIME {
        return Ok(());
    }
    match desk.issuing().watch(context).await {
        Ok(watched) => {
            let breakdown = &mut looked.breakdown;
            breakdown.csv_pools = watched.csv_pools;
            breakdown.campaigns = watched.campaigns;
            breakdown.agencies = watched.agencies;
            breakdown.clients = watched.clients;
            breakdown.provisioning_failures = watched.provisioning_failures;
            breakdown.refilled = watched.refilled;
            looked.alerts_generated += u32::try_from(watched.opened.len()).unwrap_or(u32::MAX);
            looked.alerts.extend(watched.opened.iter().map(ToString::to_string));
        }
        Err(error) => {
            tracing::warn!(%error, "stock and credit cannot be looked at now");
            looked.breakdown.failed += 1;
        }
    }
    Ok(())
}

async fn shard_of(
    desk: &Desk,
    (shard, left, started): (u8, &mut u32, Instant),
    context: &Context,
    looked: &mut Looked,
) -> Result<(), StoreError> {
    // The index may still show what has just been dealt with: each is taken once.
    let mut seen: BTreeSet<DueBudget> = BTreeSet::new();
    let mut from = String::from("0");
    loop {
        let due = desk.app.store.due_budgets(shard, (&from, context.now), BATCH).await?;
        let is_last = due.len() < usize::from(BATCH);
        let Some((_, last)) = due.last() else { return Ok(()) };
        from.clone_from(last);
        let fresh: Vec<DueBudget> =
            due.into_iter().map(|(due, _)| due).filter(|due| !seen.contains(due)).collect();
        if fresh.is_empty() {
            return Ok(());
        }
        for due in fresh {
            if *left == 0 || started.elapsed() >= TIME {
                return Ok(());
            }
            *left -= 1;
            seen.insert(due.clone());
            if let Err(error) = one(desk, &due, context, looked).await {
                tracing::warn!(?due, %error, "cannot be dealt with now");
                looked.breakdown.failed += 1;
                let later = context.now.plus_seconds(POSTPONE_SECONDS).unwrap_or(context.now);
                desk.app.store.postpone_budget(&due, later).await?;
            }
        }
        if is_last {
            return Ok(());
        }
    }
}

async fn one(desk: &Desk, due: &DueBudget, context: &Context, looked: &mut Looked) -> Result<(), StoreError> {
    let store = &desk.app.store;
    match due {
        DueBudget::Slice(account, slice) => {
            // The first slice is the account: a copy of its status, or its closing, may have been cut short.
            if *slice == 0 {
                store.copy_status(account, context.now).await?;
                store.finish_closing(account, context).await?;
            }
            let resolved = store.resolve_one(account, *slice, context.now).await?;
            store.rebalance(account, context).await?;
            looked.breakdown.attempts += resolved.settled + resolved.given_back;
        }
        DueBudget::Redemption(id) => {
            looked.breakdown.supplier_orders += 1;
            if let Some(pending) = store.redemption(id).await? {
                desk.issuing().ask(&pending, context).await?;
            }
        }
    }
    Ok(())
}
