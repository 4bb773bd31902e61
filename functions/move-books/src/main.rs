//! Runs the function that does the steps of jobs with files in Lambda; an SQS queue invokes it.

use aws::{Bucket, BucketSettings};
use edge::{Services, scheduled, wiring};
use move_books::MoveTools;
use queues::{Queues, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    let start = async |parts: wiring::Parts| {
        let settings = Settings::read(wiring::credentials()?, wiring::required, wiring::optional)?;
        let queues = Queues::connect(settings, store::https()?);
        let bucket = BucketSettings::read(wiring::credentials()?, wiring::required, wiring::optional)?;
        let tools = MoveTools { queues, files: Bucket::new(bucket, store::https()?) };
        Ok(Services { app: parts.app, tools })
    };
    let handle = async |services, event| Ok(move_books::handle(&services, event).await);
    scheduled::run_raw("move-books", start, handle).await
}
