//! Runs the sweep in Lambda; EventBridge Scheduler invokes it every 15 minutes.

use edge::{telemetry, wiring};
use lambda_runtime::service_fn;

#[tokio::main]
async fn main() -> Result<(), lambda_runtime::Error> {
    telemetry::init_lambda("expire-credits");
    let app = wiring::lambda_app().await?;
    lambda_runtime::run(service_fn(|event| expire_credits::handle(&app, event))).await
}
