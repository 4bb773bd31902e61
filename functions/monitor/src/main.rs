//! Wiring: the monitor in Lambda, called by EventBridge Scheduler every 5 minutes.

use edge::{telemetry, wiring};
use gateways::Gateways;
use gateways::suppliers::Suppliers;
use lambda_runtime::service_fn;
use monitor::Services;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init_lambda("monitor");
    let (app, seal) = (wiring::lambda_app().await?, wiring::seal_keys()?);
    let gateways = Gateways::configure(&wiring::optional)?;
    let (vault, suppliers) = (wiring::vault_if_set().await?, Suppliers::configure(&wiring::optional)?);
    let services = Services { app, gateways, seal, vault, suppliers };
    lambda_runtime::run(service_fn(|event| Box::pin(monitor::handle(&services, event)))).await
}
