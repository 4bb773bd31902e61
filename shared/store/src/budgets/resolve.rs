//! Resolves the attempts on slices: each is decided by the state of its cause's key.
//!
//! **Invariant:** an attempt is settled only when its entry exists, and released only when it can
//! never be committed.

use super::Budgets;
use crate::budgets::items::budget;
use crate::engine::error::StoreError;
use crate::keys;
use domain::budget::BudgetStatus;
use domain::budget::allocate::SlicedAccount;
use domain::budget::change::dropped_at;
use domain::budget::figures::{OpenAttempt, Undecided};
use domain::budget::key::{KeyState, LIMIT_SECONDS, Verdict, verdict};
use domain::budget::slice::{Flow, Reserved, Slice};
use domain::cause::Cause;
use domain::ids::budget::{AccountId, AttemptId};
use domain::time::Timestamp;
use std::collections::BTreeMap;

/// Age in seconds at which an attempt of an earlier request is no longer in progress: longer than
/// the retries and the wait for a supplier.
const ABANDONED_SECONDS: u32 = 15;

/// Result of resolving an account's slices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResolveSummary {
    /// Committed attempts that were removed.
    pub settled: u32,
    /// Attempts whose reservation was released.
    pub released: u32,
    /// Attempts that are still undecided.
    pub left: u32,
}

/// Returns the flow to which a committed attempt is added when it is removed; None for a spend.
fn flow_of(state: &KeyState) -> Option<Flow> {
    if let KeyState::Entry(entry) = state { entry.kind.flows().0 } else { None }
}

impl Budgets {
    /// Returns the attempts without an entry, and the transfers that are not counted in a flow yet.
    /// Changes nothing.
    pub async fn undecided(
        &self,
        account: &AccountId,
        sliced: &SlicedAccount,
    ) -> Result<Undecided, StoreError> {
        let held: Vec<OpenAttempt> = sliced
            .slices()
            .flat_map(|slice| {
                let attempt = |(id, held): (&AttemptId, &Reserved)| OpenAttempt {
                    id: id.clone(),
                    slice: slice.number,
                    held: held.clone(),
                    at_supplier: false,
                };
                slice.attempts().map(attempt).collect::<Vec<_>>()
            })
            .collect();
        let causes: Vec<Cause> = held.iter().map(|attempt| attempt.held.cause.clone()).collect();
        let states = self.key_states(account, &causes).await?;
        let mut undecided = Undecided::default();
        for (mut attempt, state) in held.into_iter().zip(states) {
            match verdict(&attempt.id, attempt.held.at, attempt.held.at, &state) {
                Verdict::Settle => {
                    undecided.uncounted.extend(flow_of(&state).map(|flow| (flow, attempt.held.amount)));
                }
                Verdict::AskSupplier => {
                    attempt.at_supplier = true;
                    undecided.attempts.push(attempt);
                }
                Verdict::Release | Verdict::Fence | Verdict::Leave => undecided.attempts.push(attempt),
            }
        }
        Ok(undecided)
    }

    /// Settles and releases every decided attempt on all slices of an account; fences attempts that
    /// have timed out.
    pub async fn resolve(&self, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        match self.load_sliced(account).await? {
            Some(sliced) => self.resolve_slices(account, sliced.slices(), now).await,
            None => Ok(()),
        }
    }

    /// Does the same as [`Self::resolve`] on the given slices, concurrently.
    pub async fn resolve_slices<'a>(
        &self,
        account: &AccountId,
        slices: impl Iterator<Item = &'a Slice>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let resolve = |slice: &'a Slice| self.resolve_slice(account, slice, now);
        futures::future::try_join_all(slices.map(resolve)).await.map(|_| ())
    }

    /// Settles and releases every decided attempt on one slice, drops old stops, and schedules the
    /// next check.
    pub async fn resolve_one(
        &self,
        account: &AccountId,
        number: u8,
        now: Timestamp,
    ) -> Result<ResolveSummary, StoreError> {
        let mut resolved = ResolveSummary::default();
        let key = keys::slice(account, number);
        let Some(item) = self.table.with_retry(|| self.table.get(key.clone())).await? else {
            return Ok(resolved);
        };
        let slice = budget::slice_from_item(&item, number)?;
        self.drop_old_stops(account, &slice, now).await?;
        resolved = self.resolve_slice(account, &slice, now).await?;
        let Some(item) = self.table.with_retry(|| self.table.get(key.clone())).await? else {
            return Ok(resolved);
        };
        let after = budget::slice_from_item(&item, number)?;
        let soon = now.plus_seconds(LIMIT_SECONDS).filter(|_| number == 0);
        // A closing account, or one whose status is being copied, needs another check soon.
        let busy = match soon {
            Some(_) => {
                let known = budget::from_item(&item)?;
                known.status() == BudgetStatus::Closing
                    || known.copied_status_version < known.first.status_version
            }
            None => false,
        };
        let next = after.attempts().map(|(_, held)| held.at).min().map(|oldest| {
            let until = oldest.plus_seconds(LIMIT_SECONDS).unwrap_or(oldest);
            // Attempts that wait for a supplier are checked through their redemption; here, only
            // rarely.
            until.max(now.plus_seconds(5 * LIMIT_SECONDS).unwrap_or(now))
        });
        // A stop is dropped once every process has seen it.
        let dropped = after.stops.values().map(dropped_at).min();
        let next = if busy { soon } else { next.into_iter().chain(dropped).min() };
        self.schedule_slice_check(account, &after, next).await?;
        Ok(resolved)
    }

    async fn resolve_slice(
        &self,
        account: &AccountId,
        slice: &Slice,
        now: Timestamp,
    ) -> Result<ResolveSummary, StoreError> {
        let mut resolved = ResolveSummary::default();
        let standing: Vec<(&AttemptId, &Reserved)> = slice.attempts().collect();
        let causes: Vec<Cause> = standing.iter().map(|(_, held)| held.cause.clone()).collect();
        let states = self.key_states(account, &causes).await?;
        for ((attempt, held), state) in standing.into_iter().zip(states) {
            let mut state = state;
            if verdict(attempt, held.at, now, &state) == Verdict::Fence {
                state = self.fence(account, &held.cause, attempt).await?;
            }
            let judged = verdict(attempt, held.at, now, &state);
            self.carry_out(judged, account, slice.number, attempt, held, &state).await?;
            match judged {
                Verdict::Settle => resolved.settled += 1,
                Verdict::Release => resolved.released += 1,
                Verdict::AskSupplier | Verdict::Fence | Verdict::Leave => resolved.left += 1,
            }
        }
        Ok(resolved)
    }

    /// Settles an attempt or releases its reservation, as the verdict requires.
    async fn carry_out(
        &self,
        judged: Verdict,
        account: &AccountId,
        slice: u8,
        attempt: &AttemptId,
        held: &Reserved,
        state: &KeyState,
    ) -> Result<(), StoreError> {
        match (judged, flow_of(state)) {
            (Verdict::Settle, None) => self.settle(account, [slice], attempt).await,
            (Verdict::Settle, Some(flow)) => {
                self.count_flow(account, slice, attempt, flow, held.amount).await
            }
            (Verdict::Release, _) => {
                self.release_reservation(account, &BTreeMap::from([(slice, held.amount)]), attempt).await
            }
            (Verdict::AskSupplier | Verdict::Fence | Verdict::Leave, _) => Ok(()),
        }
    }

    /// Frees credit for a request that is short of it, without waiting for a scheduled check.
    /// Attempts that have timed out are fenced and released, as are those that an earlier request
    /// for the same cause has left behind.
    pub async fn fence_stale(
        &self,
        account: &AccountId,
        sliced: &SlicedAccount,
        cause: &Cause,
        own: &[&AttemptId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let late = |held: &Reserved, seconds| held.at.plus_seconds(seconds).is_some_and(|until| now >= until);
        for slice in sliced.slices() {
            let left = slice.attempts().filter(|(id, held)| {
                held.cause == *cause && !own.contains(id) && late(held, ABANDONED_SECONDS)
            });
            for (attempt, held) in left {
                let state = self.fence(account, cause, attempt).await?;
                let judged = verdict(attempt, held.at, now, &state);
                self.carry_out(judged, account, slice.number, attempt, held, &state).await?;
            }
        }
        let late =
            sliced.slices().filter(|slice| slice.attempts().any(|(_, held)| late(held, LIMIT_SECONDS)));
        self.resolve_slices(account, late, now).await
    }
}
