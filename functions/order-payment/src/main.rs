//! Runs the order-payment function in Lambda.

use edge::{lambda, telemetry, wiring};

#[tokio::main]
async fn main() -> Result<(), lambda_http::Error> {
    telemetry::init_lambda("order-payment");
    let app = wiring::lambda_app().await?;
    lambda::run(order_payment::router(app)).await
}
