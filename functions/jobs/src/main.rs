//! Runs the jobs function in Lambda.

use aws::{Bucket, BucketSettings};
use edge::{Services, lambda, wiring};
use jobs::JobsTools;
use queues::{Queues, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run("jobs", async |parts| {
        let settings = Settings::read(wiring::credentials()?, wiring::required, wiring::optional)?;
        let queues = Queues::connect(settings, store::https()?);
        let bucket = BucketSettings::read(wiring::credentials()?, wiring::required, wiring::optional)?;
        let tools = JobsTools { queues, files: Bucket::new(bucket, store::https()?) };
        Ok(jobs::router(Services { app: parts.app, tools }))
    })
    .await
}
