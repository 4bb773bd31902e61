//! Looking at the attempts that stand on slices, and deciding each by what stands at its cause's key.
//!
//! **Invariant:** an attempt is taken off only when its entry is there, and given back only when it can never commit.

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

/// After so long, a request is not under way any more: longer than tries go on and a supplier is waited for.
const LEFT_BEHIND_SECONDS: u32 = 15;

/// What a look at an account's slices came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResolveSummary {
    /// Attempts that were taken off, being committed.
    pub settled: u32,
    /// Attempts that were given back.
    pub given_back: u32,
    /// Attempts that are under way.
    pub left: u32,
}

/// The flow that a committed attempt is counted in when it is taken off; none, of a spend.
fn flow_of(state: &KeyState) -> Option<Flow> {
    if let KeyState::Entry(entry) = state { entry.kind.flows().0 } else { None }
}

impl Budgets {
    /// Which attempts have no entry; nothing is changed.
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
                Verdict::GiveBack | Verdict::Fence | Verdict::Leave => undecided.attempts.push(attempt),
            }
        }
        Ok(undecided)
    }

    /// Settles and gives back whatever can be, on every slice of an account.
    pub async fn resolve(&self, account: &AccountId, now: Timestamp) -> Result<(), StoreError> {
        match self.load_sliced(account).await? {
            Some(sliced) => self.resolve_slices(account, sliced.slices(), now).await,
            None => Ok(()),
        }
    }

    /// The same on these of its slices, at the same time.
    pub async fn resolve_slices<'a>(
        &self,
        account: &AccountId,
        slices: impl Iterator<Item = &'a Slice>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let resolve = |slice: &'a Slice| self.resolve_slice(account, slice, now);
        futures::future::try_join_all(slices.map(resolve)).await.map(|_| ())
    }

    /// Settles and gives back whatever can be on one slice, and appoints the next look.
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
        // An account that is closing, or whose status is being copied, is not done with.
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
            // What waits for a supplier is looked at by its redemption; here, now and then.
            until.max(now.plus_seconds(5 * LIMIT_SECONDS).unwrap_or(now))
        });
        // A stop is dropped when every process has learnt of it.
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
                Verdict::GiveBack => resolved.given_back += 1,
                Verdict::AskSupplier | Verdict::Fence | Verdict::Leave => resolved.left += 1,
            }
        }
        Ok(resolved)
    }

    /// Takes an attempt off its slice, if that is what was judged.
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
            (Verdict::GiveBack, _) => {
                self.release_reservation(account, &BTreeMap::from([(slice, held.amount)]), attempt).await
            }
            (Verdict::AskSupplier | Verdict::Fence | Verdict::Leave, _) => Ok(()),
        }
    }

    /// Makes way for a request that is short of credit, without waiting for a scheduled look: what has had its time is
    /// fenced and given back, and what an earlier request for the same cause left behind, if that is not under way any more.
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
                held.cause == *cause && !own.contains(id) && late(held, LEFT_BEHIND_SECONDS)
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
