//! Runs the provision-gift-card function in Lambda.

use edge::{Services, lambda, telemetry, wiring};
use gateways::suppliers::Suppliers;
use issuing::Issuer;
use provision_gift_card::{Limits, ProvisionTools};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("provision-gift-card");
    let (app, vault) = (wiring::lambda_app().await?, wiring::vault().await?);
    let suppliers = Suppliers::configure(&wiring::optional)?;
    let standard = Limits::usual(&suppliers);
    let wrong = wiring::number("SCRIP_REDEEM_WRONG_PER_ADDRESS")?;
    let campaign = wiring::number("SCRIP_REDEEM_PER_CAMPAIGN")?;
    let limits = Limits {
        wrong_per_address: wrong.map_or(standard.wrong_per_address, u64::from),
        per_campaign: campaign.map_or(standard.per_campaign, u64::from),
        ..standard
    };
    let issuer = Issuer { store: app.store.clone(), vault, suppliers };
    let tools = ProvisionTools::new(issuer, limits);
    lambda::run(provision_gift_card::router(Services { app, tools })).await
}
