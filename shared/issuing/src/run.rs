//! One try to issue a card: executes the steps that `domain::giftcard::provision` decides.
//!
//! **Invariant:** only this try commits its attempt; its reservations are committed, handed over to an
//! order, or released, unless the outcome of a commit is unknown.

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

/// A try in progress.
pub(crate) struct IssueAttempt<'a> {
    pub(crate) issuer: &'a Issuer,
    pub(crate) job: &'a IssueContext<'a>,
    pub(crate) charged: &'a BudgetAccount,
    pub(crate) machine: Provision,
    pub(crate) attempt: AttemptId,
    /// What the reserved slice has left, and what the account's other slices had at the first
    /// reservation.
    pub(crate) on_slice: Money,
    pub(crate) elsewhere: Money,
    /// What all slices have left; None unless every slice was read.
    pub(crate) left: Option<Money>,
    /// Earlier attempts of this try that may still be on a slice and are never committed.
    pub(crate) abandoned: Vec<AttemptId>,
    /// True if an earlier redemption of the code was looked up.
    pub(crate) looked_up: bool,
    pub(crate) tries: u32,
}

impl<'a> IssueAttempt<'a> {
    /// Creates a try that charges this account.
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

    /// Executes steps until the card is issued, the request is refused, or a retry is needed. Releases
    /// what is reserved.
    pub(crate) async fn run_to_end(&mut self, retry: &mut Retry) -> Result<TryOutcome, StoreError> {
        loop {
            let steps = self.machine.next();
            let pool = steps
                .iter()
                .find_map(|step| if let ProvisionStep::FindCard(pool) = step { Some(pool) } else { None });
            let ended = match steps.first() {
                Some(ProvisionStep::Credit(spend::SpendStep::Reserve { slice, amount })) => {
                    Box::pin(self.reserve(*slice, *amount, pool, retry)).await?
                }
                Some(ProvisionStep::Credit(spend::SpendStep::Survey)) => self.survey().await?,
                Some(ProvisionStep::Credit(spend::SpendStep::Covered)) | None => {
                    return Err(StoreError::Corrupt("a provision has no next step".to_owned()));
                }
                Some(ProvisionStep::Credit(spend::SpendStep::Wait)) => {
                    Some(TryOutcome::Again("the credit is reserved by other attempts".to_owned()))
                }
                Some(ProvisionStep::Credit(spend::SpendStep::Short { available })) => {
                    let (available, required, currency) = (*available, self.job.price, self.job.currency);
                    Some(TryOutcome::Rejected(Rejection::BudgetShort { available, required, currency }))
                }
                Some(ProvisionStep::FindCard(pool)) => {
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

    /// Releases the reservations if a step failed; only for steps before the commit is sent.
    pub(crate) async fn or_release<T>(&mut self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if result.is_err() {
            self.release().await?;
        }
        result
    }

    /// Releases everything that is reserved.
    pub(crate) async fn release(&mut self) -> Result<(), StoreError> {
        let held = self.machine.spend.take_held();
        self.issuer.store.budgets().release_reservation(&self.job.charged, &held, &self.attempt).await
    }

    fn redemption(&self, status: RedemptionStatus) -> Result<Redemption, StoreError> {
        let (job, issue, context) = (self.job, self.job.issue, self.job.context);
        let delivery = match &issue.delivery {
            Some((method, address)) => {
                let sealed = self.issuer.vault.seal_address(issue.redemption.as_str(), address);
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

    /// Commits entry, redemption and card in one transaction, and reads the card in parallel.
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
                // The card is issued. An error of reading it must not look like a refusal: a repeated
                // request returns the card.
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
            // Nothing was committed.
            Err(error @ (StoreError::Contention(_) | StoreError::Unreachable(_))) => {
                self.release().await?;
                Err(error)
            }
            Err(error) => {
                self.machine.spend.take_held();
                Err(error)
            }
        }
    }

    /// Answers when another request committed the same code first.
    async fn another(&mut self, found: Redemption) -> Result<TryOutcome, StoreError> {
        self.release().await?;
        if found.status == RedemptionStatus::Failed {
            return Ok(TryOutcome::Again("another request is trying the same code".to_owned()));
        }
        let answer = self.issuer.answer(self.job.issue, found, self.job.context, self.tries).await?;
        Ok(TryOutcome::Done(Box::new(answer)))
    }

    /// Stores a supplier order, then sends it to the supplier.
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
            // An immediate retry would not help: open orders must be resolved first.
            Ok(Ordered::TooMany) => return Ok(Some(TryOutcome::Rejected(Rejection::SuppliersBusy))),
            // No order was opened.
            Err(error @ (StoreError::Contention(_) | StoreError::Unreachable(_))) => {
                self.release().await?;
                return Err(error);
            }
            Err(error) => {
                self.machine.spend.take_held();
                return Err(error);
            }
        }
        // From here on, the outcome of the order decides whether the credit is spent or released.
        self.machine.spend.take_held();
        self.issuer.first_ask(pending, self.job.context, self.job.issue.wait, self.tries).await.map(
            |outcome| match outcome {
                Ok(issued) => Some(TryOutcome::Done(Box::new(issued))),
                Err(rejection) => Some(TryOutcome::Refused(rejection)),
            },
        )
    }
}
