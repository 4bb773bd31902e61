//! Runs the wallet function in Lambda.

use edge::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("wallet", async |parts| Ok(wallet::router(parts.app))).await
}
