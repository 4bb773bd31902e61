//! Runs the credit-accounts function in Lambda.

use edge::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("credit-accounts", async |parts| Ok(credit_accounts::router(parts.app))).await
}
