//! Reserving credit for a try, on one slice or several, with the reads that run in parallel.
//!
//! **Invariant:** an attempt whose reservation has an unknown outcome is never committed: a new attempt
//! begins.
//! **Invariant:** a lack of credit is only reported after a consistent read of every slice, that is, one
//! taken while no credit was moving between slices (up to a limited number of reads).

use crate::job::TryOutcome;
use crate::run::IssueAttempt;
use domain::budget::allocate::SlicedAccount;
use domain::budget::slice::{Flow, MAX_PENDING, Slice};
use domain::budget::spend::SpendStep;
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::giftcard::redemption::RedemptionStatus;
use domain::ids::budget::{AttemptId, PoolId};
use domain::money::Money;
use domain::rejection::Rejection;
use std::collections::BTreeMap;
use store::{Reservation, Reserve, Retry, StoreError};

/// How often the slices are read again if they show credit that is moving between slices.
const MAX_TORN_READS: u8 = 5;

impl IssueAttempt<'_> {
    /// Reserves credit on a slice. In parallel, looks for a card in the pool and, on the first call, for
    /// an earlier redemption of the code and for the credit of the other slices.
    pub(crate) async fn reserve(
        &mut self,
        slice: u8,
        amount: Money,
        pool: Option<&PoolId>,
        retry: &mut Retry,
    ) -> Result<Option<TryOutcome>, StoreError> {
        let (store, job, what) = (&self.issuer.store, self.job, self.reservation());
        let first = !self.looked_up;
        self.looked_up = true;
        let look_up = async {
            match pool {
                Some(pool) => store.gift_cards().free_card(pool, job.context.now.date()).await.map(Some),
                None => Ok(None),
            }
        };
        let before = async {
            if first { store.gift_cards().redemption(&job.issue.redemption).await } else { Ok(None) }
        };
        let elsewhere = async {
            if first {
                store.budgets().other_slices_available(&job.charged, self.charged.slices, slice).await
            } else {
                Ok(Money::ZERO)
            }
        };
        let (reserved, looked_up, before, elsewhere) =
            tokio::join!(store.budgets().reserve(&what, slice, amount), look_up, before, elsewhere);
        match self.or_release(reserved).await? {
            Reserve::Held(left) => {
                self.machine.spend.reserved(slice, amount);
                // After every slice was read, `left` is more exact.
                if self.left.is_none() {
                    self.on_slice = left;
                }
            }
            Reserve::Short => self.machine.spend.refused(),
            Reserve::Stopped => {
                let stopped = self.stopped().await;
                return self.or_release(stopped).await.map(Some);
            }
            Reserve::Busy(why) => {
                if !retry.backoff().await {
                    return Ok(Some(TryOutcome::Again(why)));
                }
            }
            Reserve::Unknown(why) => {
                tracing::warn!(why, "the outcome of a reservation is unknown: a new attempt begins");
                self.abandon().await?;
                return Ok(Some(TryOutcome::Again(why)));
            }
        }
        let found = self.or_release(before).await?;
        if let Some(found) = found.filter(|found| found.status != RedemptionStatus::Failed) {
            self.release().await?;
            let answer = self.issuer.answer(job.issue, found, job.context, self.tries).await?;
            return Ok(Some(TryOutcome::Done(Box::new(answer))));
        }
        if first {
            self.elsewhere = self.or_release(elsewhere).await?;
        }
        if let (Some(pool), Some(found)) = (pool, self.or_release(looked_up).await?) {
            self.machine.found(pool, found);
        }
        Ok(None)
    }

    fn reservation(&self) -> Reservation {
        Reservation {
            account: self.job.charged.clone(),
            campaign: self.job.campaign.id.clone(),
            cause: self.job.cause.clone(),
            attempt: self.attempt.clone(),
            at: self.job.context.now,
        }
    }

    /// Abandons the attempt, which is never committed. Releases what it is known to hold; anything else
    /// is released when the slices are resolved.
    async fn abandon(&mut self) -> Result<(), StoreError> {
        self.release().await?;
        let next = self.issuer.store.budgets().attempt(self.job.context);
        let abandoned = std::mem::replace(&mut self.attempt, next);
        // The reservation of unknown outcome may have been applied by now; releasing it here saves
        // others the wait.
        let sliced = self.issuer.store.budgets().load_sliced(&self.job.charged).await?;
        for slice in sliced.iter().flat_map(|sliced| sliced.slices().collect::<Vec<_>>()) {
            if let Some(held) = slice.pending.get(&abandoned) {
                let held = BTreeMap::from([(slice.number, held.amount)]);
                self.issuer.store.budgets().release_reservation(&self.job.charged, &held, &abandoned).await?;
            }
        }
        self.abandoned.push(abandoned);
        Ok(())
    }

    /// Decides after a slice reported a stop: rejects if the account or the campaign is not active, and
    /// retries if the stop on the slice is out of date.
    async fn stopped(&mut self) -> Result<TryOutcome, StoreError> {
        let store = &self.issuer.store;
        let campaign = store.budgets().account(&self.job.campaign.id).await?;
        let charged = store.budgets().account(&self.job.charged).await?;
        let active = |account: &Option<BudgetAccount>| {
            account.as_ref().is_some_and(|account| account.status() == BudgetStatus::Active)
        };
        Ok(if active(&campaign) && active(&charged) {
            TryOutcome::Again("the budget is being resumed".to_owned())
        } else {
            TryOutcome::Rejected(Rejection::BudgetPaused)
        })
    }

    /// Reads the account with all its slices, again while credit is moving between them (the sums of
    /// what moved out and what moved in differ).
    async fn load_consistent_account(&self) -> Result<Option<SlicedAccount>, StoreError> {
        let mut read = self.issuer.store.budgets().load_sliced(&self.job.charged).await?;
        for _ in 0..MAX_TORN_READS {
            let even = |sliced: &SlicedAccount| {
                let sum = |flow| sliced.slices().map(|slice| slice.flows.of(flow)).sum::<Money>();
                sum(Flow::MovedIn) == sum(Flow::MovedOut)
            };
            if read.as_ref().is_none_or(even) {
                break;
            }
            read = self.issuer.store.budgets().load_sliced(&self.job.charged).await?;
        }
        Ok(read)
    }

    /// Reads every slice and plans the next reservations. Resolves full slices first; fences stale
    /// attempts if they hold credit that is needed.
    pub(crate) async fn survey(&mut self) -> Result<Option<TryOutcome>, StoreError> {
        let (store, account) = (&self.issuer.store, &self.job.charged);
        let read = async {
            let mut sliced = self.load_consistent_account().await?;
            let full = |slice: &&Slice| slice.pending.len() >= MAX_PENDING;
            if let Some(seen) = sliced.as_ref().filter(|sliced| sliced.slices().any(|slice| full(&slice))) {
                store
                    .budgets()
                    .resolve_slices(account, seen.slices().filter(full), self.job.context.now)
                    .await?;
                sliced = self.load_consistent_account().await?;
            }
            let Some(sliced) = sliced else { return Err(Rejection::AccountNotFound.into()) };
            let undecided = store.budgets().undecided(account, &sliced).await?;
            Ok((sliced, undecided))
        };
        let read = read.await;
        let (sliced, undecided) = self.or_release(read).await?;
        let own: Vec<&AttemptId> = self.abandoned.iter().chain([&self.attempt]).collect();
        let seen = undecided.slice_views(&sliced, &own);
        self.left = Some(sliced.available().saturating_sub(self.machine.spend.missing()));
        self.machine.spend.surveyed(&seen);
        if *self.machine.spend.next() == SpendStep::Wait {
            let made = store
                .budgets()
                .fence_stale(account, &sliced, &self.job.cause, &own, self.job.context.now)
                .await;
            self.or_release(made).await?;
        }
        Ok(None)
    }
}
