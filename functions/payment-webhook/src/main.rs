//! Runs the payment-webhook function in Lambda.

use edge::{Services, lambda};
use gateways::Gateways;
use payment_webhook::WebhookTools;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("payment-webhook", async |parts| {
        let configuration = parts.configuration;
        let gateways = Gateways::configure(&|name| configuration.optional(name))?;
        let tools = WebhookTools { gateways, seal: configuration.seal_keys()? };
        Ok(payment_webhook::router(Services { app: parts.app, tools }))
    })
    .await
}
