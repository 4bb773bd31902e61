//! Runs the monitor in Lambda; EventBridge Scheduler invokes it every 5 minutes.

use edge::{Services, telemetry, wiring};
use gateways::Gateways;
use gateways::suppliers::Suppliers;
use issuing::Issuer;
use lambda_runtime::service_fn;
use monitor::MonitorTools;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init_lambda("monitor");
    let (app, seal) = (wiring::lambda_app().await?, wiring::seal_keys()?);
    let gateways = Gateways::configure(&wiring::optional)?;
    let (vault, suppliers) = (wiring::vault_if_set().await?, Suppliers::configure(&wiring::optional)?);
    let issuer = Issuer { store: app.store.clone(), vault, suppliers };
    let services = Services { app, tools: MonitorTools { gateways, seal, issuer } };
    lambda_runtime::run(service_fn(|event| Box::pin(monitor::handle(&services, event)))).await
}
