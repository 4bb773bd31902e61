//! One try to have a card issued: what `domain::giftcard::provision` says is done, step by step.
//!
//! **Invariant:** only this try commits its attempt; what it has set aside is committed, handed to an order, or given
//! back, unless the outcome of a commit is unknown.

use crate::Desk;
use crate::orders::asking;
use crate::provision::{Issued, Job, Tried, entry_of};
use domain::budget::allocate::Whole;
use domain::budget::ids::{AttemptId, PoolId};
use domain::budget::slice::{Flow, MAX_PENDING, Slice};
use domain::budget::spend::{self, Seen};
use domain::budget::{Account, Status};
use domain::giftcard::card::FreeCard;
use domain::giftcard::provision::{Provision, Step};
use domain::giftcard::redemption::{Delivery, Redemption, RedemptionStatus};
use domain::money::Money;
use domain::rejection::Rejection;
use std::collections::BTreeMap;
use store::{Committed, Effort, Ordered, Reservation, Reserve, StoreError};

/// How often slices that contradict each other are read again.
const MOST_TORN: u8 = 5;

/// A try under way.
pub(crate) struct Run<'a> {
    desk: &'a Desk,
    job: &'a Job<'a>,
    charged: &'a Account,
    machine: Provision,
    attempt: AttemptId,
    /// What the budget has left, as far as was seen.
    left: Money,
    /// Attempts of ours that may stand on a slice and are never committed.
    abandoned: Vec<AttemptId>,
    /// True if it was looked whether the code has come to something before.
    looked: bool,
    tries: u32,
}

impl<'a> Run<'a> {
    /// A try for a job, on the credit of this account.
    pub(crate) fn new(
        desk: &'a Desk,
        job: &'a Job<'a>,
        (charged, machine): (&'a Account, Provision),
        tries: u32,
    ) -> Self {
        let attempt = desk.store.attempt(job.context);
        let (left, abandoned) = (Money::ZERO, vec![]);
        Self { desk, job, charged, machine, attempt, left, abandoned, looked: false, tries }
    }

    /// Takes step after step until it is done, refused, or must be tried again with nothing set aside.
    pub(crate) async fn carry_through(&mut self, effort: &mut Effort) -> Result<Tried, StoreError> {
        loop {
            let steps = self.machine.next();
            let pool =
                steps.iter().find_map(|step| if let Step::Look(pool) = step { Some(pool) } else { None });
            let ended = match steps.first() {
                Some(Step::Credit(spend::Step::Reserve { slice, amount })) => {
                    Box::pin(self.reserve(*slice, *amount, pool, effort)).await?
                }
                Some(Step::Credit(spend::Step::Survey)) => self.survey().await?,
                Some(Step::Credit(spend::Step::Covered)) | None => {
                    return Err(StoreError::Corrupt("a provision stands still".to_owned()));
                }
                Some(Step::Credit(spend::Step::Wait)) => {
                    Some(Tried::Again("credit is set aside by others".to_owned()))
                }
                Some(Step::Credit(spend::Step::Short { available })) => {
                    let (available, required, currency) = (*available, self.job.price, self.job.currency);
                    Some(Tried::Rejected(Rejection::BudgetShort { available, required, currency }))
                }
                Some(Step::Look(pool)) => {
                    let today = self.job.context.now.date();
                    let found = self.desk.store.free_card(pool, today).await;
                    let found = self.or_release(found).await?;
                    self.machine.found(pool, found);
                    None
                }
                Some(Step::Commit(card)) => self.commit(&card.clone()).await?,
                Some(Step::Order) => self.order().await?,
                Some(Step::OutOfStock) => Some(Tried::Rejected(Rejection::OutOfStock)),
            };
            if let Some(ended) = ended {
                self.release().await?;
                return Ok(ended);
            }
        }
    }

    /// What fails before anything was sent to commit gives back what is set aside.
    async fn or_release<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.release().await?;
        }
        result
    }

    /// Gives back whatever is set aside.
    async fn release(&mut self) -> Result<(), StoreError> {
        let held = self.machine.spend.take_held();
        self.desk.store.give_back(&self.job.charged, &held, &self.attempt).await
    }

    /// Sets credit aside; beside it, a card is looked for, and at first whether the code has come to something before.
    async fn reserve(
        &mut self,
        slice: u8,
        amount: Money,
        pool: Option<&PoolId>,
        effort: &mut Effort,
    ) -> Result<Option<Tried>, StoreError> {
        let (store, job) = (&self.desk.store, self.job);
        let what = Reservation {
            account: job.charged.clone(),
            campaign: job.campaign.id.clone(),
            cause: job.cause.clone(),
            attempt: self.attempt.clone(),
            at: job.context.now,
        };
        let first = !self.looked;
        self.looked = true;
        let look = async {
            match pool {
                Some(pool) => store.free_card(pool, job.context.now.date()).await.map(Some),
                None => Ok(None),
            }
        };
        let before = async { if first { store.redemption(&job.wish.redemption).await } else { Ok(None) } };
        let elsewhere = async {
            if first {
                store.shown_elsewhere(&job.charged, self.charged.slices, slice).await
            } else {
                Ok(Money::ZERO)
            }
        };
        let (reserved, looked, before, elsewhere) =
            tokio::join!(store.reserve(&what, slice, amount), look, before, elsewhere);
        match self.or_release(reserved).await? {
            Reserve::Held(left) => {
                self.machine.spend.reserved(slice, amount);
                self.left = left;
            }
            Reserve::Short => self.machine.spend.refused(),
            Reserve::Stopped => {
                let stopped = self.stopped().await;
                return self.or_release(stopped).await.map(Some);
            }
            Reserve::Busy(why) => {
                if !effort.again().await {
                    return Ok(Some(Tried::Again(why)));
                }
            }
            Reserve::Unknown(why) => {
                tracing::warn!(why, "whether credit was set aside is unknown: another attempt begins");
                self.abandon().await?;
                return Ok(Some(Tried::Again(why)));
            }
        }
        let found = self.or_release(before).await?;
        if let Some(found) = found.filter(|found| found.status != RedemptionStatus::Failed) {
            self.release().await?;
            let answer = self.desk.answer(job.wish, found, job.context, self.tries).await?;
            return Ok(Some(Tried::Done(Box::new(answer))));
        }
        if first {
            let elsewhere = self.or_release(elsewhere).await?;
            self.left = [self.left, elsewhere].into_iter().sum();
        }
        if let (Some(pool), Some(found)) = (pool, self.or_release(looked).await?) {
            self.machine.found(pool, found);
        }
        Ok(None)
    }

    /// The attempt is never committed: what it is known to hold is given back, the rest is found by whoever resolves.
    async fn abandon(&mut self) -> Result<(), StoreError> {
        self.release().await?;
        let next = self.desk.store.attempt(self.job.context);
        let abandoned = std::mem::replace(&mut self.attempt, next);
        // It may be there by now, and then nobody need wait for it.
        let whole = self.desk.store.whole_account(&self.job.charged).await?;
        for slice in whole.iter().flat_map(|whole| whole.slices().collect::<Vec<_>>()) {
            if let Some(held) = slice.pending.get(&abandoned) {
                let held = BTreeMap::from([(slice.number, held.amount)]);
                self.desk.store.give_back(&self.job.charged, &held, &abandoned).await?;
            }
        }
        self.abandoned.push(abandoned);
        Ok(())
    }

    /// A slice says that account or campaign is stopped: true, or has it just been resumed?
    async fn stopped(&mut self) -> Result<Tried, StoreError> {
        let store = &self.desk.store;
        let campaign = store.account(&self.job.campaign.id).await?;
        let charged = store.account(&self.job.charged).await?;
        let active = |account: &Option<Account>| {
            account.as_ref().is_some_and(|account| account.status() == Status::Active)
        };
        Ok(if active(&campaign) && active(&charged) {
            Tried::Again("the budget is being resumed".to_owned())
        } else {
            Tried::Rejected(Rejection::BudgetPaused)
        })
    }

    /// The account with all its slices, none of them in the middle of being evened out: what has left one has arrived.
    async fn even_account(&self) -> Result<Option<Whole>, StoreError> {
        let mut read = self.desk.store.whole_account(&self.job.charged).await?;
        for _ in 0..MOST_TORN {
            let even = |whole: &Whole| {
                let sum = |flow| whole.slices().map(|slice| slice.flows.of(flow)).sum::<Money>();
                sum(Flow::MovedIn) == sum(Flow::MovedOut)
            };
            if read.as_ref().is_none_or(even) {
                break;
            }
            read = self.desk.store.whole_account(&self.job.charged).await?;
        }
        Ok(read)
    }

    /// Reads every slice; what is committed is taken off where a slice is full.
    async fn survey(&mut self) -> Result<Option<Tried>, StoreError> {
        let (store, account) = (&self.desk.store, &self.job.charged);
        let read = async {
            let mut whole = self.even_account().await?;
            let full = |slice: &&Slice| slice.pending.len() >= MAX_PENDING;
            if let Some(seen) = whole.as_ref().filter(|whole| whole.slices().any(|slice| full(&slice))) {
                store.resolve_slices(account, seen.slices().filter(full), self.job.context.now).await?;
                whole = self.even_account().await?;
            }
            let Some(whole) = whole else { return Err(Rejection::AccountNotFound.into()) };
            let undecided = store.undecided(account, &whole).await?;
            Ok((whole, undecided))
        };
        let read = read.await;
        let (whole, undecided) = self.or_release(read).await?;
        let own = |attempt: &AttemptId| *attempt == self.attempt || self.abandoned.contains(attempt);
        let seen: Vec<Seen> = whole
            .slices()
            .map(|slice| {
                let here =
                    undecided.attempts.iter().filter(|(id, number, _)| *number == slice.number && !own(id));
                Seen {
                    slice: slice.number,
                    available: slice.available,
                    undecided: here.map(|(_, _, held)| held.amount).sum(),
                    full: slice.pending.len() >= MAX_PENDING,
                }
            })
            .collect();
        self.machine.spend.surveyed(&seen);
        self.left = whole.available().saturating_sub(self.job.price);
        Ok(None)
    }

    fn redemption(&self, status: RedemptionStatus) -> Result<Redemption, StoreError> {
        let (job, wish, context) = (self.job, self.job.wish, self.job.context);
        let delivery = match &wish.delivery {
            Some((method, address)) => {
                let sealed = self.desk.vault.seal_address(&wish.redemption, address);
                let address_shown = method.masked(address);
                let sealed =
                    sealed.ok_or_else(|| StoreError::Corrupt("an address cannot be sealed".to_owned()))?;
                Some(Delivery { method: *method, shown: address_shown, address: sealed })
            }
            None => None,
        };
        Ok(Redemption {
            id: wish.redemption.clone(),
            campaign: job.campaign.id.clone(),
            charged: job.charged.clone(),
            brand: job.brand.id.clone(),
            denomination: job.denomination,
            currency: job.currency,
            status,
            source: None,
            cost: None,
            amount: job.price,
            credit_remaining: self.left,
            recipient: wish.recipient.clone(),
            delivery,
            card: None,
            attempt: self.attempt.clone(),
            takes: self.machine.spend.held().clone(),
            asked: None,
            failure: None,
            by: context.actor.signature(),
            request: context.request.clone(),
            ip: wish.origin.0.clone(),
            user_agent: wish.origin.1.clone(),
            created_at: context.now,
            issued_at: None,
            visit: None,
        })
    }

    /// The card is taken and all is written; its parts are read meanwhile.
    async fn commit(&mut self, card: &FreeCard) -> Result<Option<Tried>, StoreError> {
        let redemption = Redemption {
            source: Some(card.source),
            cost: Some(card.cost),
            card: Some(card.card.clone()),
            issued_at: Some(self.job.context.now),
            ..self.redemption(RedemptionStatus::Issued)?
        };
        let (job, costs) = (self.job, (card.source, card.cost));
        let entry = entry_of(&redemption, costs, job.cause.clone(), job.context);
        let store = &self.desk.store;
        let (committed, plain) =
            tokio::join!(store.commit_card((&entry, &redemption), card), store.card(&card.card));
        match committed {
            Ok(Committed::Done) => {
                let held = self.machine.spend.take_held();
                store.settle_later(&self.job.charged, held.into_keys(), &self.attempt);
                self.desk.after(&redemption, self.charged, self.job.context).await;
                // It is issued: that its parts cannot be read now is no refusal, and the same code tells them later.
                let plain = plain
                    .map_err(StoreError::after_effect)?
                    .and_then(|card| self.desk.vault.open_card(&card));
                let unreadable =
                    || StoreError::Corrupt(format!("the card of {} cannot be opened", redemption.id));
                let card = Some(plain.ok_or_else(unreadable)?);
                Ok(Some(Tried::Done(Box::new(Issued {
                    redemption,
                    card,
                    replayed: false,
                    retries: self.tries,
                }))))
            }
            Ok(Committed::CardGone) => {
                self.machine.card_is_gone();
                Ok(None)
            }
            Ok(Committed::Fenced) => Ok(Some(Tried::Again("the attempt was fenced".to_owned()))),
            Ok(Committed::Another(found)) => self.another(*found).await.map(Some),
            // Nothing was committed for certain.
            Err(error @ StoreError::Contention(_)) => {
                self.release().await?;
                Err(error)
            }
            Err(error) => {
                self.machine.spend.take_held();
                Err(error)
            }
        }
    }

    /// Another request was quicker with the same code.
    async fn another(&mut self, found: Redemption) -> Result<Tried, StoreError> {
        self.release().await?;
        if found.status == RedemptionStatus::Failed {
            return Ok(Tried::Again("the code is being tried by another".to_owned()));
        }
        let answer = self.desk.answer(self.job.wish, found, self.job.context, self.tries).await?;
        Ok(Tried::Done(Box::new(answer)))
    }

    /// The supplier is asked, once the table knows of it.
    async fn order(&mut self) -> Result<Option<Tried>, StoreError> {
        let Some((supplier, product)) = self.job.brand.supplier.clone() else {
            return Ok(Some(Tried::Rejected(Rejection::OutOfStock)));
        };
        let pending = self.redemption(RedemptionStatus::Pending)?;
        let pending = asking(pending, (supplier, product), self.job.context);
        match self.desk.store.open_order(&pending).await {
            Ok(Ordered::Open) => {}
            Ok(Ordered::Another(found)) => return self.another(*found).await.map(Some),
            Ok(Ordered::Not) => {
                return Ok(Some(Tried::Again("too many orders wait for suppliers".to_owned())));
            }
            // Nothing was opened for certain.
            Err(error @ StoreError::Contention(_)) => {
                self.release().await?;
                return Err(error);
            }
            Err(error) => {
                self.machine.spend.take_held();
                return Err(error);
            }
        }
        // From here on the order's own outcome says what becomes of the credit.
        self.machine.spend.take_held();
        self.desk.first_ask(pending, (self.job.context, self.job.wish.wait), self.tries).await.map(|tried| {
            match tried {
                Ok(issued) => Some(Tried::Done(Box::new(issued))),
                Err(rejection) => Some(Tried::Refused(rejection)),
            }
        })
    }
}
