//! Runs the payment-webhook function in Lambda.

use edge::{Services, lambda, telemetry, wiring};
use gateways::Gateways;
use payment_webhook::WebhookTools;

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("payment-webhook");
    let (app, seal) = (wiring::lambda_app().await?, wiring::seal_keys()?);
    let gateways = Gateways::configure(&wiring::optional)?;
    lambda::run(payment_webhook::router(Services { app, tools: WebhookTools { gateways, seal } })).await
}
