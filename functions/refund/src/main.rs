//! Runs the refund function in Lambda.

use edge::{lambda, telemetry, wiring};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("refund");
    let app = wiring::lambda_app().await?;
    lambda::run(refund::router(app)).await
}
