//! Runs the wallet-topup function in Lambda.

use edge::{Services, lambda};
use gateways::Gateways;
use wallet_topup::TopUpTools;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("wallet-topup", async |parts| {
        let configuration = parts.configuration;
        let gateways = Gateways::configure(&|name| configuration.optional(name))?;
        let tools = TopUpTools { gateways, seal: configuration.seal_keys()? };
        Ok(wallet_topup::router(Services { app: parts.app, tools }))
    })
    .await
}
