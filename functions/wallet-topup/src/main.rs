//! Runs the wallet-topup function in Lambda.

use edge::{Services, lambda, telemetry, wiring};
use gateways::Gateways;
use wallet_topup::TopUpTools;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("wallet-topup");
    let (app, seal) = (wiring::lambda_app().await?, wiring::seal_keys()?);
    let gateways = Gateways::configure(&wiring::optional)?;
    lambda::run(wallet_topup::router(Services { app, tools: TopUpTools { gateways, seal } })).await
}
