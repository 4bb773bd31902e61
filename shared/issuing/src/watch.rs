//! The scheduled check of stock and credit: raises alerts about low values and closes alerts that are
//! resolved.
//!
//! **Invariant:** an alert about stock or credit is opened by the first check that finds the value low,
//! and closed by the second in a row that does not.

use crate::checked::{WatchBounds, WatchSummary, failed};
use crate::{Issuer, alerts};
use domain::alert::{Alert, AlertStatus, NewAlert};
use domain::context::Context;
use domain::giftcard::{CardSource, Pool, StockHealth};
use domain::ids::AlertId;
use domain::time::Timestamp;
use domain::vouchers::voucher::Voucher;
use std::time::Instant;
use store::{Refill, StoreError};

/// Seconds after its last occurrence for which an alert about a past event stays open.
const ALERT_TTL_SECONDS: u32 = 86_400;

/// Alerts that are read at once.
const ALERTS_PER_READ: usize = 100;

impl Issuer {
    /// Checks accounts, open alerts, pools and vouchers, each within its bounds.
    pub async fn watch(&self, context: &Context, bounds: WatchBounds) -> WatchSummary {
        let mut summary = WatchSummary::default();
        // Checks that call no supplier come first.
        let accounts = self.watch_accounts(bounds.accounts, context, &mut summary).await;
        failed(accounts, "accounts", &mut summary);
        let closed = self.close_stale_alerts(context, Instant::now() + bounds.alerts, &mut summary).await;
        failed(closed, "closing stale alerts", &mut summary);
        let vouchers = self.watch_vouchers(context, Instant::now() + bounds.alerts, &mut summary).await;
        failed(vouchers, "vouchers", &mut summary);
        let pools = self.watch_pools(context, Instant::now() + bounds.refills, &mut summary).await;
        failed(pools, "pools", &mut summary);
        summary
    }

    /// Raises an alert if the value is low, unless the alert is open with the same severity and the last
    /// check found the value low too. Otherwise records that the value is not low. Returns the alert if it
    /// was opened.
    pub(crate) async fn record_state(
        &self,
        is_low: bool,
        new_alert: &NewAlert,
        context: &Context,
    ) -> Result<Option<AlertId>, StoreError> {
        if !is_low {
            self.store.alerts().found_over(&new_alert.id(), context.now).await?;
            return Ok(None);
        }
        let known = self.store.alerts().alert(&new_alert.id()).await?;
        let same = |alert: &Alert| {
            alert.closed_at.is_none() && alert.over_at.is_none() && alert.severity == new_alert.severity
        };
        let opened =
            !known.as_ref().is_some_and(same) && self.store.alerts().raise(new_alert, context.now).await;
        Ok(opened.then(|| new_alert.id()))
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
                self.store.alerts().found_over(&alerts::refill_failed(pool, "").id(), context.now).await?;
            }
        }
        // A threshold of zero means that no alerts are wanted for the pool.
        let low = pool.low_stock_threshold > 0
            && StockHealth::of(free, pool.low_stock_threshold) != StockHealth::Green;
        summary.csv_pools += u32::from(low);
        summary.opened.extend(self.record_state(low, &alerts::low_stock(pool, free), context).await?);
        Ok(())
    }

    /// Checks the stock of vouchers that are for sale, or will be, until `until`.
    async fn watch_vouchers(
        &self,
        context: &Context,
        until: Instant,
        summary: &mut WatchSummary,
    ) -> Result<(), StoreError> {
        for voucher in self.store.vouchers().vouchers().await? {
            if Instant::now() >= until {
                break;
            }
            let result = self.watch_voucher(&voucher, context, summary).await;
            failed(result, voucher.id.as_str(), summary);
        }
        Ok(())
    }

    async fn watch_voucher(
        &self,
        voucher: &Voucher,
        context: &Context,
        summary: &mut WatchSummary,
    ) -> Result<(), StoreError> {
        let is_sold = voucher.is_active && !voucher.has_ended(context.now);
        // More than the threshold need not be counted.
        let enough = u64::from(voucher.terms.low_stock_threshold.unwrap_or(0)) + 1;
        let free =
            if is_sold { self.store.vouchers().free(voucher, context.now, Some(enough)).await? } else { 0 };
        let low = is_sold && voucher.is_low(free);
        summary.vouchers += u32::from(low);
        let alert = alerts::low_voucher_stock(voucher, free);
        summary.opened.extend(self.record_state(low, &alert, context).await?);
        Ok(())
    }

    /// Closes alerts about past events, which are raised elsewhere, once they have been open for long
    /// enough. Goes through the open alerts until `until`, oldest first.
    async fn close_stale_alerts(
        &self,
        context: &Context,
        until: Instant,
        summary: &mut WatchSummary,
    ) -> Result<(), StoreError> {
        let mut after = None::<String>;
        while Instant::now() < until {
            let (alerts, next) = self.store.alerts().open_alerts(after.as_deref(), ALERTS_PER_READ).await?;
            for alert in &alerts {
                if is_over(alert, context.now) {
                    self.store.alerts().close_alert(&alert.id, context.now).await?;
                } else if alert.kind == "provision_failed" {
                    summary.provisioning_failures += 1;
                }
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the open refills of a pool, for display.
    pub async fn open_refills(&self, pool: &domain::ids::budget::PoolId) -> Result<Vec<Refill>, StoreError> {
        self.store.gift_cards().open_refills(pool).await
    }
}

/// Returns true if an alert about a past event has been open for long enough.
fn is_over(alert: &Alert, now: Timestamp) -> bool {
    let old = alert.updated_at.plus_seconds(ALERT_TTL_SECONDS).is_some_and(|until| now >= until);
    match alert.kind.as_str() {
        "provision_failed" | "code_guessing" => old,
        // An operator must check where the card came from, so these need an acknowledgement.
        "card_known" | "card_unclaimed" => old && alert.status() == AlertStatus::Acknowledged,
        _ => false,
    }
}
