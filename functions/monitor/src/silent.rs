//! Watches whether gateways report: payments are credited without their reports too, because they are polled.
//!
//! **Invariant:** a gateway is silent if its last five payments were credited because it was polled, and it has reported
//! nothing since the first of these.

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
        if is_silent(services, gateway).await? {
            raise(services, alert, context.now, summary).await?;
        } else {
            services.app.store.alerts().found_over(&alert.id(), context.now).await?;
        }
    }
    Ok(())
}

async fn is_silent(services: &Services, gateway: Gateway) -> Result<bool, StoreError> {
    let payments = services.app.store.payments();
    let polled = payments.polled(gateway, IN_A_ROW).await?;
    match polled.last().filter(|_| polled.len() >= IN_A_ROW) {
        Some(first) => Ok(!payments.has_reported(gateway, *first).await?),
        None => Ok(false),
    }
}
