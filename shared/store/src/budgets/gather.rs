//! Moves credit out of an account that is being spent from and has no slice with enough: the amount
//! is reserved slice by slice, as for a spend, and moved by a transaction that contains none of
//! those slices.
//!
//! **Invariant:** a reserved amount is either moved as a whole or released as a whole; the entry's
//! key is the arbiter, as for a spend.

use super::Budgets;
use super::reserve::{Reservation, Reserve};
use super::transfer::{TransferTry, moved};
use crate::engine::error::StoreError;
use domain::budget::allocate::{BudgetTransfer, SlicedAccount, TransferAccounts};
use domain::budget::slice::{MAX_PENDING, Slice};
use domain::budget::spend::{Spend, SpendStep};
use domain::context::Context;
use domain::ids::budget::AttemptId;
use domain::money::Money;
use domain::rejection::Rejection;
use std::collections::BTreeMap;

/// Number of times that the slices are read again when a transfer takes everything and others spend
/// meanwhile.
const MAX_REREADS: u8 = 5;

/// Reserved amounts by slice, or the reason why the amount could not be reserved.
type Gathered = Result<BTreeMap<u8, Money>, String>;

impl Budgets {
    /// Makes one try of a transfer: reserves the amount, moves it, and settles the slices.
    pub(super) async fn gather_and_move(
        &self,
        transfer: &BudgetTransfer,
        accounts: TransferAccounts<'_>,
        attempt: &AttemptId,
        context: &Context,
    ) -> Result<TransferTry, StoreError> {
        let what = Reservation {
            account: transfer.from.clone(),
            campaign: transfer.from.clone(),
            cause: transfer.cause.clone(),
            attempt: attempt.clone(),
            at: context.now,
        };
        let amount = match transfer.check(accounts) {
            Ok(amount) => transfer.amount.map(|_| amount),
            Err(rejection) => return Ok(TransferTry::Rejected(rejection)),
        };
        let held = match self.gather(&what, accounts.from, amount).await? {
            Ok(held) => held,
            Err(why) => return Ok(TransferTry::Again(why)),
        };
        let decided = transfer.entries(accounts, held.clone(), attempt, context);
        let flow = decided.out.kind.flows().0;
        let once =
            moved(decided.clone(), self.table.transact(self.both_entries(transfer, &decided)?).await?)?;
        match &once {
            // The credit is moved. If settling fails, the next resolve of the slices completes it.
            TransferTry::Done(_) => {
                for (slice, amount) in held {
                    let Some(flow) = flow else { continue };
                    let counted = self.count_flow(&transfer.from, slice, attempt, flow, amount).await;
                    if let Err(error) = counted {
                        tracing::warn!(%error, "a transfer is not counted in its flow yet; resolving its slice counts it");
                    }
                }
            }
            // It is certain that nothing was moved now; what was found was moved before.
            TransferTry::Found(_) | TransferTry::Again(_) | TransferTry::Rejected(_) => {
                let released = self.release_reservation(&transfer.from, &held, attempt).await;
                released.map_err(StoreError::after_effect)?;
            }
            // The reservation stays until its attempt is fenced or its entry is found.
            TransferTry::Unknown(_) => {}
        }
        Ok(once)
    }

    /// Reserves an amount on as many slices as needed; without an amount, everything that each
    /// slice has available.
    async fn gather(
        &self,
        what: &Reservation,
        from: &SlicedAccount,
        amount: Option<Money>,
    ) -> Result<Gathered, StoreError> {
        let mut held = BTreeMap::new();
        let gathered = match amount {
            Some(amount) => self.gather_amount(what, from, amount, &mut held).await,
            None => self.gather_all(what, from, &mut held).await,
        };
        match gathered {
            Ok(Ok(())) => Ok(Ok(held)),
            Ok(Err(why)) => {
                self.abandon(what).await?;
                Ok(Err(why))
            }
            Err(error) => {
                self.release_reservation(&what.account, &held, &what.attempt).await?;
                Err(error)
            }
        }
    }

    /// Releases everything that an attempt has reserved, known to this process or not; the attempt
    /// is never moved. A reservation that is still in flight is released when the slice is
    /// resolved.
    async fn abandon(&self, what: &Reservation) -> Result<(), StoreError> {
        let sliced = self.load_sliced(&what.account).await?.ok_or(Rejection::AccountNotFound)?;
        let held = sliced.slices().filter_map(|slice| {
            let held = slice.attempts().find(|(id, _)| **id == what.attempt);
            held.map(|(_, held)| (slice.number, held.amount))
        });
        self.release_reservation(&what.account, &held.collect(), &what.attempt).await
    }

    /// Reads the account again. If slices have the maximum number of attempts, resolves those
    /// slices first.
    async fn load_resolved(&self, what: &Reservation) -> Result<SlicedAccount, StoreError> {
        let sliced = self.load_sliced(&what.account).await?.ok_or(Rejection::AccountNotFound)?;
        let full = |slice: &&Slice| slice.pending.len() >= MAX_PENDING;
        if !sliced.slices().any(|slice| full(&slice)) {
            return Ok(sliced);
        }
        self.resolve_slices(&what.account, sliced.slices().filter(full), what.at).await?;
        self.load_sliced(&what.account).await?.ok_or_else(|| Rejection::AccountNotFound.into())
    }

    async fn gather_all(
        &self,
        what: &Reservation,
        from: &SlicedAccount,
        held: &mut BTreeMap<u8, Money>,
    ) -> Result<Result<(), String>, StoreError> {
        let mut sliced = from.clone();
        for look in 0..=MAX_REREADS {
            let mut short = false;
            for slice in sliced.slices() {
                if slice.available.is_zero() || held.contains_key(&slice.number) {
                    continue;
                }
                match self.reserve(what, slice.number, slice.available).await? {
                    Reserve::Held(_) => {
                        held.insert(slice.number, slice.available);
                    }
                    // The slice was spent from since it was read, or has too many attempts: read it
                    // again.
                    Reserve::Short => short = true,
                    stuck @ (Reserve::Stopped | Reserve::Busy(_) | Reserve::Unknown(_)) => {
                        return Ok(Err(describe(stuck)));
                    }
                }
            }
            if !short {
                break;
            }
            if look == MAX_REREADS {
                return Ok(Err("others are spending from the account".to_owned()));
            }
            sliced = self.load_resolved(what).await?;
        }
        Ok(if held.is_empty() { Err("others have spent all credit".to_owned()) } else { Ok(()) })
    }

    async fn gather_amount(
        &self,
        what: &Reservation,
        from: &SlicedAccount,
        amount: Money,
        held: &mut BTreeMap<u8, Money>,
    ) -> Result<Result<(), String>, StoreError> {
        let mut spend = Spend::new(amount, &what.cause, from.account.slices);
        loop {
            match spend.next().clone() {
                SpendStep::Reserve { slice, amount } => match self.reserve(what, slice, amount).await? {
                    Reserve::Held(_) => {
                        spend.reserved(slice, amount);
                        held.clone_from(spend.held());
                    }
                    Reserve::Short => spend.refused(),
                    stuck @ (Reserve::Stopped | Reserve::Busy(_) | Reserve::Unknown(_)) => {
                        return Ok(Err(describe(stuck)));
                    }
                },
                SpendStep::Survey => {
                    let sliced = self.load_resolved(what).await?;
                    let undecided = self.undecided(&what.account, &sliced).await?;
                    spend.surveyed(&undecided.slice_views(&sliced, &[&what.attempt]));
                }
                SpendStep::Covered => return Ok(Ok(())),
                SpendStep::Wait | SpendStep::Short { .. } => {
                    return Ok(Err("others are spending from the account".to_owned()));
                }
            }
        }
    }
}

/// Returns why credit was not reserved. If that is unknown, the attempt is never moved.
fn describe(reserve: Reserve) -> String {
    match reserve {
        Reserve::Stopped => "the account is being stopped".to_owned(),
        Reserve::Busy(why) | Reserve::Unknown(why) => why,
        Reserve::Held(_) | Reserve::Short => "the state moved".to_owned(),
    }
}
