//! The scheduled look at stock and credit: what is low is told, what has recovered is closed.
//!
//! **Invariant:** an alert of stock or credit is open exactly as long as what it is about is low, as of the last look.

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

/// For how long something that has happened is told after the last time.
const ALERT_TTL_SECONDS: u32 = 86_400;

/// How many accounts are read at once.
const ACCOUNTS_PER_READ: usize = 100;

/// How many alerts one look goes through.
const MAX_ALERTS: u16 = 1_000;

/// What a look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchSummary {
    /// Pools that are low or empty.
    pub csv_pools: u32,
    /// Campaigns with nothing left.
    pub campaigns: u32,
    /// Agencies below their threshold.
    pub agencies: u32,
    /// Clients below their threshold.
    pub clients: u32,
    /// Campaigns of which a card could not be issued within a day.
    pub provisioning_failures: u32,
    /// Cards that were delivered into buffer pools.
    pub refilled: u32,
    /// What could not be looked at.
    pub failed: u32,
    /// The alerts that were opened.
    pub opened: Vec<AlertId>,
}

/// Counts what could not be looked at; the rest goes on.
fn failed(result: Result<(), StoreError>, what: &str, summary: &mut WatchSummary) {
    if let Err(error) = result {
        tracing::warn!(what, %error, "cannot be looked at now");
        summary.failed += 1;
    }
}

impl Issuer {
    /// Looks at every account and pool; pools are refilled for so long.
    pub async fn watch(&self, context: &Context, refills: Duration) -> WatchSummary {
        let mut summary = WatchSummary::default();
        // Those that ask nobody come first.
        let accounts = self.watch_accounts(context, &mut summary).await;
        failed(accounts, "accounts", &mut summary);
        let closed = self.close_stale_alerts(context, &mut summary).await;
        failed(closed, "closing stale alerts", &mut summary);
        let pools = self.watch_pools(context, Instant::now() + refills, &mut summary).await;
        failed(pools, "pools", &mut summary);
        summary
    }

    /// Tells what is low, or that it has become worse, and closes what has recovered.
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
        // A pool that nobody wants to hear of has no threshold.
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
                // One that cannot be read keeps nobody else from being looked at.
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
        // What it can spend: of a campaign that shares its client's credit, that.
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
            // A campaign that nobody has funded or used yet is not depleted; one that cannot pay another card is.
            let short = account.card_price.is_some_and(|price| left.is_zero() || left < price);
            let depleted = account.status() == BudgetStatus::Active && short;
            summary.campaigns += u32::from(depleted);
            let new_alert = alerts::depleted(&account.id, left, account.currency);
            self.record_state(depleted, &new_alert, context, summary).await?;
        }
        Ok(())
    }

    /// Things that have happened are told by who meets them; here those are closed that nobody needs to hear of any more.
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
                    // Someone has to look where a card came from.
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

    /// The refills of a pool that are not done; for showing.
    pub async fn open_refills(&self, pool: &domain::ids::budget::PoolId) -> Result<Vec<Refill>, StoreError> {
        self.store.gift_cards().open_refills(pool).await
    }
}
