//! Runs the allocate-credit function in Lambda.

use edge::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("allocate-credit", async |parts| Ok(allocate_credit::router(parts.app))).await
}
