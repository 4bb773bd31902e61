//! Runs the provision-gift-card function in Lambda.

use edge::{Services, lambda, wiring};
use gateways::suppliers::Suppliers;
use issuing::Issuer;
use provision_gift_card::{Limits, ProvisionTools};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("provision-gift-card", async |parts| {
        let (app, configuration) = (parts.app, parts.configuration);
        let suppliers = Suppliers::configure(&|name| configuration.optional(name))?;
        let standard = Limits::usual(&suppliers);
        let wrong = wiring::number("SCRIP_REDEEM_WRONG_PER_ADDRESS")?;
        let campaign = wiring::number("SCRIP_REDEEM_PER_CAMPAIGN")?;
        let limits = Limits {
            wrong_per_address: wrong.map_or(standard.wrong_per_address, u64::from),
            per_campaign: campaign.map_or(standard.per_campaign, u64::from),
            ..standard
        };
        let issuer = Issuer { store: app.store.clone(), vault: configuration.vault().await?, suppliers };
        Ok(provision_gift_card::router(Services { app, tools: ProvisionTools::new(issuer, limits) }))
    })
    .await
}
