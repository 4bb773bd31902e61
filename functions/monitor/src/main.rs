//! Runs the monitor in Lambda; EventBridge Scheduler invokes it every 5 minutes.

use edge::{Services, scheduled, wiring};
use gateways::Gateways;
use gateways::suppliers::Suppliers;
use issuing::Issuer;
use monitor::{HotRules, MonitorTools};
use queues::{Queues, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let build = async |parts: wiring::Parts| {
        let (app, configuration) = (parts.app, parts.configuration);
        let look = |name: &str| configuration.optional(name);
        let (gateways, suppliers) = (Gateways::configure(&look)?, Suppliers::configure(&look)?);
        let vault = configuration.vault_if_set().await?;
        let issuer = Issuer { store: app.store.clone(), vault, suppliers };
        let settings = Settings::read(wiring::credentials()?, wiring::required, wiring::optional)?;
        let queues = Queues::connect(settings, store::https()?);
        let conflicts = wiring::number("SCRIP_HOT_BUDGET_CONFLICTS")?;
        let hot = HotRules::new(conflicts, wiring::number("SCRIP_MAX_SLICES")?);
        let tools = MonitorTools { gateways, seal: configuration.seal_keys()?, issuer, queues, hot };
        Ok(Services { app, tools })
    };
    scheduled::run("monitor", build, async |services, event| monitor::handle(&services, event).await).await
}
