//! The scheduled check of stock and credit: raises alerts about low values and closes alerts that are
//! resolved.
//!
//! **Invariant:** an alert about stock or credit is open exactly as long as the value is low, as of the
//! last check.

use crate::{Issuer, alerts};
use domain::alert::{Alert, AlertStatus, NewAlert};
use domain::budget::allocate::SlicedAccount;
use domain::budget::tree::TreeWalk;
use domain::budget::{BudgetAccount, BudgetStatus};
use domain::context::Context;
use domain::giftcard::{CardSource, Pool, StockHealth};
use domain::ids::AlertId;
use domain::ids::budget::{AccountId, BudgetKind};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use store::{PageRange, Refill, StoreError};

/// Seconds after its last occurrence for which an alert about a past event stays open.
const ALERT_TTL_SECONDS: u32 = 86_400;

/// Accounts read in one batch.
const ACCOUNTS_PER_READ: usize = 100;

/// The maximum number of alerts of each status that one check goes through.
const MAX_ALERTS: u16 = 1_000;

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchSummary {
    /// Pools that are low or empty.
    pub csv_pools: u32,
    /// Active campaigns that cannot pay for another card.
    pub campaigns: u32,
    /// Agencies below their threshold.
    pub agencies: u32,
    /// Clients below their threshold.
    pub clients: u32,
    /// Campaigns with an alert, raised within the last day, about a card that could not be issued.
    pub provisioning_failures: u32,
    /// Cards that refills delivered into buffer pools.
    pub refilled: u32,
    /// Number of accounts, pools and steps that could not be checked.
    pub failed: u32,
    /// Alerts that the check opened.
    pub opened: Vec<AlertId>,
}

/// Logs and counts a failed check, so that the remaining checks continue.
fn failed(result: Result<(), StoreError>, what: &str, summary: &mut WatchSummary) {
    if let Err(error) = result {
        tracing::warn!(what, %error, "cannot be checked now");
        summary.failed += 1;
    }
}

impl Issuer {
    /// Checks every account and pool; spends at most about `refills` on refilling pools.
    pub async fn watch(&self, context: &Context, refills: Duration) -> WatchSummary {
        let mut summary = WatchSummary::default();
        // Checks that call no supplier come first.
        let accounts = self.watch_accounts(context, &mut summary).await;
        failed(accounts, "accounts", &mut summary);
        let closed = self.close_stale_alerts(context, &mut summary).await;
        failed(closed, "closing stale alerts", &mut summary);
        let pools = self.watch_pools(context, Instant::now() + refills, &mut summary).await;
        failed(pools, "pools", &mut summary);
        summary
    }

    /// Raises an alert if the value is low and no open alert has the same severity; closes the alert if
    /// it has recovered.
    async fn record_state(
        &self,
        is_low: bool,
        new_alert: &NewAlert,
        context: &Context,
        summary: &mut WatchSummary,
    ) -> Result<(), StoreError> {
        if !is_low {
            self.store.alerts().close_alert(&new_alert.id(), context.now).await?;
            return Ok(());
        }
        let known = self.store.alerts().alert(&new_alert.id()).await?;
        let same = |alert: &Alert| alert.closed_at.is_none() && alert.severity == new_alert.severity;
        if !known.as_ref().is_some_and(same) && self.store.alerts().raise(new_alert, context.now).await {
            summary.opened.push(new_alert.id());
        }
        Ok(())
    }

    async fn watch_pools(
        &self,
        context: &Context,
        until: Instant,
        summary: &mut WatchSummary,
    ) -> Result<(), StoreError> {
        for pool in self.store.gift_cards().pools().await? {
            let result = self.watch_pool(&pool, context, until, summary).await;
            failed(result, pool.id.as_str(), summary);
        }
        Ok(())
    }

    async fn watch_pool(
        &self,
        pool: &Pool,
        context: &Context,
        until: Instant,
        summary: &mut WatchSummary,
    ) -> Result<(), StoreError> {
        let enough = u64::from(pool.low_stock_threshold);
        let mut free = self.store.gift_cards().free_cards(pool, context.now.date(), Some(enough)).await?;
        if pool.source == CardSource::Buffer {
            let refilled = self.refill(pool, free, context, until).await?;
            summary.refilled += refilled.delivered;
            free += u64::from(refilled.delivered);
            if refilled.rejected == 0 && (refilled.delivered > 0 || free >= enough) {
                self.store.alerts().close_alert(&alerts::refill_failed(pool, "").id(), context.now).await?;
            }
        }
        // A threshold of zero means that no alerts are wanted for the pool.
        let low = pool.low_stock_threshold > 0
            && StockHealth::of(free, pool.low_stock_threshold) != StockHealth::Green;
        summary.csv_pools += u32::from(low);
        self.record_state(low, &alerts::low_stock(pool, free), context, summary).await
    }

    async fn watch_accounts(&self, context: &Context, summary: &mut WatchSummary) -> Result<(), StoreError> {
        let platform = self.store.budgets().load_sliced(&AccountId::platform()).await?;
        let Some(platform) = platform else { return Ok(()) };
        let mut walk = TreeWalk::below(platform, usize::MAX);
        while let Some(parent) = walk.next_parent() {
            let children = match self.store.budgets().children(&parent.account.id).await {
                Ok(children) => children,
                Err(error) => {
                    failed(Err(error), parent.account.id.as_str(), summary);
                    continue;
                }
            };
            for some in children.chunks(ACCOUNTS_PER_READ) {
                // If one account cannot be read, the others are read one by one.
                let sliced_accounts = match self.store.budgets().sliced_accounts(some.to_vec()).await {
                    Ok(sliced_accounts) => sliced_accounts,
                    Err(_) => self.one_by_one(some, summary).await,
                };
                for (id, sliced) in sliced_accounts {
                    let result = self.watch_account(&sliced, &parent, context, summary).await;
                    failed(result, id.as_str(), summary);
                    walk.descend(sliced.account.kind(), sliced);
                }
            }
        }
        Ok(())
    }

    async fn one_by_one(
        &self,
        accounts: &[BudgetAccount],
        summary: &mut WatchSummary,
    ) -> BTreeMap<AccountId, SlicedAccount> {
        let mut sliced_accounts = BTreeMap::new();
        for account in accounts {
            match self.store.budgets().sliced_accounts(vec![account.clone()]).await {
                Ok(sliced) => sliced_accounts.extend(sliced),
                Err(error) => failed(Err(error), account.id.as_str(), summary),
            }
        }
        sliced_accounts
    }

    async fn watch_account(
        &self,
        sliced: &SlicedAccount,
        parent: &SlicedAccount,
        context: &Context,
        summary: &mut WatchSummary,
    ) -> Result<(), StoreError> {
        let account: &BudgetAccount = &sliced.account;
        let open = account.status().is_open();
        // What the account can spend; a shared campaign spends its client's credit.
        let left = if account.is_shared() { parent.available() } else { sliced.available() };
        if let Some(threshold) = account.low_credit_threshold {
            let low = open && left < threshold;
            match account.kind() {
                BudgetKind::Agency => summary.agencies += u32::from(low),
                BudgetKind::Client => summary.clients += u32::from(low),
                BudgetKind::Campaign | BudgetKind::Platform => {}
            }
            self.record_state(low, &alerts::low_credit(account, left), context, summary).await?;
        }
        if account.kind() == BudgetKind::Campaign {
            // A campaign counts as depleted if it cannot pay for another card, and only once it has
            // issued one.
            let short = account.card_price.is_some_and(|price| left.is_zero() || left < price);
            let depleted = account.status() == BudgetStatus::Active && short;
            summary.campaigns += u32::from(depleted);
            let new_alert = alerts::depleted(&account.id, left, account.currency);
            self.record_state(depleted, &new_alert, context, summary).await?;
        }
        Ok(())
    }

    /// Closes alerts about past events, which are raised elsewhere, once they have been open for long
    /// enough.
    async fn close_stale_alerts(
        &self,
        context: &Context,
        summary: &mut WatchSummary,
    ) -> Result<(), StoreError> {
        for status in [AlertStatus::Open, AlertStatus::Acknowledged] {
            let page = self
                .store
                .alerts()
                .alerts(Some(status), None, PageRange { skip: 0, limit: MAX_ALERTS })
                .await?;
            for alert in &page.alerts {
                let old = alert
                    .updated_at
                    .plus_seconds(ALERT_TTL_SECONDS)
                    .is_some_and(|until| context.now >= until);
                let over = match alert.kind.as_str() {
                    "provision_failed" | "code_guessing" => old,
                    // An operator must check where the card came from, so these need an acknowledgement.
                    "card_known" | "card_unclaimed" => old && status == AlertStatus::Acknowledged,
                    _ => false,
                };
                if over {
                    self.store.alerts().close_alert(&alert.id, context.now).await?;
                } else if alert.kind == "provision_failed" {
                    summary.provisioning_failures += 1;
                }
            }
        }
        Ok(())
    }

    /// Returns the open refills of a pool, for display.
    pub async fn open_refills(&self, pool: &domain::ids::budget::PoolId) -> Result<Vec<Refill>, StoreError> {
        self.store.gift_cards().open_refills(pool).await
    }
}
