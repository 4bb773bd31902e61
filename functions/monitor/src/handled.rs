//! Closes alerts about what has happened, which no later look can find over, and those that nothing has raised for a day.
//!
//! **Invariant:** an alert about what has happened stays open until an operator has acknowledged it, and for a day.

use crate::Services;
use domain::context::Context;
use store::StoreError;

/// Kinds of alerts about what has happened.
const HAPPENED: [&str; 3] = ["bulk_failed", "purchase_mismatch", "refund_without_purchase"];

/// Kinds of alerts that are over if nothing has raised them for a day.
const QUIET: [&str; 1] = ["budget_hot"];

/// Open alerts that are read at once.
const PAGE: usize = 100;

/// The most pages of a run: what is left, is left to the next.
const PAGES: usize = 20;

/// Seconds after which an acknowledged alert is closed.
const OPEN_SECONDS: u32 = 86_400;

/// Closes the alerts that were acknowledged and are a day old.
pub(crate) async fn close(services: &Services, context: &Context) -> Result<(), StoreError> {
    let (alerts, mut after) = (services.app.store.alerts(), None);
    for _ in 0..PAGES {
        let (page, next) = alerts.open_alerts(after.as_deref(), PAGE).await?;
        for alert in page {
            let is_old = alert.opened_at.plus_seconds(OPEN_SECONDS).is_some_and(|end| end <= context.now);
            let is_quiet = alert.updated_at.plus_seconds(OPEN_SECONDS).is_some_and(|end| end <= context.now);
            let is_over = HAPPENED.contains(&alert.kind.as_str()) && alert.acknowledged.is_some() && is_old
                || QUIET.contains(&alert.kind.as_str()) && is_quiet;
            if is_over {
                alerts.close_alert(&alert.id, context.now).await?;
            }
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}
