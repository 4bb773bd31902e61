//! Runs the function for events of purchases in Lambda; an SQS queue, EventBridge or Kafka invokes it.

use edge::scheduled;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let handle = async |app, event| purchase_events::handle(&app, event).await;
    scheduled::run_raw("purchase-events", async |parts| Ok(parts.app), handle).await
}
