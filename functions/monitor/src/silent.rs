//! Watches whether gateways report: payments are credited without their reports too, because they are polled.
//!
//! **Invariant:** a gateway is silent if its last five payments were credited because it was polled, and it has reported
//! nothing since the first of these. Where that is not known, nothing is raised or closed.

use crate::{MonitorSummary, Services, raise};
use domain::alert::NewAlert;
use domain::context::Context;
use domain::ids::Gateway;
use store::StoreError;

/// Payments in a row that were credited because their gateway was polled.
const IN_A_ROW: usize = 5;

/// Looks at every gateway.
pub(crate) async fn run(
    services: &Services,
    context: &Context,
    summary: &mut MonitorSummary,
) -> Result<(), StoreError> {
    for gateway in Gateway::ALL {
        let alert = NewAlert {
            kind: "webhook_silent",
            severity: "warning",
            subject: gateway.as_str().to_owned(),
            detail: format!(
                "its last {IN_A_ROW} payments were credited because it was polled; it reports nothing"
            ),
        };
        let alerts = services.app.store.alerts();
        let known = alerts.alert(&alert.id()).await?.filter(|known| known.closed_at.is_none());
        let polled = services.app.store.payments().polled(gateway, IN_A_ROW).await?;
        let is_row = polled.len() >= IN_A_ROW;
        // An open alert stays until the gateway reports, however few payments there are.
        let Some(since) =
            polled.last().copied().filter(|_| is_row).or(known.as_ref().map(|known| known.opened_at))
        else {
            continue;
        };
        match services.app.store.payments().has_reported(gateway, since).await? {
            Some(true) if known.is_some() => {
                alerts.found_over(&alert.id(), context.now).await?;
            }
            Some(false) if is_row => raise(services, alert, context.now, summary).await?,
            Some(_) | None => {}
        }
    }
    Ok(())
}
