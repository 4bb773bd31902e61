//! Runs the function that applies parts of jobs in Lambda; an SQS queue invokes it.

use edge::scheduled;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let handle = async |app, event| Ok(bulk_credit::handle(&app, event).await);
    scheduled::run_raw("bulk-credit", async |parts| Ok(parts.app), handle).await
}
