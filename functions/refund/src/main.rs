//! Wiring: the refund function in Lambda.

use edge::{telemetry, wiring};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("refund");
    let app = wiring::lambda_app().await?;
    lambda_http::run(refund::router(app)).await
}
