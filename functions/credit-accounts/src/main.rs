//! Runs the credit-accounts function in Lambda.

use edge::{lambda, telemetry, wiring};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("credit-accounts");
    lambda::run(credit_accounts::router(wiring::lambda_app().await?)).await
}
