//! Runs the order-payment function in Lambda.

use edge::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("order-payment", async |parts| Ok(order_payment::router(parts.app))).await
}
