//! Taking credit from an account that is being spent from, where no single slice has enough: it is set aside slice by slice,
//! as for a spend, and moved by one transaction in which none of those slices is.
//!
//! **Invariant:** what was set aside is either moved whole, or given back whole; the entry's key is the arbiter, as for a
//! spend.

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

/// How often slices that others spend from are read again, for taking all that they have.
const MAX_REREADS: u8 = 5;

/// What came of setting credit aside on several slices.
type Gathered = Result<BTreeMap<u8, Money>, String>;

impl Budgets {
    /// One try of a movement: set aside, moved, and taken off the slices.
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
            // It is moved: what follows is made up for by whoever resolves the slices.
            TransferTry::Done(_) => {
                for (slice, amount) in held {
                    let Some(flow) = flow else { continue };
                    let counted = self.count_flow(&transfer.from, slice, attempt, flow, amount).await;
                    if let Err(error) = counted {
                        tracing::warn!(%error, "a movement is counted in its flow another time");
                    }
                }
            }
            // Nothing was moved for certain.
            TransferTry::Found(_) | TransferTry::Again(_) | TransferTry::Rejected(_) => {
                self.release_reservation(&transfer.from, &held, attempt).await?;
            }
            // It stays set aside until its attempt is fenced, or its entry found.
            TransferTry::Unknown(_) => {}
        }
        Ok(once)
    }

    /// Sets an amount aside on as many slices as it takes; if none is said, whatever each of them has.
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

    /// Gives back whatever an attempt has set aside, known or not: it is never moved. What is still on its way is found by
    /// whoever resolves.
    async fn abandon(&self, what: &Reservation) -> Result<(), StoreError> {
        let sliced = self.load_sliced(&what.account).await?.ok_or(Rejection::AccountNotFound)?;
        let held = sliced.slices().filter_map(|slice| {
            let held = slice.attempts().find(|(id, _)| **id == what.attempt);
            held.map(|(_, held)| (slice.number, held.amount))
        });
        self.release_reservation(&what.account, &held.collect(), &what.attempt).await
    }

    /// The account as it is now; slices that bear as many attempts as they may are relieved of those that are done.
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
                    // Someone has spent from it since it was read, or it bears too many attempts: it is read again.
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
                return Ok(Err("others are spending from it".to_owned()));
            }
            sliced = self.load_resolved(what).await?;
        }
        Ok(if held.is_empty() { Err("others have spent all of it".to_owned()) } else { Ok(()) })
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
                    return Ok(Err("others are spending from it".to_owned()));
                }
            }
        }
    }
}

/// Why credit was not set aside; where that is not known, its attempt is never moved.
fn describe(reserve: Reserve) -> String {
    match reserve {
        Reserve::Stopped => "it is being stopped".to_owned(),
        Reserve::Busy(why) | Reserve::Unknown(why) => why,
        Reserve::Held(_) | Reserve::Short => "the state moved".to_owned(),
    }
}
