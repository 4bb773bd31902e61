//! One try to have a card issued: what `domain::giftcard::provision` says is done, step by step.
//!
//! **Invariant:** only this try commits its attempt; what it has set aside is committed, handed to an order, or given
//! back, unless the outcome of a commit is unknown.

use crate::Issuer;
use crate::job::{IssueContext, Issued, TryOutcome, entry_of};
use crate::orders::asking;
use domain::budget::BudgetAccount;
use domain::budget::spend;
use domain::giftcard::card::FreeCard;
use domain::giftcard::provision::{Provision, ProvisionStep};
use domain::giftcard::redemption::{CardDelivery, Redemption, RedemptionStatus};
use domain::ids::budget::AttemptId;
use domain::money::Money;
use domain::rejection::Rejection;
use store::{Committed, Ordered, Retry, StoreError};

/// A try under way.
pub(crate) struct IssueAttempt<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) job: &'a IssueContext<'a>,
    pub(crate) charged: &'a BudgetAccount,
    pub(crate) machine: Provision,
    pub(crate) attempt: AttemptId,
    /// What the slice has left that credit was set aside on first, and what others had beside it.
    pub(crate) on_slice: Money,
    pub(crate) elsewhere: Money,
    /// What all have left, if all were read.
    pub(crate) left: Option<Money>,
    /// Attempts of ours that may stand on a slice and are never committed.
    pub(crate) abandoned: Vec<AttemptId>,
    /// True if it was looked whether the code has come to something before.
    pub(crate) looked_up: bool,
    pub(crate) tries: u32,
}

impl<'a> IssueAttempt<'a> {
    /// A try for a job, on the credit of this account.
    pub(crate) fn new(
        issuer: &'a Issuer,
        job: &'a IssueContext<'a>,
        charged: &'a BudgetAccount,
        machine: Provision,
        tries: u32,
    ) -> Self {
        let attempt = issuer.store.budgets().attempt(job.context);
        let (on_slice, elsewhere, left, abandoned) = (Money::ZERO, Money::ZERO, None, vec![]);
        Self {
            issuer,
            job,
            charged,
            machine,
            attempt,
            on_slice,
            elsewhere,
            left,
            abandoned,
            looked_up: false,
            tries,
        }
    }

    /// Takes step after step until it is done, refused, or must be tried again with nothing set aside.
    pub(crate) async fn run_to_end(&mut self, retry: &mut Retry) -> Result<TryOutcome, StoreError> {
        loop {
            let steps = self.machine.next();
            let pool = steps
                .iter()
                .find_map(|step| if let ProvisionStep::Look(pool) = step { Some(pool) } else { None });
            let ended = match steps.first() {
                Some(ProvisionStep::Credit(spend::SpendStep::Reserve { slice, amount })) => {
                    Box::pin(self.reserve(*slice, *amount, pool, retry)).await?
                }
                Some(ProvisionStep::Credit(spend::SpendStep::Survey)) => self.survey().await?,
                Some(ProvisionStep::Credit(spend::SpendStep::Covered)) | None => {
                    return Err(StoreError::Corrupt("a provision stands still".to_owned()));
                }
                Some(ProvisionStep::Credit(spend::SpendStep::Wait)) => {
                    Some(TryOutcome::Again("credit is set aside by others".to_owned()))
                }
                Some(ProvisionStep::Credit(spend::SpendStep::Short { available })) => {
                    let (available, required, currency) = (*available, self.job.price, self.job.currency);
                    Some(TryOutcome::Rejected(Rejection::BudgetShort { available, required, currency }))
                }
                Some(ProvisionStep::Look(pool)) => {
                    let today = self.job.context.now.date();
                    let found = self.issuer.store.gift_cards().free_card(pool, today).await;
                    let found = self.or_release(found).await?;
                    self.machine.found(pool, found);
                    None
                }
                Some(ProvisionStep::Commit(card)) => self.commit(&card.clone()).await?,
                Some(ProvisionStep::Order) => self.order().await?,
                Some(ProvisionStep::OutOfStock) => Some(TryOutcome::Rejected(Rejection::OutOfStock)),
            };
            if let Some(ended) = ended {
                self.release().await?;
                return Ok(ended);
            }
        }
    }

    /// What fails before anything was sent to commit gives back what is set aside.
    pub(crate) async fn or_release<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.release().await?;
        }
        result
    }

    /// Gives back whatever is set aside.
    pub(crate) async fn release(&mut self) -> Result<(), StoreError> {
        let held = self.machine.spend.take_held();
        self.issuer.store.budgets().release_reservation(&self.job.charged, &held, &self.attempt).await
    }

    fn redemption(&self, status: RedemptionStatus) -> Result<Redemption, StoreError> {
        let (job, issue, context) = (self.job, self.job.issue, self.job.context);
        let delivery = match &issue.delivery {
            Some((method, address)) => {
                let sealed = self.issuer.vault.seal_address(&issue.redemption, address);
                let address_shown = method.masked(address);
                let sealed =
                    sealed.ok_or_else(|| StoreError::Corrupt("an address cannot be sealed".to_owned()))?;
                Some(CardDelivery { method: *method, shown: address_shown, address: sealed })
            }
            None => None,
        };
        Ok(Redemption {
            id: issue.redemption.clone(),
            campaign: job.campaign.id.clone(),
            charged: job.charged.clone(),
            brand: job.brand.id.clone(),
            denomination: job.denomination,
            currency: job.currency,
            status,
            source: None,
            cost: None,
            amount: job.price,
            credit_remaining: self.left.unwrap_or_else(|| [self.on_slice, self.elsewhere].into_iter().sum()),
            recipient: issue.recipient.clone(),
            delivery,
            card: None,
            attempt: self.attempt.clone(),
            takes: self.machine.spend.held().clone(),
            order: None,
            failure: None,
            by: context.actor.signature(),
            request: context.request.clone(),
            ip: issue.origin.0.clone(),
            user_agent: issue.origin.1.clone(),
            created_at: context.now,
            issued_at: None,
            next_check_at: None,
        })
    }

    /// The card is taken and all is written; its parts are read meanwhile.
    async fn commit(&mut self, card: &FreeCard) -> Result<Option<TryOutcome>, StoreError> {
        let redemption = Redemption {
            source: Some(card.source),
            cost: Some(card.cost),
            card: Some(card.card.clone()),
            issued_at: Some(self.job.context.now),
            ..self.redemption(RedemptionStatus::Issued)?
        };
        let job = self.job;
        let entry = entry_of(&redemption, card.source, card.cost, job.cause.clone(), job.context);
        let store = &self.issuer.store;
        let (committed, plain) = tokio::join!(
            store.gift_cards().commit_card(&entry, &redemption, card),
            store.gift_cards().card(&card.card)
        );
        match committed {
            Ok(Committed::Done) => {
                let held = self.machine.spend.take_held();
                store.budgets().settle_later(&self.job.charged, held.into_keys(), &self.attempt);
                self.issuer.after(&redemption, self.charged, self.job.context).await;
                // It is issued: that its parts cannot be read now is no refusal, and the same code tells them later.
                let plain = plain
                    .map_err(StoreError::after_effect)?
                    .and_then(|card| self.issuer.vault.open_card(&card));
                let unreadable =
                    || StoreError::Corrupt(format!("the card of {} cannot be opened", redemption.id));
                let card = Some(plain.ok_or_else(unreadable)?);
                Ok(Some(TryOutcome::Done(Box::new(Issued {
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
            Ok(Committed::Fenced) => Ok(Some(TryOutcome::Again("the attempt was fenced".to_owned()))),
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
    async fn another(&mut self, found: Redemption) -> Result<TryOutcome, StoreError> {
        self.release().await?;
        if found.status == RedemptionStatus::Failed {
            return Ok(TryOutcome::Again("the code is being tried by another".to_owned()));
        }
        let answer = self.issuer.answer(self.job.issue, found, self.job.context, self.tries).await?;
        Ok(TryOutcome::Done(Box::new(answer)))
    }

    /// The supplier is asked, once the table knows of it.
    async fn order(&mut self) -> Result<Option<TryOutcome>, StoreError> {
        let Some(product) = self.job.brand.supplier.clone() else {
            return Ok(Some(TryOutcome::Rejected(Rejection::OutOfStock)));
        };
        let pending = self.redemption(RedemptionStatus::Pending)?;
        let pending = asking(pending, product, self.job.context);
        match self.issuer.store.gift_cards().open_order(&pending).await {
            Ok(Ordered::Open) => {}
            Ok(Ordered::Another(found)) => return self.another(*found).await.map(Some),
            Ok(Ordered::Not) => return Ok(Some(TryOutcome::Again("the attempt was fenced".to_owned()))),
            // Trying again at once would not help: suppliers must answer first.
            Ok(Ordered::TooMany) => return Ok(Some(TryOutcome::Rejected(Rejection::SuppliersBusy))),
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
        self.issuer.first_ask(pending, self.job.context, self.job.issue.wait, self.tries).await.map(
            |outcome| match outcome {
                Ok(issued) => Some(TryOutcome::Done(Box::new(issued))),
                Err(rejection) => Some(TryOutcome::Refused(rejection)),
            },
        )
    }
}
