//! Runs the wallet function in Lambda.

use edge::{lambda, telemetry, wiring};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("wallet");
    let app = wiring::lambda_app().await?;
    lambda::run(wallet::router(app)).await
}
