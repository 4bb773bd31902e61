//! Runs the rewards function in Lambda.

use edge::lambda;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("rewards", async |parts| Ok(rewards::router(parts.app))).await
}
