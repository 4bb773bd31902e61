//! From a redemption code to a card.
//!
//! **Invariant:** one code of one campaign comes to one card; whoever comes again gets what the first got.
//! **Invariant:** what is refused leaves nothing set aside, but for attempts whose outcome is unknown: those are
//! resolved by what stands at their cause's key.

use crate::job::{IssueContext, IssueRequest, Issued, TryOutcome};
use crate::run::IssueAttempt;
use crate::{Issuer, alerts};
use domain::budget::spend::Spend;
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::context::Context;
use domain::giftcard::card::PlainCard;
use domain::giftcard::provision::Provision;
use domain::giftcard::redemption::{Redemption, RedemptionStatus};
use domain::ids::budget::BudgetKind;
use domain::rejection::Rejection;
use store::{Retry, StoreError};

impl Issuer {
    /// Has a card issued for a code, exactly once.
    pub async fn provision(&self, issue: &IssueRequest, context: &Context) -> Result<Issued, StoreError> {
        let mut retry = self.store.retry();
        let mut doubted = false;
        loop {
            let last_error = match Box::pin(self.attempt(issue, context, &mut retry)).await? {
                TryOutcome::Done(issued) => return Ok(*issued),
                TryOutcome::Again(why) => why,
                TryOutcome::Refused(rejection) => {
                    return match self.replay(issue, context, retry.tries()).await? {
                        Some(found) => Ok(found),
                        None => Err(rejection.into()),
                    };
                }
                TryOutcome::Rejected(rejection) => {
                    if let Some(found) = self.replay(issue, context, retry.tries()).await? {
                        return Ok(found);
                    }
                    // What was known may have been old: everything is read anew before it is refused.
                    if doubted || !rests_on_memory(&rejection) {
                        self.raise(issue, &rejection, context).await;
                        return Err(rejection.into());
                    }
                    doubted = true;
                    self.forget(issue).await?;
                    continue;
                }
            };
            if !retry.backoff().await {
                return match self.replay(issue, context, retry.tries()).await? {
                    Some(found) => Ok(found),
                    None => Err(StoreError::Contention(last_error)),
                };
            }
        }
    }

    /// Forgets what this process knew of all that a wish names.
    async fn forget(&self, issue: &IssueRequest) -> Result<(), StoreError> {
        if let Some(campaign) = self.store.budgets().account(&issue.campaign).await? {
            for above in &campaign.ancestors {
                self.store.budgets().invalidate_account(above);
            }
            if let Some(denomination) = issue.denomination.in_currency(campaign.currency) {
                self.store.gift_cards().invalidate_pools(&issue.brand, denomination);
            }
        }
        Ok(())
    }

    /// What the code has come to before, if it has.
    async fn replay(
        &self,
        issue: &IssueRequest,
        context: &Context,
        retries: u32,
    ) -> Result<Option<Issued>, StoreError> {
        let found = self.store.gift_cards().certain_redemption(&issue.redemption).await?;
        match found.filter(|found| found.status != RedemptionStatus::Failed) {
            Some(found) => self.answer(issue, found, context, retries).await.map(Some),
            None => Ok(None),
        }
    }

    /// Answers from a redemption that is there: it must be of what was wished for.
    pub(crate) async fn answer(
        &self,
        issue: &IssueRequest,
        found: Redemption,
        context: &Context,
        retries: u32,
    ) -> Result<Issued, StoreError> {
        let same = found.brand == issue.brand
            && issue.denomination.in_currency(found.currency) == Some(found.denomination);
        if !same {
            return Err(Rejection::AlreadyRedeemed.into());
        }
        let card = self.card_of(&found).await?;
        let replayed = found.request != context.request;
        Ok(Issued { redemption: found, card, replayed, retries })
    }

    /// The card of a redemption, in the clear.
    pub async fn card_of(&self, redemption: &Redemption) -> Result<Option<PlainCard>, StoreError> {
        let Some(id) = &redemption.card else { return Ok(None) };
        let card = self.store.gift_cards().card(id).await?;
        let card = card.ok_or_else(|| StoreError::Corrupt(format!("{} has no card", redemption.id)))?;
        let plain = self.vault.open_card(&card);
        plain
            .map(Some)
            .ok_or_else(|| StoreError::Corrupt(format!("the card of {} cannot be opened", redemption.id)))
    }

    async fn job<'a>(
        &self,
        issue: &'a IssueRequest,
        context: &'a Context,
    ) -> Result<Result<IssueContext<'a>, Rejection>, StoreError> {
        let campaign = self.store.budgets().cached_account(&issue.campaign).await?;
        let Some(campaign) = campaign.filter(|account| account.kind() == BudgetKind::Campaign) else {
            return Ok(Err(Rejection::AccountNotFound));
        };
        let Some(brand) = self.store.gift_cards().brand(&issue.brand).await? else {
            return Ok(Err(Rejection::BrandNotFound));
        };
        let currency = brand.currency;
        let Some(denomination) = issue.denomination.in_currency(currency) else {
            return Ok(Err(Rejection::NoSuchDenomination));
        };
        let Some(price) = brand.price(denomination) else { return Ok(Err(Rejection::NoSuchDenomination)) };
        if campaign.currency != currency {
            return Ok(Err(Rejection::CurrencyMismatch));
        }
        if let Some(agency) = campaign.agency() {
            let agency = self.store.budgets().cached_account(agency).await?;
            let brands = agency.as_ref().and_then(|agency| agency.brands.as_ref());
            if brands.is_some_and(|brands| !brands.contains(&issue.brand)) {
                return Ok(Err(Rejection::BrandNotAllowed));
            }
        }
        if campaign.status() != BudgetStatus::Active {
            return Ok(Err(Rejection::BudgetPaused));
        }
        let charged = campaign.charged().clone();
        let cause = issue.redemption.cause();
        Ok(Ok(IssueContext {
            issue,
            context,
            campaign,
            charged,
            brand,
            denomination,
            price,
            currency,
            cause,
        }))
    }

    async fn attempt(
        &self,
        issue: &IssueRequest,
        context: &Context,
        retry: &mut Retry,
    ) -> Result<TryOutcome, StoreError> {
        let job = match self.job(issue, context).await? {
            Ok(job) => job,
            Err(rejection) => return Ok(TryOutcome::Rejected(rejection)),
        };
        let charged = self.store.budgets().cached_account(&job.charged).await?;
        let Some(charged) = charged else { return Ok(TryOutcome::Rejected(Rejection::AccountNotFound)) };
        let pools = self.store.gift_cards().pools_of(&job.brand.id, job.denomination).await?;
        let supplier =
            job.brand.supplier.as_ref().filter(|product| self.suppliers.get(product.supplier).is_some());
        let spend = Spend::new(job.price, &job.cause, charged.slices);
        let machine = Provision::new(spend, &pools, supplier.is_some());
        let mut run = IssueAttempt::new(self, &job, &charged, machine, retry.tries());
        let outcome = Box::pin(run.run_to_end(retry)).await?;
        if matches!(outcome, TryOutcome::Rejected(Rejection::BudgetShort { .. })) {
            // It was short of whose credit it was thought to spend; read now, the campaign is remembered as it is.
            let fresh = self.store.budgets().account(&issue.campaign).await?;
            if fresh.is_none_or(|fresh| *fresh.charged() != job.charged) {
                return Ok(TryOutcome::Again("the campaign spends another's credit by now".to_owned()));
            }
        }
        Ok(outcome)
    }
}

/// True if a refusal was decided on what the process remembers.
fn rests_on_memory(rejection: &Rejection) -> bool {
    matches!(
        rejection,
        Rejection::BrandNotAllowed
            | Rejection::BudgetPaused
            | Rejection::OutOfStock
            | Rejection::AccountNotFound
            | Rejection::BrandNotFound
    )
}

impl Issuer {
    /// What is told when a card was issued: the budget may be at its end.
    pub(crate) async fn after(&self, redemption: &Redemption, charged: &BudgetAccount, context: &Context) {
        let campaign = self.store.budgets().cached_account(&redemption.campaign).await.ok().flatten();
        if campaign.as_ref().is_some_and(|campaign| campaign.card_price.is_none())
            && let Err(error) =
                self.store.budgets().record_card_price(&redemption.campaign, redemption.amount).await
        {
            tracing::debug!(%error, "the price of a card is noted another time");
        }
        let left = redemption.credit_remaining;
        if left.is_zero() {
            let new_alert = alerts::depleted(&redemption.campaign, left, redemption.currency);
            self.store.alerts().raise(&new_alert, context.now).await;
        }
        // Of a campaign that spends its client's credit, both may want to know.
        let shared = campaign.as_deref().filter(|campaign| campaign.is_shared());
        for account in shared.into_iter().chain([charged]) {
            if account.low_credit_threshold.is_some_and(|threshold| left < threshold) {
                self.store.alerts().raise(&alerts::low_credit(account, left), context.now).await;
            }
        }
    }

    /// What is told when a card could not be issued.
    async fn raise(&self, issue: &IssueRequest, rejection: &Rejection, context: &Context) {
        let stops = [
            Rejection::BudgetPaused,
            Rejection::BrandNotAllowed,
            Rejection::OutOfStock,
            Rejection::SupplierRejected,
            Rejection::SuppliersBusy,
        ];
        let new_alert = if let Rejection::BudgetShort { available, currency, .. } = rejection {
            alerts::depleted(&issue.campaign, *available, *currency)
        } else if stops.contains(rejection) {
            alerts::failed(&issue.campaign, &issue.brand, &rejection.to_string())
        } else {
            return;
        };
        self.store.alerts().raise(&new_alert, context.now).await;
    }
}
