//! Runs the gift-card-inventory function in Lambda.

use edge::{Services, lambda, telemetry, wiring};
use gift_card_inventory::InventoryTools;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("gift-card-inventory");
    let (app, vault) = (wiring::lambda_app().await?, wiring::vault().await?);
    lambda::run(gift_card_inventory::router(Services { app, tools: InventoryTools { vault } })).await
}
