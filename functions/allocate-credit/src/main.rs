//! Runs the allocate-credit function in Lambda.

use edge::{lambda, telemetry, wiring};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("allocate-credit");
    lambda::run(allocate_credit::router(wiring::lambda_app().await?)).await
}
