//! Runs the evaluation of tiers in Lambda; EventBridge Scheduler invokes it every night.

use edge::scheduled;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let handle = async |app, event| evaluate_tiers::handle(&app, event).await;
    scheduled::run("evaluate-tiers", async |parts| Ok(parts.app), handle).await
}
