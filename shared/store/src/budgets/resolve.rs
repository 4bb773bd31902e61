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
use domain::budget::key::{KeyState, LIMIT_SECONDS, Verdict, verdict};
use domain::budget::slice::{Flow, MAX_PENDING, Reserved, Slice};
use domain::budget::spend::SliceView;
use domain::cause::Cause;
use domain::ids::budget::{AccountId, AttemptId};
use domain::money::Money;
use domain::time::Timestamp;
use std::collections::BTreeMap;

/// After so long, a request is not under way any more: longer than tries go on and a supplier is waited for.
const LEFT_BEHIND_SECONDS: u32 = 15;

/// What still stands on slices after they were resolved.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undecided {
    /// By attempt: the slice, and what is set aside there.
    pub attempts: Vec<(AttemptId, u8, Reserved)>,
    /// Those of them that a supplier was asked for.
    pub at_suppliers: Vec<AttemptId>,
    /// What has its entry, of a movement, and is not counted in its slice's flow yet.
    pub uncounted: Vec<(Flow, Money)>,
}

impl Undecided {
    /// How much of a slice is undecided.
    pub fn of(&self, slice: u8) -> Money {
        self.attempts.iter().filter(|(_, number, _)| *number == slice).map(|(_, _, held)| held.amount).sum()
    }

    /// What may come free soon: what is undecided and waits for no supplier.
    pub fn soon(&self) -> Money {
        let soon = self.attempts.iter().filter(|(id, ..)| !self.at_suppliers.contains(id));
        soon.map(|(_, _, held)| held.amount).sum()
    }

    /// The slices as they were read, without what these attempts of one's own hold, and what waits for suppliers: that
    /// will not come free for whoever waits.
    pub fn seen(&self, sliced: &SlicedAccount, own: &[&AttemptId]) -> Vec<SliceView> {
        let others = |slice: u8| {
            let not = |id: &AttemptId| own.contains(&id) || self.at_suppliers.contains(id);
            let here = self.attempts.iter().filter(move |(id, at, _)| *at == slice && !not(id));
            here.map(|(_, _, held)| held.amount).sum()
        };
        let seen = |slice: &Slice| SliceView {
            slice: slice.number,
            available: slice.available,
            undecided: others(slice.number),
            full: slice.pending.len() >= MAX_PENDING,
        };
        sliced.slices().map(seen).collect()
    }

    /// How much of a movement's flow is not counted yet.
    pub fn uncounted(&self, flow: Flow) -> Money {
        self.uncounted.iter().filter(|(of, _)| *of == flow).map(|(_, amount)| *amount).sum()
    }

    /// How much is undecided in all; of one campaign, if one is named.
    pub fn total(&self, campaign: Option<&AccountId>) -> Money {
        let of = |held: &Reserved| campaign.is_none_or(|campaign| held.campaign == *campaign);
        self.attempts.iter().filter(|(_, _, held)| of(held)).map(|(_, _, held)| held.amount).sum()
    }
}

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
        let standing: Vec<(AttemptId, u8, Reserved)> = sliced
            .slices()
            .flat_map(|slice| slice.attempts().map(|(id, held)| (id.clone(), slice.number, held.clone())))
            .collect();
        let causes: Vec<Cause> = standing.iter().map(|(_, _, held)| held.cause.clone()).collect();
        let states = self.key_states(account, &causes).await?;
        let mut undecided = Undecided::default();
        for ((attempt, slice, held), state) in standing.into_iter().zip(states) {
            match verdict(&attempt, held.at, held.at, &state) {
                Verdict::Settle => {
                    undecided.uncounted.extend(flow_of(&state).map(|flow| (flow, held.amount)));
                }
                Verdict::AskSupplier => {
                    undecided.at_suppliers.push(attempt.clone());
                    undecided.attempts.push((attempt, slice, held));
                }
                Verdict::GiveBack | Verdict::Fence | Verdict::Leave => {
                    undecided.attempts.push((attempt, slice, held));
                }
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
            self.carry_out(judged, (account, slice.number), (attempt, held), &state).await?;
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
        (account, slice): (&AccountId, u8),
        (attempt, held): (&AttemptId, &Reserved),
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
                self.carry_out(judged, (account, slice.number), (attempt, held), &state).await?;
            }
        }
        let late =
            sliced.slices().filter(|slice| slice.attempts().any(|(_, held)| late(held, LIMIT_SECONDS)));
        self.resolve_slices(account, late, now).await
    }
}
