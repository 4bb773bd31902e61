//! Runs the sweep in Lambda; EventBridge Scheduler invokes it every 15 minutes.

use edge::scheduled;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let handle = async |app, event| expire_credits::handle(&app, event).await;
    scheduled::run("expire-credits", async |parts| Ok(parts.app), handle).await
}
