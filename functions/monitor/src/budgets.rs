//! What stands on budgets' slices, orders that suppliers have not resolved, stock and credit.
//!
//! **Invariant:** an attempt is judged by what stands at its cause's key, a supplier's order by what the supplier says.

use crate::{Desk, Looked, POSTPONE_SECONDS, RUN_MILLIS};
use domain::context::Context;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use store::{DueBudget, StoreError, keys};

/// How many one look at the index takes.
const BATCH: u16 = 25;

/// How long a run goes on with slices, which ask nobody, and with orders, whose suppliers may take seconds to answer.
const SLICES: Duration = Duration::from_secs(20);
const ORDERS: Duration = Duration::from_secs(30);

/// How long it goes on with filling pools, whose suppliers may take as long.
const REFILLS: Duration = Duration::from_mins(1);

/// What of the due is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Slices,
    Orders,
}

pub(crate) async fn look(
    desk: &Desk,
    limit: u32,
    context: &Context,
    looked: &mut Looked,
) -> Result<(), StoreError> {
    // A backlog in one shard must not keep the others waiting: each run begins with another. An outage of a supplier
    // must not keep slices waiting: they come first.
    let first = u8::try_from(context.now.millis() / RUN_MILLIS % i64::from(keys::DUE_SHARDS)).unwrap_or(0);
    for (part, time) in [(Part::Slices, SLICES), (Part::Orders, ORDERS)] {
        let (mut left, until) = (limit, Instant::now() + time);
        for shard in (first..keys::DUE_SHARDS).chain(0..first) {
            shard_of(desk, (shard, part), (&mut left, until), context, looked).await?;
        }
    }
    let watched = desk.issuing().watch(context, REFILLS).await;
    let breakdown = &mut looked.breakdown;
    breakdown.csv_pools = watched.csv_pools;
    breakdown.campaigns = watched.campaigns;
    breakdown.agencies = watched.agencies;
    breakdown.clients = watched.clients;
    breakdown.provisioning_failures = watched.provisioning_failures;
    breakdown.refilled = watched.refilled;
    breakdown.failed += watched.failed;
    looked.alerts_generated += u32::try_from(watched.opened.len()).unwrap_or(u32::MAX);
    looked.alerts.extend(watched.opened.iter().map(ToString::to_string));
    Ok(())
}

async fn shard_of(
    desk: &Desk,
    (shard, part): (u8, Part),
    (left, until): (&mut u32, Instant),
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
            seen.insert(due.clone());
            if matches!(due, DueBudget::Slice(..)) != (part == Part::Slices) {
                continue;
            }
            if *left == 0 || Instant::now() >= until {
                return Ok(());
            }
            *left -= 1;
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
