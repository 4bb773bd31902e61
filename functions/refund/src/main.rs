//! Runs the refund function in Lambda.

use edge::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("refund", async |parts| Ok(refund::router(parts.app))).await
}
