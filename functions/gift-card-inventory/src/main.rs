//! Wiring: the gift-card-inventory function in Lambda.

use edge::{telemetry, wiring};
use gift_card_inventory::Desk;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("gift-card-inventory");
    let (app, vault) = (wiring::lambda_app().await?, wiring::vault().await?);
    lambda_http::run(gift_card_inventory::router(Desk { app, vault })).await
}
