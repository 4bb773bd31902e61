//! Provisioning: issues the card for a redemption code.
//!
//! **Invariant:** one code of one campaign yields one card; a repeated request returns the card of the
//! first.
//! **Invariant:** a refused request leaves nothing reserved, except by attempts whose outcome is
//! unknown: those are resolved by the state of their cause's key.

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
    /// Issues the card for a code, exactly once.
    pub async fn provision(&self, issue: &IssueRequest, context: &Context) -> Result<Issued, StoreError> {
        let issued = self.issue(issue, context).await;
        self.store.budgets().note_heat(context.now).await;
        issued
    }

    async fn issue(&self, issue: &IssueRequest, context: &Context) -> Result<Issued, StoreError> {
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
                    // The decision may rest on stale cache entries: they are reloaded before the request
                    // is refused.
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

    /// Reloads the campaign, and invalidates the cached ancestors and pools that a request depends on.
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

    /// Answers from an earlier redemption of the code, if there is one that has not failed.
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

    /// Answers from an existing redemption; rejects if its brand or denomination is not the requested
    /// one.
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
        let card = self.card_of(&found).await.map_err(StoreError::after_effect)?;
        let replayed = found.request != context.request;
        Ok(Issued { redemption: found, card, replayed, retries })
    }

    /// Reads and opens the card of a redemption; None if it has no card yet.
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
            // The cached campaign may name another account to charge; this read also refreshes the cache.
            let fresh = self.store.budgets().account(&issue.campaign).await?;
            if fresh.is_none_or(|fresh| *fresh.charged() != job.charged) {
                return Ok(TryOutcome::Again("the campaign now charges another account".to_owned()));
            }
        }
        Ok(outcome)
    }
}

/// True if a rejection may rest on cached data.
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
    /// After a card was issued: records the card price of the campaign if it has none, and raises alerts
    /// about low credit.
    pub(crate) async fn after(&self, redemption: &Redemption, charged: &BudgetAccount, context: &Context) {
        let campaign = self.store.budgets().cached_account(&redemption.campaign).await.ok().flatten();
        if campaign.as_ref().is_some_and(|campaign| campaign.card_price.is_none())
            && let Err(error) =
                self.store.budgets().record_card_price(&redemption.campaign, redemption.amount).await
        {
            tracing::debug!(%error, "the card price could not be recorded now; the next issue records it");
        }
        let left = redemption.credit_remaining;
        if left.is_zero() {
            let new_alert = alerts::depleted(&redemption.campaign, left, redemption.currency);
            self.store.alerts().raise(&new_alert, context.now).await;
        }
        // A campaign that shares its client's credit has a threshold of its own, beside the client's.
        let shared = campaign.as_deref().filter(|campaign| campaign.is_shared());
        for account in shared.into_iter().chain([charged]) {
            if account.low_credit_threshold.is_some_and(|threshold| left < threshold) {
                self.store.alerts().raise(&alerts::low_credit(account, left), context.now).await;
            }
        }
    }

    /// Raises the alert about a card that could not be issued, for rejections that an operator must act
    /// on.
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
